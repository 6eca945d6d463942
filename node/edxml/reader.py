"""Reader of edXML packets: a node's only door from packet bytes to model words.

Two ways through the same grammar (grammar.py) to the same words (words.py): a packet that is in memory is read quickly (tree.py);
one that comes piece by piece is never held for more than a block (blocks.py, collect.py). Both give the same words and the same
faults, however the packet was cut up. A node that only carries a packet reads its header, a cut of the grammar (plan.py); the node
that judges it reads all that it says, and gets the header from the same pass (decision 0009).
"""

from collections.abc import Callable
from typing import NamedTuple

from node.edxml.blocks import BLOCK_BYTES, BlockParser
from node.edxml.collect import ContentListener, PacketCollector
from node.edxml.grammar import WHOLE, Root
from node.edxml.limits import LIMITS, Limits
from node.edxml.names import are_usual, aside
from node.edxml.plan import HEADER
from node.edxml.shape import Grammar
from node.edxml.tree import read_tree
from node.edxml.words import address_of, header_of, packet_of
from node.model.header import PacketHeader
from node.model.packet import Packet

__all__ = ["BLOCK_BYTES", "HeaderReader", "Whole", "WholeReader", "read_header", "read_whole"]


class Whole(NamedTuple):
    """A packet's header, which is what routing needs, and all that it says."""

    header: PacketHeader
    packet: Packet


def read_header(packet: bytes, limits: Limits = LIMITS) -> PacketHeader:
    """Return the words of a whole packet's header. Raises Rejected as `HeaderReader`."""
    if not are_usual(packet, limits):
        return aside(lambda: _streamed_header(packet, limits))
    tree = read_tree(packet, limits, HEADER)
    return header_of(tree.root) if tree is not None else _streamed_header(packet, limits)


def _streamed_header(packet: bytes, limits: Limits) -> PacketHeader:
    reader = HeaderReader(limits)
    reader.feed(packet)
    return reader.finish()


def read_whole(
    packet: bytes, limits: Limits = LIMITS, listen: Callable[[], ContentListener | None] = lambda: None
) -> Whole:
    """Return the words of a whole packet. Raises Rejected as `HeaderReader`.

    `listen` makes a listener to the contents of attachments. It may be called twice: the quick way gives up in the middle, the thorough
    one begins anew, and what the first listener has heard is to be forgotten.
    """
    if not are_usual(packet, limits):
        return aside(lambda: _streamed_whole(packet, limits, listen()))
    tree = read_tree(packet, limits, WHOLE, listen())
    if tree is not None:
        words = packet_of(tree.root, tree.signs.dialect(), root_is_prefixed=tree.root_is_prefixed)
        return Whole(header_of(tree.root), words)
    return _streamed_whole(packet, limits, listen())


def _streamed_whole(packet: bytes, limits: Limits, on_content: ContentListener | None) -> Whole:
    reader = WholeReader(limits, on_content)
    reader.feed(packet)
    return reader.finish()


class _Reader(BlockParser):
    """Reads one packet that can be carried, piece by piece."""

    def __init__(self, limits: Limits, grammar: Grammar, on_content: ContentListener | None = None) -> None:
        self._collector = PacketCollector(limits, grammar, on_content, on_envelope=address_of)
        super().__init__(self._collector, limits)

    def _root(self) -> Root:
        if not self._collector.signs.is_carried:
            raise self._collector.signs.not_carried()
        return self._collector.root


class HeaderReader(_Reader):
    """Reads the header of one packet piece by piece.

    `feed` and `finish` raise Rejected: PACKET_NOT_XML, PACKET_HAS_DTD, PACKET_TRUNCATED, PACKET_WRONG_NAMESPACE, PACKET_NO_SENDER,
    PACKET_NO_RECIPIENT, STATUS_MALFORMED or PACKET_TOO_COMPLEX, as soon as it shows, and from then on the same one again.
    """

    def __init__(self, limits: Limits = LIMITS) -> None:
        super().__init__(limits, HEADER)

    def finish(self) -> PacketHeader:
        """End the packet and return its words."""
        return self.end(lambda: header_of(self._root()))


class WholeReader(_Reader):
    """Reads all of one packet piece by piece, with the header in the same pass; raises as `HeaderReader`."""

    def __init__(self, limits: Limits = LIMITS, on_content: ContentListener | None = None) -> None:
        super().__init__(limits, WHOLE, on_content)

    def finish(self) -> Whole:
        """End the packet and return its words."""
        return self.end(self._whole)

    def _whole(self) -> Whole:
        root = self._root()
        dialect = self._collector.signs.dialect()
        return Whole(header_of(root), packet_of(root, dialect, root_is_prefixed=self.root_is_prefixed))
