"""Reading: from stored bodies and headers back to octets and words, for those whom this node serves.

The body stays encrypted until the moment a unit fetches it; then it is opened segment by segment, so that a 500 MB packet needs
no more memory than a small one, and any damage on the disk is noticed before a single wrong octet leaves (law 4).
"""

from collections.abc import AsyncIterator, Callable

from node.errors import Broken, Denied, Rejected
from node.model.envelope import SEGMENT_TAG_BYTES, BodyRef, envelope_sha256_of
from node.model.reason import Reason
from node.ports import Ports
from node.rows import keys
from node.rows.records import HeaderRecord, PacketRecord
from node.seal.body import open_segment
from node.seal.small import HEADER_LABEL, open_small
from node.seal.wrap import Wrapper
from node.wire import codec


class PacketReader:
    """Opens what this node has stored and can unlock: its own units' packets, and those it has sent."""

    def __init__(self, ports: Ports, wrapper: Wrapper, on_damage: Callable[[bytes], None] = lambda _: None) -> None:
        """`on_damage` is told of a body that cannot be opened."""
        self._ports = ports
        self._wrapper = wrapper
        self._on_damage = on_damage

    def content_key(self, packet: PacketRecord) -> bytes:
        """Return the content key of a packet that is sealed for this node."""
        return self._wrapper.unwrap(codec.key_wrap_from_bytes(packet.own_wrap), envelope_sha256_of(packet.envelope))

    def header(self, packet: PacketRecord) -> HeaderRecord:
        """Return what lists show of a packet."""
        try:
            return HeaderRecord.FromString(open_small(self.content_key(packet), HEADER_LABEL, packet.sealed_header))
        except Denied as fault:
            raise Broken(Reason.STORE_CORRUPT, f"a stored header cannot be opened: {fault.detail}") from fault

    async def packet(self, record: PacketRecord, offset_bytes: int) -> AsyncIterator[bytes]:
        """Yield a packet's exact octets from an offset on, one segment at a time."""
        if record.body_forgotten:
            raise Rejected(Reason.NOT_FOUND, "the body of this packet is no longer kept")
        envelope, content_key = codec.decode_envelope(record.envelope), self.content_key(record)
        ref, packet_id = envelope.body, envelope.packet_id
        if not 0 <= offset_bytes <= ref.packet_bytes:
            raise Rejected(Reason.REQUEST_INVALID, f"offset {offset_bytes} of {ref.packet_bytes} bytes")
        index, skip = divmod(offset_bytes, ref.segment_bytes)
        inline = await self._inline(packet_id, ref)
        while index * ref.segment_bytes < ref.packet_bytes:
            try:
                sealed = await self._segment(ref, index, inline)
                plain = open_segment(content_key, ref, index, sealed)
            except (Broken, Denied) as fault:
                self._on_damage(ref.body_sha256)
                raise _damaged(packet_id, f"segment {index} of its body: {fault.detail}") from fault
            yield plain[skip:] if skip else plain
            index, skip = index + 1, 0

    async def _inline(self, packet_id: bytes, ref: BodyRef) -> bytes | None:
        try:
            return await inline_body(self._ports, ref)
        except Broken as fault:
            self._on_damage(ref.body_sha256)
            raise _damaged(packet_id, f"its body: {fault.detail}") from fault

    async def _segment(self, ref: BodyRef, index: int, inline: bytes | None) -> bytes:
        size = ref.segment_bytes + SEGMENT_TAG_BYTES
        if inline is not None:
            return inline[index * size : (index + 1) * size]
        return await self._ports.bodies.read(ref.body_sha256, index * size, size)


def _damaged(packet_id: bytes, detail: str) -> Broken:
    """Return the fault of this one document; everything else can be read."""
    return Broken(Reason.STORE_CORRUPT, f"packet {packet_id.hex()}: {detail}")


async def inline_body(ports: Ports, ref: BodyRef) -> bytes | None:
    """Return a body that lies in the store, or None if it is a file."""
    return await ports.store.transact(lambda tx: tx.get(keys.body(ref.body_sha256)))
