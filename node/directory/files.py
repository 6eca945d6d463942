"""Files on disk: whole or not at all.

A file is written beside its place, made durable, and then renamed; the folder is made durable after it. A crash leaves behind
the old file or the new one, and at worst a forgotten `.part`.
"""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from node.directory.layout import FILE_BYTES_MAX
from node.errors import Broken, Deferred
from node.model.reason import Reason

Files = Callable[[str], bytes | None]
"""Files of a directory by path (layout.py); None where there is none."""


@contextmanager
def disk_faults(path: Path) -> Iterator[None]:
    """Translate OSError: no space is Deferred(DISK_FULL), all else Broken(IO_FAILED) with the path."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Deferred(Reason.DISK_FULL, f"{path}: {error}") from error
        raise Broken(Reason.IO_FAILED, f"{path}: {error}") from error


def write_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file atomically and durably; folders above it are made. Raises Deferred(DISK_FULL), Broken(IO_FAILED)."""
    with disk_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Hidden, so that whoever lists the folder's files passes over one that was never finished.
        descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode)  # mkstemp makes it 0600, and a directory is for everybody
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; without it a rename may be undone by a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_file(path: Path) -> bytes | None:
    """Return a file's octets, or None if it does not exist. Raises Broken(IO_FAILED), also for a file over 64 MiB."""
    with disk_faults(path):
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_size > FILE_BYTES_MAX:
                    raise OSError(errno.EFBIG, "larger than any file of a directory")
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None


def folder_files(folder: Path) -> Files:
    """Return a reader of a folder's files by their paths; it raises as `read_file`."""
    return lambda path: read_file(folder / path)
