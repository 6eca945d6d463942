"""What shows only when attachments are opened: zips that would harm a receiver (edxml.md section 3, dangers).

This reads the whole packet once more, with flat memory, and keeps nothing; `check_packet` looks at words only and is for everybody.
"""

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter

from node.edxml.document import Source, content_pieces
from node.edxml.extract import is_zipped
from node.edxml.limits import LIMITS, Limits
from node.edxml.rules.rule import QCVN
from node.edxml.unzip import UNZIP_LIMITS, UnzipLimits, unzip_one
from node.errors import Rejected
from node.model.finding import Finding, Severity
from node.model.packet import Packet
from node.model.reason import Reason

_SOURCE = f"{QCVN} AttachmentEncoded"


def check_contents(
    source: Source, packet: Packet, limits: Limits = LIMITS, unzip_limits: UnzipLimits = UNZIP_LIMITS
) -> list[Finding]:
    """Return what is wrong with the zips in a packet; `packet` is what was read from the same source.

    Takes time in proportion to the packet. Raises Rejected as `content_pieces` if the source is not what was read.
    """
    found = []
    for index, pieces in groupby(content_pieces(source, limits), key=itemgetter(0)):
        if is_zipped(packet.attachments[index]):
            refusal = _refusal((piece for _, piece in pieces), unzip_limits)
            if refusal is not None:
                found.append(_finding(packet, index, refusal))
    return found


def _refusal(pieces: Iterable[bytes], unzip_limits: UnzipLimits) -> Rejected | None:
    try:
        for _ in unzip_one(pieces, unzip_limits):
            pass
    except Rejected as refusal:
        return refusal
    return None


def _finding(packet: Packet, index: int, refusal: Rejected) -> Finding:
    name = repr(packet.attachments[index].attachment_name.strip()[:60])
    is_bomb = refusal.reason is Reason.PACKET_TOO_COMPLEX
    what = "nở ra quá lớn khi giải nén" if is_bomb else "không phải tệp nén một tệp đúng cách"
    return Finding(
        code="EDXML-091" if is_bomb else "EDXML-090",
        severity=Severity.ERROR,
        path=f"AttachmentEncoded/Attachment[{index + 1}]/ContentTransferEncoded",
        sentence=f"Tệp đính kèm {name} {what} ({refusal.detail}).",
        source=_SOURCE,
    )
