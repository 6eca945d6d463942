"""Draft and public, the authority's two folders: `draft/` holds what has been decided, `public/` what has been published.

Everything is written to the draft first. Publishing puts a whole edition together beside what is published and shows it by one rename;
then the public files follow (whole.py). A publication that broke off is completed by the next one.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node.directory.files import disk_faults, read_file, sync_folder, write_file
from node.directory.layout import EDITIONS
from node.errors import Broken
from node.model.reason import Reason


class Draft:
    """Files by path (layout.py): reads see the draft, then what is published."""

    def __init__(self, folder: Path) -> None:
        """Take the authority's folder."""
        self._folder = folder
        self._draft = folder / "draft"
        self.public = folder / "public"

    def read(self, path: str) -> bytes | None:
        """Return a file as decided last, or None."""
        data = read_file(self._draft / path)
        return data if data is not None else read_file(self.public / path)

    def need(self, path: str) -> bytes:
        """Return a file that must be there, as decided last. Raises Broken(DIRECTORY_INVALID)."""
        data = read_file(self._draft / path)
        return data if data is not None else self.published(path)

    def published(self, path: str) -> bytes:
        """Return a file as it is published, whatever has been decided since. Raises Broken(DIRECTORY_INVALID)."""
        data = read_file(self.public / path)
        if data is None:
            raise Broken(Reason.DIRECTORY_INVALID, f"{self.public / path} is missing")
        return data

    def write(self, path: str, data: bytes) -> None:
        """Write a file into the draft: it is decided. Raises Deferred(DISK_FULL), Broken(IO_FAILED)."""
        write_file(self._draft / path, data)

    def next_version(self, path: str, version: int) -> int:
        """Return the version that a file gets when it is decided anew; `version` is the one that `read` sees."""
        # Nobody has seen the draft's version, so it is used again: versions rise by publications, not by decisions.
        return version if (self._draft / path).exists() else version + 1

    def changed(self) -> list[str]:
        """Return the paths of all decided files that differ from what is published, in order."""
        return [path for path in _paths(self._draft) if read_file(self._draft / path) != read_file(self.public / path)]

    def place(self, path: str, *, decided: bool) -> Path:
        """Return where a file lies: as decided last, or as published. Raises Broken(DIRECTORY_INVALID) if it does not."""
        if decided and (self._draft / path).exists():
            return self._draft / path
        self.published(path)
        return self.public / path

    def finish(self, keep: set[str]) -> None:
        """Remove public files that nothing names any more, and forget the draft; for when the timestamp is out."""
        with disk_faults(self._folder):
            for path in self.published_paths():
                if path not in keep:
                    (self.public / path).unlink()
            if self._draft.exists():
                shutil.rmtree(self._draft)
            sync_folder(self._folder)

    def published_paths(self) -> list[str]:
        """Return the paths of all public files, without whole editions."""
        return [path for path in _paths(self.public) if not path.startswith(f"{EDITIONS}/")]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time change the authority. Raises Broken(HOME_IN_USE)."""
        with disk_faults(self._folder), (self._folder / "lock").open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Broken(Reason.HOME_IN_USE, str(self._folder)) from error
            yield


def _paths(folder: Path) -> list[str]:
    """Return the paths of all files below a folder but hidden ones (a write that broke off)."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return sorted(path.relative_to(folder).as_posix() for path in found)
