"""Marks: whether files of a folder have changed, told cheaply enough to be asked every second on the loop."""

import os
import time
from collections.abc import Callable
from pathlib import Path


class Marks:
    """Tells whether files of a folder have changed. Asked every second on the loop, so it is as cheap as it gets.

    A file that is made, replaced or removed changes its folder, and one look at that is enough; each of several hundred looks at files
    would let go of the interpreter and wait for it. A file that was written into where it lies is seen when `EVERY_S` have passed, and
    so is what happened within the same tick of the file system's clock as the last look.
    """

    EVERY_S = 10.0
    TICK_NS = 100_000_000
    """A folder that has changed so shortly ago may change again without another time to show for it."""

    def __init__(self, folder: Path, ending: str, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._ending = ending
        self._monotonic_s = monotonic_s
        self._place: tuple[int, int] | None = None
        self._marks: frozenset[tuple[str, int, int, int]] = frozenset()
        self._marked_s = float("-inf")

    def now(self) -> frozenset[tuple[str, int, int, int]]:
        """Return what tells changed files from unchanged ones."""
        now_s, place = self._monotonic_s(), self._settled_place()
        if place is None or place != self._place or now_s - self._marked_s >= self.EVERY_S:
            self._place, self._marked_s, self._marks = place, now_s, marks_of(self._folder, self._ending)
        return self._marks

    def _settled_place(self) -> tuple[int, int] | None:
        try:
            facts = os.stat(self._folder)
        except FileNotFoundError:
            return None
        is_settled = time.time_ns() - facts.st_mtime_ns > self.TICK_NS
        return (facts.st_mtime_ns, facts.st_ino) if is_settled else None


def marks_of(folder: Path, ending: str) -> frozenset[tuple[str, int, int, int]]:
    """Return names, times, numbers and sizes of a folder's files."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(mark for entry in entries if entry.name.endswith(ending) if (mark := _mark(entry)))
    except FileNotFoundError:
        return frozenset()


def _mark(entry: "os.DirEntry[str]") -> tuple[str, int, int, int] | None:
    try:
        facts = entry.stat()
    except FileNotFoundError:
        return None
    return entry.name, facts.st_mtime_ns, facts.st_ino, facts.st_size
