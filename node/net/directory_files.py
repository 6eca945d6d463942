"""Files of the directory as a peer sends them: each to disk as it comes, under harmless paths, and no more than was asked for."""

import asyncio
import errno
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import BinaryIO, TypeVar

from node.errors import Broken, Deferred
from node.model.policy import KIB, MIB
from node.model.reason import Reason
from node.wire.truc.v1 import mesh_service_pb2 as pb

PIECE_BYTES_MIN = 4 * KIB
"""Of all pieces but a file's last, so that pieces are not more than octets allow."""
STRAY_BYTES_MAX = 40 * MIB
"""In one fetch, of which there may be three at once."""
STRAY_FILES_MAX = 10_000
FETCH_IDLE_S = 10.0
"""A fetch in which nothing comes for so long ends. Pieces have 64 KiB (256 KiB from older versions)."""
FETCH_FIRST_S = 20.0
FETCH_BYTES_PER_S = 8 * KIB
"""After the first seconds a fetch must have brought so much on average: to send little now and then is no progress either."""

T = TypeVar("T")

_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}){0,7}")


class Arrivals:
    """Takes pieces and writes them into a folder. `bounds`: the files asked for, with the most octets that each may have.

    A peer of a version that cannot be asked for some files sends all. These strays are taken, too, within bounds of their own, if
    `strays` says so.
    """

    def __init__(
        self,
        into: Path,
        bounds: Mapping[str, int],
        *,
        strays: bool,
        idle_s: float = FETCH_IDLE_S,
        first_s: float = FETCH_FIRST_S,
    ) -> None:
        self._into = into
        self._bounds = bounds
        self._strays = strays
        self._idle_s = idle_s
        self._first_s = first_s
        self._come_bytes = 0
        self._whole: set[str] = set()
        self._path = ""
        self._size_bytes = 0
        self._stray_bytes = 0
        self._stray_files = 0
        self._file: BinaryIO | None = None

    async def take(self, pieces: AsyncIterator[pb.FetchDirectoryResponse]) -> None:
        """Take all pieces.

        Raises Broken(DIRECTORY_INVALID) for what was not asked for or is too much, Deferred(PEER_UNREACHABLE) if the last file is not
        whole or they come too slowly, Deferred(DISK_FULL) or Broken(IO_FAILED).
        """
        try:
            async for piece in self._in_time(pieces):
                self._check(piece)
                try:
                    await asyncio.to_thread(self._write, piece)
                except OSError as error:
                    raise _disk_fault(error, self._into) from error
            if self._file is not None:
                raise Deferred(Reason.PEER_UNREACHABLE, f"{self._path} broke off")
        finally:
            if self._file is not None:
                self._file.close()

    async def _in_time(self, pieces: AsyncIterator[T]) -> AsyncIterator[T]:
        """Yield the pieces as long as they come. Only waiting for the peer counts, not our own disk."""
        loop, waited_s = asyncio.get_running_loop(), 0.0
        while True:
            left_s = self._first_s + self._come_bytes / FETCH_BYTES_PER_S - waited_s
            begin_s = loop.time()
            try:
                async with asyncio.timeout(min(self._idle_s, left_s)):
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise Deferred(
                    Reason.PEER_UNREACHABLE, f"{self._come_bytes} octets came in {waited_s:.0f} s, then none"
                ) from error
            waited_s += loop.time() - begin_s
            yield piece

    def _check(self, piece: pb.FetchDirectoryResponse | None) -> None:
        """Look at a piece before any of it is kept. None: octets that are no piece (grpc.aio logs them)."""
        if piece is None:
            raise _bad("a piece cannot be read")
        if self._file is None:
            self._begin(piece.path)
        elif piece.path != self._path:
            raise _bad(f"{self._path!r} ends without its last piece")
        if not piece.last and len(piece.data) < PIECE_BYTES_MIN:
            raise _bad(f"{self._path!r} comes in pieces of {len(piece.data)} octets")
        self._size_bytes += len(piece.data)
        self._come_bytes += len(piece.data)
        if self._path in self._bounds:
            if self._size_bytes > self._bounds[self._path]:
                raise _bad(f"{self._path!r} is longer than {self._bounds[self._path]} octets")
            return
        self._stray_bytes += len(piece.data)
        if self._stray_bytes > STRAY_BYTES_MAX or self._stray_files > STRAY_FILES_MAX:
            raise _bad("more than a directory may be")

    def _begin(self, path: str) -> None:
        if not _PATH.fullmatch(path) or path in self._whole:
            raise _bad(f"path {path[:100]!r}")
        if path not in self._bounds:
            if not self._strays:
                raise _bad(f"{path[:100]!r} was not asked for")
            self._stray_files += 1
        self._path, self._size_bytes = path, 0

    def _write(self, piece: pb.FetchDirectoryResponse) -> None:
        if self._file is None:
            target = self._into / piece.path
            target.parent.mkdir(parents=True, exist_ok=True)
            self._file = target.open("wb")
        self._file.write(piece.data)
        if piece.last:
            self._file.close()
            self._file = None
            self._whole.add(piece.path)


def _disk_fault(error: OSError, into: Path) -> Broken | Deferred:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Deferred(Reason.DISK_FULL, f"{into}: {error}")
    if error.errno in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST):
        return _bad("one path is a file and a folder")
    return Broken(Reason.IO_FAILED, f"{into}: {error}")


def _bad(detail: str) -> Broken:
    return Broken(Reason.DIRECTORY_INVALID, f"from a peer: {detail}")
