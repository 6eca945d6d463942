"""Target of the fuzzing: what must hold for any octets that somebody hands in as a packet.

Nothing but Rejected comes out of any reader; the quick way and the streaming one say the same, however deep they read; the rules
judge whatever could be read; a zip is refused by the judge at the door exactly if it cannot be extracted; all of it in time.
"""

import re
import zlib
from collections.abc import Iterator

from node.edxml.document import read_packet
from node.edxml.extract import ContentBroken, extract, file_name, is_zipped
from node.edxml.reader import Whole, WholeReader, read_header, read_whole
from node.edxml.rules import SOURCES, check_packet, warning_line, warning_of
from node.edxml.rules.contents import ZipJudge
from node.edxml.unzip import UnzipLimits
from node.errors import Rejected
from node.model.finding import Finding, Severity
from node.model.packet import Packet
from node.model.reason import Reason

UNZIP_LIMITS = UnzipLimits(free_bytes=64 << 10, ratio_max=20, bytes_max=1 << 20)
"""Small, so that a bomb is found out at once."""
_UNSAFE = re.compile(r"[\x00-\x1f/\\]")
_NOW_MS = 1_795_345_200_000

Outcome = Whole | tuple[Reason, str]


def check(octets: bytes) -> None:
    """Try everything on these octets. Raises AssertionError, or whatever should not have come out.

    They are read at least once and judged; which other way they are read for comparison depends on them, so that a million of them
    are tried in a quarter of an hour and a case found is found again.
    """
    judges: list[ZipJudge] = []
    whole = _outcome(octets, judges)
    way = zlib.crc32(octets) % 4
    if way == 0:
        assert whole == _streamed(octets, 1 + len(octets) % 5_000), "how the packet is cut up makes a difference"
    elif way == 1:
        assert _header(octets) == (whole.header if isinstance(whole, Whole) else whole), "header and whole differ"
    elif way == 2:
        packet = _packet(octets)
        assert not isinstance(whole, Whole) or packet == whole.packet, "the two doors differ"
        if packet is not None:
            _judge(packet)
    if isinstance(whole, Whole):
        _judge(whole.packet)
        _extract(octets, whole.packet, judges[-1].findings(whole.packet))


def _outcome(octets: bytes, judges: list[ZipJudge]) -> Outcome:
    def listen() -> ZipJudge:
        judges.append(ZipJudge(UNZIP_LIMITS))
        return judges[-1]

    try:
        return read_whole(octets, listen=listen)
    except Rejected as fault:
        return fault.reason, fault.detail


def _streamed(octets: bytes, piece_bytes: int) -> Outcome:
    reader = WholeReader()
    try:
        for start in range(0, len(octets), piece_bytes):
            reader.feed(octets[start : start + piece_bytes])
        return reader.finish()
    except Rejected as fault:
        return fault.reason, fault.detail


def _header(octets: bytes) -> object:
    try:
        return read_header(octets)
    except Rejected as fault:
        return fault.reason, fault.detail


def _packet(octets: bytes) -> Packet | None:
    try:
        return read_packet(octets)
    except Rejected:
        return None


def _judge(packet: Packet) -> None:
    for finding in check_packet(packet, _NOW_MS):
        assert finding.code in SOURCES
        assert finding.sentence
        assert " " not in finding.path
        if finding.severity is Severity.WARNING:
            assert warning_of(warning_line(finding)) == finding


def _extract(octets: bytes, packet: Packet, unsound: list[Finding]) -> None:
    """Of the first attachments; more of them are only more of the same."""
    paths = {one.path for one in unsound}
    for index, attachment in enumerate(packet.attachments[:3]):
        name = file_name(attachment, index)
        assert name.strip(" ."), "a file must have a name"
        assert not _UNSAFE.search(name), name
        assert len(name.encode()) <= 255
        if is_zipped(attachment):
            try:
                pieces = extract(octets, packet, index, unzip_limits=UNZIP_LIMITS)
            except ContentBroken:
                # The rules tell of it by themselves (EDXML-081); of the zip nobody can say anything.
                continue
            refused = _drain(pieces)
            assert refused == (f"AttachmentEncoded/Attachment[{index + 1}]/ContentTransferEncoded" in paths)


def _drain(pieces: Iterator[bytes]) -> bool:
    """Take the pieces; tell whether they ended in a refusal."""
    try:
        for _ in pieces:
            pass
    except Rejected:
        return True
    return False
