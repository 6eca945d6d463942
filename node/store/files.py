"""Files: what every durable file of the store needs: telling "no space" from worse, syncing folders, ending the process.

An fsync that failed must never be tried again and believed: the kernel may have dropped the dirty pages and will report the
next one as good (the "fsyncgate" of 2018). Only "no space" is survivable, because then we throw away what was not durable;
anything else ends the process, and recovery reads what is really there.
"""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from node.errors import Broken, Deferred
from node.model.reason import Reason

EXIT_TRY_AGAIN = 75
"""sysexits EX_TEMPFAIL: the service manager starts us again and recovery decides."""

OnFatal = Callable[[BaseException], None]


class NoSpace(Exception):
    """The disk is full. Never leaves this room: callers see Deferred with its `reason`."""

    reason: ClassVar[Reason] = Reason.DISK_FULL


class CompactionStopped(NoSpace):
    """The database writes no more because its compaction met a damaged body. It heals as from a full disk: by being opened anew."""

    reason = Reason.STORE_STALLED


def end_process(error: BaseException) -> None:
    """End this process at once, without cleaning up: what is in memory can no longer be trusted to be on disk."""
    print(
        f"truc: the disk failed and the process ends so that recovery can decide: {error}", file=sys.stderr, flush=True
    )
    os._exit(EXIT_TRY_AGAIN)


def is_no_space(error: OSError) -> bool:
    """Tell whether an error says that the disk or the quota is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def no_space_told() -> Iterator[None]:
    """Turn "no space" into Deferred(DISK_FULL), other errors of the file system into Broken(DISK_READ_ONLY or IO_FAILED)."""
    try:
        yield
    except NoSpace as error:
        raise Deferred(Reason.DISK_FULL, str(error)) from error
    except OSError as error:
        if is_no_space(error):
            raise Deferred(Reason.DISK_FULL, str(error)) from error
        read_only = error.errno == errno.EROFS
        raise Broken(Reason.DISK_READ_ONLY if read_only else Reason.IO_FAILED, str(error)) from error


def sync_file(fd: int, on_fatal: OnFatal) -> None:
    """Make a file's data and size durable. Raises NoSpace; for any other error `on_fatal` is called, then Broken(IO_FAILED)."""
    try:
        os.fdatasync(fd)
    except OSError as error:
        if is_no_space(error):
            raise NoSpace(str(error)) from error
        on_fatal(error)
        raise Broken(Reason.IO_FAILED, str(error)) from error


def sync_folder(folder: Path, on_fatal: OnFatal = end_process) -> None:
    """Make a folder's entries durable: a new or renamed file exists after a power cut only from then on."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync_file(fd, on_fatal)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes, offset_bytes: int) -> None:
    """Write all of `data` at an offset; a single pwrite may write less (a nearly full disk, 2 GiB)."""
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, offset_bytes)
        view, offset_bytes = view[done:], offset_bytes + done
