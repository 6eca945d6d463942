"""Firsts: a recipient that refuses a second envelope under a known id shows the first one, so that an origin without its disk can adopt it.

It shows it to nobody but the origin itself, with its receipt and the digest of the packet (decision 0015, flow/send/adoption.py).
"""

from collections.abc import Sequence
from dataclasses import replace

from node.errors import Fault
from node.flow.bodies.reading import PacketReader
from node.flow.receive import accept
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
    """Adds to conflicts what was accepted first."""

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
        """Add to a conflict what was accepted first, if it is the origin itself that asks (decision 0015)."""
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

    def _first(self, packet: PacketRecord, receipt: SignedReceipt) -> First:
        signed = SignedEnvelope(packet.envelope, codec.signature_from_bytes(packet.signature))
        return First(signed, receipt, self._reader.header(packet).packet_sha256)
