"""Bodies: large ones as files named by their digest, and the parts that they grow from.

    <root>/bodies/ab/<sha256 in hex>     sealed: complete, checked, durable; never changed, only removed
    <root>/spool/<token in hex>.part     being written; on the same file system, so that renaming is atomic
    <root>/damaged/<sha256 in hex>.<n>   was called so and is not what its name says; in its place there is a whole one again

A body has its name only when its octets are durable (fsync, rename, fsync of the folder), and only then does a transaction
speak of it. A part survives a crash: opening it again reads and digests the octets that are there, whatever they are, and
makes them durable before any is claimed. Everything that touches the disk runs in this file's own threads.
"""

import asyncio
import hashlib
import math
import os
import re
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from node.errors import Broken, Deferred, Denied
from node.model.reason import Reason
from node.store.damage import Damage, Place
from node.store.files import OnFatal, end_process, no_space_told, sync_file, sync_folder, write_all
from node.store.part import FilePart, Known

T = TypeVar("T")

THREADS = 4
KNOWN_MAX = 256
APART_MAX = 8
"""So many damaged files of one body are kept; a disk that goes on damaging it tells nothing new."""
_TOKEN_BYTES = 16
_PART_NAME = re.compile(r"((?:[0-9a-f]{2})+)\.part")
_BODY_NAME = re.compile(r"[0-9a-f]{64}")


class FileBodies:
    """A ports.Bodies below a folder. Make it with the folder's path; `close` ends its threads."""

    def __init__(self, root: Path, on_fatal: OnFatal = end_process, damage: Damage | None = None) -> None:
        """Make the folders if they are missing; `damage` is told of bodies that cannot be read.

        Raises Deferred(DISK_FULL), Broken(DISK_READ_ONLY), Broken(IO_FAILED).
        """
        self._damage = damage or Damage()
        self._bodies, self._spool, self._apart = root / "bodies", root / "spool", root / "damaged"
        self._on_fatal = on_fatal
        self._open_tokens: set[bytes] = set()
        self._known: dict[bytes, Known] = {}
        """Digests of parts that were closed and may be gone on with, so that an upload of many pieces is not read anew with each."""
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="bodies")
        with no_space_told():
            self._make_folders(root)

    def _make_folders(self, root: Path) -> None:
        # All shelves at once, so that no body ever waits for a folder of its own to become durable.
        shelves = [self._bodies / f"{number:02x}" for number in range(256)]
        if self._spool.is_dir() and all(shelf.is_dir() for shelf in shelves):
            return
        for folder in (self._spool, *shelves):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self._bodies, root, root.parent):
            sync_folder(folder, self._on_fatal)

    async def open_part(self, token: bytes) -> FilePart:
        """Begin a part, or go on with the one of that token: everything found in it is made durable and counts.

        Raises Deferred(PEER_BUSY) while the same part is open, Deferred(DISK_FULL), Broken(IO_FAILED).
        """
        if token in self._open_tokens:
            raise Deferred(Reason.PEER_BUSY, "this part is being written by another call")
        self._open_tokens.add(token)
        path = self._spool / f"{token.hex()}.part"
        opening = asyncio.ensure_future(
            self.in_thread(lambda: FilePart(path, self, partial(self._closed, token), self._known.pop(token, None)))
        )
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # The thread goes on nevertheless; the part that it opens must be let go of again.
            opening.add_done_callback(lambda done: self._abandon(token, done))
            raise
        except Exception:
            self._open_tokens.discard(token)
            raise

    def _closed(self, token: bytes, known: Known | None) -> None:
        if known is not None:
            while len(self._known) >= KNOWN_MAX:
                self._known.pop(next(iter(self._known)))
            self._known[token] = known
        self._open_tokens.discard(token)

    def _abandon(self, token: bytes, opened: asyncio.Future[FilePart]) -> None:
        if opened.cancelled() or opened.exception() is not None:
            self._open_tokens.discard(token)
        else:
            self._pool.submit(opened.result().let_go)

    async def put(self, body_sha256: bytes, data: bytes) -> None:
        """Store a whole body at once: one turn in a thread. Storing a body that exists is harmless.

        Raises Denied(BODY_DIGEST_DIFFERS), Deferred(DISK_FULL), Broken(IO_FAILED).
        """
        await self.in_thread(lambda: self._put(body_sha256, data))

    def _put(self, body_sha256: bytes, data: bytes) -> None:
        if hashlib.sha256(data).digest() != body_sha256:
            raise Denied(Reason.BODY_DIGEST_DIFFERS)
        if self.is_named(body_sha256):
            return
        token = secrets.token_bytes(_TOKEN_BYTES)
        path = self._spool / f"{token.hex()}.part"
        # Nobody resumes this part, so the sweep would take it for one that a killed process left behind.
        self._open_tokens.add(token)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                write_all(fd, data, 0)
                sync_file(fd, self._on_fatal)
            finally:
                os.close(fd)
            self.name(path, body_sha256)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            self._open_tokens.discard(token)

    async def has(self, body_sha256: bytes) -> bool:
        """Tell whether a sealed body is there."""
        return await self.in_thread(self.path_of(body_sha256).exists)

    async def read(self, body_sha256: bytes, offset_bytes: int, size_bytes: int) -> bytes:
        """Return octets of a sealed body, fewer at its end.

        Raises Broken: STORE_CORRUPT if it is missing, IO_FAILED if the disk cannot read it.
        """
        return await self.in_thread(lambda: self._read(body_sha256, offset_bytes, size_bytes))

    def _read(self, body_sha256: bytes, offset_bytes: int, size_bytes: int) -> bytes:
        try:
            fd = os.open(self.path_of(body_sha256), os.O_RDONLY)
            try:
                return os.pread(fd, size_bytes, offset_bytes)
            finally:
                os.close(fd)
        except FileNotFoundError as error:
            self._damage.met(Place.BODY_FILE, f"body {body_sha256.hex()} is missing")
            raise Broken(Reason.STORE_CORRUPT, f"body {body_sha256.hex()} is missing") from error
        except OSError as error:
            self._damage.met(Place.BODY_FILE, f"body {body_sha256.hex()}: {error}")
            raise

    async def remove(self, body_sha256: bytes) -> None:
        """Remove a sealed body; harmless if absent."""
        await self.in_thread(lambda: self.path_of(body_sha256).unlink(missing_ok=True))

    async def sweep(self, older_than_s: float) -> int:
        """Remove parts that nobody has open and that were last written so long ago; return how many.

        A thing that lies there and is none of ours, or cannot be removed, is passed over (`truc doctor` tells of it).
        """
        before = time.time() - older_than_s
        return sum([await self._remove_stale(token, before) for token in await self.parts()])

    async def parts(self) -> list[bytes]:
        """Return the tokens of parts that nobody has open."""
        found = await self.in_thread(lambda: [token_of(path.name) for path in self._spool.iterdir() if path.is_file()])
        return sorted(token for token in found if token is not None and token not in self._open_tokens)

    async def remove_part(self, token: bytes) -> bool:
        """Remove a part unless somebody has it open; return whether it is gone."""
        return await self._remove_stale(token, math.inf)

    async def old(self, shelf: int, older_than_s: float) -> list[bytes]:
        """Return the sealed bodies of one of the 256 shelves that were written so long ago or longer."""
        before = time.time() - older_than_s
        return await self.in_thread(
            lambda: [
                bytes.fromhex(path.name)
                for path in (self._bodies / f"{shelf:02x}").iterdir()
                if is_body_name(path.name) and _is_older(path, before)
            ]
        )

    async def _remove_stale(self, token: bytes, before: float) -> bool:
        path = self._spool / f"{token.hex()}.part"
        if token in self._open_tokens:
            return False
        # Nobody may open the part between the look and the removal, or he would write to a file without a name.
        self._open_tokens.add(token)
        try:
            return await self.in_thread(lambda: _remove_if_older(path, before))
        finally:
            self._open_tokens.discard(token)

    async def close(self) -> None:
        """End the threads. Parts stay."""
        await asyncio.to_thread(self._pool.shutdown)

    def path_of(self, body_sha256: bytes) -> Path:
        """Return where a sealed body lies."""
        name = body_sha256.hex()
        return self._bodies / name[:2] / name

    def name(self, part: Path, body_sha256: bytes) -> None:
        """Give a complete, durable part its name, durably."""
        target = self.path_of(body_sha256)
        part.rename(target)
        sync_folder(target.parent, self._on_fatal)

    def keep_apart(self, body_sha256: bytes) -> None:
        """Give the file of a damaged body a second name, so that it is kept when a whole one takes the first from it."""
        source = self.path_of(body_sha256)
        if not self._apart.is_dir():
            self._apart.mkdir(exist_ok=True)
            sync_folder(self._apart.parent, self._on_fatal)
        for number in range(APART_MAX):
            target = self._apart / f"{body_sha256.hex()}.{number}"
            if target.exists():
                continue
            with suppress(FileNotFoundError):
                os.link(source, target)
                sync_folder(self._apart, self._on_fatal)
            return

    def is_named(self, body_sha256: bytes) -> bool:
        """Tell whether a body is there, and make its name durable: the thread that named it may not have done so yet."""
        target = self.path_of(body_sha256)
        if not target.exists():
            return False
        sync_folder(target.parent, self._on_fatal)
        return True

    @property
    def on_fatal(self) -> OnFatal:
        """Called when the disk fails."""
        return self._on_fatal

    async def in_thread(self, act: Callable[[], T]) -> T:
        """Run `act` in one of this room's threads; "no space" and other errors of the file system become faults."""
        with no_space_told():
            return await asyncio.get_running_loop().run_in_executor(self._pool, act)


def token_of(name: str) -> bytes | None:
    """Return the token of the part that a file of the spool is; None: it is none of ours."""
    found = _PART_NAME.fullmatch(name)
    return bytes.fromhex(found[1]) if found else None


def is_body_name(name: str) -> bool:
    """Tell whether a file of a shelf is called as a sealed body is."""
    return _BODY_NAME.fullmatch(name) is not None


def _is_older(path: Path, before: float) -> bool:
    # A part that was sealed since the folder was read is gone, which is as it should be. One that cannot be looked at is left alone.
    try:
        return path.is_file() and path.stat().st_mtime < before
    except OSError:
        return False


def _remove_if_older(path: Path, before: float) -> bool:
    if not _is_older(path, before):
        return False
    try:
        path.unlink(missing_ok=True)
    except OSError:
        # One file that cannot be removed must not keep the others; the disk stays as full as it is, and `truc doctor` tells of it.
        return False
    return True
