"""Store in memory: for simulation, and the model that the durable store is held against.

It keeps the contract by the same code as the durable one (store/embedded/); only the engine differs, and a `Disk` that the simulator
supplies decides when a write becomes durable. A crash loses every commit that the disk had not made durable, except for as many of
the oldest as the simulator grants (`keep`): commits are lost from the end, never in between.
"""

import asyncio
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Protocol

from node.errors import Fault
from node.store.embedded.fence import Fence
from node.store.embedded.group_commit import Group
from node.store.embedded.overlay import Row, Writes
from node.store.embedded.transactions import TransactionStore


class Disk(Protocol):
    """The simulator's part: it decides what fits and when it is durable."""

    def write(self, size_bytes: int) -> None:
        """Take note of octets about to be written. Raises Deferred(DISK_FULL) or transactions.Stalled: then they are not."""
        ...

    def sync(self) -> Awaitable[None]:
        """Return something to await until everything written before the call is durable. Raises Deferred(DISK_FULL)."""
        ...


class InstantDisk:
    """A disk without limits on which everything is durable at once."""

    def write(self, size_bytes: int) -> None:
        """Take any number of octets."""

    async def sync(self) -> None:
        """Return at once."""


class MemoryEngine:
    """Rows in a dictionary, their keys in a sorted list, and for each commit not yet durable what it replaced."""

    def __init__(self, disk: Disk, rows: Mapping[bytes, bytes]) -> None:
        self._disk = disk
        self._rows = dict(rows)
        self._keys = sorted(self._rows)
        self._undo: deque[tuple[int, Writes]] = deque()

    def get(self, key: bytes) -> bytes | None:
        """Return the value or None."""
        return self._rows.get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the value of each key, in order."""
        return [self._rows.get(key) for key in keys]

    def rows(self, prefix: bytes, start: bytes, limit: int) -> list[Row]:
        """Return up to `limit` rows under `prefix` and not below `start`."""
        at = bisect_left(self._keys, max(prefix, start))
        found = []
        for key in islice(self._keys, at, at + limit):
            if not key.startswith(prefix):
                break
            found.append((key, self._rows[key]))
        return found

    def write(self, writes: Writes, commit_no: int) -> None:
        """Apply all, and remember what was there before."""
        self._disk.write(sum(len(key) + len(value or b"") for key, value in writes.items()))
        self._undo.append((commit_no, {key: self._rows.get(key) for key in writes}))
        for key, value in writes.items():
            self._set(key, value)

    def _set(self, key: bytes, value: bytes | None) -> None:
        known = key in self._rows
        if value is None:
            if known:
                del self._rows[key]
                del self._keys[bisect_left(self._keys, key)]
            return
        if not known:
            insort(self._keys, key)
        self._rows[key] = value

    def settle(self, commit_no: int) -> None:
        """Forget how to undo commits that have become durable."""
        while self._undo and self._undo[0][0] <= commit_no:
            self._undo.popleft()

    @property
    def unsynced(self) -> int:
        """How many commits are not yet durable."""
        return len(self._undo)

    def rows_after_crash(self, keep: int) -> dict[bytes, bytes]:
        """Return the durable rows, with the oldest `keep` commits that were not durable."""
        rows: dict[bytes, bytes | None] = dict(self._rows)
        for _, before in reversed(list(islice(self._undo, keep, None))):
            rows.update(before)
        return {key: value for key, value in rows.items() if value is not None}


class MemoryStore(TransactionStore):
    """A ports.Store in memory. `rows` is what it begins with; with a `fence` it only reads."""

    def __init__(
        self, disk: Disk | None = None, *, rows: Mapping[bytes, bytes] | None = None, fence: Fence | None = None
    ) -> None:
        self._disk: Disk = disk or InstantDisk()
        self._memory = MemoryEngine(self._disk, rows or {})
        self._flush: asyncio.Future[None] | None = None
        super().__init__(self._memory, Group(self._begin), fence)

    @property
    def unsynced(self) -> int:
        """How many commits a crash could lose now."""
        return self._memory.unsynced

    def rows_after_crash(self, keep: int = 0) -> dict[bytes, bytes]:
        """Return what a crash would leave, with the oldest `keep` commits that are not durable."""
        return self._memory.rows_after_crash(keep)

    def crash(self, keep: int = 0, *, disk: Disk | None = None, fence: Fence | None = None) -> "MemoryStore":
        """End this store as a power cut would and return the one that is found afterwards. Waiting transactions are cancelled."""
        self._closing = True
        if self._flush is not None:
            self._flush.cancel()
        self._group.abandon()
        return MemoryStore(disk or self._disk, rows=self.rows_after_crash(keep), fence=fence)

    async def close(self) -> None:
        """Make everything durable. Transactions that cannot end any more get Deferred(SHUTTING_DOWN)."""
        self._closing = True
        # If the disk is full, the waiting transactions have been told.
        with suppress(Fault):
            await self._group.settled()

    def _begin(self, mark: int) -> None:
        self._flush = asyncio.ensure_future(self._disk.sync())
        self._flush.add_done_callback(partial(self._synced, mark))

    def _synced(self, mark: int, flush: "asyncio.Future[None]") -> None:
        if flush.cancelled():
            return
        error = flush.exception()
        if error is None:
            self._memory.settle(mark)
            self._group.done(mark)
        elif isinstance(error, Fault):
            self._group.fail(error.reason, error.detail)
        else:
            raise error
