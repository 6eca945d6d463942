"""Zone lock: one editor of a zone at a time, over processes. The operator's command and the running node (registerAgency) change the
same files.

A ZoneEditor reads the zone when it is opened and writes whole files, so two that are open together lose each other's changes. A zone is
therefore opened within `editing` to be changed; looking needs no lock. The lock is the kernel's (flock on zone/.lock): it goes with its
process, however that ends, and nothing has to be cleaned up.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node.directory.files import disk_faults
from node.directory.zone.zone import ZoneEditor
from node.errors import Broken, Deferred
from node.model.reason import Reason

WAIT_S = 10.0
"""An edit takes milliseconds; a caller that is still not let in after this should know why."""
LOOK_EVERY_S = 0.01


@contextmanager
def editing(folder: Path, *, wait_s: float = WAIT_S) -> Iterator[ZoneEditor]:
    """Open `<home>/zone` for changes and keep other editors out while the block runs. Blocks the thread.

    Raises Deferred(STORE_STALLED) if another process does not let go of it, and as ZoneEditor.open.
    """
    if not folder.is_dir():
        raise Broken(Reason.HOME_MISSING, f"{folder} holds no zone")
    with disk_faults(folder):
        # Read only: the lock may have been made by another account.
        descriptor = os.open(folder / ".lock", os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        _lock(descriptor, folder, wait_s)
        yield ZoneEditor.open(folder)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path, wait_s: float) -> None:
    # By looking again and again: flock that waits in the kernel has no time limit.
    ends_s = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() >= ends_s:
                raise Deferred(Reason.STORE_STALLED, f"another process is changing {folder}") from error
        time.sleep(LOOK_EVERY_S)
