"""What only a store on a real disk can get wrong. A copy of the folder taken while the store is open is what a crash leaves."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node.errors import Broken, Deferred
from node.model.reason import Reason
from node.store import transactions
from node.store.fence import SCHEMA
from node.store.rocks import RocksStore
from node.store.transactions import Stalled
from tests.store.conftest import NODE, RocksHome, until


def open_at(folder: Path, **more: Any) -> RocksStore:
    return RocksStore.open(folder / "db", folder / "WITNESS", node_id=NODE, **more)


def refusal(folder: Path, **more: Any) -> Broken:
    with pytest.raises(Broken) as refused:
        RocksStore.open(folder / "db", folder / "WITNESS", **({"node_id": NODE} | more))
    return refused.value


def put(key: bytes, value: bytes = b"v" * 500) -> Callable[[Any], None]:
    return lambda tx: tx.put(key, value)


def crash_image(tmp_path: Path, commits: int = 400) -> Path:
    """Return the folder of a store that was told of `commits` durable commits and then lost its process."""

    async def live() -> None:
        store = open_at(tmp_path / "live")
        for number in range(commits):
            await store.transact(put(b"k%08d" % number))
        await until(lambda: store._witness.witnessed is not None and store._witness.witnessed[1] == commits)
        shutil.copytree(tmp_path / "live", tmp_path / "crashed")
        await store.close()

    asyncio.run(live())
    return tmp_path / "crashed"


def log_of(folder: Path) -> Path:
    return max((folder / "db").glob("*.log"), key=lambda path: path.stat().st_size)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in (folder / "db").iterdir() if path.suffix in (".log", ".sst", ".blob")
    }


def rows_of(store: RocksStore) -> int:
    return len(asyncio.run(store.transact(lambda tx: tx.scan(b"k", limit=10_000))))


def test_the_loop_keeps_ticking_while_the_disk_works(rocks: RocksHome) -> None:
    async def story() -> None:
        store, loop = rocks.open(), asyncio.get_running_loop()
        gaps, stop = [], False

        async def tick() -> None:
            while not stop:
                begin = loop.time()
                await asyncio.sleep(0.001)
                gaps.append(loop.time() - begin)

        async def write(worker: int) -> None:
            for number in range(40):
                await store.transact(put(b"b%d-%d" % (worker, number), os.urandom(50_000)))

        ticker = asyncio.create_task(tick())
        await asyncio.gather(*(write(worker) for worker in range(16)))
        stop = True
        await ticker
        await store.close()
        gaps.sort()
        assert gaps[len(gaps) // 2] < 0.05
        assert gaps[-1] < 0.5

    asyncio.run(story())


def test_a_slow_fsync_holds_back_the_answer_and_not_the_loop(rocks: RocksHome) -> None:
    async def story() -> None:
        store = rocks.open()
        rocks.hold()
        writer = asyncio.create_task(store.transact(put(b"ka")))
        await until(lambda: rocks.syncs == 1)
        ticks = 0
        for _ in range(50):
            await asyncio.sleep(0.001)
            ticks += 1
        assert ticks == 50
        assert not writer.done()
        rocks.release()
        await writer
        await store.close()

    asyncio.run(story())


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


def test_a_damaged_block_is_told_and_fences_the_store(tmp_path: Path) -> None:
    async def story() -> None:
        store = open_at(tmp_path)
        for number in range(300):
            await store.transact(put(b"k%08d" % number, os.urandom(500)))
        store._rocks._db.flush(True)
        await store.close()
        table = max((tmp_path / "db").glob("*.sst"), key=lambda path: path.stat().st_size)
        content = bytearray(table.read_bytes())
        content[len(content) // 3] ^= 1
        table.write_bytes(content)
        store = open_at(tmp_path)
        with pytest.raises(Broken) as damaged:
            await store.transact(lambda tx: tx.scan(b"k", limit=1_000))
        assert damaged.value.reason == Reason.STORE_CORRUPT
        assert store.fence is not None
        assert store.fence.reason == Reason.STORE_CORRUPT
        with pytest.raises(Deferred):
            await store.transact(put(b"kx"))
        with pytest.raises(Broken):
            await store.accept_rollback()
        await store.close()

    asyncio.run(story())


def test_a_home_in_use_is_refused_in_this_process_and_in_another(tmp_path: Path) -> None:
    store = open_at(tmp_path)
    assert refusal(tmp_path).reason == Reason.HOME_IN_USE
    program = (
        "import sys; from pathlib import Path; from node.store.rocks import RocksStore; from node.errors import Broken\n"
        "try: RocksStore.open(Path(sys.argv[1])/'db', Path(sys.argv[1])/'WITNESS', node_id=sys.argv[2])\n"
        "except Broken as error: print(error.reason.name)"
    )
    other = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), NODE], capture_output=True, text=True, timeout=60
    )
    assert other.stdout.strip() == "HOME_IN_USE", other.stderr
    asyncio.run(store.close())
    asyncio.run(open_at(tmp_path).close())


def test_a_store_of_a_newer_program_is_not_touched(tmp_path: Path) -> None:
    async def story() -> None:
        store = open_at(tmp_path)
        await store.transact(put(b"mschema", (SCHEMA + 1).to_bytes(4, "big")))
        await store.close()

    asyncio.run(story())
    assert refusal(tmp_path).reason == Reason.STORE_NEWER


def test_the_store_of_another_node_is_refused(tmp_path: Path) -> None:
    asyncio.run(open_at(tmp_path).close())
    assert refusal(tmp_path, node_id="tinh-lao-cai").reason == Reason.SETTINGS_INVALID


def test_a_short_stall_is_waited_out_and_a_long_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        store = open_at(tmp_path)
        write, tries = store._rocks.write, []

        def stalling(*args: Any) -> None:
            tries.append(1)
            if len(tries) <= 3:
                raise Stalled("Result incomplete: Write stall")
            write(*args)

        monkeypatch.setattr(store._rocks, "write", stalling)
        await store.transact(put(b"ka"))
        assert len(tries) == 4
        monkeypatch.setattr(transactions, "STALL_LIMIT_S", 0.1)
        monkeypatch.setattr(store._rocks, "write", _always_stalled)
        with pytest.raises(Deferred) as told:
            await store.transact(put(b"kb"))
        assert told.value.reason == Reason.STORE_STALLED
        await store.close()

    asyncio.run(story())


def _always_stalled(*_: Any) -> None:
    raise Stalled("Result incomplete: Write stall")


def test_an_fsync_that_fails_otherwise_ends_the_process(tmp_path: Path) -> None:
    async def story() -> None:
        deaths: list[BaseException] = []
        store = open_at(tmp_path, on_fatal=deaths.append)

        def failing() -> None:
            raise Broken(Reason.IO_FAILED, "Input/output error")

        store._rocks.sync = failing  # type: ignore[method-assign]
        with pytest.raises(Broken):
            await store.transact(put(b"ka"))
        assert [str(death) for death in deaths] == ["IO_FAILED: Input/output error"]
        with pytest.raises(Broken):
            await store.transact(put(b"kb"))
        with pytest.raises(Broken):
            await store.transact(lambda tx: tx.get(b"ka"))
        await store.close()

    asyncio.run(story())


def test_the_default_way_to_die_is_exit_code_75() -> None:
    program = "from node.store.files import end_process; end_process(OSError(5, 'Input/output error'))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 75
    assert "Input/output error" in ended.stderr


def test_closing_leaves_no_thread(tmp_path: Path) -> None:
    store = open_at(tmp_path)
    assert any(thread.name == "store-commit" for thread in threading.enumerate())
    asyncio.run(store.close())
    assert not any(thread.name == "store-commit" for thread in threading.enumerate())
