"""Space: what is free on the disk of a home, and a reserve that is given up when it runs out.

The reserve is a file that holds blocks and nothing else. Work that was taken can then be finished (receipts, statuses, the database's own
compaction) although everybody else has filled the disk. It is made again when there is plenty.
"""

import os
import threading
import time
from pathlib import Path

from node.model.policy import MIB

RESERVE_BYTES = 32 * MIB
"""Twice what the database needs to be opened anew after a full disk (rocks/engine.py)."""
LOOKED_AT_S = 1.0


class Space:
    """Looks at most once a second. Below `give_up_bytes` free the reserve is given up, above `make_bytes` it is made again."""

    def __init__(self, home: Path, give_up_bytes: int, make_bytes: int, reserve_bytes: int = RESERVE_BYTES) -> None:
        self._home = home
        self._reserve = home / "reserve"
        self._give_up_bytes = give_up_bytes
        self._make_bytes = make_bytes
        self._reserve_bytes = reserve_bytes
        self._making = threading.Lock()
        self._looked_s = -LOOKED_AT_S
        self._free_bytes = 0

    def free_bytes(self) -> int:
        """Return what is free for the node."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOKED_AT_S:
            self._looked_s = now_s
            self._free_bytes = self._look()
        return self._free_bytes

    @property
    def has_reserve(self) -> bool:
        """Tell whether the reserve is there."""
        return self._reserve.exists()

    def _look(self) -> int:
        found = os.statvfs(self._home)
        free_bytes = found.f_bavail * found.f_frsize
        if free_bytes < self._give_up_bytes:
            self._reserve.unlink(missing_ok=True)
        elif free_bytes >= self._make_bytes + self._reserve_bytes and not self.has_reserve:
            threading.Thread(target=self.make_reserve, name="reserve", daemon=True).start()
        return free_bytes

    def make_reserve(self) -> None:
        """Make the reserve. Blocks; a disk that refuses goes without one until the next look."""
        part = self._reserve.with_suffix(".part")
        with self._making:
            try:
                with part.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, self._reserve_bytes)
                part.replace(self._reserve)
            except OSError:
                part.unlink(missing_ok=True)
