"""Zips of a packet judged at one go, for tests; a node's judge listens while the packet is read (node/edxml/rules/contents.py)."""

from node.edxml.document import PacketReader, Source, pieces_of
from node.edxml.rules.contents import ZipJudge
from node.model.finding import Finding
from node.model.packet import Packet


def check_contents(source: Source, packet: Packet) -> list[Finding]:
    """Return what is wrong with the zips in a packet; `packet` is what was read from the same source."""
    judge = ZipJudge()
    reader = PacketReader(on_content=judge)
    for piece in pieces_of(source):
        reader.feed(piece)
    reader.finish()
    return judge.findings(packet)
