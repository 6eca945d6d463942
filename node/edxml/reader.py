"""Reading an edXML packet's header: the only door from packet bytes to model words.

Two ways through the same plan (plan.py) and the same rules (words.py): `read_header` takes a packet that is in memory, quickly;
`HeaderReader` takes one piece by piece and never holds more than a block of it (blocks.py). Both give the same words and the
same faults, however the packet was cut up.
"""

from node.edxml.blocks import BLOCK_BYTES, BlockParser
from node.edxml.limits import LIMITS, Limits
from node.edxml.stream import Collector
from node.edxml.tree import read_tree
from node.model.header import PacketHeader

__all__ = ["BLOCK_BYTES", "HeaderReader", "read_header"]


def read_header(packet: bytes, limits: Limits = LIMITS) -> PacketHeader:
    """Return the words of a whole packet. Raises Rejected as `HeaderReader`."""
    header = read_tree(packet, limits)
    if header is not None:
        return header
    reader = HeaderReader(limits)
    reader.feed(packet)
    return reader.finish()


class HeaderReader(BlockParser):
    """Reads one packet piece by piece.

    `feed` and `finish` raise Rejected: PACKET_NOT_XML, PACKET_HAS_DTD, PACKET_TRUNCATED, PACKET_WRONG_NAMESPACE, PACKET_NO_SENDER,
    PACKET_NO_RECIPIENT, STATUS_MALFORMED or PACKET_TOO_COMPLEX, as soon as it shows, and from then on the same one again.
    """

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._collector = Collector(limits)
        super().__init__(self._collector, limits)

    def finish(self) -> PacketHeader:
        """End the packet and return its words."""
        return self.end(self._collector.header)
