"""Firsts: what a recipient has decided first stays its answer, whatever it would say of the packet today.

A second envelope under a known id is refused, and the first one shown, so that an origin without its disk can adopt it: to nobody but
the origin itself, with our receipt and the digest of the packet (decision 0015, flow/send/adoption.py).

The same envelope may come again when the directory refuses it: its origin's key was revoked, its sender or its recipient has moved. It is
answered with the receipt that was given then, else it would be sent until it expires, by the origin or by a relay.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from node.errors import Fault
from node.flow.bodies.reading import PacketReader
from node.flow.receive import accept, older
from node.model.directory import Role
from node.model.envelope import SignedEnvelope
from node.model.mesh import Answer, First, Parcel, PushItem, PushPacket
from node.model.policy import MIB
from node.model.reason import Reason
from node.model.receipt import SignedReceipt
from node.ports import Ports
from node.rows.records import PacketRecord
from node.wire import codec

FIRST_BYTES_MAX = 2 * MIB
"""An answer to a push carries at most so much of first envelopes and their receipts."""


class Firsts:
    """Adds to refusals what was decided first."""

    def __init__(self, ports: Ports, reader: PacketReader) -> None:
        self._ports = ports
        self._reader = reader

    async def added_to(self, peer_id: str, items: Sequence[PushItem], answers: list[Answer]) -> list[Answer]:
        """Add to conflicts what was accepted first, as long as the answer to the push stays small."""
        left_bytes, told = FIRST_BYTES_MAX, []
        for item, answer in zip(items, answers, strict=True):
            more = await self.added_to_one(peer_id, item.parcel, answer) if isinstance(item, PushPacket) else answer
            size_bytes = more.first.size_bytes if more.first is not None else 0
            told.append(more if size_bytes <= left_bytes else answer)
            left_bytes -= size_bytes if size_bytes <= left_bytes else 0
        return told

    async def added_to_one(self, peer_id: str, parcel: Parcel, answer: Answer) -> Answer:
        """Add to a conflict what was accepted first, if it is the origin itself that asks; and answer what was decided as it was then."""
        if answer.reason in older.BY_DIRECTORY:
            return await self._decided(peer_id, parcel) or answer
        if answer.reason is not Reason.ENVELOPE_CONFLICT:
            return answer
        envelope = codec.decode_envelope(parcel.signed_envelope.envelope)
        if envelope.origin_node != peer_id:
            return answer
        try:
            found = await self._ports.store.transact(
                lambda tx: accept.first_of(tx, envelope.packet_id, self._ports.keys.node_id)
            )
            return answer if found is None else replace(answer, first=self._first(*found))
        except Fault:
            return answer

    async def _decided(self, peer_id: str, parcel: Parcel) -> Answer | None:
        """Return the receipt that was given for these very octets, as our answer; None if there is none, or none yet.

        The origin gets it, and a relay. A fellow recipient, who has the octets too, need not know what we said.
        """
        own_id, octets = self._ports.keys.node_id, parcel.signed_envelope.envelope
        peer = self._ports.directory.current().nodes.get(peer_id)
        if parcel.target_node != own_id or peer is None:
            return None
        try:
            envelope = codec.decode_envelope(octets)
            if peer_id != envelope.origin_node and Role.RELAY not in peer.roles:
                return None
            # Whatever it says: of units that are not ours any more it has to say nothing more here.
            read = partial(accept.decided, packet_id=envelope.packet_id, parcel=parcel, node_id=own_id, units=())
            before = await self._ports.store.transact(read)
        except Fault:
            return None
        return before if before is not None and before.receipt is not None else None

    def _first(self, packet: PacketRecord, receipt: SignedReceipt) -> First:
        signed = SignedEnvelope(packet.envelope, codec.signature_from_bytes(packet.signature))
        return First(signed, receipt, self._reader.header(packet).packet_sha256)
