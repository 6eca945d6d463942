"""The census of what waits to leave, taken while the node works.

Each call goes on with the walk (flow/views/queue_counts.py) by a bounded number of rows, in pages between which the loop is free. A
queue that fits into one call is counted anew by each; of a longer one the last whole count is shown until the next is done, and its
age is told. Moving rows may be missed or met twice by a walk of several pages: a census is for people and alarms, and decides
nothing.
"""

import asyncio
from dataclasses import dataclass, field
from functools import partial

from node.flow.views.queue_counts import Count, Place, Waiting, add_page, read_page
from node.ports import Ports

PAGE_ROWS = 1_000
ROWS_PER_CALL = 20_000


@dataclass(frozen=True, slots=True)
class Counted:
    """What waits by peer and lane; `time_ms` is when the count was completed, 0: the first one is still under way."""

    places: dict[Place, Waiting] = field(default_factory=dict)
    time_ms: int = 0


class Census:
    """Counts what waits. One walk at a time, whoever asks."""

    def __init__(self, ports: Ports, *, page_rows: int = PAGE_ROWS, rows_per_call: int = ROWS_PER_CALL) -> None:
        self._ports = ports
        self._page_rows = page_rows
        self._rows_per_call = rows_per_call
        self._walk = Count()
        self._last = Counted()
        self._turn = asyncio.Lock()

    async def take(self) -> Counted:
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
                self._last, self._walk = Counted(self._walk.places, self._ports.clock.now_ms()), Count()
            return self._last if self._last.time_ms else Counted(dict(self._walk.places))
