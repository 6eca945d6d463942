"""Outbox: what waits to leave, one row per thing and peer, ready in `o` or put off in `l`.

A packet for three units of one node is one row; for units of three nodes it is three rows over one body. The state of the road is
not in the rows but in the peer's record. A row moves

        enqueue -> ready --put_off--> later --promote (when due)--> ready
                     '--------- settle (verified receipt) ---------> gone

and the index `q` always says where it is, so that a receipt which comes by another road finds it. What cannot be handled is laid aside
(flow/quarantine.py), and the index names it there.
"""

from collections.abc import Callable, Collection, Set
from dataclasses import dataclass

from node.flow import quarantine
from node.model.envelope import Envelope
from node.model.lane import Lane
from node.model.policy import MINUTE_MS, Policy
from node.model.reason import Reason
from node.ports import Tx
from node.rows import keys
from node.rows.access import DAMAGE, MissingRow, require, save
from node.rows.records import OutboxRecord, QuarantineRecord

ALONE_AFTER_ATTEMPTS = 3
_NO_FAILURES = (Reason.IN_CUSTODY, Reason.DISK_FULL)
"""Reasons for which something is put off that say nothing against it: a relay has it, or the peer takes nothing of its kind now."""
HASTEN_ROWS = 500
PUT_OFF_MS_MAX = 60 * MINUTE_MS
"""Nothing is put off for longer than this at once, whatever a peer asks for."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is ready for one peer."""

    key: bytes
    node_id: str
    lane: Lane
    packet_id: bytes
    kind: int
    record: OutboxRecord


def name_of(row: Row) -> bytes:
    """Return the name of a row, wherever it lies."""
    return keys.outbox_index(row.packet_id, row.node_id, row.kind)


def packet_row(envelope: Envelope, kind: int, units: Collection[str], since_ms: int) -> OutboxRecord:
    """Return the row of a packet that shall go to a node for some of its recipients."""
    is_for_all = len(units) == len(envelope.recipient_units)
    return OutboxRecord(
        kind=kind,
        body_bytes=envelope.body.body_bytes,
        body_sha256=envelope.body.body_sha256,
        since_ms=since_ms,
        unit_count=len(units),
        units=() if is_for_all else units,
        is_for_all=is_for_all,
        reason=Reason.QUEUED,
        sender_unit=envelope.sender_unit,
    )


def enqueue(tx: Tx, node_id: str, lane: Lane, packet_id: bytes, kind: int, record: OutboxRecord) -> bool:
    """Make something ready for a peer. Returns False if it waits already."""
    index = keys.outbox_index(packet_id, node_id, kind)
    if tx.get(index) is not None:
        return False
    key = keys.outbox_row(node_id, lane, record.since_ms, packet_id, kind)
    save(tx, key, record)
    tx.put(index, key)
    return True


def is_empty(tx: Tx, node_id: str) -> bool:
    """Tell whether nothing waits for a peer, neither ready nor put off."""
    return not tx.scan(keys.outbox(node_id), limit=1) and not tx.scan(keys.later(node_id), limit=1)


def holds_large(tx: Tx, node_id: str, start: bytes) -> bool:
    """Tell whether anything large is ready for a peer, by one read. `start`: where the look at the first of their lanes begins, if known.

    Their lanes are the last in order of keys.
    """
    return bool(tx.scan(keys.outbox(node_id), start=start or keys.outbox_lane(node_id, Lane.BULK), limit=1))


def holds_newer(tx: Tx, node_id: str, from_ms: int) -> bool:
    """Tell whether anything that is ready for a peer says that it was written at a time or later."""
    moments = [(lane, keys.outbox_moment(node_id, lane, from_ms)) for lane in Lane]
    return any(tx.scan(keys.outbox_lane(node_id, lane), start=start, limit=1) for lane, start in moments)


def row_of(tx: Tx, node_id: str, packet_id: bytes, kind: int) -> tuple[bytes, OutboxRecord] | None:
    """Return key and record of a row, ready, put off or laid aside, or None. Of one that cannot be read `shown` says what there is."""
    key = tx.get(keys.outbox_index(packet_id, node_id, kind))
    if key is None:
        return None
    if quarantine.holds(key):
        return key, shown(require(tx, key, QuarantineRecord).value)
    value = tx.get(key)
    if value is None:
        raise MissingRow("outbox index without its row")
    return key, shown(value)


def shown(value: bytes) -> OutboxRecord:
    """Read a row for people and for questions that must not fail: of a damaged one there is nothing but that it is."""
    try:
        return OutboxRecord.FromString(value)
    except DAMAGE:
        return OutboxRecord(reason=Reason.STORE_CORRUPT)


def settle(tx: Tx, node_id: str, packet_id: bytes, kind: int) -> bool:
    """Take a row out. Returns False if it was gone."""
    index = keys.outbox_index(packet_id, node_id, kind)
    key = tx.get(index)
    if key is None:
        return False
    tx.delete(key)
    tx.delete(index)
    return True


def put_off(
    tx: Tx,
    node_id: str,
    packet_id: bytes,
    kind: int,
    until_ms: int,
    reason: Reason,
    *,
    relay: str = "",
    exceptions: int = 0,
) -> bool:
    """Let a row wait until a time, for a reason. Returns False if the row was gone.

    `relay` is the one that was asked, if any; `exceptions` counts those in a row that it has met.
    """
    key = tx.get(keys.outbox_index(packet_id, node_id, kind))
    if key is None or quarantine.holds(key):
        return False
    record = require(tx, key, OutboxRecord)
    record.attempts += 1
    record.exceptions = exceptions
    record.reason = reason
    record.not_before_ms = until_ms
    if relay:
        _note_relay(record, relay, reason)
    ready = key if key.startswith(b"o") else keys.ready_of_later(key)
    later = keys.later_row(until_ms, ready)
    tx.delete(key)
    save(tx, later, record)
    tx.put(keys.outbox_index(packet_id, node_id, kind), later)
    return True


def change(
    tx: Tx, node_id: str, packet_id: bytes, kind: int, now_ms: int, alter: Callable[[OutboxRecord], None]
) -> bool:
    """Let a row go in another way from now on, at once. Returns False if there is none."""
    found = row_of(tx, node_id, packet_id, kind)
    if found is None:
        return False
    key, record = found
    if quarantine.holds(key):
        # What could not be sent with its body may be asked about without it; what not even that helps comes back here.
        key = quarantine.release(tx, key[1:])
    alter(record)
    record.exceptions = 0
    record.since_ms = keys.parse_waiting_row(key)[2]
    _move_up(tx, key, record, now_ms)
    return True


def met_exception(tx: Tx, row: "Row", until_ms: int, detail: str, now_ms: int) -> bool:
    """Count an exception that a row has met: it is put off, and after several in a row laid aside. Returns True if it was laid aside."""
    exceptions = row.record.exceptions + 1
    if exceptions < quarantine.EXCEPTIONS_MAX:
        put_off(tx, row.node_id, row.packet_id, row.kind, until_ms, Reason.FAILED_INSIDE, exceptions=exceptions)
        return False
    key = tx.get(keys.outbox_index(row.packet_id, row.node_id, row.kind))
    if key is None or quarantine.holds(key):
        return False
    lay_aside(tx, key, Reason.FAILED_INSIDE, detail, now_ms)
    return True


def lay_aside(tx: Tx, key: bytes, reason: Reason, detail: str, now_ms: int) -> None:
    """Move a row into the quarantine. Released, it comes back as one that is put off and due: its courier makes it ready."""
    value = tx.get(key)
    assert value is not None
    ready = key if key.startswith(keys.OUTBOX) else keys.ready_of_later(key)
    node_id, _, packet_id, kind = keys.parse_outbox_row(ready)
    tx.delete(key)
    quarantine.lay_aside(
        tx, keys.later_row(now_ms, ready), _without_counts(value), reason, detail, now_ms,
        index_key=keys.outbox_index(packet_id, node_id, kind),
    )  # fmt: skip


def _without_counts(value: bytes) -> bytes:
    # Exceptions begin anew after a release; and units that join or leave meanwhile are not written here, so they are not known any more.
    try:
        record = OutboxRecord.FromString(value)
    except DAMAGE:
        return value
    record.exceptions = record.unit_count = 0
    record.is_for_all = False
    del record.units[:]
    return record.SerializeToString()


def release(tx: Tx, name: bytes) -> str:
    """Let a row that was laid aside go on; return the node it is for. Raises Rejected(NOT_FOUND)."""
    key = quarantine.release(tx, name)
    if not key.startswith(keys.LATER):
        return ""
    return keys.parse_outbox_row(keys.ready_of_later(key))[0]


def _note_relay(record: OutboxRecord, relay: str, reason: Reason) -> None:
    asked = [name for name in record.relays_asked or [record.custody_node] if name not in ("", relay)]
    record.relays_asked[:] = [*asked, relay]
    if reason is Reason.IN_CUSTODY:
        record.custody_node = relay


def promote(tx: Tx, node_id: str, now_ms: int, limit: int) -> list[bytes]:
    """Make put-off rows ready whose time has come; return their keys in the outbox.

    A row that is due later than the longest pause was put off before the clock was set back, and is due as well.
    """
    promoted: list[bytes] = []
    due = [row for row in tx.scan(keys.later(node_id), limit=limit) if keys.due_of_later(row[0]) <= now_ms]
    far = keys.later_from(node_id, now_ms + PUT_OFF_MS_MAX + 1)
    for key, value in [*due, *tx.scan(keys.later(node_id), start=far, limit=limit)]:
        ready = keys.ready_of_later(key)
        _, _, packet_id, kind = keys.parse_outbox_row(ready)
        tx.delete(key)
        tx.put(ready, value)
        tx.put(keys.outbox_index(packet_id, node_id, kind), ready)
        promoted.append(ready)
    return promoted


def hasten(tx: Tx, node_id: str, start: bytes, now_ms: int, healed: Set[Reason]) -> tuple[bool, bytes]:
    """Make a page of rows due whose reason may be gone; return whether there were any, and where to go on (empty: the end)."""
    rows = tx.scan(keys.later(node_id), start=start, limit=HASTEN_ROWS + 1)
    found = False
    for key, value in rows[:HASTEN_ROWS]:
        record = shown(value)
        if record.reason in healed and keys.due_of_later(key) > now_ms:
            _move_up(tx, key, record, now_ms)
            found = True
    return found, rows[HASTEN_ROWS][0] if len(rows) > HASTEN_ROWS else b""


def _move_up(tx: Tx, key: bytes, record: OutboxRecord, now_ms: int) -> None:
    # It stays among those put off: only the courier makes rows ready, since only it knows where its next look begins.
    ready = key if key.startswith(keys.OUTBOX) else keys.ready_of_later(key)
    node_id, _, packet_id, kind = keys.parse_outbox_row(ready)
    record.not_before_ms = now_ms
    tx.delete(key)
    save(tx, keys.later_row(now_ms, ready), record)
    tx.put(keys.outbox_index(packet_id, node_id, kind), keys.later_row(now_ms, ready))


def is_question(record: OutboxRecord) -> bool:
    """Tell whether a row asks what the peer has decided: the time is over, or units have moved away from it."""
    return bool(record.asks_only or record.asks_by_version or record.asked_units)


def asks_first(row: Row, policy: Policy) -> bool:
    """Tell whether the peer is asked first whether it wants the body: it is a question, or the row was tried before and is large."""
    record = row.record
    if row.kind == keys.OUTBOX_RECEIPT:
        return False
    return is_question(record) or (record.attempts > 0 and record.body_bytes > policy.ask_first_bytes)


def next_due_ms(tx: Tx, node_id: str) -> int | None:
    """Return when the first put-off row is due, or None."""
    rows = tx.scan(keys.later(node_id), limit=1)
    return keys.due_of_later(rows[0][0]) if rows else None


def ready(tx: Tx, node_id: str, lane: Lane, start: bytes, limit: int, damaged: list[bytes] | None = None) -> list[Row]:
    """Return ready rows of one lane from a key on, the oldest first. `damaged` gets the keys of those that cannot be read."""
    rows = []
    for key, value in tx.scan(keys.outbox_lane(node_id, lane), start=start, limit=limit):
        _, _, packet_id, kind = keys.parse_outbox_row(key)
        try:
            rows.append(Row(key, node_id, lane, packet_id, kind, OutboxRecord.FromString(value)))
        except DAMAGE:
            if damaged is None:
                raise
            damaged.append(key)
    return rows


def read_rows(tx: Tx, node_id: str, lane: Lane, names: list[bytes]) -> list[Row]:
    """Return those of these rows of one lane that are there and can be read, in the order of the keys given."""
    rows = []
    for key, value in zip(names, tx.get_many(names) if names else (), strict=True):
        if value is None:
            continue
        _, _, packet_id, kind = keys.parse_outbox_row(key)
        try:
            rows.append(Row(key, node_id, lane, packet_id, kind, OutboxRecord.FromString(value)))
        except DAMAGE:
            continue
    return rows


def is_suspect(record: OutboxRecord) -> bool:
    """Tell whether something was put off so often that it may be what makes pushes fail."""
    return record.attempts >= ALONE_AFTER_ATTEMPTS and record.reason not in _NO_FAILURES and not is_question(record)


def nodes_waited_for(tx: Tx) -> set[str]:
    """Return every node for which something waits, by leaping from one to the next (never through the rows)."""
    found: set[str] = set()
    for table in (b"o", b"l"):
        start = table
        while rows := tx.scan(table, start=start, limit=1):
            node = rows[0][0][1:].split(b"\0", 1)[0]
            found.add(node.decode())
            # A node's id ends with 0 in a key, so 1 lies behind all of its rows and before the next node's.
            start = table + node + b"\1"
    return found
