"""Overlay: one transaction's view, its own writes laid over the rows of the store.

Both stores use this one class, so that the simulator's store and the real one cannot differ in what a transaction sees. A
transaction's writes stay here until `fn` has returned; nothing reaches the store before, so an exception writes nothing.

A transaction may write thousands of rows (a withdrawal from every commune) and scan as often, a few rows each time. So its keys are
kept in order, table by table, and a scan costs its own rows, however many others the transaction has written.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from itertools import islice
from typing import Final, Protocol

Row = tuple[bytes, bytes]
Writes = dict[bytes, bytes | None]
"""Key to value; None deletes."""

_UNTOUCHED: Final = object()


class Reader(Protocol):
    """Reads the rows that the store holds."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value or None."""
        ...

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the value of each key, in order."""
        ...

    def rows(self, prefix: bytes, start: bytes, limit: int) -> list[Row]:
        """Return up to `limit` rows under `prefix` and not below `start`, in order of key."""
        ...


class OrderedKeys:
    """The keys of a transaction's writes, in order, by table (first octet). They are put in their places only when a scan asks."""

    __slots__ = ("_added", "_in_order", "_seen", "_writes")

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        self._seen = 0
        self._in_order: dict[int, list[bytes]] = {}
        self._added: dict[int, list[bytes]] = {}

    def of_table(self, table: int) -> list[bytes]:
        """Return the keys of a table, in order; not to be changed."""
        # A dictionary gives its newest keys first when it is read backwards, and no write is ever taken back.
        for key in islice(reversed(self._writes), len(self._writes) - self._seen):
            self._added.setdefault(key[0], []).append(key)
        self._seen = len(self._writes)
        added = self._added.pop(table, _NO_KEYS)
        if not added:
            return self._in_order.get(table, _NO_KEYS)
        kept = self._in_order.setdefault(table, [])
        if len(added) <= INSERTED_MAX:
            for key in added:
                insort(kept, key)
        else:
            kept += added
            kept.sort()
        return kept


_NO_KEYS: Final[list[bytes]] = []
INSERTED_MAX = 32
"""So many keys are cheaper to insert one by one, into thousands, than to sort in."""


class OverlayTx:
    """A ports.Tx. `writes` are to be applied when the transaction function has returned; its result rests on `keys_read` and `scans`."""

    __slots__ = ("_keys", "_reader", "keys_read", "scans", "writes")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.writes: Writes = {}
        self._keys = OrderedKeys(self.writes)
        self.keys_read: list[bytes] = []
        self.scans: list[tuple[bytes, bytes]] = []
        """(prefix, start) of each scan."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value or None."""
        self.keys_read.append(key)
        value = self.writes.get(key, _UNTOUCHED)
        return self._reader.get(key) if value is _UNTOUCHED else value  # type: ignore[return-value]

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return what `get` would for each key, in order."""
        self.keys_read.extend(keys)
        writes = self.writes
        if not writes:
            return self._reader.get_many(keys)
        stored = iter(self._reader.get_many([key for key in keys if key not in writes]))
        return [writes[key] if key in writes else next(stored) for key in keys]

    def put(self, key: bytes, value: bytes) -> None:
        """Write a value."""
        self.writes[key] = value

    def delete(self, key: bytes) -> None:
        """Remove a key."""
        self.writes[key] = None

    def scan(self, prefix: bytes, *, start: bytes = b"", limit: int) -> list[Row]:
        """Return up to `limit` rows whose key begins with `prefix` and is not below `start`, in order of key."""
        assert prefix, "a scan names at least its table"
        if limit <= 0:
            return []
        self.scans.append((prefix, start))
        if self.writes:
            own = self._keys.of_table(prefix[0])
            place = bisect_left(own, max(prefix, start))
            if place < len(own) and own[place].startswith(prefix):
                return self._merged(own, place, prefix, start, limit)
        return self._reader.rows(prefix, start, limit)

    def _merged(self, own: list[bytes], place: int, prefix: bytes, start: bytes, limit: int) -> list[Row]:
        """Lay own writes, from a place on, over stored rows. These come piece by piece, since own deletions may take any of them away."""
        found: list[Row] = []
        size = limit
        while True:
            stored = self._reader.rows(prefix, start, size)
            for key, value in stored:
                place = self._own_below(own, place, key, found, limit)
                if place < len(own) and own[place] == key:
                    place = self._take(own, place, found)
                else:
                    found.append((key, value))
                if len(found) >= limit:
                    return found[:limit]
            if len(stored) < size:
                break
            start, size = stored[-1][0] + b"\0", 2 * size
        while place < len(own) and own[place].startswith(prefix) and len(found) < limit:
            place = self._take(own, place, found)
        return found

    def _own_below(self, own: list[bytes], place: int, key: bytes, found: list[Row], limit: int) -> int:
        """Take own rows that lie before a stored one; return the place behind them."""
        while place < len(own) and own[place] < key and len(found) < limit:
            place = self._take(own, place, found)
        return place

    def _take(self, own: list[bytes], place: int, found: list[Row]) -> int:
        value = self.writes[own[place]]
        if value is not None:
            found.append((own[place], value))
        return place + 1
