"""One transaction's view, held against a plain dictionary; and that a scan's cost does not depend on what else was written."""

from bisect import bisect_left
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from node.rows import keys
from node.store.embedded.overlay import INSERTED_MAX, OverlayTx, Row

KEYS = st.binary(min_size=1, max_size=4).map(lambda key: bytes(b"nyz\xff"[octet % 4] for octet in key))
"""Few octets, so that prefixes meet."""
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.binary(max_size=1)),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("scan"), KEYS, st.one_of(st.just(b""), KEYS), st.integers(0, 6)),
        st.tuples(st.just("get"), KEYS),
    ),
    max_size=120,
)


class Rows:
    """Stored rows, which count how many of them were read."""

    def __init__(self, rows: dict[bytes, bytes]) -> None:
        self._rows = rows
        self._keys = sorted(rows)
        self.read = 0

    def get(self, key: bytes) -> bytes | None:
        return self._rows.get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self._rows.get(key) for key in keys]

    def rows(self, prefix: bytes, start: bytes, limit: int) -> list[Row]:
        at = bisect_left(self._keys, max(prefix, start))
        found = [(key, self._rows[key]) for key in self._keys[at : at + limit] if key.startswith(prefix)]
        self.read += len(found)
        return found


def naive(rows: dict[bytes, bytes], prefix: bytes, start: bytes, limit: int) -> list[Row]:
    return [row for row in sorted(rows.items()) if row[0].startswith(prefix) and row[0] >= start][:limit]


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(KEYS, st.binary(max_size=1), max_size=60), STEPS)
def test_a_transaction_sees_what_a_dictionary_would_show(stored: dict[bytes, bytes], steps: list[tuple]) -> None:  # type: ignore[type-arg]
    tx, model = OverlayTx(Rows(dict(stored))), dict(stored)
    for kind, key, *more in steps:
        if kind == "put":
            tx.put(key, more[0])
            model[key] = more[0]
        elif kind == "delete":
            tx.delete(key)
            model.pop(key, None)
        elif kind == "get":
            assert tx.get(key) == model.get(key)
            assert tx.get_many([key, b"n", key]) == [model.get(key), model.get(b"n"), model.get(key)]
        else:
            start, limit = more
            assert tx.scan(key, start=start, limit=limit) == naive(model, key, start, limit)
    for table in b"nyz\xff":
        prefix = bytes([table])
        assert tx.scan(prefix, limit=1_000) == naive(model, prefix, b"", 1_000)


def test_many_keys_at_once_and_one_by_one_come_in_order() -> None:
    tx = OverlayTx(Rows({}))
    for number in reversed(range(4 * INSERTED_MAX)):
        tx.put(b"y%03d" % number, b"")
    assert len(tx.scan(b"y", limit=1_000)) == 4 * INSERTED_MAX
    tx.put(b"y0001", b"")
    assert [key for key, _ in tx.scan(b"y", limit=3)] == [b"y000", b"y0001", b"y001"]


def test_a_scan_reads_its_rows_and_no_more_whatever_was_written() -> None:
    rows = Rows({b"y%05d-%d" % (number, one): b"" for number in range(3_000) for one in range(3)})
    tx = OverlayTx(rows)
    for number in range(3_000):
        prefix = b"y%05d" % number
        tx.put(prefix + b"-9", b"")
        assert len(tx.scan(prefix, limit=100)) == 4
        assert tx.scan(b"y", limit=1) == [(b"y00000-0", b"")]
    assert rows.read == 3_000 * (3 + 1)


def test_a_row_that_was_put_and_one_that_was_deleted_keep_to_the_limit() -> None:
    tx = OverlayTx(Rows({keys.DUE + bytes([number]): b"" for number in range(100)}))
    for number in range(50):
        tx.delete(keys.DUE + bytes([number]))
    assert [key[1] for key, _ in tx.scan(keys.DUE, limit=2)] == [50, 51]
