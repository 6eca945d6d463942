"""Bodies in memory: the contract of store/bodies.py for simulation; the same `Disk` as for the rows decides what is durable when."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from node.errors import Broken, Deferred, Denied
from node.model.reason import Reason
from node.store.memory.store import Disk, InstantDisk
from node.store.part import SYNC_EVERY_BYTES


@dataclass(slots=True)
class Spooled:
    """The content of a part."""

    data: bytearray = field(default_factory=bytearray)
    durable_bytes: int = 0
    touched_at_s: float = 0.0


class MemoryBodies:
    """A ports.Bodies in memory."""

    def __init__(self, disk: Disk | None = None) -> None:
        self._disk: Disk = disk or InstantDisk()
        self._sealed: dict[bytes, bytes] = {}
        self._sealed_at_s: dict[bytes, float] = {}
        self._spool: dict[bytes, Spooled] = {}
        self._open_tokens: set[bytes] = set()
        self.apart: list[bytes] = []
        """Damaged bodies that were replaced."""
        self.on_replaced: Callable[[bytes], None] = lambda body_sha256: None

    async def open_part(self, token: bytes) -> "MemoryPart":
        """Begin a part, or go on with the one of that token. Raises Deferred(PEER_BUSY) while it is open."""
        if token in self._open_tokens:
            raise Deferred(Reason.PEER_BUSY, "this part is being written by another call")
        self._open_tokens.add(token)
        part = MemoryPart(self, token, self._spool.setdefault(token, _fresh()), self._disk)
        try:
            await part.sync()
        except BaseException:
            self._open_tokens.discard(token)
            raise
        return part

    async def put(self, body_sha256: bytes, data: bytes) -> None:
        """Store a whole body at once. Raises Denied(BODY_DIGEST_DIFFERS), Deferred(DISK_FULL)."""
        if hashlib.sha256(data).digest() != body_sha256:
            raise Denied(Reason.BODY_DIGEST_DIFFERS)
        if body_sha256 not in self._sealed:
            self._disk.write(len(data))
            await self._disk.sync()
            self._seal(body_sha256, bytes(data))

    async def has(self, body_sha256: bytes) -> bool:
        """Tell whether a sealed body is there."""
        return body_sha256 in self._sealed

    async def read(self, body_sha256: bytes, offset_bytes: int, size_bytes: int) -> bytes:
        """Return octets of a sealed body, fewer at its end. Raises Broken(STORE_CORRUPT) if it is missing."""
        if body_sha256 not in self._sealed:
            raise Broken(Reason.STORE_CORRUPT, f"body {body_sha256.hex()} is missing")
        return self._sealed[body_sha256][offset_bytes : offset_bytes + size_bytes]

    async def remove(self, body_sha256: bytes) -> None:
        """Remove a sealed body; harmless if absent."""
        self._sealed.pop(body_sha256, None)
        self._sealed_at_s.pop(body_sha256, None)

    async def sweep(self, older_than_s: float) -> int:
        """Remove parts that nobody has open and that were last written so long ago; return how many."""
        before = asyncio.get_running_loop().time() - older_than_s
        orphans = [t for t, part in self._spool.items() if t not in self._open_tokens and part.touched_at_s < before]
        for token in orphans:
            del self._spool[token]
        return len(orphans)

    async def parts(self) -> list[bytes]:
        """Return the tokens of parts that nobody has open."""
        return sorted(token for token in self._spool if token not in self._open_tokens)

    async def remove_part(self, token: bytes) -> bool:
        """Remove a part unless somebody has it open; return whether it is gone."""
        if token in self._open_tokens:
            return False
        self._spool.pop(token, None)
        return True

    async def old(self, shelf: int, older_than_s: float) -> list[bytes]:
        """Return the sealed bodies of one shelf that were written so long ago or longer."""
        before = asyncio.get_running_loop().time() - older_than_s
        return [name for name, at_s in self._sealed_at_s.items() if name[0] == shelf and at_s <= before]

    async def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def crash(self, *, disk: Disk | None = None) -> "MemoryBodies":
        """Return what a power cut leaves: sealed bodies, and the durable octets of every part."""
        after = MemoryBodies(disk or self._disk)
        after._sealed, after._sealed_at_s = dict(self._sealed), dict(self._sealed_at_s)
        after.apart, after.on_replaced = list(self.apart), self.on_replaced
        for token, part in self._spool.items():
            kept = part.data[: part.durable_bytes]
            after._spool[token] = Spooled(kept, len(kept), part.touched_at_s)
        return after

    def name(self, token: bytes, body_sha256: bytes, data: bytes) -> None:
        """Give a complete, durable part its name."""
        self._seal(body_sha256, data)
        self._spool.pop(token, None)

    def rename(self, token: bytes, body_sha256: bytes, data: bytes) -> None:
        """Give a complete, durable part the name of a damaged body, which is kept apart."""
        if body_sha256 in self._sealed:
            self.apart.append(self._sealed.pop(body_sha256))
        self.name(token, body_sha256, data)
        self.on_replaced(body_sha256)

    def _seal(self, body_sha256: bytes, data: bytes) -> None:
        if body_sha256 not in self._sealed:
            self._sealed[body_sha256] = data
            self._sealed_at_s[body_sha256] = asyncio.get_running_loop().time()

    def let_go(self, token: bytes, *, forget: bool) -> None:
        """Note that a part is closed; `forget`: remove it."""
        self._open_tokens.discard(token)
        if forget:
            self._spool.pop(token, None)


def _fresh() -> Spooled:
    return Spooled(touched_at_s=asyncio.get_running_loop().time())


class MemoryPart:
    """A ports.Part in memory."""

    def __init__(self, bodies: MemoryBodies, token: bytes, spooled: Spooled, disk: Disk) -> None:
        self._bodies = bodies
        self._token = token
        self._spooled = spooled
        self._disk = disk
        self._open = True

    @property
    def size_bytes(self) -> int:
        """How many octets have been written."""
        return len(self._spooled.data)

    @property
    def durable_bytes(self) -> int:
        """How many octets are durable; an upload resumes here."""
        return self._spooled.durable_bytes

    async def write(self, data: bytes) -> None:
        """Append. Raises Deferred(DISK_FULL)."""
        assert self._open, "the part is closed"
        self._disk.write(len(data))
        self._spooled.data += data
        self._spooled.touched_at_s = asyncio.get_running_loop().time()
        if self.size_bytes - self.durable_bytes >= SYNC_EVERY_BYTES:
            await self.sync()

    async def sync(self) -> None:
        """Make everything written so far durable. Raises Deferred(DISK_FULL): then only what was durable is left."""
        assert self._open, "the part is closed"
        mark = self.size_bytes
        try:
            await self._disk.sync()
        except Deferred:
            del self._spooled.data[self.durable_bytes :]
            raise
        self._spooled.durable_bytes = max(self._spooled.durable_bytes, mark)

    async def seal(self, body_sha256: bytes) -> None:
        """Check the digest, make durable, give it its name. Raises Denied(BODY_DIGEST_DIFFERS) and discards."""
        if hashlib.sha256(self._spooled.data).digest() != body_sha256:
            await self.discard()
            raise Denied(Reason.BODY_DIGEST_DIFFERS)
        await self.sync()
        self._bodies.name(self._token, body_sha256, bytes(self._spooled.data))
        await self.close()

    async def replace(self, body_sha256: bytes) -> None:
        """Do as `seal`, in the place of a damaged body."""
        if hashlib.sha256(self._spooled.data).digest() != body_sha256:
            await self.discard()
            raise Denied(Reason.BODY_DIGEST_DIFFERS)
        await self.sync()
        self._bodies.rename(self._token, body_sha256, bytes(self._spooled.data))
        await self.close()

    async def close(self) -> None:
        """Let go of the part; it stays."""
        self._end(forget=False)

    async def discard(self) -> None:
        """Remove the part."""
        self._end(forget=True)

    def _end(self, *, forget: bool) -> None:
        if self._open:
            self._open = False
            self._bodies.let_go(self._token, forget=forget)
