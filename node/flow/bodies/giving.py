"""Giving: a body for another node of its packet, whose own copy is damaged (flow/send/mending.py asks).

Those who have had the octets may have them again, and those to whom they are on their way; nobody else. All that is asked about is in
our own rows, and the caller is who its certificate says:

    we are                    the caller is
    ------------------------  ---------------------------------------------------------------------------------
    any node of the packet    its origin
    origin, relay             a node that has given a receipt for it (custody, delivered), or for which it waits

Whoever else asks learns nothing, not even whether there is such a packet. What is given was not verified: the caller compares digests.
"""

from collections.abc import AsyncGenerator

from node.errors import Broken, Rejected
from node.model.envelope import BodyRef
from node.model.policy import KIB
from node.model.reason import Reason
from node.model.receipt import Level
from node.ports import Ports, Tx
from node.rows import keys
from node.rows.access import load
from node.rows.records import PacketRecord
from node.wire import codec

PIECE_BYTES = 256 * KIB


def body_for(tx: Tx, peer_id: str, packet_id: bytes, body_sha256: bytes) -> BodyRef | None:
    """Return the body of a packet that a peer may have; None if it may not, or if there is no such body here any more."""
    packet = load(tx, keys.packet(packet_id), PacketRecord)
    if packet is None or packet.body_forgotten:
        return None
    envelope = codec.decode_envelope(packet.envelope)
    if envelope.body.body_sha256 != body_sha256:
        return None
    return envelope.body if peer_id == envelope.origin_node or _has_had(tx, peer_id, packet_id) else None


def _has_had(tx: Tx, peer_id: str, packet_id: bytes) -> bool:
    names = [keys.receipt(packet_id, level, peer_id) for level in (Level.DELIVERED, Level.CUSTODY)]
    names += [keys.outbox_index(packet_id, peer_id, kind) for kind in (keys.OUTBOX_PACKET, keys.OUTBOX_RELAY)]
    return any(value is not None for value in tx.get_many(names))


async def give(
    ports: Ports, peer_id: str, packet_id: bytes, body_sha256: bytes, offset_bytes: int
) -> AsyncGenerator[bytes, None]:
    """Return a body's octets from an offset on, piece by piece. Raises Rejected(NOT_FOUND), also if our own copy cannot be read."""

    def look(tx: Tx) -> tuple[BodyRef | None, bytes | None]:
        ref = body_for(tx, peer_id, packet_id, body_sha256)
        return ref, tx.get(keys.body(body_sha256)) if ref is not None else None

    try:
        ref, inline = await ports.store.transact(look)
    except Broken as fault:
        raise Rejected(Reason.NOT_FOUND, "no such body for you") from fault
    if ref is None or offset_bytes > ref.body_bytes:
        raise Rejected(Reason.NOT_FOUND, "no such body for you")
    return _pieces(ports, ref, inline, offset_bytes)


async def _pieces(ports: Ports, ref: BodyRef, inline: bytes | None, offset_bytes: int) -> AsyncGenerator[bytes, None]:
    while offset_bytes < ref.body_bytes:
        if inline is not None:
            data = inline[offset_bytes : offset_bytes + PIECE_BYTES]
        else:
            try:
                data = await ports.bodies.read(ref.body_sha256, offset_bytes, PIECE_BYTES)
            except Broken as fault:
                raise Rejected(Reason.NOT_FOUND, "this body cannot be read here") from fault
        if not data:
            return
        offset_bytes += len(data)
        yield data
