"""Holds: an operator's legal hold on a packet. As long as it stands, neither its body nor anything else of it is forgotten."""

from node.errors import Rejected
from node.flow.expiry.retention import is_held
from node.model.hold import HoldView
from node.model.reason import Reason
from node.ports import Tx
from node.rows import keys
from node.rows.access import load, save
from node.rows.records import HoldRecord, PacketRecord

PAGE = 500


def put(tx: Tx, packet_id: bytes, reason: str, now_ms: int) -> None:
    """Put a hold on a packet, or change its reason. Raises Rejected(NOT_FOUND) for a packet that is not here any more."""
    if load(tx, keys.packet(packet_id), PacketRecord) is None:
        raise Rejected(Reason.NOT_FOUND, f"no packet {packet_id.hex()} at this node")
    save(tx, keys.hold(packet_id), HoldRecord(reason=reason, time_ms=now_ms))


def lift(tx: Tx, packet_id: bytes) -> None:
    """Lift a hold: within a day what nobody else needs is forgotten. Raises Rejected(NOT_FOUND) if there is none."""
    if not is_held(tx, packet_id):
        raise Rejected(Reason.NOT_FOUND, f"there is no hold on packet {packet_id.hex()}")
    tx.delete(keys.hold(packet_id))


def page(tx: Tx, start: bytes) -> tuple[list[HoldView], bytes]:
    """Return a page of holds from a key on, and where to go on (empty: the end)."""
    rows = tx.scan(keys.HOLDS, start=start, limit=PAGE)
    held = [_view(key, HoldRecord.FromString(value)) for key, value in rows]
    return held, rows[-1][0] + b"\0" if len(rows) == PAGE else b""


def _view(key: bytes, record: HoldRecord) -> HoldView:
    return HoldView(keys.packet_of_row(key), record.reason, record.time_ms)
