"""Reroute: a delivery follows its unit. When the directory gives a unit to another node, deliveries that wait for the old one move.

The envelope's bytes stay; only the outbox rows and the deliveries' node change, and the content key is wrapped anew when the packet
is sent. Rows are looked at only when the map of prefixes has changed, and then each waiting row once, page by page.

The old node may have the packet: its receipt is lost, or on its way. Sent to the new one as well it would be in two inboxes. So what may
have been sent is asked about first (decision 0019): the row for the old node becomes a question, and the delivery stays with it until that
node has answered: by the receipt that it gave, and the delivery is over; or by its signature that it has not taken the packet and will
not, and the delivery goes on. A node that never answers leaves it EXPIRED_UNCONFIRMED, in the end.

        A serves the unit        B does
        nothing was sent         at once to B
        sent, perhaps            A is asked -- «I have it» -------> DELIVERED, by A
                                           '-- «I will not» ------> to B

One row says by which map everything that waits is routed (ROUTES_KEY), so nothing is missed over a restart:

    digest           all rows are routed by this map
    "to" digest      rows are being moved to this map; what is written now by another one would be missed
    "late" packet    a packet was written by another map than that: look at everything again

Between the addressing of a packet and its transaction lies the wait for the group, in which the map may change and everything be moved
before the packet is there. So its transaction compares, too (`note_routed`), with the map by which the packet was addressed.
"""

from collections.abc import Collection, Iterable, Set
from dataclasses import dataclass
from hashlib import sha256

from node.flow.send import outbox, receipts
from node.flow.send.routing import holder_of
from node.model.code import parse_code
from node.model.directory import Directory
from node.model.reason import Reason
from node.model.receipt import Receipt
from node.ports import Tx
from node.rows import keys
from node.rows.access import require, save
from node.rows.records import DeliveryRecord, OutboxRecord, PacketRecord
from node.wire import codec

ROUTES_KEY = keys.meta("routes")
_MOVING, _LATE = b"to", b"late"
PAGE_ROWS = 100
NEVER_MS = 1 << 62
"""Later than all times."""


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


@dataclass(frozen=True, slots=True)
class Sent:
    """What a courier knows of what it has sent to its peer. It has sent nothing of a row that it has not tried, and that was written since.

    `tried`: packets that are on their way, or that went without an answer; `new_from_ms`: what was written before, another process may have
    sent, whose memory is gone.
    """

    tried: Set[bytes] = frozenset()
    new_from_ms: int = NEVER_MS

    def may_be(self, packet_id: bytes, record: OutboxRecord) -> bool:
        """Tell whether a packet may have reached the peer."""
        untouched = record.attempts == 0 and record.reason == Reason.QUEUED and not outbox.is_question(record)
        return not untouched or record.since_ms < self.new_from_ms or packet_id in self.tried


@dataclass(frozen=True, slots=True)
class Word:
    """What is known of a node from which units have moved: may it have taken the packet for them, or take it yet?

    `is_free`: it has nothing, or has said so of all of them. Else `receipt`, if there is one, says it of some.
    """

    is_free: bool = False
    receipt: Receipt | None = None

    def frees(self, asked_by_version: int) -> Collection[str]:
        """Return the units for which the node has signed that it will not take what was sent to it until then."""
        outcomes = self.receipt.outcomes if self.receipt is not None else ()
        return {one.unit for one in outcomes if not one.decides and one.directory_version >= asked_by_version}


UNSENT, UNKNOWN = Word(is_free=True), Word()


def follow_units(
    tx: Tx, prefix: bytes, start: bytes, node_id: str, directory: Directory, now_ms: int, sent: Sent
) -> Page:
    """Look at a page of what waits for a node (`prefix`: ready or put off), and move what another node serves now."""
    rows = tx.scan(prefix, start=start, limit=PAGE_ROWS + 1)
    nodes: set[str] = set()
    for key, value in rows[:PAGE_ROWS]:
        ready = key if key.startswith(b"o") else keys.ready_of_later(key)
        _, _, packet_id, kind = keys.parse_outbox_row(ready)
        if kind == keys.OUTBOX_PACKET:
            word = UNKNOWN if sent.may_be(packet_id, outbox.shown(value)) else UNSENT
            nodes |= reroute(tx, node_id, packet_id, directory, now_ms, word)
    return Page(frozenset(nodes), rows[PAGE_ROWS][0] if len(rows) > PAGE_ROWS else b"")


def reroute(tx: Tx, node_id: str, packet_id: bytes, directory: Directory, now_ms: int, word: Word) -> set[str]:
    """Move the deliveries of one packet that wait for a node to the nodes that serve their units now; return the nodes to be woken.

    What that node may have taken, or take yet, stays with it, and the node is asked first. One that has left the directory is not: nobody
    would believe it. A unit that was closed meanwhile is followed like an open one: its node decides, by the time at which the packet was
    made (receive/verify.py). One that is listed no more goes to whoever holds its prefix, who alone can say so. Where nobody does, it
    waits, visibly, until somebody holds it or the delivery expires.
    """
    found = outbox.row_of(tx, node_id, packet_id, keys.OUTBOX_PACKET)
    if found is None:
        return set()
    waiting = receipts.waiting_units(tx, packet_id, node_id)
    targets = {unit: holder_of(parse_code(unit), directory) for unit in waiting}
    moved = {unit: target for unit, target in targets.items() if target not in (None, node_id)}
    asks_by_version = found[1].asks_by_version
    if not word.is_free and node_id in directory.nodes:
        free = word.frees(asks_by_version or directory.version)
        staying = {unit for unit in moved if unit not in free}
    else:
        staying = set()
    going: dict[str, list[str]] = {}
    for unit, target in moved.items():
        if unit not in staying and target is not None:
            record = require(tx, keys.delivery(packet_id, unit), DeliveryRecord)
            record.node_id = target
            save(tx, keys.delivery(packet_id, unit), record)
            going.setdefault(target, []).append(unit)
    if going:
        _enqueue(tx, packet_id, going, now_ms)
        left = receipts.waiting_units(tx, packet_id, node_id)
        if not left:
            outbox.settle(tx, node_id, packet_id, keys.OUTBOX_PACKET)
            return set(going)
        _name(tx, node_id, packet_id, left)
    if bool(staying) != bool(asks_by_version):
        _ask(tx, node_id, packet_id, directory.version if staying else 0, now_ms)
        return {*going, node_id}
    return set(going)


def _ask(tx: Tx, node_id: str, packet_id: bytes, by_version: int, now_ms: int) -> None:
    """Ask a node about what has moved away from it; or, if all of it is there again, send it what it has not got."""

    def alter(record: OutboxRecord) -> None:
        record.asks_by_version = by_version
        # What may have been sent was tried.
        record.attempts = max(record.attempts, 1)

    outbox.change(tx, node_id, packet_id, keys.OUTBOX_PACKET, now_ms, alter)


def _enqueue(tx: Tx, packet_id: bytes, going: dict[str, list[str]], now_ms: int) -> None:
    envelope = codec.decode_envelope(require(tx, keys.packet(packet_id), PacketRecord).envelope)
    for target, units in going.items():
        row = outbox.packet_row(envelope, keys.OUTBOX_PACKET, units, now_ms)
        if not outbox.enqueue(tx, target, envelope.lane, packet_id, keys.OUTBOX_PACKET, row):
            # It goes there already for other units: one body serves them all, and the receipt is checked unit by unit.
            _name(tx, target, packet_id, receipts.waiting_units(tx, packet_id, target))


def _name(tx: Tx, node_id: str, packet_id: bytes, units: list[str]) -> None:
    """Write into a row for which units it is. One that is laid aside, or was, does not know them."""
    found = outbox.row_of(tx, node_id, packet_id, keys.OUTBOX_PACKET)
    assert found is not None
    key, record = found
    if record.unit_count:
        record.unit_count, record.units[:], record.is_for_all = len(units), units, False
        save(tx, key, record)
