"""Plan: what of one peer's outbox goes next, and by which road. One transaction function, what it is told and what it returns.

It reads the outbox and nothing of what its rows stand for, so that whatever cannot be read stops its own row and no other (packing.py).
It sees nothing of the courier but a `Look`, and changes nothing of it: what it finds comes back as a `Plan`. So it may run twice, or
in a thread, as a transaction function on another store may have to.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from node.flow.send import fair, outbox, turns
from node.flow.send.fair import Beyond
from node.flow.send.routing import Outlook, Road, open_roads, road_of_row
from node.flow.send.turns import Turn
from node.model.lane import Lane
from node.model.reason import Reason
from node.ports import Tx
from node.rows import keys
from node.rows.records import PeerRecord

IDLE_S = 30.0
"""A courier looks at the outbox at least this often even if nobody says that something is there."""
SKIPPED_PAGES_MAX = 16
"""At most so many pages of rows that cannot go now are passed over in search of one that can."""
PROMOTED_MAX = 256
"""At most so many rows whose time has come are made ready at one look."""


@dataclass(frozen=True, slots=True)
class Look:
    """All that a courier knows when it looks.

    `cursor`: where the look at a lane begins, since everything before is in flight or gone; `lanes`: those with room for a push;
    `alone_first`: it is the turn of a row that travels alone; `turn`: how far the turns of lanes have come; `beyond`: what is remembered of
    lanes in which more waits than goes at once; `record`: returns what is known of the road to a node.
    """

    peer_id: str
    outlook: Outlook
    cursor: Mapping[Lane, bytes]
    in_flight: Set[bytes]
    lanes: tuple[Lane, ...]
    alone_first: bool
    turn: Turn
    record: Callable[[Tx, str], PeerRecord]
    beyond: Mapping[Lane, Beyond] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that go together, by one road."""

    road: Road
    rows: list[outbox.Row]


@dataclass(frozen=True, slots=True)
class Plan:
    """The next things to do: a push, and beside it one large packet; or wait.

    `reach`: where the next look at each lane may begin once these rows are under way, unless a row before that was found meanwhile
    (between the look and the sending lies the wait for the disk). `promoted`: rows that were due and lie in their lanes again.
    `damaged`: rows that cannot be read and were laid aside. `turn`: how far the turns of lanes have come with these rows; `beyond`: what is
    remembered of the lanes that were looked at.
    """

    wait_s: float
    batches: list[Batch] = field(default_factory=list)
    turn: Turn = field(default_factory=Turn)
    reach: dict[Lane, bytes] = field(default_factory=dict)
    promoted: list[bytes] = field(default_factory=list)
    damaged: list[bytes] = field(default_factory=list)
    beyond: dict[Lane, Beyond] = field(default_factory=dict)

    @property
    def rows(self) -> list[outbox.Row]:
        """All rows that go now."""
        return [row for batch in self.batches for row in batch.rows]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The rows of one lane that can go now, and the first of those that cannot and so must be looked at again.

    `rows`: of the first page, in order of time; `queue`: all of them, also from behind it, in the order in which they go (fair.py).
    """

    rows: list[outbox.Row]
    queue: list[outbox.Row]
    first_left: bytes | None
    damaged: list[bytes]
    beyond: Beyond


def lower(cursor: dict[Lane, bytes], key: bytes) -> None:
    """Let the next look at a row's lane begin no later than at that row."""
    lane = Lane(keys.parse_outbox_row(key)[1])
    if key < cursor.get(lane, b""):
        cursor[lane] = key


def read_plan(tx: Tx, look: Look) -> Plan:
    """Look into the outbox of one peer."""
    # Most peers have nothing waiting most of the time, so this is asked first. Not while there are cursors: the question is asked
    # from the beginning, before the cursors, where the tombstones of sent rows lie.
    if not look.cursor and outbox.is_empty(tx, look.peer_id):
        return Plan(wait_s=IDLE_S)
    now_ms = look.outlook.now_ms
    promoted, cursor = outbox.promote(tx, look.peer_id, now_ms, limit=PROMOTED_MAX), dict(look.cursor)
    for key in promoted:
        lower(cursor, key)
    peer = look.outlook.directory.nodes.get(look.peer_id)
    if peer is None:
        return Plan(wait_s=IDLE_S, promoted=promoted)
    roads = open_roads(peer, look.outlook, lambda name: look.record(tx, name))
    if roads[0].call is None:
        wait_ms = roads[0].wait_until_ms - now_ms if roads[0].wait_until_ms else IDLE_S * 1000
        return Plan(wait_s=min(IDLE_S, max(0.01, wait_ms / 1000)), promoted=promoted)
    lanes = {lane: _lane(tx, look, lane, cursor.get(lane, b""), roads) for lane in _lanes(tx, look, cursor)}
    batches, turn = _choose(look, lanes, roads)
    chosen = [row for batch in batches for row in batch.rows]
    reach = {lane: _reach(found, chosen, look.peer_id, now_ms) for lane, found in lanes.items() if found.rows}
    damaged = [key for found in lanes.values() for key in found.damaged]
    for key in damaged:
        outbox.lay_aside(tx, key, Reason.STORE_CORRUPT, "the row in the outbox cannot be read", now_ms)
    beyond = {lane: fair.settle(found.beyond, found.queue, _of_lane(chosen, lane)) for lane, found in lanes.items()}
    return Plan(0.01 if damaged else _until_due_s(tx, look), batches, turn, reach, promoted, damaged, beyond)


def _lanes(tx: Tx, look: Look, cursor: Mapping[Lane, bytes]) -> Sequence[Lane]:
    """Return the lanes to look at. Something large is rare, so its lanes are asked after together first."""
    fast = [lane for lane in look.lanes if not lane.is_bulk]
    if len(fast) == len(look.lanes) or outbox.holds_large(tx, look.peer_id, cursor.get(Lane.BULK, b"")):
        return look.lanes
    return fast


def _choose(look: Look, lanes: Mapping[Lane, Candidates], roads: Sequence[Road]) -> tuple[list[Batch], Turn]:
    fast = {lane: lanes[lane].queue for lane in turns.FAST_LANES if lane in lanes}
    heads = [lanes[lane].queue[0] for lane in turns.BULK_LANES if lane in lanes and lanes[lane].queue]
    push, place = _choose_push(look, fast, roads)
    batches, passed = [push] if push is not None else [], look.turn.passed
    if heads:
        large, passed = turns.next_large(heads, passed)
        batches.append(Batch(_road(large, roads), [large]))
    return batches, Turn(place, passed)


def _choose_push(look: Look, lanes: Mapping[Lane, list[outbox.Row]], roads: Sequence[Road]) -> tuple[Batch | None, int]:
    """Choose a push, and return the place of the wheel at which the next one begins.

    A row that was put off several times travels alone, when nothing else waits or when it is its turn: if it is what makes pushes fail,
    the others go on. The lane whose turn it is says by which road the push goes, by its first row; lanes whose first row goes by another
    road wait for the next push.
    """
    place = look.turn.place
    alone = [row for rows in lanes.values() for row in rows if outbox.is_suspect(row.record)][:1]
    steady = {lane: [row for row in rows if not outbox.is_suspect(row.record)] for lane, rows in lanes.items()}
    waiting = {lane for lane, rows in steady.items() if rows}
    if alone and (look.alone_first or not waiting):
        return Batch(_road(alone[0], roads), alone), place
    if not waiting:
        return None, place
    road = _road(steady[turns.lane_at(place, waiting)][0], roads)
    here = {lane for lane in waiting if _road(steady[lane][0], roads) is road}
    same = {lane: [row for row in rows if _road(row, roads) is road] for lane, rows in steady.items() if lane in here}
    chosen, place = turns.mix(same, look.outlook.policy, place, waiting - here)
    return Batch(road, chosen), place


def _road(row: outbox.Row, roads: Sequence[Road]) -> Road:
    """Return by which road a candidate goes: were there none, it would be no candidate."""
    road = road_of_row(row.record, roads)
    assert road is not None
    return road


def _lane(tx: Tx, look: Look, lane: Lane, start: bytes, roads: Sequence[Road]) -> Candidates:
    limit = look.outlook.policy.push_items_max
    rows: list[outbox.Row] = []
    first_left: bytes | None = None
    damaged: list[bytes] = []
    for _ in range(SKIPPED_PAGES_MAX):
        page = outbox.ready(tx, look.peer_id, lane, start, limit, damaged)
        for row in page:
            if row.key in look.in_flight:
                continue
            if road_of_row(row.record, roads) is None:
                first_left = first_left or row.key
            else:
                rows.append(row)
        if rows or damaged or len(page) < limit:
            break
        start = page[-1].key + b"\0"
    beyond = look.beyond.get(lane, fair.NOTHING)
    if not rows or len(page) < limit:
        # All that waits is in this page.
        beyond = Beyond(beyond.given)
        return Candidates(rows, fair.in_turn(rows, beyond.given), first_left, damaged, beyond)
    first = fair.Page(
        look.peer_id, lane, page[-1].key + b"\0", {row.record.sender_unit for row in rows}, look.in_flight
    )
    more, beyond = fair.look(tx, first, beyond, look.outlook.now_ms, limit)
    more = [row for row in more if road_of_row(row.record, roads) is not None]
    return Candidates(rows, fair.in_turn([*rows, *more], beyond.given), first_left, damaged, beyond)


def _of_lane(rows: Sequence[outbox.Row], lane: Lane) -> list[outbox.Row]:
    return [row for row in rows if row.lane is lane]


def _until_due_s(tx: Tx, look: Look) -> float:
    due_ms = outbox.next_due_ms(tx, look.peer_id)
    return IDLE_S if due_ms is None else min(IDLE_S, max(0.01, (due_ms - look.outlook.now_ms) / 1000))


def _reach(found: Candidates, chosen: list[outbox.Row], peer_id: str, now_ms: int) -> bytes:
    """Return where the next look at a lane begins: at the first row that stays, and never later than this very moment.

    Rows are written in the order of their times, but those of one millisecond in any order.
    """
    going = {row.key for row in chosen}
    left = next((row.key for row in found.rows if row.key not in going), found.rows[-1].key + b"\0")
    begins = [left, keys.outbox_moment(peer_id, found.rows[0].lane, now_ms)]
    return min([*begins, found.first_left] if found.first_left else begins)
