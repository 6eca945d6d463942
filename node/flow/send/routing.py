"""Routing: which node serves a unit, by which road a peer is reached now, and what a row waits for otherwise.

The direct road is the usual one. If it has failed for a while, or the directory says that only relays can dial the peer, a relay
is asked. All knowledge of a road is the peer's durable record, so Track, the operator's list and the courier always say the same
(law 2).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from node.errors import Rejected
from node.flow import backoff, quarantine
from node.flow.document.aliases import why_unknown
from node.model.code import Code
from node.model.directory import Directory, NodeEntry
from node.model.policy import Policy
from node.model.reason import Reason
from node.ports import Tx
from node.rows import keys
from node.rows.access import load
from node.rows.records import OutboxRecord, PeerRecord

Lookup = Callable[[str], PeerRecord]
"""Returns what is known of the road to a node."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """The view in which a road is chosen: our own node, the directory, the time, the policy."""

    own_id: str
    directory: Directory
    now_ms: int
    policy: Policy


@dataclass(frozen=True, slots=True)
class Road:
    """How to reach a peer now: whom to call (None: nobody), until when to wait otherwise, and why."""

    call: NodeEntry | None
    is_relay: bool = False
    wait_until_ms: int = 0
    reason: Reason = Reason.NONE


def open_roads(peer: NodeEntry, outlook: Outlook, record_of: Lookup) -> list[Road]:
    """Return the roads by which a peer may be reached now, by the first of these that is so; else one that tells whom to wait for.

    0. It is this very node (a unit has come to us while its delivery was under way): directly.
    1. An operator holds it: nobody.
    2. The directory says that only relays can dial it: those of them that are not failing.
    3. The direct road is open: directly.
    4. It has failed for `relay_after_ms`: the relays that are not failing.
    5. The next attempt is due: directly, after the relays.
    6. Else: nobody until the next attempt, the peer's own or the first relay's.
    """
    if peer.node_id == outlook.own_id:
        return [Road(peer)]
    record, now_ms, policy = record_of(peer.node_id), outlook.now_ms, outlook.policy
    if record.held:
        return [Road(None, reason=Reason.HELD)]
    direct = dialable(peer, outlook.own_id)
    if direct and not record.failures:
        return [Road(peer)]
    # A first failure in the future was noted before the clock was set back: nobody knows how old it is, so a relay may be asked.
    relays = [] if direct and 0 <= now_ms - record.first_failure_ms < policy.relay_after_ms else _relays(peer, outlook)
    known = [(relay, record_of(relay.node_id)) for relay in relays]
    roads = [
        Road(relay, is_relay=True)
        for relay, its in known
        if not its.held and (not its.failures or not backoff.wait_ms(its, now_ms, policy))
    ]
    if direct and not backoff.wait_ms(record, now_ms, policy):
        roads.append(Road(peer))
    return roads or [_wait([record] if direct else [its for _, its in known])]


def choose_road(peer: NodeEntry, outlook: Outlook, record_of: Lookup) -> Road:
    """Return the road by which something new goes to a peer now, or one that tells whom to wait for."""
    return open_roads(peer, outlook, record_of)[0]


def road_of_row(record: OutboxRecord, roads: Sequence[Road]) -> Road | None:
    """Return by which of the open roads a row goes; None: by none of them.

    Custody without progress goes elsewhere: first to a relay that has not been asked yet, then directly, then round again. Only the
    origin asks a relay; a relay itself carries directly to the target, so no packet goes from relay to relay.
    """
    if len(roads) == 1:  # nearly always, and asked twice for each row that goes
        return roads[0] if not roads[0].is_relay or record.kind == keys.OUTBOX_PACKET else None
    asked = list(record.relays_asked) or [record.custody_node]
    may = [road for road in roads if not road.is_relay or record.kind == keys.OUTBOX_PACKET]
    return min(may, key=lambda road: _turn(road, asked), default=None)


def _turn(road: Road, asked: list[str]) -> int:
    """Return a number that is the lower the sooner it is a road's turn: 0 a fresh relay, 1 directly, then relays as they were asked."""
    if not road.is_relay or road.call is None:
        return 1
    return 2 + asked.index(road.call.node_id) if road.call.node_id in asked else 0


def _wait(records: list[PeerRecord]) -> Road:
    """Wait for the first of several roads."""
    if not records:
        return Road(None, reason=Reason.NO_ROUTE)
    first = min(records, key=lambda record: record.next_attempt_ms)
    reason = Reason.HELD if first.held else Reason(first.reason or Reason.PEER_UNREACHABLE)
    return Road(None, wait_until_ms=first.next_attempt_ms, reason=reason)


def _relays(peer: NodeEntry, outlook: Outlook) -> list[NodeEntry]:
    return [
        relay
        for relay in outlook.directory.relays()
        if relay.node_id not in (peer.node_id, outlook.own_id)
        and (not peer.via_relays or relay.node_id in peer.via_relays)
    ]


def dialable(peer: NodeEntry, own_id: str) -> bool:
    """Tell whether a node with this id may dial the peer itself."""
    return bool(peer.mesh_address) and (not peer.via_relays or own_id in peer.via_relays)


def waiting_for(tx: Tx, node_id: str, row: tuple[bytes, OutboxRecord], outlook: Outlook) -> tuple[Reason, int]:
    """Return why a row waits and when it is tried next (0: as soon as its turn comes)."""
    reason, next_ms = _waiting_for(tx, node_id, row, outlook)
    is_asked = row[1].asks_by_version and reason not in (Reason.QUARANTINED, Reason.HELD)
    return (Reason.FORMER_NODE_ASKED, next_ms) if is_asked else (reason, next_ms)


def _waiting_for(tx: Tx, node_id: str, row: tuple[bytes, OutboxRecord], outlook: Outlook) -> tuple[Reason, int]:
    key, record = row
    if quarantine.holds(key):
        return Reason.QUARANTINED, 0
    if key.startswith(b"l"):
        return Reason(record.reason), record.not_before_ms
    peer = outlook.directory.nodes.get(node_id)
    if peer is None:
        return Reason.NO_ROUTE, 0
    roads = open_roads(peer, outlook, lambda name: peer_record(tx, name))
    road = road_of_row(record, roads) or roads[0]
    if road.call is None:
        return road.reason, road.wait_until_ms
    called = peer_record(tx, road.call.node_id)
    if called.failures:
        return Reason(called.reason), called.next_attempt_ms
    return Reason.QUEUED, 0


def peer_record(tx: Tx, node_id: str) -> PeerRecord:
    """Return what is known of the road to one peer."""
    return load(tx, keys.peer(node_id), PeerRecord) or PeerRecord()


def failing_peers(tx: Tx) -> Iterable[str]:
    """Return the peers whose road has failed since its last success."""
    rows = tx.scan(keys.PEERS, limit=10_000)
    return [key[1:].decode() for key, value in rows if PeerRecord.FromString(value).failures]


def route(code: Code, directory: Directory, now_ms: int, *, is_report: bool = False) -> str:
    """Return the node to which something new for a unit goes. A report on a unit's own document goes to a closed one, too (decision 0017).

    Raises Rejected(RECIPIENT_UNKNOWN), which says whom to write to, if there is no such unit.
    """
    unit, node_id = directory.unit(code), keeper_of(code, directory)
    if node_id is None or unit is None or not (unit.has_begun(now_ms) if is_report else unit.holds_at(now_ms)):
        raise Rejected(Reason.RECIPIENT_UNKNOWN, why_unknown(code, directory, now_ms))
    return node_id


def holder_of(code: Code, directory: Directory) -> str | None:
    """Return the node that holds the prefix of a code, and so can say of a unit that there is none; None if nobody does."""
    zone = directory.zone_of(code)
    return zone.node_id if zone is not None else None


def keeper_of(code: Code, directory: Directory) -> str | None:
    """Return the node that keeps a unit's papers, be the unit open or closed; None if the directory does not know it."""
    zone = directory.zone_of(code)
    return zone.node_id if zone is not None and code.text in zone.units else None
