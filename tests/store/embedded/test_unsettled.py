"""A reader waits for the disk only if the answer would rest on what is not durable yet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.store.embedded.overlay import OverlayTx
from node.store.embedded.unsettled import Unsettled


class Empty:
    """A store with nothing in it."""

    def get(self, key: bytes) -> bytes | None:
        return None

    def rows(self, prefix: bytes, start: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        return []


def looked(*keys: bytes, scans: tuple[tuple[bytes, bytes], ...] = ()) -> OverlayTx:
    tx = OverlayTx(Empty())
    for key in keys:
        tx.get(key)
    for prefix, start in scans:
        tx.scan(prefix, start=start, limit=1)
    return tx


@pytest.mark.parametrize(
    ("tx", "rests"),
    [
        (looked(b"a1"), True),
        (looked(b"a2"), True),
        (looked(b"a3"), False),
        (looked(b"b"), False),
        (looked(scans=((b"a", b""),)), True),
        (looked(scans=((b"a", b"a2"),)), True),
        (looked(scans=((b"a", b"a3"),)), False),
        (looked(scans=((b"b", b""),)), False),
        (looked(), False),
    ],
)
def test_an_answer_rests_on_what_was_read_or_missed(tx: OverlayTx, rests: bool) -> None:
    """a1 was written, a2 was deleted: both are news."""
    unsettled = Unsettled()
    unsettled.add(7, {b"a1": b"x", b"a2": None})
    assert unsettled.has_touched(tx) is rests
    unsettled.forget(6)
    assert unsettled.has_touched(tx) is rests
    unsettled.forget(7)
    assert not unsettled.has_touched(tx)


_KEYS = st.binary(max_size=4).map(lambda octets: b"t" + bytes(octet % 3 for octet in octets))


@given(st.sets(_KEYS, max_size=12), _KEYS, _KEYS)
def test_a_scan_rests_on_every_key_it_could_have_found(written: set[bytes], prefix: bytes, start: bytes) -> None:
    """Whatever is below the prefix, above it or before the start is no news."""
    unsettled = Unsettled()
    unsettled.add(1, dict.fromkeys(written, b"x"))
    expected = any(key.startswith(prefix) and key >= start for key in written)
    assert unsettled.has_touched(looked(scans=((prefix, start),))) is expected
