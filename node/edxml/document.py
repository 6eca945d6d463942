"""Documents for people: reading a whole packet into words, and the contents of its attachments as streams.

`read_packet` tells all that a packet says, whether it could be carried or not (`truc packet show`, the archive); the node's door is
reader.py. Memory is flat: a content is never held, and `content_pieces` and `content` go through the packet anew and give out what
they pass. All of it is tolerant as edxml.md sections 3, 5 and 6 ask: any prefix, any order, older dialects.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from node.edxml.blocks import BLOCK_BYTES, BlockParser
from node.edxml.collect import ContentListener, PacketCollector
from node.edxml.content import Decoder
from node.edxml.grammar import WHOLE
from node.edxml.limits import LIMITS, Limits
from node.edxml.names import are_usual
from node.edxml.tree import read_tree
from node.edxml.words import packet_of
from node.errors import Rejected
from node.model.packet import Packet
from node.model.reason import Reason

Source = bytes | Path | Iterable[bytes]
"""A packet: its octets, the file that holds them, or pieces of them."""


class PacketReader(BlockParser):
    """Reads one packet piece by piece.

    `feed` and `finish` raise Rejected: PACKET_NOT_XML, PACKET_HAS_DTD, PACKET_TRUNCATED, PACKET_WRONG_NAMESPACE or
    PACKET_TOO_COMPLEX, as soon as it shows, and from then on the same one again. Nothing that the packet says is refused.
    """

    def __init__(self, limits: Limits = LIMITS, on_content: ContentListener | None = None) -> None:
        self._collector = PacketCollector(limits, WHOLE, on_content)
        super().__init__(self._collector, limits)

    def finish(self) -> Packet:
        """End the packet and return its words."""
        return self.end(self._packet)

    def _packet(self) -> Packet:
        return packet_of(self._collector.root, self._collector.signs.dialect(), root_is_prefixed=self.root_is_prefixed)


def read_packet(source: Source, limits: Limits = LIMITS) -> Packet:
    """Return the words of a packet. Raises Rejected as `PacketReader`, OSError if the file cannot be read."""
    is_quick = isinstance(source, bytes) and are_usual(source, limits)
    tree = read_tree(source, limits, WHOLE) if is_quick and isinstance(source, bytes) else None
    if tree is not None:
        return packet_of(tree.root, tree.signs.dialect(), root_is_prefixed=tree.root_is_prefixed)
    reader = PacketReader(limits)
    for piece in pieces_of(source):
        reader.feed(piece)
    return reader.finish()


def content_pieces(source: Source, limits: Limits = LIMITS) -> Iterator[tuple[int, bytes]]:
    """Give out the decoded contents of all attachments: (index of the attachment, a piece), in order.

    An attachment without content gives nothing. Raises Rejected as `PacketReader`, after the pieces before the fault.
    """
    sink = _Sink()
    reader = PacketReader(limits, sink.take)
    for piece in pieces_of(source):
        # Block by block, even where the whole packet is one piece: else the sink would hold a whole content.
        for start in range(0, len(piece), BLOCK_BYTES):
            reader.feed(piece[start : start + BLOCK_BYTES])
            yield from sink.given_out()
    reader.finish()
    yield from sink.given_out()


def content(source: Source, index: int, limits: Limits = LIMITS) -> Iterator[bytes]:
    """Give out the content of one attachment (from 0), decoded and otherwise as it travels; the packet is read no further than that.

    An attachment without content gives nothing. Raises Rejected(NOT_FOUND) if the packet has no such attachment, else as `PacketReader`.
    """
    sink = _Sink()
    reader = PacketReader(limits, sink.take)
    for piece in pieces_of(source):
        for start in range(0, len(piece), BLOCK_BYTES):
            reader.feed(piece[start : start + BLOCK_BYTES])
            yield from (part for each, part in sink.given_out() if each == index)
            if sink.last_ended >= index >= 0:
                return
    attachments = len(reader.finish().attachments)
    yield from (part for each, part in sink.given_out() if each == index)
    if not 0 <= index < attachments:
        raise Rejected(Reason.NOT_FOUND, f"attachment {index}; the packet has {attachments}, counted from 0")


def pieces_of(source: Source) -> Iterator[bytes]:
    """Give out a packet's octets piece by piece."""
    if isinstance(source, bytes):
        yield source
    elif isinstance(source, Path):
        with source.open("rb") as file:
            while piece := file.read(BLOCK_BYTES):
                yield piece
    else:
        yield from source


class _Sink:
    """Decodes contents while the packet is parsed, and holds what was not given out yet: of one block at most."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._parts: list[tuple[int, bytes]] = []
        self.last_ended = -1

    def take(self, index: int, text: str | None) -> None:
        if text is None:
            part, self._decoder = self._decoder.finish(), Decoder()
            self.last_ended = index
        else:
            part = self._decoder.feed(text)
        if part:
            self._parts.append((index, part))

    def given_out(self) -> list[tuple[int, bytes]]:
        parts, self._parts = self._parts, []
        return parts
