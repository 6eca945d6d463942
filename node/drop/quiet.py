"""Quiet files, which are finished: half-written ones are left alone.

A file is quiet if its size and time of change were the same at two looks some time apart; a file that was moved or renamed stays what
it was, for it is known by its inode. A packet whose last words are the end of edXML is finished at once: one that is renamed into place
need not wait, and one that is copied does not end so before it is whole.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

QUIET_MS = 2_000
END_BYTES = 256

_END = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?edXML\s*>\s*\Z")


@dataclass(frozen=True, slots=True)
class _Look:
    """A file's state when it was looked at."""

    size_bytes: int
    changed_ns: int


class Quiet:
    """Remembers looks. Times are milliseconds of a clock that never goes back."""

    def __init__(self, quiet_ms: int = QUIET_MS) -> None:
        self._quiet_ms = quiet_ms
        self._seen: dict[int, tuple[_Look, int]] = {}

    def look(self, paths: Iterable[Path], now_ms: int) -> set[Path]:
        """Look at all files of a folder; return those that are finished. Files that have vanished meanwhile are not among them."""
        seen: dict[int, tuple[_Look, int]] = {}
        finished = set()
        for path in paths:
            try:
                facts = path.lstat()
            except FileNotFoundError:
                continue  # renamed or taken away while we looked
            look = _Look(facts.st_size, facts.st_mtime_ns)
            before, since_ms = self._seen.get(facts.st_ino, (look, now_ms))
            seen[facts.st_ino] = (look, since_ms if before == look else now_ms)
            if now_ms - seen[facts.st_ino][1] >= self._quiet_ms:
                finished.add(path)
        self._seen = seen
        return finished


def is_whole_packet(path: Path) -> bool:
    """Tell whether a file ends as a packet does. Raises OSError."""
    # Anybody may put a link or a pipe there: a link is not followed, and opening a pipe must not wait for its other end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        file.seek(max(0, os.fstat(descriptor).st_size - END_BYTES))
        return _END.search(file.read(END_BYTES)) is not None
