"""Reroute: a delivery follows its unit. When the directory gives a unit to another node, deliveries that wait for the old one move.

The envelope's bytes stay; only the outbox rows and the deliveries' node change, and the content key is wrapped anew when the packet
is sent. Rows are looked at only when the map of prefixes has changed, and then each waiting row once, page by page.

One row says by which map everything that waits is routed (ROUTES_KEY), so nothing is missed over a restart:

    digest           all rows are routed by this map
    "to" digest      rows are being moved to this map; what is written now by another one would be missed
    "late" packet    a packet was written by another map than that: look at everything again

Between the addressing of a packet and its transaction lies the wait for the group, in which the map may change and everything be moved
before the packet is there. So its transaction compares, too (`note_routed`), with the map by which the packet was addressed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from node.flow.send import outbox, receipts
from node.flow.send.routing import keeper_of
from node.model.code import parse_code
from node.model.directory import Directory
from node.ports import Tx
from node.rows import keys
from node.rows.access import require, save
from node.rows.records import DeliveryRecord, PacketRecord
from node.wire import codec

ROUTES_KEY = keys.meta("routes")
_MOVING, _LATE = b"to", b"late"
PAGE_ROWS = 100


def routes_digest(directory: Directory) -> bytes:
    """Return a digest of who serves which prefix: as long as it stays, no delivery has to move."""
    lines = sorted(f"{prefix.text}={zone.node_id}" for prefix, zone in directory.zones.items())
    return sha256("\n".join(lines).encode()).digest()


def note_routed(tx: Tx, digests: Iterable[bytes], packet_id: bytes) -> bool:
    """Let everything be looked at again if one of these maps, by which packets just written were addressed, is not the one in force."""
    in_force = tx.get(ROUTES_KEY)
    if in_force is None or all(digest in (in_force, in_force.removeprefix(_MOVING)) for digest in digests):
        return False
    tx.put(ROUTES_KEY, _LATE + packet_id)
    return True


def begin_moving(tx: Tx, digest: bytes) -> bool:
    """Note that rows are being moved to a map; False if all are there already."""
    if tx.get(ROUTES_KEY) == digest:
        return False
    tx.put(ROUTES_KEY, _MOVING + digest)
    return True


def end_moving(tx: Tx, digest: bytes) -> None:
    """Note that all rows are routed by a map, unless one was written by another meanwhile."""
    if tx.get(ROUTES_KEY) == _MOVING + digest:
        tx.put(ROUTES_KEY, digest)


@dataclass(frozen=True, slots=True)
class Page:
    """The outcome of one page: which nodes have got something, and the key to go on from (empty: the end)."""

    nodes: frozenset[str]
    following: bytes


def follow_units(tx: Tx, prefix: bytes, start: bytes, node_id: str, directory: Directory, now_ms: int) -> Page:
    """Look at a page of what waits for a node (`prefix`: ready or put off), and move what another node serves now."""
    rows = tx.scan(prefix, start=start, limit=PAGE_ROWS + 1)
    nodes: set[str] = set()
    for key, _ in rows[:PAGE_ROWS]:
        ready = key if key.startswith(b"o") else keys.ready_of_later(key)
        _, _, packet_id, kind = keys.parse_outbox_row(ready)
        if kind == keys.OUTBOX_PACKET:
            nodes |= reroute(tx, node_id, packet_id, directory, now_ms)
    return Page(frozenset(nodes), rows[PAGE_ROWS][0] if len(rows) > PAGE_ROWS else b"")


def reroute(tx: Tx, node_id: str, packet_id: bytes, directory: Directory, now_ms: int) -> set[str]:
    """Move the deliveries of one packet that wait for a node to the nodes that serve their units now; return those nodes.

    A unit that has left the directory waits where it is, visibly, until the directory knows it or the delivery expires. One that was
    closed meanwhile is followed like an open one: its node decides, by the time at which the packet was made (receive/verify.py).
    """
    counts: dict[str, int] = {}
    for unit in receipts.waiting_units(tx, packet_id, node_id):
        target = keeper_of(parse_code(unit), directory)
        if target is not None and target != node_id:
            record = require(tx, keys.delivery(packet_id, unit), DeliveryRecord)
            record.node_id = target
            save(tx, keys.delivery(packet_id, unit), record)
            counts[target] = counts.get(target, 0) + 1
    if counts:
        _enqueue(tx, packet_id, counts, now_ms)
        if not receipts.waiting_units(tx, packet_id, node_id):
            outbox.settle(tx, node_id, packet_id, keys.OUTBOX_PACKET)
    return set(counts)


def _enqueue(tx: Tx, packet_id: bytes, counts: dict[str, int], now_ms: int) -> None:
    envelope = codec.decode_envelope(require(tx, keys.packet(packet_id), PacketRecord).envelope)
    for target, count in counts.items():
        row = outbox.packet_row(envelope, keys.OUTBOX_PACKET, count, now_ms)
        if not outbox.enqueue(tx, target, envelope.lane, packet_id, keys.OUTBOX_PACKET, row):
            # It goes there already for other units: one body serves them all, and the receipt is checked unit by unit.
            _widen(tx, target, packet_id, count)


def _widen(tx: Tx, node_id: str, packet_id: bytes, count: int) -> None:
    found = outbox.row_of(tx, node_id, packet_id, keys.OUTBOX_PACKET)
    assert found is not None
    key, record = found
    # Zero: not known, because the row is laid aside, or was.
    if record.unit_count:
        record.unit_count += count
        save(tx, key, record)
