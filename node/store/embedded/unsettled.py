"""Unsettled: rows that were written and are not durable yet; they show whose answer would rest on them (law 1)."""

from bisect import bisect_left
from collections import deque
from functools import cached_property

from node.store.embedded.overlay import OverlayTx, Writes


class _Commit:
    """The writes of one commit. Its keys are put in order only if a scan asks."""

    def __init__(self, commit_no: int, writes: Writes) -> None:
        self.commit_no = commit_no
        self._writes = writes

    def has_any(self, keys: list[bytes]) -> bool:
        return not self._writes.keys().isdisjoint(keys)

    def has_under(self, prefix: bytes, start: bytes) -> bool:
        """Tell whether a key begins with `prefix` and is not below `start`."""
        place = bisect_left(self._in_order, max(prefix, start))
        return place < len(self._in_order) and self._in_order[place].startswith(prefix)

    @cached_property
    def _in_order(self) -> list[bytes]:
        return sorted(self._writes)


class Unsettled:
    """The newest commits, in order of their numbers."""

    def __init__(self) -> None:
        self._commits: deque[_Commit] = deque()

    def add(self, commit_no: int, writes: Writes) -> None:
        """Note a commit that has been written."""
        self._commits.append(_Commit(commit_no, writes))

    def forget(self, durable_no: int) -> None:
        """Forget everything up to this commit: it is durable."""
        while self._commits and self._commits[0].commit_no <= durable_no:
            self._commits.popleft()

    def has_touched(self, tx: OverlayTx) -> bool:
        """Tell whether a transaction has read a row, or missed one, that one of these commits has written or deleted."""
        return any(
            commit.has_any(tx.keys_read) or any(commit.has_under(prefix, start) for prefix, start in tx.scans)
            for commit in self._commits
        )
