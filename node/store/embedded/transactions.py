"""Transactions: the contract of ports.Store, written once for every engine that lives in this process.

A transaction function runs at once on the loop, so nothing can come between its reads and its writes: one loop is the only
writer. Its writes go to the engine as one batch, unsynced, and the caller then waits for the flush that makes them durable
(group_commit.py). Everything it has read must be durable, too, or an answer could rest on a row that a power cut takes back; that
holds for refusals as well, so an exception from `fn` waits in the same way before it passes on. A transaction that only reads, and
nothing that is still on its way to the disk (unsettled.py), is answered at once: a list does not wait for other people's documents.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from node.errors import Deferred
from node.model.reason import Reason
from node.ports import Tx
from node.store.embedded.fence import Fence
from node.store.embedded.group_commit import Group
from node.store.embedded.overlay import OverlayTx, Reader, Writes
from node.store.embedded.unsettled import Unsettled
from node.store.files import NoSpace

T = TypeVar("T")

STALL_PAUSE_S = 0.02
STALL_LIMIT_S = 5.0


class Stalled(Exception):
    """The engine cannot take a write just now. Never leaves this room: callers see Deferred(STORE_STALLED)."""


class Engine(Reader, Protocol):
    """Holds the rows."""

    def write(self, writes: Writes, commit_no: int) -> None:
        """Apply all or nothing, visible at once, not yet durable. Raises Stalled, NoSpace, Deferred or Broken."""
        ...


class TransactionStore:
    """A ports.Store over an engine and a group. `fence` tells why this store only reads, or is None."""

    def __init__(self, engine: Engine, group: Group, fence: Fence | None) -> None:
        self.fence = fence
        self._engine = engine
        self._group = group
        self._unsettled = Unsettled()
        self._closing = False

    async def transact(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` once over a consistent view; see ports.Store.transact."""
        stalled_since: float | None = None
        while True:
            if self._closing:
                raise Deferred(Reason.SHUTTING_DOWN)
            try:
                result, tx = self._attempt(fn)
                break
            except Stalled as error:
                stalled_since = await self._wait_out(stalled_since, error)
            except Exception as error:
                self._notice(error)
                await self._group.settled()
                raise
        if self._group.durable_no < self._group.written_no and (tx.writes or self._rests_on_unsettled(tx)):
            await self._group.settled()
        return result

    def _rests_on_unsettled(self, tx: OverlayTx) -> bool:
        self._unsettled.forget(self._group.durable_no)
        return self._unsettled.has_touched(tx)

    def _attempt(self, fn: Callable[[Tx], T]) -> tuple[T, OverlayTx]:
        tx = OverlayTx(self._engine)
        result = fn(tx)
        if tx.writes:
            self._commit(tx.writes)
        return result, tx

    def _commit(self, writes: Writes) -> None:
        if self.fence is not None:
            raise Deferred(Reason.NODE_FENCED, self.fence.detail)
        trouble = self._group.trouble
        if trouble is not None:
            raise trouble
        try:
            self._engine.write(writes, self._group.written_no + 1)
        except NoSpace as error:
            self._no_space(error)
            raise Deferred(error.reason, str(error)) from error
        self._group.written_no += 1
        self._unsettled.forget(self._group.durable_no)
        self._unsettled.add(self._group.written_no, writes)

    async def _wait_out(self, stalled_since: float | None, error: Stalled) -> float:
        now = asyncio.get_running_loop().time()
        since = now if stalled_since is None else stalled_since
        if now - since >= STALL_LIMIT_S:
            raise Deferred(Reason.STORE_STALLED, str(error)) from error
        await asyncio.sleep(STALL_PAUSE_S)
        return since

    def _no_space(self, error: NoSpace) -> None:
        """React to a write that found the disk full, e.g. by allowing no more writes until there is space again."""

    def _notice(self, error: Exception) -> None:
        """React to a transaction that failed."""
