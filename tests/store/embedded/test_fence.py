"""A store that was damaged, cut short or taken back in time says so and is not written to (node/store/embedded/fence.py)."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from node.errors import Deferred
from node.model.reason import Reason
from tests.store.rocks.crash import contents, crash_image, log_of, open_at, put, refusal, rows_of


def test_what_a_crash_leaves_opens_with_everything_told(tmp_path: Path) -> None:
    store = open_at(crash_image(tmp_path))
    assert store.fence is None
    assert rows_of(store) == 400
    assert store.commit_no == 400
    asyncio.run(store.close())


def test_a_flipped_bit_in_the_middle_of_the_log_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    folder = crash_image(tmp_path)
    log = log_of(folder)
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 0x10
    log.write_bytes(content)
    before = contents(folder)
    assert refusal(folder).reason == Reason.STORE_CORRUPT
    assert before.items() <= contents(folder).items(), "the evidence stays"
    assert refusal(folder).reason == Reason.STORE_CORRUPT


def _cut_log(folder: Path) -> None:
    os.truncate(log_of(folder), log_of(folder).stat().st_size // 2)


def _zero_log_tail(folder: Path) -> None:
    """Zero the second half from the start of a record on (blocks of 32 KiB; header: crc 4, length 2, type 1)."""
    content, at = log_of(folder).read_bytes(), 0
    while at < len(content) // 2:
        left = 32_768 - at % 32_768
        at += left if left < 7 else 7 + int.from_bytes(content[at + 4 : at + 6], "little")
    log_of(folder).write_bytes(content[:at].ljust(len(content), b"\0"))


def _delete_log(folder: Path) -> None:
    log_of(folder).unlink()


def _empty_database(folder: Path) -> None:
    shutil.rmtree(folder / "db")


def _lose_witness(folder: Path) -> None:
    (folder / "WITNESS").unlink()


def _spoil_witness(folder: Path) -> None:
    (folder / "WITNESS").write_bytes(b"\xff" * 1024)


@pytest.mark.parametrize(
    "harm",
    [_cut_log, _zero_log_tail, _delete_log, _empty_database, _lose_witness, _spoil_witness],
    ids=lambda f: f.__name__,
)
def test_a_store_that_has_gone_back_in_time_is_fenced_until_an_operator_accepts_it(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    folder = crash_image(tmp_path)
    harm(folder)

    async def story() -> None:
        store = open_at(folder)
        assert store.fence is not None
        assert store.fence.reason == Reason.STORE_ROLLED_BACK
        assert store.fence.db_commit_no <= 400
        with pytest.raises(Deferred) as refused:
            await store.transact(put(b"kx"))
        assert refused.value.reason == Reason.NODE_FENCED
        await store.close()

        store = open_at(folder)
        assert store.fence is not None, "a restart does not lift it"
        before = store.incarnation
        await store.accept_rollback()
        assert store.fence is None
        assert store.incarnation != before
        await store.transact(put(b"kx"))
        assert store.commit_no > (401 if harm not in (_lose_witness, _spoil_witness) else 400)
        await store.close()

        store = open_at(folder)
        assert store.fence is None
        assert await store.transact(lambda tx: tx.get(b"kx")) is not None
        assert len(await store.transact(lambda tx: tx.scan(b"mrollback.", limit=5))) == 1
        await store.close()

    asyncio.run(story())


def test_an_old_copy_of_the_database_beside_the_newer_witness_is_fenced(tmp_path: Path) -> None:
    folder = crash_image(tmp_path, commits=5)

    async def story() -> None:
        shutil.copytree(folder / "db", folder / "old")
        store = open_at(folder)
        await store.transact(put(b"kx"))
        await store.close()
        shutil.rmtree(folder / "db")
        (folder / "old").rename(folder / "db")
        store = open_at(folder)
        assert store.fence is not None
        assert (store.fence.db_commit_no, store.fence.witness_commit_no) == (5, 6)
        await store.close()

    asyncio.run(story())


def test_a_first_start_cut_short_after_the_witness_was_made_starts_again(tmp_path: Path) -> None:
    async def story() -> None:
        store = open_at(tmp_path)
        incarnation = store.incarnation
        await store.close()
        shutil.rmtree(tmp_path / "db")
        store = open_at(tmp_path)
        assert store.fence is None
        assert store.incarnation == incarnation
        await store.close()

    asyncio.run(story())


def test_a_folder_without_current_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    folder = crash_image(tmp_path)
    (folder / "db" / "CURRENT").unlink()
    before = contents(folder)
    assert refusal(folder).reason == Reason.STORE_CORRUPT
    assert contents(folder) == before
