"""The file within the body of sendEdoc: whatever the pieces it comes in, one line end less, and proved."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import Rejected
from node.model.reason import Reason
from node.web.vxp.edocfile import EdocFile
from tests.web.sdk import unpadded_hex

TINY = b"<a/>"


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for begin in range(0, len(body), size):
        yield body[begin : begin + size]


def taken(body: bytes, hash_file: str, size: int = 7) -> bytes:
    async def story() -> bytes:
        return b"".join([piece async for piece in EdocFile(pieces(body, size), hash_file).octets()])

    return asyncio.run(story())


def refused(body: bytes, hash_file: str) -> Reason:
    with pytest.raises(Rejected) as fault:
        taken(body, hash_file)
    return fault.value.reason


files = st.binary(max_size=60).map(lambda tail: b"<edXML>" + tail) | st.sampled_from(
    [TINY, TINY + b"\r\n", TINY + b"\r\n\r\n", TINY + b"\n", TINY + b"\r", b"<a>\r\n</a>\r\n\r\n\r\n"]
)


@given(files, st.integers(1, 80), st.booleans())
def test_one_line_end_is_taken_away_and_never_more(file: bytes, size: int, padded: bool) -> None:
    digest = hashlib.sha256(file).hexdigest() if padded else unpadded_hex(file)

    assert taken(file + b"\r\n", digest, size) == file


@given(files, st.integers(1, 80))
def test_a_digest_of_the_whole_body_takes_nothing_away(file: bytes, size: int) -> None:
    assert taken(file, unpadded_hex(file), size) == file


@given(files, st.integers(1, 80), st.booleans(), st.booleans())
def test_base64_of_xml_is_decoded_whichever_of_the_two_the_digest_is_of(
    file: bytes, size: int, of_text: bool, wrapped: bool
) -> None:
    text = base64.encodebytes(file) if wrapped else base64.b64encode(file)
    if len(file) < 6:
        return

    assert taken(text + b"\r\n", unpadded_hex(text if of_text else file), size) == file


def test_a_digest_with_small_octets_is_shorter_and_both_ways_of_writing_it_are_taken() -> None:
    file = next(f for f in (b"<a>%d</a>" % n for n in range(1000)) if len(unpadded_hex(f)) < 62)

    assert taken(file + b"\r\n", unpadded_hex(file)) == file
    assert taken(file + b"\r\n", hashlib.sha256(file).hexdigest().upper()) == file


@pytest.mark.parametrize(
    "body", [TINY + b"\n", TINY + b"\r\n\r\n", TINY + b" \r\n", b"\r\n" + TINY, TINY[:-1], b"", b"\r\n", b"x", b"QUJD"]
)
def test_other_octets_are_refused(body: bytes) -> None:
    assert refused(body, unpadded_hex(TINY)) in (Reason.SUBMISSION_INCOMPLETE, Reason.PACKET_NOT_XML)


@pytest.mark.parametrize("hash_file", ["", "g" * 64, "0" * 65, "0" * 31, "../../etc/passwd"])
def test_what_is_no_digest_is_said_to_be_none(hash_file: str) -> None:
    assert refused(TINY, hash_file) is Reason.REQUEST_INVALID


def test_an_empty_file_with_its_digest_is_empty() -> None:
    assert taken(b"", unpadded_hex(b"")) == b""
    assert taken(b"\r\n", unpadded_hex(b"")) == b""


def test_broken_base64_is_refused() -> None:
    text = base64.b64encode(b"<edXML>" + bytes(60))[:-6] + b"!!"
    assert refused(text + b"\r\n", unpadded_hex(text)) is Reason.PACKET_NOT_XML
