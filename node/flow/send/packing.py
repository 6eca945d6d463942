"""Packing: from outbox rows to what travels to a peer. What cannot be read or locked concerns its own row, and no other.

The content key is unlocked with our own wrap and locked again for the node that shall open the packet, at the moment of sending: a
delivery that was routed anew needs nothing else, and the envelope's bytes stay what they were.
"""

from dataclasses import dataclass

from node.errors import Broken, Denied, Fault
from node.flow.bodies.reading import PacketReader
from node.flow.send import outbox, receipts
from node.flow.send.resigning import signed_for_sending
from node.model.envelope import KeyWrap, SignedEnvelope
from node.model.mesh import Parcel, PushItem, PushPacket, PushReceipt
from node.model.reason import Reason
from node.ports import Ports, Tx
from node.rows import keys
from node.rows.access import DAMAGE, require
from node.rows.records import PacketRecord
from node.seal.public import sealing_key_of
from node.seal.wrap import Wrapper
from node.wire import codec


@dataclass(frozen=True, slots=True)
class Loaded:
    """A row with what it stands for. `packet` is None for a receipt. `units`: for whom the packet goes; none: for all of its recipients."""

    row: outbox.Row
    packet: PacketRecord | None
    body: bytes | None
    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unfit:
    """A row that cannot go at all for a reason of our own, and why."""

    row: outbox.Row
    reason: Reason
    detail: str


class Packer:
    """Packs rows for one peer."""

    def __init__(self, peer_id: str, ports: Ports, reader: PacketReader, wrapper: Wrapper) -> None:
        self._peer_id = peer_id
        self._ports = ports
        self._reader = reader
        self._wrapper = wrapper

    async def load(self, rows: list[outbox.Row]) -> tuple[list[Loaded], list[Unfit]]:
        """Read what rows stand for. Raises Deferred if the store can be read by nobody now."""
        try:
            return await self._ports.store.transact(lambda tx: load_rows(tx, rows)), []
        except (Broken, Denied, *DAMAGE) as error:
            if len(rows) == 1:
                return [], [unfit(rows[0], error)]
        # One of them is to blame. Each is read by itself, so that the others go.
        pairs = [await self.load([row]) for row in rows]
        return [one for loaded, _ in pairs for one in loaded], [one for _, left in pairs for one in left]

    async def require_body(self, row: outbox.Row) -> None:
        """Check that a body is here to its end without reading all of a large one. Raises Broken(STORE_CORRUPT)."""
        digest, last = row.record.body_sha256, max(0, row.record.body_bytes - 1)
        if await self._ports.store.transact(lambda tx: tx.get(keys.body(digest))) is not None:
            return
        if not await self._ports.bodies.read(digest, last, 1) and row.record.body_bytes:
            raise Broken(Reason.STORE_CORRUPT, f"body {digest.hex()} is shorter than {row.record.body_bytes} bytes")

    async def item(self, loaded: Loaded) -> PushItem:
        """Return what travels in a Push. Raises Broken or Denied if it cannot."""
        if loaded.packet is None:
            return PushReceipt(codec.signed_receipt_from_bytes(loaded.row.record.signed_receipt))
        body, record = loaded.body, loaded.row.record
        if body is None:
            body = await self._ports.bodies.read(record.body_sha256, 0, record.body_bytes)
        return PushPacket(self.parcel(loaded), body)

    def parcel(self, loaded: Loaded) -> Parcel:
        """Return a packet without its body. Raises Denied if its key cannot be locked for the peer."""
        packet = loaded.packet
        assert packet is not None
        stored = SignedEnvelope(packet.envelope, codec.signature_from_bytes(packet.signature))
        directory, now_ms = self._ports.directory.current(), self._ports.clock.now_ms()
        signed = signed_for_sending(stored, loaded.row.record, self._ports.keys, directory, now_ms)
        # A relay hands on what the origin judged by: the target must not refuse for good by an older directory than that.
        record, is_carried = loaded.row.record, loaded.row.kind == keys.OUTBOX_RELAY
        version = max(directory.version, record.directory_version)
        addressed_version = record.directory_version if is_carried else directory.version
        return Parcel(
            signed,
            self._wrap(loaded, packet, signed.sha256),
            self._peer_id,
            version,
            addressed_version,
            for_units=loaded.units,
        )

    def _wrap(self, loaded: Loaded, packet: PacketRecord, envelope_sha256: bytes) -> KeyWrap:
        if loaded.row.kind == keys.OUTBOX_RELAY:
            return codec.key_wrap_from_bytes(loaded.row.record.key_wrap)
        target = self._ports.directory.current().nodes.get(self._peer_id)
        now_ms = self._ports.clock.now_ms()
        key = sealing_key_of(target, now_ms) if target is not None else None
        if key is None:
            raise Denied(Reason.PEER_UNKNOWN, f"the directory has no valid sealing key of {self._peer_id}")
        return self._wrapper.wrap(self._reader.content_key(packet), self._peer_id, key, envelope_sha256)


def unfit(row: outbox.Row, error: Exception) -> Unfit:
    """Say why a row cannot go: the fault itself; a stored row that is missing or cannot be read is damage."""
    if isinstance(error, Fault):
        return Unfit(row, error.reason, error.detail)
    return Unfit(row, Reason.STORE_CORRUPT, f"what the row stands for is damaged: {type(error).__name__}")


def load_rows(tx: Tx, rows: list[outbox.Row]) -> list[Loaded]:
    """Read what rows stand for; bodies of what is large stay where they are."""
    return [_load(tx, row) for row in rows]


def _load(tx: Tx, row: outbox.Row) -> Loaded:
    if row.kind == keys.OUTBOX_RECEIPT:
        return Loaded(row, None, None)
    packet = require(tx, keys.packet(row.packet_id), PacketRecord)
    body = tx.get(keys.body(row.record.body_sha256)) if not row.lane.is_bulk else None
    return Loaded(row, packet, body, _units(tx, row))


def _units(tx: Tx, row: outbox.Row) -> tuple[str, ...]:
    record = row.record
    if record.units or record.is_for_all or row.kind == keys.OUTBOX_RELAY:
        return tuple(record.units)
    # A row of an older version, or one that was laid aside.
    return tuple(receipts.waiting_units(tx, row.packet_id, row.node_id))
