"""Where an archive is written: a folder, or a zip written as it flows. Either is there whole or not at all.

Names are made by us, in ASCII but for attachments, and checked here once more: no way leads out of the archive. Times of files are
fixed, so that the same input gives the same octets.
"""

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from node.directory.files import disk_faults, sync_folder
from node.errors import Broken
from node.model.reason import Reason

CHECKSUMS = "SHA256SUMS"
PIECE_BYTES = 256 * 1024
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Added:
    """A file of the archive: its name there, its size and its digest (hex)."""

    name: str
    size_bytes: int
    sha256: str


class _Place(Protocol):
    def open(self, name: str) -> "BinaryIO": ...


class Sink:
    """Takes files, one after another, and remembers their digests."""

    def __init__(self, place: _Place) -> None:
        self._place = place
        self._names: set[str] = set()
        self.added: list[Added] = []

    def add(self, name: str, pieces: Iterable[bytes]) -> Added:
        """Write a file; a name may be given once."""
        path = PurePosixPath(name)
        assert not path.is_absolute(), name
        assert ".." not in path.parts, name
        assert name not in self._names, name
        self._names.add(name)
        digest, size_bytes = hashlib.sha256(), 0
        with self._place.open(name) as file:
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
                size_bytes += len(piece)
        self.added.append(Added(name, size_bytes, digest.hexdigest()))
        return self.added[-1]

    def add_file(self, name: str, path: Path) -> Added:
        """Copy a file of any size."""
        return self.add(name, pieces_of(path))

    def add_text(self, name: str, text: str) -> Added:
        """Write a text as UTF-8."""
        return self.add(name, [text.encode()])

    def add_checksums(self) -> None:
        """Write the digests of everything before, as sha256sum reads them."""
        self.add_text(CHECKSUMS, "".join(f"{one.sha256}  {one.name}\n" for one in self.added))


def pieces_of(path: Path) -> Iterator[bytes]:
    """Give out a file piece by piece."""
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


@contextmanager
def archive_at(path: Path, *, as_zip: bool) -> Iterator[Sink]:
    """Give a sink to fill; at the end it gets its name, or after a fault nothing stays.

    Raises Broken(ALREADY_EXISTS), Broken(IO_FAILED), Deferred(DISK_FULL).
    """
    if path.exists():
        raise Broken(Reason.ALREADY_EXISTS, str(path))
    with disk_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name[:60]}."))
        try:
            part = scratch / "archive"
            with _zip(part) if as_zip else _folder(part) as place:
                sink = Sink(place)
                yield sink
                sink.add_checksums()
            _sync(part)
            os.rename(part, path)
            sync_folder(path.parent)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path

    def open(self, name: str) -> BinaryIO:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")


@contextmanager
def _folder(path: Path) -> Iterator[_Folder]:
    path.mkdir()
    yield _Folder(path)


@dataclass(frozen=True, slots=True)
class _Zip:
    archive: zipfile.ZipFile

    def open(self, name: str) -> BinaryIO:
        info = zipfile.ZipInfo(name, _ZIP_TIME)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.create_system = 3
        info.external_attr = _FILE_MODE << 16
        return self.archive.open(info, "w", force_zip64=True)  # type: ignore[return-value]  # typed as IO[bytes]


@contextmanager
def _zip(path: Path) -> Iterator[_Zip]:
    with zipfile.ZipFile(path, "x") as archive:
        yield _Zip(archive)


def _sync(part: Path) -> None:
    """Make what was written durable: files, then the folders that name them."""
    files = [part] if part.is_file() else sorted(one for one in part.rglob("*") if one.is_file())
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    for folder in {file.parent for file in files}:
        sync_folder(folder)
