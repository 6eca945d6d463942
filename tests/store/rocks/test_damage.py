"""Damage in the database's files, done on purpose: what cannot be read is said for that row alone, and nothing is ever read wrong."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from node.errors import Broken, Deferred
from node.model.reason import Reason
from node.ports import Tx
from node.store.damage import Place
from node.store.files import NoSpace
from node.store.rocks.engine import translated
from node.store.rocks.store import RocksStore
from tests.store.conftest import until
from tests.store.rocks.crash import open_at, put

BODIES = {b"b" + bytes([number]) * 32: os.urandom(40_000) for number in range(30)}


def flip(path: Path, at: int) -> None:
    """Flip one octet of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)


def the(folder: Path, pattern: str) -> Path:
    """Return the largest file of a kind."""
    return max((folder / "db").glob(pattern), key=lambda path: path.stat().st_size)


def read(key: bytes) -> Callable[[Tx], bytes | None]:
    """Return a transaction that reads a row."""
    return lambda tx: tx.get(key)


async def filled(folder: Path) -> None:
    """Leave a closed store with thirty bodies and three hundred rows in files."""
    store = open_at(folder)
    for key, body in BODIES.items():
        await store.transact(put(key, body))
    for number in range(300):
        await store.transact(put(b"k%08d" % number, os.urandom(500)))
    await store.close()
    await open_at(folder).close()


async def unreadable(store: RocksStore) -> list[bytes]:
    """Return the bodies that cannot be read; all others are as they were written."""
    lost = []
    for key, body in BODIES.items():
        found: bytes | None = b""
        with contextlib.suppress(Broken):
            found = await store.transact(read(key))
        assert found in (body, b"")
        lost += [] if found else [key]
    return lost


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("IO error: While appending to file: /h/store/000004.log: Disk quota exceeded", Reason.DISK_FULL),
        ("IO error: No space left on device: While appending to file: /h/store/000004.log", Reason.DISK_FULL),
        ("IO error: While lock file: /h/store/LOCK: Resource temporarily unavailable", Reason.HOME_IN_USE),
        ("IO error: While lock file: /h/store/LOCK: Read-only file system", Reason.DISK_READ_ONLY),
        ("IO error: While lock file: /h/store/LOCK: Permission denied", Reason.IO_FAILED),
        ("IO error: While pread offset 0 len 5: /h/store/000004.sst: Input/output error", Reason.IO_FAILED),
        ("Corruption: checksum mismatch", Reason.STORE_CORRUPT),
    ],
)
def test_what_the_database_says_is_understood(text: str, reason: Reason) -> None:
    meaning = translated(Exception(text))
    assert isinstance(meaning, NoSpace | Broken)
    assert meaning.reason is reason


def test_a_quota_that_is_used_up_puts_off_and_heals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        deaths: list[BaseException] = []
        store = open_at(tmp_path, on_fatal=deaths.append)
        engine = store._rocks

        def over_quota(*_: object) -> object:
            raise Exception("IO error: While appending to file: /h/000004.log: Disk quota exceeded")

        monkeypatch.setattr(engine, "_batch_of", over_quota)
        with pytest.raises(Deferred) as full:
            await store.transact(put(b"ka"))
        assert full.value.reason is Reason.DISK_FULL
        monkeypatch.undo()
        await until(lambda: store.trouble is None)
        await store.transact(put(b"ka"))
        assert deaths == []
        await store.close()

    asyncio.run(story())


def test_one_flipped_octet_in_a_blob_costs_one_body_and_nothing_else(tmp_path: Path) -> None:
    async def story() -> None:
        await filled(tmp_path)
        flip(the(tmp_path, "*.blob"), 100)
        store = open_at(tmp_path)
        assert len(await unreadable(store)) == 1
        assert (store.fence, store.trouble) == (None, None)
        assert (store.damage.counts[Place.BLOB], store.damage.counts[Place.TABLE]) == (1, 0)
        await store.transact(put(b"kx"))
        await store.close()

    asyncio.run(story())


def test_a_blob_file_that_is_gone_costs_its_bodies_and_nothing_else(tmp_path: Path) -> None:
    async def story() -> None:
        await filled(tmp_path)
        the(tmp_path, "*.blob").unlink()
        store = open_at(tmp_path)
        with pytest.raises(Broken):
            await store.transact(read(next(iter(BODIES))))
        assert store.damage.counts[Place.BLOB] == 1
        assert len(await store.transact(lambda tx: tx.scan(b"k", limit=1_000))) == 300
        await store.transact(put(b"kx"))
        await store.close()

    asyncio.run(story())


def test_a_damaged_block_costs_its_rows_and_writing_goes_on(tmp_path: Path) -> None:
    async def story() -> None:
        await filled(tmp_path)
        table = the(tmp_path, "*.sst")
        flip(table, table.stat().st_size // 3)
        store = open_at(tmp_path)
        with pytest.raises(Broken) as damaged:
            await store.transact(lambda tx: tx.scan(b"k", limit=1_000))
        assert damaged.value.reason is Reason.STORE_CORRUPT
        assert (store.fence, store.damage.counts[Place.TABLE]) == (None, 1)
        assert await unreadable(store) == []
        await store.transact(put(b"kx"))
        await store.close()

    asyncio.run(story())


async def _grow(store: RocksStore, rounds: int = 20) -> set[Reason]:
    """Write bodies and flush them, so that compaction has work; return for which reasons writes were put off."""
    reasons = set()
    for number in range(rounds * 8):
        for _ in range(400):
            try:
                await store.transact(put(b"b" + (1000 + number).to_bytes(32, "big"), os.urandom(4_000)))
                break
            except Deferred as fault:
                reasons.add(fault.reason)
                await asyncio.sleep(0.05)
        if number % 8 == 7:
            with contextlib.suppress(Exception):  # RocksDB says here, too, that compaction met damage
                store._rocks._tables[ord("b")].flush(True)
    return reasons


@pytest.mark.parametrize("known", [False, True], ids=["not read before", "read before"])
def test_compaction_that_meets_a_damaged_body_does_not_stop_the_store(tmp_path: Path, known: bool) -> None:
    async def story() -> None:
        await filled(tmp_path)
        flip(the(tmp_path, "*.blob"), 100)
        deaths: list[BaseException] = []
        store = open_at(tmp_path, on_fatal=deaths.append)
        if known:
            assert len(await unreadable(store)) == 1
        reasons = await _grow(store)
        while not store.damage.counts[Place.BLOB]:  # compaction comes when it finds time
            store._rocks._tables[ord("b")].compact_range(None, None)
            reasons |= await _grow(store, 1)
        assert reasons <= (set() if known else {Reason.STORE_STALLED})
        await until(lambda: store.trouble is None)
        assert len(await unreadable(store)) == 1
        await store.transact(put(b"kx"))
        assert (deaths, store.fence) == ([], None)
        await store.close()

    asyncio.run(story())


def test_compaction_that_meets_a_damaged_table_leaves_a_store_that_reads(tmp_path: Path) -> None:
    async def story() -> None:
        await filled(tmp_path)
        deaths: list[BaseException] = []
        store = open_at(tmp_path, on_fatal=deaths.append)
        await _grow(store, 2)
        await store.close()
        for table in (tmp_path / "db").glob("*.sst"):
            if table.stat().st_size < 20_000:
                flip(table, 100)
        store = open_at(tmp_path, on_fatal=deaths.append)
        with pytest.raises(Broken):
            await _grow(store)
        assert store.fence is not None
        assert store.fence.reason is Reason.STORE_CORRUPT
        with pytest.raises(Deferred) as fenced:
            await store.transact(put(b"kx"))
        assert fenced.value.reason is Reason.NODE_FENCED
        assert len(await store.transact(lambda tx: tx.scan(b"k", limit=1_000))) == 300
        with pytest.raises(Broken):
            await store.accept_rollback()
        assert deaths == []
        await store.close()

    asyncio.run(story())
