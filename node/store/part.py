"""Part: one body being written to a file: how much is written, how much is durable, and the digest of it all so far.

    |--------------- durable_bytes ---------------|------- written, not durable -------|
    0                                                                          size_bytes

After a write that met a full disk the file is cut back to what it was. After an fsync that met one, it is cut back to the durable
octets, because the kernel may have dropped the rest; the digest is then computed anew. All work on the file is done in threads, one
piece at a time: a lock keeps a cancelled call, which goes on in its thread, apart from the next.
"""

import hashlib
import os
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from node.errors import Denied
from node.model.policy import MIB
from node.model.reason import Reason
from node.store.files import NoSpace, OnFatal, sync_file, sync_folder, write_all

T = TypeVar("T")

SYNC_EVERY_BYTES = 8 * MIB
_READ_BYTES = 1 * MIB


class Shelves(Protocol):
    """The folder as a part needs it."""

    @property
    def on_fatal(self) -> OnFatal:
        """Called when the disk fails."""
        ...

    def is_named(self, body_sha256: bytes) -> bool:
        """Tell whether a sealed body is durably there."""
        ...

    def name(self, part: Path, body_sha256: bytes) -> None:
        """Give a complete, durable part its name, durably."""
        ...

    def keep_apart(self, body_sha256: bytes) -> None:
        """Keep the file that has a name under another one, durably; harmless if there is none."""
        ...

    def in_thread(self, act: Callable[[], T]) -> Awaitable[T]:
        """Run `act` in a thread."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """The digest of all octets of a part that was closed, and what its file was then."""

    stamp: tuple[int, int, int]
    digest: "hashlib._Hash"


class FilePart:
    """A ports.Part. The constructor reads what is there, so it runs in a thread."""

    def __init__(
        self, path: Path, shelves: Shelves, on_end: Callable[["Known | None"], None], known: "Known | None" = None
    ) -> None:
        """`on_end` is told what is known of the part when it is closed, `known` what was told then: what is the same is not read again."""
        self._path = path
        self._shelves = shelves
        self._on_end = on_end
        self._lock = threading.Lock()
        self._entry_durable = path.exists()
        self._is_sealed = False
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._size_bytes = os.fstat(self._fd).st_size
        self._durable_bytes = 0
        try:
            same = known is not None and known.stamp == self._stamp()
            self._hash = known.digest if known is not None and same else self._digest_of(self._size_bytes)
            if self._size_bytes:
                self._sync()
        except BaseException:
            os.close(self._fd)
            raise

    @property
    def size_bytes(self) -> int:
        """How many octets have been written."""
        return self._size_bytes

    @property
    def durable_bytes(self) -> int:
        """How many octets are durable; an upload resumes here."""
        return self._durable_bytes

    async def write(self, data: bytes) -> None:
        """Append. Raises Deferred(DISK_FULL); look at `size_bytes` to see where to go on. Broken(IO_FAILED)."""
        await self._locked(lambda: self._write(data))

    async def sync(self) -> None:
        """Make everything written so far durable. Raises as `write`."""
        await self._locked(self._sync)

    async def seal(self, body_sha256: bytes) -> None:
        """Check the digest, make durable, give it its name. Raises Denied(BODY_DIGEST_DIFFERS) and discards; as `write`."""
        await self._locked(lambda: self._seal(body_sha256))

    async def replace(self, body_sha256: bytes) -> None:
        """Do as `seal`, in the place of a file that has the name and is damaged; that one is kept apart."""
        await self._locked(lambda: self._replace(body_sha256))

    async def close(self) -> None:
        """Let go of the file; the part stays."""
        await self._locked(self.let_go)

    async def discard(self) -> None:
        """Remove the part."""
        await self._locked(self._discard)

    async def _locked(self, act: Callable[[], None]) -> None:
        def run() -> None:
            with self._lock:
                act()

        await self._shelves.in_thread(run)

    def _write(self, data: bytes) -> None:
        assert self._fd >= 0, "the part is closed"
        try:
            write_all(self._fd, data, self._size_bytes)
        except OSError:
            os.ftruncate(self._fd, self._size_bytes)
            raise
        self._hash.update(data)
        self._size_bytes += len(data)
        if self._size_bytes - self._durable_bytes >= SYNC_EVERY_BYTES:
            self._sync()

    def _sync(self) -> None:
        self._sync_content()
        if not self._entry_durable:
            sync_folder(self._path.parent, self._shelves.on_fatal)
            self._entry_durable = True
        self._durable_bytes = self._size_bytes

    def _sync_content(self) -> None:
        assert self._fd >= 0, "the part is closed"
        try:
            sync_file(self._fd, self._shelves.on_fatal)
        except NoSpace:
            self._cut_back()
            raise

    def _cut_back(self) -> None:
        os.ftruncate(self._fd, self._durable_bytes)
        self._size_bytes = self._durable_bytes
        self._hash = self._digest_of(self._size_bytes)

    def _seal(self, body_sha256: bytes) -> None:
        self._require_digest(body_sha256)
        if self._shelves.is_named(body_sha256):
            self._discard()
            return
        self._take_name(body_sha256)

    def _replace(self, body_sha256: bytes) -> None:
        self._require_digest(body_sha256)
        # The name is never without a file: the damaged one gets a second name, and the renaming takes the first from it.
        self._shelves.keep_apart(body_sha256)
        self._take_name(body_sha256)

    def _require_digest(self, body_sha256: bytes) -> None:
        if self._hash.digest() != body_sha256:
            self._discard()
            raise Denied(Reason.BODY_DIGEST_DIFFERS)

    def _take_name(self, body_sha256: bytes) -> None:
        self._sync_content()
        self._shelves.name(self._path, body_sha256)
        self._is_sealed = True
        self._durable_bytes = self._size_bytes
        self.let_go()

    def _discard(self) -> None:
        self._path.unlink(missing_ok=True)
        self.let_go()

    def let_go(self) -> None:
        """Close the file, from a thread."""
        if self._fd >= 0:
            known = Known(self._stamp(), self._hash) if self._path.exists() and not self._is_sealed else None
            os.close(self._fd)
            self._fd = -1
            self._on_end(known)

    def _stamp(self) -> tuple[int, int, int]:
        seen = os.fstat(self._fd)
        return seen.st_ino, seen.st_size, seen.st_mtime_ns

    def _digest_of(self, size_bytes: int) -> "hashlib._Hash":
        digest = hashlib.sha256()
        for at in range(0, size_bytes, _READ_BYTES):
            digest.update(os.pread(self._fd, min(_READ_BYTES, size_bytes - at), at))
        return digest
