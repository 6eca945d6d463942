"""Track: what a sender sees of its packet. Nothing is stored for this view: it is read off deliveries, statuses, outbox and roads.

A waiting delivery always says what it waits for and until when (law 2): its own row if it was put off, else the road to its
node, else its place in the queue.
"""

from dataclasses import dataclass

from node.errors import Rejected
from node.flow.document import status
from node.flow.document.dossier import Row, acts, fact_of, rows, said
from node.flow.document.life import Fact, life_of
from node.flow.send import outbox, receipts
from node.flow.send.routing import Outlook, waiting_for
from node.model.code import parse_code
from node.model.delivery import State
from node.model.life import LifeAct, LifeState
from node.model.office import DeliveryView, System
from node.model.reason import Reason
from node.model.receipt import Level
from node.model.status import shown_status
from node.ports import Tx
from node.rows import keys
from node.rows.access import load
from node.rows.records import DeliveryRecord, PacketRecord, SubmissionRecord
from node.wire import codec


@dataclass(frozen=True, slots=True)
class Tracked:
    """A packet with its deliveries, its header still encrypted; and the status packets, which hold the statuses' words."""

    packet_id: bytes
    packet: PacketRecord
    deliveries: tuple[DeliveryView, ...]
    status_packets: dict[bytes, PacketRecord]


class Lives:
    """The life of one document at each of its recipients, as its author's node knows it, read off the dossier."""

    def __init__(self, tx: Tx, author: str, document_sha256: bytes) -> None:
        self._tx = tx
        self._author = author
        self._digest = document_sha256
        self._acts = acts(tx, author, author, document_sha256) if document_sha256 else []
        self.is_known = any(row.act is not None for row in self._acts)

    def at(self, unit: str) -> tuple[LifeState, bytes]:
        """Return the state at one recipient, and the packet that decided it."""
        if not self.is_known:
            return LifeState.UNKNOWN, b""
        own: dict[bytes, Row] = {}
        statuses: list[Row] = []
        if not self._is_plain():
            party = rows(self._tx, self._author, self._author, self._digest, unit)
            own = {row.packet_id: row for row in party if row.act is not LifeAct.STATUS}
            statuses = [row for row in party if row.act is LifeAct.STATUS]
        facts = [fact for row in self._acts if (fact := self._fact(own.get(row.packet_id, row), unit)) is not None]
        return life_of(facts, said(statuses))

    def _is_plain(self) -> bool:
        """True of nearly every document: it was sent, and nothing else has been done about it."""
        return all(row.act is LifeAct.NEW and not row.record.has_exceptions for row in self._acts)

    def _fact(self, row: Row, unit: str) -> Fact | None:
        if row.act is None:
            return None
        delivery = load(self._tx, keys.delivery(row.packet_id, unit), DeliveryRecord)
        return None if delivery is None else fact_of(row, has_arrived=delivery.state == State.DELIVERED)


def find_packet(tx: Tx, system: System, packet_id: bytes, submission_id: str, document_id: str) -> bytes:
    """Return the packet id for one of its three names. Raises Rejected(NOT_FOUND or REQUEST_INVALID)."""
    if packet_id:
        return packet_id
    found = None
    if submission_id:
        record = load(tx, keys.submission(system.name, submission_id), SubmissionRecord)
        found = record.packet_id if record else None
    elif document_id:
        names = (tx.get(keys.document(unit, document_id.strip())) for unit in sorted(system.units))
        found = next((name for name in names if name), None)
    else:
        raise Rejected(Reason.REQUEST_INVALID, "name a packet_id, a submission_id or a document_id")
    if found is None:
        raise Rejected(Reason.NOT_FOUND, f"nothing was submitted as {submission_id or document_id!r}")
    return found


def track(tx: Tx, packet_id: bytes, outlook: Outlook) -> Tracked:
    """Return a packet of our own with all its deliveries. Raises Rejected(NOT_FOUND)."""
    packet = load(tx, keys.packet(packet_id), PacketRecord)
    if packet is None or not packet.system:
        raise Rejected(Reason.NOT_FOUND, f"packet {packet_id.hex()} was not submitted here")
    lives = Lives(tx, codec.decode_envelope(packet.envelope).sender_unit, packet.document_sha256)
    views = tuple(
        _view(tx, packet_id, keys.unit_after_id(key), DeliveryRecord.FromString(value), outlook, lives)
        for key, value in receipts.deliveries(tx, packet_id)
    )
    names = {event.packet_id for view in views for event in view.statuses}
    packets = {name: record for name in sorted(names) if (record := load(tx, keys.packet(name), PacketRecord))}
    return Tracked(packet_id, packet, views, packets)


def _view(tx: Tx, packet_id: bytes, unit: str, record: DeliveryRecord, outlook: Outlook, lives: Lives) -> DeliveryView:
    statuses = status.history(tx, packet_id, unit)
    row = outbox.row_of(tx, record.node_id, packet_id, keys.OUTBOX_PACKET)
    state = State(record.state)
    reason, next_attempt_ms = Reason(record.reason), 0
    if state is State.WAITING and row is not None:
        reason, next_attempt_ms = waiting_for(tx, record.node_id, row, outlook)
    entry = outlook.directory.unit(parse_code(unit))
    # Either the recipient's node has decided or the origin itself has given up; the signer tells which receipt it was.
    level = Level.DELIVERED if record.receipt_node == record.node_id else Level.FAILED
    signed = receipts.kept(tx, packet_id, level, record.receipt_node) if record.receipt_node else None
    life, life_packet_id = lives.at(unit)
    return DeliveryView(
        unit=unit,
        node_id=record.node_id,
        state=state,
        reason=reason,
        next_attempt_ms=next_attempt_ms,
        end_time_ms=record.end_time_ms,
        custody_node=row[1].custody_node if row is not None else "",
        status_code=shown_status(event.code for event in statuses),
        statuses=statuses,
        signed_receipt=signed,
        attempts=row[1].attempts if row is not None else 0,
        unit_name=entry.name if entry else "",
        relay_node=record.relay_node,
        life=life,
        life_packet_id=life_packet_id,
    )
