"""Group commit, seen from the loop: who waits for which commit, and what is durable by now.

Commits are numbered in the order in which they were written (`written_no`). A transaction waits until `durable_no` has reached
the newest number that existed when it ended: its own commit, or the newest one it may have read. All that come while one flush
runs share the next one; the running flush is the batching window, there is no other delay.

    written_no  ..., 17, 18, 19, 20, 21          waiting: (19, future), (21, future), (21, future)
    durable_no       17                          a flush is running that began at 19 and will settle the first

The owner knows how a flush is done: `begin(mark)` starts one, and the owner ends it by `done(mark)` or `fail(...)`, on the loop.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from node.errors import Fault, fault
from node.model.reason import Reason
from node.store.timing import Histogram


class Group:
    """Numbers of commits and the transactions that wait for them. Used on one loop only."""

    def __init__(self, begin: Callable[[int], None], written_no: int = 0) -> None:
        self.written_no = written_no
        self.durable_no = written_no
        self.waits = Histogram()
        """The times that transactions waited until they were durable."""
        self._begin = begin
        self._mark = written_no
        self._flushing = False
        self._trouble: tuple[Reason, str] | None = None
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def trouble(self) -> Fault | None:
        """The cause for which nothing may be written now, as a new fault; None: writing is allowed."""
        return fault(*self._trouble) if self._trouble else None

    async def settled(self) -> None:
        """Return when everything written so far is durable. Raises the fault of the flush that failed."""
        if self.durable_no >= self.written_no:
            return
        if self._trouble:
            raise fault(*self._trouble)
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.append((self.written_no, future))
        if not self._flushing:
            self._flushing = True
            # Not at once, so that every transaction of this turn of the loop joins.
            loop.call_soon(self._begin_next)
        begun_s = time.monotonic()  # not the loop's own time, which may go by the millisecond, or be virtual
        await future
        self.waits.observe(time.monotonic() - begun_s)

    def done(self, mark: int) -> None:
        """End a flush: everything up to `mark` is durable."""
        self.durable_no = max(self.durable_no, mark)
        waiting = self._waiting
        while waiting and waiting[0][0] <= mark:
            future = waiting.popleft()[1]
            if not future.done():
                future.set_result(None)
        self._begin_next()

    def fail(self, reason: Reason, detail: str) -> None:
        """End a flush that failed: all who wait are told."""
        self._flushing = False
        self._tell_from(0, reason, detail)

    def refuse(self, reason: Reason, detail: str) -> None:
        """Allow no more writes until `resume`. Transactions in the running flush hear from that, the others are told now."""
        self._trouble = (reason, detail)
        self._tell_from(self._mark + 1 if self._flushing else 0, reason, detail)

    def resume(self) -> None:
        """Everything written is durable after all and writing is allowed again."""
        self._trouble = None
        self.durable_no = self.written_no

    def abandon(self) -> None:
        """Cancel all who wait, as the end of the process would (simulation)."""
        for _, future in self._waiting:
            future.cancel()
        self._waiting.clear()

    def _begin_next(self) -> None:
        self._flushing = bool(self._waiting)
        if self._flushing:
            self._mark = self.written_no
            self._begin(self._mark)

    def _tell_from(self, number: int, reason: Reason, detail: str) -> None:
        kept = deque(pair for pair in self._waiting if pair[0] < number)
        for target, future in self._waiting:
            if target >= number and not future.done():
                future.set_exception(fault(reason, detail))
        self._waiting = kept
