"""Inbox: packets that wait for a unit to fetch.

Fetching leases an entry, so that two instances of the same software do not work on the same packet; acknowledging takes it out.
Both may be repeated, a fetch by the instance that has the lease. A packet is in a unit's inbox at most once for ever: the entry stays
after the acknowledgement, and a late copy of the packet finds it (law 3). An entry is

        waiting for its document -> in the inbox -> given out (the unit decides from now on) -> acknowledged
                     '-------------------'--> taken out by the node, unread (receive/arrival.py tells when)

and only what is in the inbox, or was, can be fetched.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from node.errors import Deferred, Denied, Rejected
from node.flow.webhooks import notices
from node.model.envelope import Envelope
from node.model.office import NO_LEASE, System
from node.model.policy import Policy
from node.model.reason import Reason
from node.ports import Tx
from node.rows import keys
from node.rows.access import ROWS_OF_PACKET_MAX, load, load_many, require, save
from node.rows.records import InboxRecord, PacketRecord
from node.wire import codec

LOOK_ROWS = 64
"""So many entries are looked at together."""
LOOK_WORK, WORK_MAX = 2, 1_000
"""The work of a look, in units of one entry taken out; and how much of it one transaction does: about 20 ms."""


def put(tx: Tx, envelope: Envelope, unit: str, now_ms: int) -> None:
    """Put a packet into a unit's inbox, unless it is or was there."""
    key = keys.inbox_entry(envelope.packet_id, unit)
    if tx.get(key) is not None:
        return
    save(tx, key, InboxRecord(accept_time_ms=now_ms, lane=envelope.lane.in_inbox))
    tx.put(keys.inbox_row(unit, envelope.lane.in_inbox, now_ms, envelope.packet_id), b"")
    notices.arrived(tx, unit, envelope.packet_id, now_ms)


def keep_out(tx: Tx, envelope: Envelope, unit: str, now_ms: int) -> None:
    """Let a packet that comes too late never be in a unit's inbox."""
    taken_ms = max(now_ms, 1)
    entry = InboxRecord(accept_time_ms=now_ms, lane=envelope.lane.in_inbox, taken_time_ms=taken_ms)
    save(tx, keys.inbox_entry(envelope.packet_id, unit), entry)


def keep_waiting(tx: Tx, envelope: Envelope, unit: str, dossier_row: bytes, now_ms: int) -> None:
    """Keep a packet outside the inbox until its document comes; its body stays meanwhile."""
    entry = InboxRecord(accept_time_ms=now_ms, lane=envelope.lane.in_inbox, waits_for=dossier_row)
    save(tx, keys.inbox_entry(envelope.packet_id, unit), entry)


def surface(tx: Tx, packet_id: bytes, unit: str, now_ms: int) -> None:
    """Put what has waited into the inbox."""
    entry = require(tx, keys.inbox_entry(packet_id, unit), InboxRecord)
    entry.waits_for = b""
    entry.accept_time_ms = now_ms
    save(tx, keys.inbox_entry(packet_id, unit), entry)
    tx.put(keys.inbox_row(unit, entry.lane, now_ms, packet_id), b"")
    notices.arrived(tx, unit, packet_id, now_ms)


def take_out(tx: Tx, packet_id: bytes, unit: str, now_ms: int) -> None:
    """Take a packet that nobody has read out of a unit's inbox, or out of what waits for its document."""
    key = keys.inbox_entry(packet_id, unit)
    entry = load(tx, key, InboxRecord)
    if entry is None or entry.taken_time_ms:
        return
    assert not was_given_out(entry), "what was given out is the unit's own to give back"
    tx.delete(keys.inbox_row(unit, entry.lane, entry.accept_time_ms, packet_id))
    entry.waits_for = b""
    entry.taken_time_ms = max(now_ms, 1)
    save(tx, key, entry)


def was_given_out(entry: InboxRecord) -> bool:
    """Tell whether the unit may have read a packet. Entries from before the field `seen_time_ms` show it by the other two."""
    return bool(entry.seen_time_ms or entry.fetch_count or entry.acknowledge_time_ms)


@dataclass(frozen=True, slots=True)
class Held:
    """An inbox entry with the packet it stands for; `is_sent`: there is no entry, `unit` itself has sent the packet."""

    unit: str
    packet_id: bytes
    entry: InboxRecord
    packet: PacketRecord
    is_sent: bool = False


def units_asked(system: System, unit: str) -> list[str]:
    """Return the units a request is about: the named one, or all of the system's. Raises Denied(UNIT_NOT_OWNED)."""
    if not unit:
        return sorted(system.units)
    if unit not in system.units:
        raise Denied(Reason.UNIT_NOT_OWNED, f"system {system.name} does not speak for {unit}")
    return [unit]


def row_of_token(page_token: str) -> bytes:
    """Return the row key that a page token stands for. Raises Rejected(REQUEST_INVALID) for one that no page gave."""
    try:
        return bytes.fromhex(page_token)
    except ValueError as error:
        raise Rejected(Reason.REQUEST_INVALID, "page_token is none that this node gave") from error


def page(tx: Tx, units: list[str], start: bytes, limit: int) -> tuple[list[Held], bytes]:
    """Return up to `limit` waiting entries from a row key on, unit by unit, and the key to go on from (empty: the end)."""
    found: list[tuple[str, bytes]] = []
    for unit in units:
        prefix = keys.inbox(unit)
        if start > prefix and not start.startswith(prefix):
            continue
        for key, _ in tx.scan(prefix, start=start, limit=limit + 1 - len(found)):
            if len(found) == limit:
                return _all_held(tx, found), key
            found.append((unit, keys.packet_of_row(key)))
    return _all_held(tx, found), b""


def _all_held(tx: Tx, found: Sequence[tuple[str, bytes]]) -> list[Held]:
    """Return entries by unit and packet. A packet that waits for many units is read once."""
    ids = list(dict.fromkeys(packet_id for _, packet_id in found))
    packets = dict(zip(ids, load_many(tx, [keys.packet(one) for one in ids], PacketRecord), strict=True))
    entries = load_many(tx, [keys.inbox_entry(packet_id, unit) for unit, packet_id in found], InboxRecord)
    held = []
    for (unit, packet_id), entry in zip(found, entries, strict=True):
        packet = packets[packet_id]
        assert entry is not None, "a row of an inbox without its entry"
        assert packet is not None, "a row of an inbox without its packet"
        held.append(Held(unit, packet_id, entry, packet))
    return held


def _held(tx: Tx, packet_id: bytes, unit: str) -> Held:
    entry = require(tx, keys.inbox_entry(packet_id, unit), InboxRecord)
    return Held(unit, packet_id, entry, require(tx, keys.packet(packet_id), PacketRecord))


def find(tx: Tx, packet_id: bytes, units: Sequence[str]) -> Held:
    """Return the entry of the first of these units, in order, that has the packet; if none has, the packet as one of them has sent it.

    Raises Rejected(NOT_FOUND).
    """
    why, at = f"no packet {packet_id.hex()} for this system", 0
    while at < len(units):
        found, at = _look(tx, packet_id, units, at)
        for unit, entry in found:
            if not entry.taken_time_ms and not entry.waits_for:
                return _held(tx, packet_id, unit)
            why = f"packet {packet_id.hex()} is not in the inbox: its author has taken it back or its document has not come"
    return _sent(tx, packet_id, units, why)


def _sent(tx: Tx, packet_id: bytes, units: Sequence[str], why_not: str) -> Held:
    packet = load(tx, keys.packet(packet_id), PacketRecord)
    sender = codec.decode_envelope(packet.envelope).sender_unit if packet is not None and packet.system else ""
    if packet is None or sender not in units:
        raise Rejected(Reason.NOT_FOUND, why_not)
    return Held(sender, packet_id, InboxRecord(accept_time_ms=packet.accept_time_ms), packet, is_sent=True)


def give_out(tx: Tx, held: Held, offset_bytes: int, lease_ms: int, instance: str, now_ms: int, policy: Policy) -> None:
    """Note that octets leave from an offset on: from the first one on the document is the unit's. Takes a lease at offset 0.

    Raises Deferred(LEASED) while somebody else's lease runs.
    """
    if not offset_bytes and lease_ms != NO_LEASE:
        lease(held.entry, lease_ms, instance, now_ms, policy)
    elif held.entry.seen_time_ms:
        return
    held.entry.seen_time_ms = held.entry.seen_time_ms or max(now_ms, 1)
    save(tx, keys.inbox_entry(held.packet_id, held.unit), held.entry)


def lease(entry: InboxRecord, lease_ms: int, instance: str, now_ms: int, policy: Policy) -> None:
    """Lease an entry to an instance of the software and count the fetch.

    The same instance may lease it again: it asks because the answer did not reach it. Raises Deferred(LEASED) during another's lease.
    """
    is_own = bool(instance) and instance == entry.lease_instance
    # A lease that ends later than any may was taken by a clock that was set back since: it is over.
    is_leased = now_ms < entry.lease_until_ms <= now_ms + policy.lease_ms_max
    if is_leased and not entry.acknowledge_time_ms and not is_own:
        raise Deferred(Reason.LEASED, "leased already", retry_after_ms=entry.lease_until_ms - now_ms)
    entry.lease_until_ms = now_ms + min(lease_ms or policy.lease_ms, policy.lease_ms_max)
    entry.lease_instance = instance
    entry.fetch_count += 1


@dataclass(frozen=True, slots=True)
class Place:
    """How far an acknowledgement has come: the packet and the unit that are next, by their numbers in what was asked."""

    packet: int = 0
    unit: int = 0


def acknowledge(
    tx: Tx, packet_ids: Sequence[bytes], units: Sequence[str], now_ms: int, place: Place, limit: int = WORK_MAX
) -> tuple[int, Place | None]:
    """Take packets out of inboxes, from a place on and for a bounded time; `units` are in order.

    Returns how many entries were taken out, and where to go on (None: all is done). Unknown ones and repeats count nothing. Each entry
    stands for itself, so an acknowledgement that breaks off half way is one of fewer packets, and is repeated as such.
    """
    taken = work = 0
    for number in range(place.packet, len(packet_ids)):
        at = place.unit if number == place.packet else 0
        while at < len(units):
            if work >= limit:
                return taken, Place(number, at)
            found, at = _look(tx, packet_ids[number], units, at)
            taken += sum(_acknowledge(tx, packet_ids[number], unit, entry, now_ms) for unit, entry in found)
            work += LOOK_WORK + len(found)
    return taken, None


def acknowledge_one(tx: Tx, packet_id: bytes, unit: str, now_ms: int) -> int:
    """Take a packet out of one unit's inbox; return how many entries that were."""
    entry = load(tx, keys.inbox_entry(packet_id, unit), InboxRecord)
    return _acknowledge(tx, packet_id, unit, entry, now_ms) if entry is not None else 0


def _look(tx: Tx, packet_id: bytes, units: Sequence[str], at: int) -> tuple[list[tuple[str, InboxRecord]], int]:
    """Look which of these units, in order and from one on, have a packet's entry, some of them at once.

    Returns them, and the number of the unit to go on with. Units without the packet are leapt over, and so are entries of others: the
    cost is that of the fewer of both.
    """
    first = keys.inbox_entry(packet_id, units[at])
    if at == len(units) - 1:
        value = tx.get(first)
        return [(units[at], InboxRecord.FromString(value))] if value is not None else [], len(units)
    rows = tx.scan(keys.inbox_entry(packet_id), start=first, limit=LOOK_ROWS)
    found = []
    for key, value in rows:
        unit = keys.unit_after_id(key)
        at = bisect_left(units, unit, at)
        if at < len(units) and units[at] == unit:
            found.append((unit, InboxRecord.FromString(value)))
            at += 1
    return found, at if len(rows) == LOOK_ROWS else len(units)


def _acknowledge(tx: Tx, packet_id: bytes, unit: str, entry: InboxRecord, now_ms: int) -> int:
    if entry.acknowledge_time_ms or entry.taken_time_ms or entry.waits_for:
        return 0
    tx.delete(keys.inbox_row(unit, entry.lane, entry.accept_time_ms, packet_id))
    entry.acknowledge_time_ms = max(now_ms, 1)
    entry.lease_until_ms, entry.lease_instance = 0, ""
    save(tx, keys.inbox_entry(packet_id, unit), entry)
    return 1


def all_let_go(tx: Tx, packet_id: bytes) -> bool:
    """Tell whether no unit waits for this packet any more."""
    rows = tx.scan(keys.inbox_entry(packet_id), limit=ROWS_OF_PACKET_MAX)
    entries = (InboxRecord.FromString(value) for _, value in rows)
    return all(entry.acknowledge_time_ms or entry.taken_time_ms for entry in entries)
