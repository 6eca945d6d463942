"""Files of bodies: made before a transaction names them, removed after the last packet has let go of them.

Nothing is atomic between file and row, so two rules keep them together:
  1. the digest's lock is held from the making of a file to the row that names it, and while a file is removed, so that no removal
     comes between the making and the naming of another packet with the same body;
  2. a file is removed only if a look into the store, under that lock, finds no packet that names it.
A file that could not be removed when its time came (the store took no questions, the caller went away) is remembered and tried again
by the sweep, which also ends uploads that nobody goes on with. After a crash an upload is found by its record, and a part without one
is what a submission left. A submission's whole file that no row has come to name is found by a slow walk: each hour one shelf of 256,
so that neither a start nor any sweep looks at all files.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from node.errors import Fault, Rejected
from node.flow.bodies import refs, stale_uploads
from node.model.policy import MINUTE_MS, Policy
from node.model.reason import Reason
from node.ports import Ports, Tx

T = TypeVar("T")

UPLOADS_PER_SWEEP = 100
PARTS_EVERY_MS = 60 * MINUTE_MS
SHELVES = 256


@dataclass(slots=True)
class _Lock:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Locks:
    """One lock per digest in use; nothing is kept of a digest that nobody uses."""

    def __init__(self) -> None:
        self._locks: dict[bytes, _Lock] = {}

    def __len__(self) -> int:
        """Return how many digests are in use."""
        return len(self._locks)

    @asynccontextmanager
    async def holding(self, names: Iterable[bytes]) -> AsyncIterator[None]:
        """Hold the locks of several digests. They are taken in one order by everybody, so that nobody waits in a circle."""
        async with AsyncExitStack() as stack:
            for name in sorted(set(names)):
                await stack.enter_async_context(self._one(name))
            yield

    @asynccontextmanager
    async def _one(self, name: bytes) -> AsyncIterator[None]:
        entry = self._locks.setdefault(name, _Lock())
        entry.users += 1
        try:
            async with entry.lock:
                yield
        finally:
            entry.users -= 1
            if not entry.users:
                del self._locks[name]


class BodyFiles:
    """Looks after the files of a node's bodies."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self.locks = Locks()
        self._doubtful: set[bytes] = set()
        """Files that no packet may name any more, because removing them did not come to an end."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._next_upload = b""
        self._parts_swept_ms: int | None = None
        self._shelf = 0
        """The shelf whose files are looked at next."""

    async def to_the_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work that makes a file, to its end, even if its caller goes away meanwhile: only the end tells who names the file."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_nobody_listens)
            raise

    async def drop(self, names: Iterable[bytes]) -> None:
        """Remove those of these files that nobody names. Raises no Fault: the sweep does what cannot be done now."""
        wanted = list(names)
        are_there = await asyncio.gather(*(self._is_there(name) for name in wanted))
        present = [name for name, is_there in zip(wanted, are_there, strict=True) if is_there]
        if present:
            async with self.locks.holding(present):
                await self.drop_held(present)

    async def drop_held(self, names: Iterable[bytes]) -> None:
        """Do as `drop`, for a caller that holds the locks."""
        wanted = set(names)
        # Noted first: whatever ends this call, a fault or a caller that went away, the sweep goes on with it.
        self._doubtful |= wanted
        try:
            await self._remove_unnamed(wanted)
        except Fault:
            return
        self._doubtful -= wanted

    async def sweep(self, now_ms: int) -> None:
        """Remove what was left behind. Raises Fault if something must wait for the next sweep."""
        await self._end_stale_uploads(now_ms)
        if self._parts_swept_ms is None or abs(now_ms - self._parts_swept_ms) >= PARTS_EVERY_MS:
            await self._ports.bodies.sweep(stale_uploads.UPLOAD_KEEP_MS / 1000)
            await self._sweep_parts()
            await self.sweep_shelf()
            self._parts_swept_ms = now_ms
        doubtful = set(self._doubtful)
        if doubtful:
            async with self.locks.holding(doubtful):
                await self._remove_unnamed(doubtful)
            self._doubtful -= doubtful

    async def _sweep_parts(self) -> None:
        """Remove what killed submissions have left: at the first sweep after a start, and every hour."""
        parts = await self._ports.bodies.parts()
        for at in range(0, len(parts), UPLOADS_PER_SWEEP):
            some = parts[at : at + UPLOADS_PER_SWEEP]
            for token in await self._ports.store.transact(partial(stale_uploads.without_upload, tokens=some)):
                await self._ports.bodies.remove_part(token)

    async def sweep_shelf(self) -> None:
        """Remove the old files of the next shelf that nobody names; half a month takes this round all of them."""
        await self.drop(await self._ports.bodies.old(self._shelf, stale_uploads.UPLOAD_KEEP_MS / 1000))
        self._shelf = (self._shelf + 1) % SHELVES

    async def _is_there(self, name: bytes) -> bool:
        try:
            return await self._ports.bodies.has(name)
        except Fault:
            # A disk that cannot tell is asked again under the lock, and by the sweep.
            return True

    async def _remove_unnamed(self, names: set[bytes]) -> None:
        def unnamed(tx: Tx) -> list[bytes]:
            return [name for name in sorted(names) if not refs.is_held(tx, name)]

        for name in await self._ports.store.transact(unnamed):
            await self._ports.bodies.remove(name)

    async def _end_stale_uploads(self, now_ms: int) -> None:
        """Look at one page of the uploads, from where the last look ended."""
        start = self._next_upload
        stale, self._next_upload = await self._ports.store.transact(
            lambda tx: stale_uploads.stale_uploads(tx, start, now_ms, UPLOADS_PER_SWEEP)
        )
        if stale:
            # The file goes first: as long as the record is there, a crash cannot make the file be forgotten.
            await self.drop([one.body_sha256 for one in stale])
            await self._ports.store.transact(lambda tx: stale_uploads.forget_uploads(tx, stale))


def _nobody_listens(task: "asyncio.Task[Any]") -> None:
    if task.cancelled():
        return
    error = task.exception()
    # A fault is what the caller would have been told; a mistake of ours must be seen by somebody.
    if error is not None and not isinstance(error, Fault):
        asyncio.get_running_loop().call_exception_handler({"message": "body files failed", "exception": error})


def require_size(packet_bytes: int, policy: Policy) -> None:
    """Refuse a packet that is larger than this node takes. Raises Rejected(PACKET_TOO_LARGE)."""
    if packet_bytes > policy.packet_bytes_max:
        detail = f"{packet_bytes} bytes, this node accepts {policy.packet_bytes_max}"
        raise Rejected(Reason.PACKET_TOO_LARGE, detail)
