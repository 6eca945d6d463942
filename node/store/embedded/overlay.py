"""Overlay: one transaction's view, its own writes laid over the rows of the store.

Both stores use this one class, so that the simulator's store and the real one cannot differ in what a transaction sees. A
transaction's writes stay here until `fn` has returned; nothing reaches the store before, so an exception writes nothing.
"""

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

    def rows(self, prefix: bytes, start: bytes, limit: int) -> list[Row]:
        """Return up to `limit` rows under `prefix` and not below `start`, in order of key."""
        ...


class OverlayTx:
    """A ports.Tx. `writes` are to be applied when the transaction function has returned; its result rests on `keys_read` and `scans`."""

    __slots__ = ("_reader", "keys_read", "scans", "writes")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.writes: Writes = {}
        self.keys_read: list[bytes] = []
        self.scans: list[tuple[bytes, bytes]] = []
        """(prefix, start) of each scan."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value or None."""
        self.keys_read.append(key)
        value = self.writes.get(key, _UNTOUCHED)
        return self._reader.get(key) if value is _UNTOUCHED else value  # type: ignore[return-value]

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
        mine = [key for key in self.writes if key.startswith(prefix) and key >= start] if self.writes else []
        if not mine:
            return self._reader.rows(prefix, start, limit)
        return self._merged(mine, prefix, start, limit)

    def _merged(self, mine: list[bytes], prefix: bytes, start: bytes, limit: int) -> list[Row]:
        # Each own write can take away at most one stored row, so this many stored rows always suffice.
        merged: dict[bytes, bytes] = dict(self._reader.rows(prefix, start, limit + len(mine)))
        for key in mine:
            value = self.writes[key]
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = value
        return sorted(merged.items())[:limit]
