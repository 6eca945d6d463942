"""Bodies: any size comes back octet for octet; whatever is altered, cut, swapped or opened with another key does not."""

import dataclasses
import hashlib
import hmac
import tracemalloc

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import Denied, Rejected
from node.model.envelope import BodyRef
from node.model.reason import Reason
from node.seal.body import (
    BodyOpener,
    BodySealer,
    open_body,
    open_segment,
    seal_body,
    segment_count,
    segment_span,
)
from node.seal.small import open_small, seal_small

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
SEGMENT = 4_096
SIZES = [1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 3 * SEGMENT + 5]


def packet_of(size_bytes: int) -> bytes:
    return hashlib.shake_128(b"%d" % size_bytes).digest(size_bytes)


def sealed(size_bytes: int) -> tuple[bytes, BodyRef]:
    body, ref, _ = seal_body(KEY, packet_of(size_bytes), SEGMENT)
    return body, ref


def pieces_of(octets: bytes, size_bytes: int) -> list[bytes]:
    return [octets[at : at + size_bytes] for at in range(0, len(octets), size_bytes)]


def opened_by_pieces(content_key: bytes, ref: BodyRef, body: bytes, size_bytes: int) -> tuple[bytes, bytes]:
    opener = BodyOpener(content_key, ref)
    packet = b"".join([opener.update(piece) for piece in pieces_of(body, size_bytes)])
    opener.finish()
    return packet, opener.packet_sha256


def refused_with(ref: BodyRef, body: bytes, content_key: bytes = KEY) -> set[Reason]:
    """The reasons for which a body is refused: at once and by pieces."""
    reasons = set()
    for read in (open_body, lambda *args: opened_by_pieces(*args, 1_000)):
        with pytest.raises(Denied) as denied:
            read(content_key, ref, body)
        reasons.add(denied.value.reason)
    return reasons


def named_anew(ref: BodyRef, body: bytes) -> BodyRef:
    """A reference whose digest fits an altered body, as a malicious sender would write it."""
    return dataclasses.replace(ref, body_sha256=hashlib.sha256(body).digest())


@pytest.mark.parametrize("size_bytes", SIZES)
def test_a_packet_comes_back_and_its_body_has_the_size_and_digest_that_the_reference_says(size_bytes: int) -> None:
    packet = packet_of(size_bytes)
    body, ref, packet_sha256 = seal_body(KEY, packet, SEGMENT)
    assert len(body) == ref.body_bytes == size_bytes + 16 * segment_count(ref)
    assert (ref.packet_bytes, ref.segment_bytes, ref.suite) == (size_bytes, SEGMENT, 1)
    assert ref.body_sha256 == hashlib.sha256(body).digest()
    assert packet_sha256 == hashlib.sha256(packet).digest()
    assert open_body(KEY, ref, body) == (packet, packet_sha256)
    assert size_bytes < 8 or packet[:8] not in body


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=5 * 64), st.integers(1, 64), st.integers(1, 200))
def test_by_pieces_of_any_size_the_same_body_is_made_and_opened(packet: bytes, segment: int, piece: int) -> None:
    sealer = BodySealer(KEY, segment)
    body = b"".join([sealer.update(part) for part in pieces_of(packet, piece)]) + sealer.finish()
    assert (body, sealer.body_ref(), sealer.packet_sha256) == seal_body(KEY, packet, segment)
    assert opened_by_pieces(KEY, sealer.body_ref(), body, piece) == (packet, sealer.packet_sha256)
    assert sealer.packet_bytes == len(packet)


@pytest.mark.parametrize("size_bytes", SIZES)
def test_every_segment_opens_by_itself_and_only_in_its_own_place(size_bytes: int) -> None:
    body, ref = sealed(size_bytes)
    parts = [body[at : at + size] for at, size in (segment_span(ref, index) for index in range(segment_count(ref)))]
    assert b"".join(parts) == body
    opened = [open_segment(KEY, ref, index, part) for index, part in enumerate(parts)]
    assert b"".join(opened) == packet_of(size_bytes)
    for index in range(-1, len(parts) + 1):
        for other, part in enumerate(parts):
            if index != other:
                with pytest.raises(Denied):
                    open_segment(KEY, ref, index, part)


@pytest.mark.parametrize("size_bytes", SIZES)
def test_one_bit_changed_in_any_segment_is_found(size_bytes: int) -> None:
    body, ref = sealed(size_bytes)
    for index in range(segment_count(ref)):
        offset, size = segment_span(ref, index)
        for place in (offset, offset + size // 2, offset + size - 1):
            altered = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
            assert Reason.BODY_DIGEST_DIFFERS in refused_with(ref, altered)
            assert refused_with(named_anew(ref, altered), altered) == {Reason.BODY_UNREADABLE}
            with pytest.raises(Denied):
                open_segment(KEY, ref, index, altered[offset : offset + size])


@pytest.mark.parametrize("size_bytes", SIZES)
def test_a_body_cut_anywhere_or_made_longer_is_found(size_bytes: int) -> None:
    body, ref = sealed(size_bytes)
    stride = SEGMENT + 16
    for end in {0, 1, len(body) - 16, len(body) - 1, *range(stride, len(body), stride)}:
        assert Reason.BODY_DIGEST_DIFFERS in refused_with(ref, body[:end])
        assert refused_with(ref, body[:end]) <= {Reason.BODY_DIGEST_DIFFERS, Reason.BODY_UNREADABLE}
    assert refused_with(ref, body + b"\0") == {Reason.BODY_DIGEST_DIFFERS}


def test_a_body_cut_between_segments_does_not_open_even_if_its_reference_says_so() -> None:
    body, ref = sealed(3 * SEGMENT)
    for count in (1, 2):
        shorter = body[: count * (SEGMENT + 16)]
        lie = dataclasses.replace(named_anew(ref, shorter), packet_bytes=count * SEGMENT, body_bytes=len(shorter))
        assert refused_with(lie, shorter) == {Reason.BODY_UNREADABLE}


def test_segments_swapped_repeated_or_left_out_do_not_open() -> None:
    body, ref = sealed(4 * SEGMENT)
    one, two, three, four = pieces_of(body, SEGMENT + 16)
    for order in ([two, one, three, four], [one, one, three, four], [one, three, two, four], [one, two, four, three]):
        assert refused_with(named_anew(ref, b"".join(order)), b"".join(order)) == {Reason.BODY_UNREADABLE}


def test_another_key_does_not_open() -> None:
    body, ref = sealed(2 * SEGMENT)
    assert refused_with(ref, body, OTHER_KEY) == {Reason.BODY_UNREADABLE}


def test_a_packet_that_the_envelope_does_not_speak_of_does_not_open() -> None:
    body, ref = sealed(SEGMENT)
    assert refused_with(dataclasses.replace(ref, content_tag=b"t" * 32), body) == {Reason.BODY_UNREADABLE}


@pytest.mark.parametrize(
    "lie", [{"suite": 2}, {"segment_bytes": 0}, {"packet_bytes": 0}, {"packet_bytes": SEGMENT + 1}]
)
def test_a_reference_that_contradicts_itself_does_not_open(lie: dict[str, int]) -> None:
    body, ref = sealed(SEGMENT)
    assert refused_with(dataclasses.replace(ref, **lie), body) == {Reason.BODY_UNREADABLE}


def test_an_empty_packet_is_the_authors_mistake() -> None:
    with pytest.raises(Rejected) as rejected:
        seal_body(KEY, b"")
    assert rejected.value.reason is Reason.PACKET_NOT_XML


def test_memory_does_not_grow_with_the_packet() -> None:
    sealer, chunk = BodySealer(KEY), bytes(256 * 1024)
    tracemalloc.start()
    sizes = [len(sealer.update(chunk)) for _ in range(80)] + [len(sealer.finish())]
    opener = BodyOpener(KEY, sealer.body_ref())
    again = BodySealer(KEY)
    for _ in range(80):
        opener.update(again.update(chunk))
    opener.update(again.finish())
    opener.finish()
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(sizes) == sealer.body_ref().body_bytes == 80 * (256 * 1024 + 16)
    assert peak_bytes < 3 * 1024 * 1024


def test_a_small_thing_comes_back_the_same_way_each_time() -> None:
    once = seal_small(KEY, b"truc header", b"subject")
    assert once == seal_small(KEY, b"truc header", b"subject")
    assert b"subject" not in once
    assert open_small(KEY, b"truc header", once) == b"subject"
    assert open_small(KEY, b"truc header", seal_small(KEY, b"truc header", b"")) == b""


def test_a_small_thing_opens_only_with_its_key_and_label_and_unaltered() -> None:
    good = seal_small(KEY, b"truc header", b"subject")
    wrong = [(OTHER_KEY, b"truc header", good), (KEY, b"truc other", good), (KEY, b"truc header", good[:-1])]
    wrong += [(KEY, b"truc header", bytes([good[0] ^ 1]) + good[1:]), (KEY, b"truc header", b"")]
    for content_key, label, octets in wrong:
        with pytest.raises(Denied) as denied:
            open_small(content_key, label, octets)
        assert denied.value.reason is Reason.BODY_UNREADABLE


def test_the_format_is_the_one_that_envelope_proto_and_the_docstring_describe() -> None:
    packet, cipher = packet_of(SEGMENT + 5), AESGCM(KEY)
    body, ref, packet_sha256 = seal_body(KEY, packet, SEGMENT)
    first = cipher.encrypt(bytes(7) + b"\0\0\0\0" + b"\0", packet[:SEGMENT], None)
    last = cipher.encrypt(bytes(7) + b"\0\0\0\1" + b"\1", packet[SEGMENT:], None)
    assert body == first + last
    tag_key = hashlib.sha256(b"truc content tag" + KEY).digest()
    assert ref.content_tag == hmac.new(tag_key, packet_sha256, "sha256").digest()
