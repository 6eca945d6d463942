"""Samples, and small edits of them, for the tests of reading."""

from pathlib import Path

import pytest

from node.edxml.limits import LIMITS, Limits
from node.edxml.reader import HeaderReader, Whole, WholeReader, read_header, read_whole
from node.errors import Rejected
from node.model.header import PacketHeader
from node.model.reason import Reason

SAMPLES = Path(__file__).parent.parent / "samples"
NAMES = sorted(path.name for path in SAMPLES.glob("*.edxml"))
QCVN = "http://www.mic.gov.vn/TBT/QCVN_102_2016"

Outcome = PacketHeader | tuple[Reason, str]


def sample(beginning: str) -> bytes:
    """Return the one sample whose name begins so."""
    (path,) = SAMPLES.glob(f"{beginning}*.edxml")
    return path.read_bytes()


def changed(packet: bytes, *edits: tuple[str, str]) -> bytes:
    """Return the packet with each old text, which must be there, replaced by the new one."""
    for old, new in edits:
        assert old.encode() in packet, old
        packet = packet.replace(old.encode(), new.encode())
    return packet


def without(packet: bytes, element: str) -> bytes:
    """Return the packet without any element of this (prefixed) name."""
    opening, closing = f"<{element}>".encode(), f"</{element}>".encode()
    assert opening in packet
    while opening in packet:
        before, rest = packet.split(opening, 1)
        packet = before + rest.split(closing, 1)[1]
    return packet


def streamed(packet: bytes, limits: Limits = LIMITS, piece_bytes: int = 1 << 20) -> PacketHeader:
    """Read a packet piece by piece."""
    reader = HeaderReader(limits)
    for start in range(0, len(packet), piece_bytes):
        reader.feed(packet[start : start + piece_bytes])
    return reader.finish()


def outcome(packet: bytes, limits: Limits = LIMITS, piece_bytes: int = 0) -> Outcome:
    """Return the header or the fault; by `read_header`, or piece by piece."""
    try:
        return streamed(packet, limits, piece_bytes) if piece_bytes else read_header(packet, limits)
    except Rejected as fault:
        return fault.reason, fault.detail


def whole_outcome(packet: bytes, limits: Limits = LIMITS, piece_bytes: int = 0) -> Whole | tuple[Reason, str]:
    """Return all words or the fault; by `read_whole`, or piece by piece."""
    try:
        if not piece_bytes:
            return read_whole(packet, limits)
        reader = WholeReader(limits)
        for start in range(0, len(packet), piece_bytes):
            reader.feed(packet[start : start + piece_bytes])
        return reader.finish()
    except Rejected as fault:
        return fault.reason, fault.detail


def refused(packet: bytes, reason: Reason, limits: Limits = LIMITS) -> str:
    """Check that both ways of reading refuse the packet, for this reason and with the same words; return the words."""
    with pytest.raises(Rejected) as at_once:
        read_header(packet, limits)
    with pytest.raises(Rejected) as by_pieces:
        streamed(packet, limits)
    assert (at_once.value.reason, at_once.value.detail) == (by_pieces.value.reason, by_pieces.value.detail)
    assert at_once.value.reason is reason, at_once.value
    assert 10 < len(at_once.value.detail) < 1500
    return at_once.value.detail
