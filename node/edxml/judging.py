"""Judging a packet from anywhere, of any size, by all rules in one pass: what `truc packet check` and conformance runs ask."""

from node.edxml.document import PacketReader, Source, pieces_of
from node.edxml.rules import check_packet, in_order
from node.edxml.rules.contents import ZipJudge
from node.model.finding import Finding
from node.model.packet import Packet


def judge(source: Source, now_ms: int | None) -> tuple[Packet, list[Finding]]:
    """Return a packet's words and what the rules find in it; `now_ms` as in `check_packet`.

    Raises Rejected as PacketReader for what is no packet, OSError if a file cannot be read.
    """
    listener = ZipJudge()
    reader = PacketReader(on_content=listener)
    for piece in pieces_of(source):
        reader.feed(piece)
    packet = reader.finish()
    return packet, in_order([*check_packet(packet, now_ms), *listener.findings(packet)])
