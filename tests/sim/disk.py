"""A machine's disk: it is slow, it is full now and then, and in a crash it loses what was not synced.

Rows and bodies are node/store/memory/store.py, which passes the same contract tests as the durable store; this file decides when a sync
ends, when there is no space, and how many of the commits that nobody has waited for survive a crash (the oldest ones: a log
loses its tail).
"""

import asyncio
import random
from collections.abc import Callable
from typing import TypeVar

from node.errors import Deferred
from node.model.reason import Reason
from node.ports import Tx
from node.store.memory.bodies import MemoryBodies, MemoryPart
from node.store.memory.store import MemoryStore
from tests.sim.loop import Process, VirtualLoop
from tests.sim.machine import Trace
from tests.sim.twice import Rehearsals, twice

T = TypeVar("T")


class Disk:
    """What is on the platters, and how well they work."""

    def __init__(self, loop: VirtualLoop, numbers: random.Random, trace: Trace, name: str) -> None:
        self.sync_s = 0.004
        """Mean time of a sync; every hundredth takes a second or more."""
        self.full = False
        """Writes are refused at once, syncs fail now and then."""
        self.full_at_sync = False
        """Writes are taken, and only the sync finds now and then that there is no space (delayed allocation)."""
        self.burns = 0
        self.fit: Callable[[MemoryStore], None] = lambda store: None
        """Called with every store that this disk comes to hold (decay.py)."""
        self.read_body: Callable[[bytes, bytes], bytes] = lambda body_sha256, data: data
        """Returns what is read of octets of a body."""
        self.rehearsals = Rehearsals()
        self._loop = loop
        self._numbers = numbers
        self._trace = trace
        self._name = name
        self.store = MemoryStore(self)
        self.bodies = MemoryBodies(self)

    def write(self, size_bytes: int) -> None:
        """Raise Deferred(DISK_FULL) while there is no space."""
        if self.full:
            raise Deferred(Reason.DISK_FULL, "simulated")

    def sync(self) -> "asyncio.Future[None]":
        """Take the time that a sync takes."""
        stall_s = self._numbers.uniform(1, 3) if self._numbers.random() < 0.01 else 0.0
        done = self._loop.create_future()
        self._loop.call_later(self._numbers.expovariate(1 / self.sync_s) + stall_s, self._synced, done)
        return done

    def _synced(self, done: "asyncio.Future[None]") -> None:
        if done.done():
            return  # cancelled by a crash
        if (self.full_at_sync or self.full) and self._numbers.random() < 0.5:
            done.set_exception(Deferred(Reason.DISK_FULL, "simulated, at the sync"))
        else:
            done.set_result(None)

    def mend(self) -> None:
        """Make it a good disk."""
        self.full = self.full_at_sync = False
        self.sync_s = 0.004

    def crash(self) -> None:
        """Keep what was durable, and of what was only written as much as the moment happens to grant."""
        unsynced = self.store.unsynced
        keep = self._numbers.randint(0, unsynced)
        if unsynced:
            self._trace(self._name, f"loses {unsynced - keep} of {unsynced} unsynced commits")
        self.store = self.store.crash(keep)
        self.fit(self.store)
        self.bodies = self.bodies.crash()

    def burn(self) -> None:
        """Lose everything."""
        self.burns += 1
        self.store, self.bodies = MemoryStore(self), MemoryBodies(self)
        self.fit(self.store)

    def durable(self, key: bytes) -> bytes | None:
        """Return the value that a crash at this very moment would surely leave under a key."""
        for _, before in self.store._memory._undo:
            if key in before:
                return before[key]
        return self.store._memory.get(key)

    def everything(self) -> bytes:
        """Return all octets that a thief would find."""
        rows = self.store.rows_after_crash(self.store.unsynced)
        parts = [bytes(part.data) for part in self.bodies._spool.values()]
        return b"\0".join([*rows.keys(), *rows.values(), *self.bodies._sealed.values(), *parts])


class SimStore:
    """The port `Store` as one process sees it."""

    def __init__(self, disk: Disk, process: Process) -> None:
        self._disk = disk
        self._store = disk.store
        self._process = process

    async def transact(self, fn: Callable[[Tx], T]) -> T:
        """Run a transaction, now and then twice (twice.py); in a process that has died nothing happens any more."""
        self._process.check_alive()
        try:
            rehearsed = twice(fn, self._store._memory) if self._disk.rehearsals.is_due(fn) else fn
            return await self._store.transact(rehearsed)
        finally:
            self._process.check_alive()

    async def close(self) -> None:
        """Make everything durable."""
        await self._store.close()


class SimBodies:
    """The port `Bodies` as one process sees it."""

    def __init__(self, disk: Disk, process: Process) -> None:
        self._disk = disk
        self._bodies = disk.bodies
        self._process = process

    async def open_part(self, token: bytes) -> MemoryPart:
        """Begin or go on with a part. A dead process has no part: the disk it writes to is no longer anybody's."""
        self._process.check_alive()
        return await self._bodies.open_part(token)

    async def put(self, body_sha256: bytes, data: bytes) -> None:
        """Store a whole body."""
        self._process.check_alive()
        await self._bodies.put(body_sha256, data)

    async def has(self, body_sha256: bytes) -> bool:
        """Tell whether a body is there."""
        self._process.check_alive()
        return await self._bodies.has(body_sha256)

    async def read(self, body_sha256: bytes, offset_bytes: int, size_bytes: int) -> bytes:
        """Return octets of a body."""
        self._process.check_alive()
        return self._disk.read_body(body_sha256, await self._bodies.read(body_sha256, offset_bytes, size_bytes))

    async def remove(self, body_sha256: bytes) -> None:
        """Remove a body."""
        self._process.check_alive()
        await self._bodies.remove(body_sha256)

    async def sweep(self, older_than_s: float) -> int:
        """Remove parts that nobody has touched for so long."""
        self._process.check_alive()
        return await self._bodies.sweep(older_than_s)

    async def parts(self) -> list[bytes]:
        """Return the tokens of parts that nobody has open."""
        self._process.check_alive()
        return await self._bodies.parts()

    async def remove_part(self, token: bytes) -> bool:
        """Remove a part that nobody has open."""
        self._process.check_alive()
        return await self._bodies.remove_part(token)

    async def old(self, shelf: int, older_than_s: float) -> list[bytes]:
        """Return old sealed bodies of one shelf."""
        self._process.check_alive()
        return await self._bodies.old(shelf, older_than_s)
