"""Sealing: reads, judges and encrypts a packet that is being handed in, in one pass over its octets.

A small packet is read and encrypted at once. A large one flows through: each piece is read, hashed and encrypted and leaves as
ciphertext, so that memory does not grow with the document (law 5). The rules (node/edxml/rules/) judge what was read in the same
pass. The reader raises what is wrong with the XML as soon as it sees it; a broken rule is known only when the packet is whole.
"""

from dataclasses import dataclass

from node.edxml.reader import Whole, WholeReader, read_whole
from node.edxml.rules import check_packet, in_order
from node.edxml.rules.contents import ZipJudge, ZipMet
from node.model.envelope import SEGMENT_BYTES, BodyRef
from node.model.finding import Finding, require_no_errors
from node.model.header import PacketHeader
from node.seal.body import BodySealer, seal_body


@dataclass(frozen=True, slots=True)
class Sealed:
    """A packet that was read, judged and encrypted. `body` is None if the ciphertext has flowed into a file."""

    header: PacketHeader
    packet_sha256: bytes
    content_key: bytes
    body: bytes | None
    body_ref: BodyRef
    findings: tuple[Finding, ...] = ()


def seal_packet_quickly(packet: bytes, content_key: bytes, now_ms: int) -> Sealed | None:
    """Do as `seal_packet`; return None if there is a zip in it, since opening that may take far longer than the packet's size says."""
    try:
        return seal_packet(packet, content_key, now_ms, opens_none=True)
    except ZipMet:
        return None


def seal_packet(packet: bytes, content_key: bytes, now_ms: int, *, opens_none: bool = False) -> Sealed:
    """Read, judge and encrypt a whole packet.

    Raises Rejected for what the reader refuses, and ZipMet for any zip if `opens_none`. Errors by the rules are among the findings.
    """
    judges: list[ZipJudge] = []

    def listen() -> ZipJudge:
        judges.append(ZipJudge(opens_none=opens_none))
        return judges[-1]

    whole = read_whole(packet, listen=listen)
    body, body_ref, packet_sha256 = seal_body(content_key, packet)
    return Sealed(whole.header, packet_sha256, content_key, body, body_ref, _judged(whole, judges[-1], now_ms))


class LargeSeal:
    """Reads, judges and encrypts a packet piece by piece."""

    def __init__(self, content_key: bytes, now_ms: int) -> None:
        self._content_key = content_key
        self._now_ms = now_ms
        self._judge = ZipJudge()
        self._reader = WholeReader(on_content=self._judge)
        self._sealer = BodySealer(content_key, SEGMENT_BYTES)

    def feed(self, data: bytes) -> bytes:
        """Take the next octets, return ciphertext that is ready. Raises Rejected for what the reader refuses."""
        self._reader.feed(data)
        return self._sealer.update(data)

    def finish(self) -> tuple[bytes, Sealed]:
        """Return the last ciphertext and what was learnt. Raises Rejected as `feed`, RulesBroken for errors."""
        whole = self._reader.finish()
        findings = _judged(whole, self._judge, self._now_ms)
        require_no_errors(findings)
        rest, digest = self._sealer.finish(), self._sealer.packet_sha256
        return rest, Sealed(whole.header, digest, self._content_key, None, self._sealer.body_ref(), findings)


def _judged(whole: Whole, judge: ZipJudge, now_ms: int) -> tuple[Finding, ...]:
    found, of_zips = check_packet(whole.packet, now_ms), judge.findings(whole.packet)
    return tuple(in_order([*found, *of_zips]) if of_zips else found)
