"""Queue counts: how much waits for each peer in each lane, and since when, counted by keys while the node works.

Rows that are put off lie in the order in which they are due, so neither their number nor the oldest of them can be read off in one
look, and a counter kept in memory would have to be built by a walk at every start. So the walk is made in pages, whenever somebody
wants to know: a page costs the same however long the queue is, and between two pages the loop is free. A queue that fits into one
call is counted anew by each; of a longer one the last whole count is shown until the next is done, and its age is told. Moving rows
may be missed or met twice by a walk of several pages: counts are for people and alarms, and decide nothing.
"""

import asyncio
from dataclasses import dataclass, field
from functools import partial

from node.model.lane import Lane
from node.ports import Ports, Tx
from node.rows import keys

PAGE_ROWS = 1_000
ROWS_PER_CALL = 20_000
Place = tuple[str, Lane]
"""A peer and a lane."""


@dataclass(slots=True)
class Waiting:
    """Rows of one place: how many, and since when the oldest of them waits, milliseconds since 1970 UTC."""

    count: int = 0
    oldest_ms: int = 0


@dataclass(slots=True)
class Walk:
    """A walk through all waiting rows: what was found so far, and where it goes on (b"": it is at its end)."""

    places: dict[Place, Waiting] = field(default_factory=dict)
    following: bytes = keys.LATER
    rows: int = 0


def read_page(tx: Tx, start: bytes, limit: int) -> tuple[list[bytes], bytes]:
    """Return the keys of up to `limit` waiting rows from `start` on, and where the next page begins (b"": there is none)."""
    table = start[:1]
    found = [key for key, _ in tx.scan(table, start=start, limit=limit)]
    if len(found) == limit:
        return found, found[-1] + b"\0"
    return found, keys.OUTBOX if table == keys.LATER else b""


def add_page(count: Walk, page: tuple[list[bytes], bytes]) -> None:
    """Go on with a walk by one page."""
    found, count.following = page
    count.rows += len(found)
    for key in found:
        node_id, lane, since_ms = keys.parse_waiting_row(key)
        place = count.places.setdefault((node_id, Lane(lane)), Waiting(0, since_ms))
        place.count += 1
        place.oldest_ms = min(place.oldest_ms, since_ms)


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """A count by peer and lane; `time_ms` is when it was completed, 0: the first one is still under way."""

    places: dict[Place, Waiting] = field(default_factory=dict)
    time_ms: int = 0


class QueueCounter:
    """Counts what waits. One walk at a time, whoever asks."""

    def __init__(self, ports: Ports, *, page_rows: int = PAGE_ROWS, rows_per_call: int = ROWS_PER_CALL) -> None:
        self._ports = ports
        self._page_rows = page_rows
        self._rows_per_call = rows_per_call
        self._walk = Walk()
        self._last = QueueCounts()
        self._turn = asyncio.Lock()

    async def take(self) -> QueueCounts:
        """Go on counting for a bounded time; return the last whole count, or what was found so far if there is none yet.

        Raises Fault if the store cannot be read now.
        """
        async with self._turn:
            left = self._rows_per_call
            while left > 0 and self._walk.following:
                before = self._walk.rows
                start, limit = self._walk.following, min(left, self._page_rows)
                add_page(self._walk, await self._ports.store.transact(partial(read_page, start=start, limit=limit)))
                left -= self._walk.rows - before
            if not self._walk.following:
                self._last, self._walk = QueueCounts(self._walk.places, self._ports.clock.now_ms()), Walk()
            return self._last if self._last.time_ms else QueueCounts(dict(self._walk.places))
