"""Fair: whose packet goes next within one lane of one peer, by the unit that sends it. Pure; what is remembered, the courier keeps.

Rows of a lane lie in order of time, so a unit that hands in ten thousand packets would stand before everybody who comes after. Instead
units take turns by octets (deficit round robin, as one running sum for each unit): next is the oldest row of that unit which has been
given least; who comes anew begins where the least served one stands, so nobody saves up turns.

        cursor                          end                                                  ahead
          |  page: read at every look    |  beyond: read once; per unit the oldest keys kept   |  not seen yet
        --+------------------------------+-----------------------------------------------------+------------------> time

As long as all that waits is one page, nothing here costs a read. If there is more, each look reads on from `ahead` by SCOUT_ROWS, keeps
the oldest KEPT_MAX keys of each unit and, of a unit with more, where its rest begins. So a row of a unit that has nothing else waiting
goes in the next push of its lane but one, once it was seen: at once if it comes while others wait already, and after a start behind a
backlog of N rows after N / SCOUT_ROWS pushes instead of N / 64. What is kept is bounded; with more than UNITS_MAX units at a time the
others wait until one of these has nothing left.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heapreplace
from itertools import zip_longest

from node.flow.send import outbox
from node.flow.send.outbox import Row
from node.model.lane import Lane
from node.model.policy import TRIMMINGS_BYTES
from node.ports import Tx
from node.rows import keys

SCOUT_ROWS = 1_024
"""So many rows behind the first page are read at one look; about 3 ms."""
KEPT_MAX = 64
UNITS_MAX = 256
ALL_KEPT_MAX = 4_096
REFILLS_MAX = 4
"""Units whose kept keys have run out, of which the rest is looked for at one look."""
REFILL_ROWS = 256


@dataclass(frozen=True, slots=True)
class Beyond:
    """What a courier remembers of one lane: what units were given, and what waits behind the first page.

    `given`: octets by unit, of those that have something waiting; `kept`: the oldest keys of each unit, in order; `rest`: where more of a
    unit's rows begin than were kept; `ahead`: where reading goes on. `rest` and `kept` may name rows that are gone or in flight.
    """

    given: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    rest: Mapping[str, bytes] = field(default_factory=dict)
    ahead: bytes = b""

    def lowered(self, key: bytes) -> "Beyond":
        """Return the same, reading on no later than at a row that lies in the outbox again."""
        return replace(self, ahead=min(key, self.ahead)) if self.ahead else self


NOTHING = Beyond()


def octets(row: Row) -> int:
    """Return how much a row counts."""
    return int(row.record.body_bytes) + TRIMMINGS_BYTES


def in_turn(rows: Sequence[Row], given: Mapping[str, int]) -> list[Row]:
    """Return rows in the order in which they go: each time the oldest row of the unit that has been given least."""
    queues: dict[str, list[Row]] = {}
    for row in rows:
        queues.setdefault(row.record.sender_unit, []).append(row)
    if len(queues) < 2:
        return list(rows)
    least = _least(queues, given)
    heap = [(given.get(unit, least), queue[0].key, unit, 0) for unit, queue in queues.items()]
    heapify(heap)
    ordered = []
    while heap:
        had, _, unit, at = heap[0]
        row = queues[unit][at]
        ordered.append(row)
        if at + 1 < len(queues[unit]):
            heapreplace(heap, (had + octets(row), queues[unit][at + 1].key, unit, at + 1))
        else:
            heappop(heap)
    return ordered


def _least(units: Iterable[str], given: Mapping[str, int]) -> int:
    """Return where somebody begins who comes anew: at the least served of those that wait."""
    return min((given[unit] for unit in units if unit in given), default=0)


def settle(beyond: Beyond, found: Iterable[Row], chosen: Sequence[Row]) -> Beyond:
    """Return what is remembered once rows have been chosen of those that were found; NOTHING if nothing else waits."""
    going = {row.key for row in chosen}
    waiting = {row.record.sender_unit for row in found if row.key not in going} | {*beyond.kept, *beyond.rest}
    if not waiting:
        return NOTHING
    units = waiting | {row.record.sender_unit for row in chosen}
    least = _least(units, beyond.given)
    given = {unit: beyond.given.get(unit, least) for unit in units}
    for row in chosen:
        given[row.record.sender_unit] += octets(row)
    kept = {unit: tuple(key for key in some if key not in going) for unit, some in beyond.kept.items()}
    return Beyond(
        {unit: had for unit, had in given.items() if unit in waiting},
        {unit: some for unit, some in kept.items() if some},
        beyond.rest,
        beyond.ahead,
    )


@dataclass(frozen=True, slots=True)
class Page:
    """The first page of a lane: where it ends, the units that have rows in it, and keys of the lane that are in flight."""

    peer_id: str
    lane: Lane
    end: bytes
    near: Set[str]
    in_flight: Set[bytes]


def look(tx: Tx, page: Page, beyond: Beyond, now_ms: int, limit: int) -> tuple[list[Row], Beyond]:
    """Read on behind a full first page; return at most `limit` rows of there whose turn may be now, and what is remembered."""
    memory = _Memory(page, beyond)
    memory.read_on(tx, keys.outbox_moment(page.peer_id, page.lane, now_ms))
    memory.refill(tx)
    picked = memory.pick(limit)
    rows = outbox.read_rows(tx, page.peer_id, page.lane, picked)
    memory.forget(set(picked) - {row.key for row in rows})
    return rows, memory.value()


class _Memory:
    """What is remembered, while it is brought up to date within one look."""

    def __init__(self, page: Page, beyond: Beyond) -> None:
        self._page = page
        self._given = beyond.given
        # What lies before its end is seen in the first page.
        kept = {unit: some[bisect_left(some, page.end) :] for unit, some in beyond.kept.items()}
        self._kept = {unit: list(some) for unit, some in kept.items() if some}
        self._rest = dict(beyond.rest)
        self._ahead = max(beyond.ahead, page.end)
        self._size = sum(map(len, self._kept.values()))

    def read_on(self, tx: Tx, now: bytes) -> None:
        """Read rows that were not seen yet. Not beyond this moment, since rows may still come in there."""
        found = self._ready(tx, self._ahead, SCOUT_ROWS)
        for row in found:
            if not self._keep(row):
                break
            self._ahead = row.key + b"\0"
        self._ahead = max(self._page.end, min(self._ahead, now))

    def _ready(self, tx: Tx, start: bytes, limit: int) -> list[Row]:
        # What cannot be read is laid aside when the first page has come to it.
        return outbox.ready(tx, self._page.peer_id, self._page.lane, start, limit, [])

    def _keep(self, row: Row) -> bool:
        """Remember a row; return False if there is no room for its unit."""
        unit = row.record.sender_unit
        some = self._kept.get(unit)
        if row.key in self._page.in_flight:
            return True
        if unit in self._rest or (some is not None and len(some) >= KEPT_MAX):
            self._rest[unit] = min(self._rest.get(unit, row.key), row.key)
            return True
        if self._size >= ALL_KEPT_MAX or (some is None and len(self._kept) + len(self._rest) >= UNITS_MAX):
            return False
        if some is None:
            self._kept[unit] = [row.key]
        elif row.key > some[-1]:
            some.append(row.key)
        elif some[at := bisect_left(some, row.key)] != row.key:
            some.insert(at, row.key)
        else:
            return True
        self._size += 1
        return True

    def refill(self, tx: Tx) -> None:
        """Look for the rest of units of which nothing is kept any more; the first page serves those that are near."""
        empty = [unit for unit in self._rest if unit not in self._kept and unit not in self._page.near]
        for unit in sorted(empty, key=lambda unit: self._given.get(unit, 0))[:REFILLS_MAX]:
            found = self._ready(tx, max(self._rest.pop(unit), self._page.end), REFILL_ROWS)
            for row in found:
                if row.key >= self._ahead:
                    break
                if row.record.sender_unit == unit:
                    self._keep(row)
            else:
                if unit not in self._rest and len(found) == REFILL_ROWS:
                    self._rest[unit] = found[-1].key + b"\0"

    def pick(self, limit: int) -> list[bytes]:
        """Return keys to be read, the least served units' first, one of each and then the next."""
        far = [unit for unit in self._kept if unit not in self._page.near]
        far.sort(key=lambda unit: self._given.get(unit, 0))
        free = [[key for key in self._kept[unit] if key not in self._page.in_flight] for unit in far]
        return [key for turn in zip_longest(*free) for key in turn if key is not None][:limit]

    def forget(self, gone: Set[bytes]) -> None:
        """Forget keys under which there is nothing."""
        if gone:
            self._kept = {unit: [key for key in some if key not in gone] for unit, some in self._kept.items()}

    def value(self) -> Beyond:
        """Return it as a value."""
        kept = {unit: tuple(some) for unit, some in self._kept.items() if some}
        return Beyond(self._given, kept, self._rest, self._ahead)
