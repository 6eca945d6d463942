"""Whichever way a packet is read and however it is cut up, the words and the faults are the same; and nothing but Rejected comes out."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.edxml.compose import compose_document
from node.edxml.reader import BLOCK_BYTES
from node.model.header import PacketHeader
from tests.edxml.packets import NAMES, SAMPLES, outcome, sample

PACKETS = [(SAMPLES / name).read_bytes() for name in NAMES]
STATUS = sample("30_status_15")

SNIPPETS = [
    "<", ">", "&", "&amp;", "&#65;", "&#x1f4c4;", "&foo;", "</", "/>", "<!-- c -->", "<?x y?>", "<![CDATA[x < y]]>", "]]>", " ", "\r\n",
    "\x00", "đ", "<x/>", "<x>", "</edXML:Subject>", "<edXML:To>", "<edXML:StatusCode>01</edXML:StatusCode>", "<!DOCTYPE x>", '"', "'",
    'xmlns="urn:x"', "edXML:", "<edXML:OrganId>H01</edXML:OrganId>", "<edXML:OrganId/>", " <![CDATA[]]> ", " <!-- --> ", "  <x/>  ", "!",
    "?",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A sample with up to three faults: octets cut out, doubled or turned over, or something put between."""
    packet = bytearray(draw(st.sampled_from(PACKETS)))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(packet)))
        end = min(len(packet), start + draw(st.sampled_from([0, 1, 1, 5, 60, 600])))
        inside = draw(
            st.one_of(
                st.sampled_from(SNIPPETS).map(str.encode), st.binary(max_size=3), st.just(bytes(packet[start:end]) * 2)
            )
        )
        packet[start:end] = inside
    return bytes(packet)


@st.composite
def mutated_between_tags(draw: st.DrawFn) -> bytes:
    """A sample with things put where they leave it well-formed more often: around tags."""
    packet = draw(st.sampled_from(PACKETS)).decode()
    for _ in range(draw(st.integers(1, 4))):
        places = [place for place, letter in enumerate(packet) if letter == "<"]
        place = draw(st.sampled_from(places))
        packet = packet[:place] + draw(st.sampled_from(SNIPPETS)) + packet[place:]
    return packet.encode()


@settings(max_examples=400, deadline=None)
@given(st.one_of(mutated(), mutated_between_tags()), st.integers(1, 6000))
def test_a_damaged_packet_is_read_or_refused_alike_by_both_ways(packet: bytes, piece_bytes: int) -> None:
    assert outcome(packet) == outcome(packet, piece_bytes=piece_bytes)


@pytest.mark.parametrize("piece_bytes", range(1, 400))
def test_pieces_of_every_size_give_the_same_words(piece_bytes: int) -> None:
    whole = outcome(STATUS)
    assert isinstance(whole, PacketHeader)
    assert outcome(STATUS, piece_bytes=piece_bytes) == whole


@pytest.mark.parametrize("packet", PACKETS, ids=NAMES)
def test_octet_by_octet_is_the_same(packet: bytes) -> None:
    assert outcome(packet, piece_bytes=1) == outcome(packet)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("shift", range(8))
def test_a_letter_over_the_border_of_two_blocks_stays_whole(shift: int, encoding: str) -> None:
    subject = "x" * shift + unicodedata.normalize("NFD", "Quyết định ưu đãi 📄 ") * 8_000
    packet = compose_document(
        sender="H99",
        sender_name="",
        recipients=[("H98", "")],
        document_id="1",
        number="1",
        notation="",
        subject=subject,
        date="",
    )
    packet = packet.decode().replace("UTF-8", encoding).encode(encoding)
    assert len(packet) > 3 * BLOCK_BYTES
    for piece_bytes in (0, BLOCK_BYTES, 50_001):
        words = outcome(packet, piece_bytes=piece_bytes)
        assert isinstance(words, PacketHeader)
        assert words.subject == subject.rstrip()


def test_a_fault_after_megabytes_is_the_same_for_every_cutting() -> None:
    content = b"QUJD" * 400_000
    packet = (
        sample("01")
        .replace(b"JVBERi0xLjQgbeG6q3U=", content)
        .replace(b"</AttachmentEncoded>", b"</AttachmentEncoded x>")
    )
    at_once = outcome(packet)
    assert not isinstance(at_once, PacketHeader)
    assert all(outcome(packet, piece_bytes=size) == at_once for size in (777, 65_535, 65_536, 65_537, 1 << 20))
