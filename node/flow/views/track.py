"""Track: what a sender sees of its packet. Nothing is stored for this view: it is read off deliveries, statuses, outbox and roads.

A waiting delivery always says what it waits for and until when (law 2): its own row if it was put off, else the road to its
node, else its place in the queue.

A packet may have 10,000 deliveries, so they are read in pages, each in a transaction of its own; each delivery is shown as it was at
some moment meanwhile. What many of them share is read once for a page: a node's receipt speaks for all of its units.
"""

from dataclasses import dataclass, field

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
from node.model.receipt import Level, SignedReceipt
from node.model.status import shown_status
from node.ports import Tx
from node.rows import document_keys, keys
from node.rows.access import load, load_many
from node.rows.records import DeliveryRecord, OutboxRecord, PacketRecord, SubmissionRecord
from node.wire.codec import is_canonical_code

PAGE_DELIVERIES = 200
"""Deliveries of a page, fewer if each of them is much to read; a page takes about 20 ms."""
PAGE_STATUSES, PAGE_FACTS = 1_000, 4_000
"""A page ends with the delivery by which it has so many statuses; and so many acts (a withdrawal, an update) at all its recipients."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """A packet of our own, its header still encrypted."""

    packet_id: bytes
    packet: PacketRecord


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a packet's deliveries, with the status packets, which hold the statuses' words; `following`: the next unit ("": none)."""

    deliveries: tuple[DeliveryView, ...]
    status_packets: dict[bytes, PacketRecord]
    following: str


@dataclass(frozen=True, slots=True)
class Place:
    """From where on deliveries are read: a packet, its author and document (by the digest of its id), and a unit ("": the first)."""

    packet_id: bytes
    author: str
    document_sha256: bytes
    start: str = ""


class Lives:
    """The life of one document at each of its recipients, as its author's node knows it, read off the dossier."""

    def __init__(self, tx: Tx, author: str, document_sha256: bytes) -> None:
        self._tx = tx
        self._author = author
        self._digest = document_sha256
        self._acts = acts(tx, author, author, document_sha256) if document_sha256 else []
        self.is_known = any(row.act is not None for row in self._acts)
        # True of nearly every document: it was sent, and nothing else has been done about it.
        self._plain = all(row.act is LifeAct.NEW and not row.record.has_exceptions for row in self._acts)

    def at(self, unit: str) -> tuple[LifeState, bytes]:
        """Return the state at one recipient, and the packet that decided it."""
        if not self.is_known:
            return LifeState.UNKNOWN, b""
        own: dict[bytes, Row] = {}
        statuses: list[Row] = []
        if not self._plain:
            party = rows(self._tx, self._author, self._author, self._digest, unit)
            own = {row.packet_id: row for row in party if row.act is not LifeAct.STATUS}
            statuses = [row for row in party if row.act is LifeAct.STATUS]
        facts = [fact for row in self._acts if (fact := self._fact(own.get(row.packet_id, row), unit)) is not None]
        return life_of(facts, said(statuses))

    @property
    def cost(self) -> int:
        """How many acts have to be looked at for one recipient."""
        return 1 + len(self._acts)

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
        names = (tx.get(document_keys.document(unit, document_id.strip())) for unit in sorted(system.units))
        found = next((name for name in names if name), None)
    else:
        raise Rejected(Reason.REQUEST_INVALID, "name a packet_id, a submission_id or a document_id")
    if found is None:
        raise Rejected(Reason.NOT_FOUND, f"nothing was submitted as {submission_id or document_id!r}")
    return found


def unit_of_token(page_token: str) -> str:
    """Return the unit from which a page token goes on. Raises Rejected(REQUEST_INVALID) for one that no page gave."""
    if page_token and not is_canonical_code(page_token):
        raise Rejected(Reason.REQUEST_INVALID, "page_token is none that this node gave")
    return page_token


def track(tx: Tx, packet_id: bytes) -> Tracked:
    """Return a packet of our own. Raises Rejected(NOT_FOUND)."""
    packet = load(tx, keys.packet(packet_id), PacketRecord)
    if packet is None or not packet.system:
        raise Rejected(Reason.NOT_FOUND, f"packet {packet_id.hex()} was not submitted here")
    return Tracked(packet_id, packet)


def page(tx: Tx, place: Place, limit: int, outlook: Outlook) -> Page:
    """Return up to `limit` deliveries from a place on."""
    packet_id, start = place.packet_id, place.start
    shared = _Shared(tx, packet_id, outlook, Lives(tx, place.author, place.document_sha256))
    size = max(1, min(limit, PAGE_DELIVERIES, PAGE_FACTS // shared.lives.cost))
    rows = tx.scan(keys.delivery(packet_id), start=keys.delivery(packet_id, start), limit=size + 1)
    views: list[DeliveryView] = []
    statuses = 0
    for key, value in rows[:size]:
        if statuses >= PAGE_STATUSES:
            break
        views.append(_view(shared, keys.unit_after_id(key), DeliveryRecord.FromString(value)))
        statuses += len(views[-1].statuses)
    names = sorted({event.packet_id for view in views for event in view.statuses})
    records = load_many(tx, [keys.packet(name) for name in names], PacketRecord)
    packets = {name: record for name, record in zip(names, records, strict=True) if record is not None}
    following = keys.unit_after_id(rows[len(views)][0]) if len(rows) > len(views) else ""
    return Page(tuple(views), packets, following)


@dataclass(slots=True)
class _Shared:
    """What the deliveries of one page have in common, each read when it is first asked for."""

    tx: Tx
    packet_id: bytes
    outlook: Outlook
    lives: Lives
    _rows: dict[str, tuple[OutboxRecord, Reason, int] | None] = field(default_factory=dict)
    _receipts: dict[tuple[Level, str], SignedReceipt | None] = field(default_factory=dict)

    def row(self, node_id: str) -> tuple[OutboxRecord, Reason, int] | None:
        """Return the outbox row by which the packet goes to a node, why it waits, and when it is tried next; None if it has gone."""
        if node_id not in self._rows:
            row = outbox.row_of(self.tx, node_id, self.packet_id, keys.OUTBOX_PACKET)
            waits = waiting_for(self.tx, node_id, row, self.outlook) if row is not None else None
            self._rows[node_id] = (row[1], *waits) if row is not None and waits is not None else None
        return self._rows[node_id]

    def receipt(self, record: DeliveryRecord) -> SignedReceipt | None:
        """Return the receipt that has ended a delivery; the same object for all that it has ended."""
        if not record.receipt_node:
            return None
        # Either the recipient's node has decided or the origin itself has given up; the signer tells which receipt it was.
        level = Level.DELIVERED if record.receipt_node == record.node_id else Level.FAILED
        name = level, record.receipt_node
        if name not in self._receipts:
            self._receipts[name] = receipts.kept(self.tx, self.packet_id, level, record.receipt_node)
        return self._receipts[name]


def _view(shared: _Shared, unit: str, record: DeliveryRecord) -> DeliveryView:
    statuses = status.history(shared.tx, shared.packet_id, unit)
    row, waiting, next_attempt_ms = shared.row(record.node_id) or (OutboxRecord(), None, 0)
    state = State(record.state)
    is_waiting = state is State.WAITING and waiting is not None
    entry = shared.outlook.directory.unit(parse_code(unit))
    life, life_packet_id = shared.lives.at(unit)
    return DeliveryView(
        unit=unit,
        node_id=record.node_id,
        state=state,
        reason=waiting if is_waiting and waiting is not None else Reason(record.reason),
        next_attempt_ms=next_attempt_ms if is_waiting else 0,
        end_time_ms=record.end_time_ms,
        custody_node=row.custody_node,
        status_code=shown_status(event.code for event in statuses),
        statuses=statuses,
        signed_receipt=shared.receipt(record),
        attempts=row.attempts,
        unit_name=entry.name if entry else "",
        relay_node=record.relay_node,
        life=life,
        life_packet_id=life_packet_id,
    )
