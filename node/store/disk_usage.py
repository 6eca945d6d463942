"""Disk usage: how many octets a node's store and bodies take, without ever walking through all bodies at once.

Bodies lie on 256 shelves by the first octet of their digest, so all shelves fill alike. Each weighing walks the database's folder (a few
dozen files) and as many shelves as fit into its time, going round; the figure for bodies is the sum of each shelf's last weighing.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

SHELVES = 256
SHELVES_TIME_S = 0.03


@dataclass(frozen=True, slots=True)
class Weights:
    """Sizes in octets. `bodies_files` is None until every shelf has been weighed once."""

    store_bytes: int
    bodies_bytes: int
    bodies_files: int | None
    spool_bytes: int


class Scales:
    """Weighs a home. Blocks: call it from a thread, one call at a time."""

    def __init__(self, store: Path, home: Path, *, shelves_time_s: float = SHELVES_TIME_S) -> None:
        self._store, self._home = store, home
        self._shelves_time_s = shelves_time_s
        self._shelves: dict[int, tuple[int, int]] = {}
        self._next = 0

    def weigh(self) -> Weights:
        """Return the sizes."""
        until_s = time.monotonic() + self._shelves_time_s
        for _ in range(SHELVES):
            self._shelves[self._next] = _weigh(self._home / "bodies" / f"{self._next:02x}")
            self._next = (self._next + 1) % SHELVES
            if time.monotonic() > until_s:
                break
        files = sum(count for count, _ in self._shelves.values())
        return Weights(
            store_bytes=_weigh(self._store)[1],
            bodies_bytes=sum(size for _, size in self._shelves.values()),
            bodies_files=files if len(self._shelves) == SHELVES else None,
            spool_bytes=_weigh(self._home / "spool")[1],
        )


def _weigh(folder: Path) -> tuple[int, int]:
    """Return how many files lie in a folder, and their octets; files that vanish meanwhile, or a missing folder, weigh nothing."""
    count, size_bytes = 0, 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    size_bytes += entry.stat(follow_symlinks=False).st_size
                except FileNotFoundError:
                    continue
                count += 1
    except FileNotFoundError:
        return 0, 0
    return count, size_bytes
