"""Unsettled: what was written and is not durable yet, so that it is known whose answer would rest on it (law 1)."""

from collections import deque

from node.store.overlay import OverlayTx, Writes


class Unsettled:
    """The writes of the newest commits, by their numbers."""

    def __init__(self) -> None:
        self._commits: deque[tuple[int, Writes]] = deque()

    def add(self, commit_no: int, writes: Writes) -> None:
        """A commit has been written."""
        self._commits.append((commit_no, writes))

    def forget(self, durable_no: int) -> None:
        """Everything up to this commit is durable."""
        while self._commits and self._commits[0][0] <= durable_no:
            self._commits.popleft()

    def has_touched(self, tx: OverlayTx) -> bool:
        """Tell whether a transaction has read a row, or missed one, that one of these commits has written or deleted."""
        for _, writes in self._commits:
            if any(key in writes for key in tx.keys_read):
                return True
            for prefix, start in tx.scans:
                if any(key.startswith(prefix) and key >= start for key in writes):
                    return True
        return False
