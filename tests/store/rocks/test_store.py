"""RocksDB's store: faults that only a store on a real disk can have."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from rocksdict import Options, Rdict

from node.errors import Broken, Deferred
from node.model.reason import Reason
from node.store.embedded import transactions
from node.store.embedded.fence import SCHEMA
from node.store.embedded.transactions import Stalled
from node.store.rocks.check import check_store
from tests.store.conftest import NODE, RocksHome, until
from tests.store.rocks.crash import open_at, put, refusal


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


def test_rows_of_a_table_that_got_a_family_of_its_own_move_there(rocks: RocksHome) -> None:
    """As a store of an older version is opened: everything in one family."""

    async def story() -> None:
        store = rocks.open()
        await store.transact(put(b"ka"))
        await store.close()
        db = Rdict(
            str(rocks.folder / "db"),
            Options(raw_mode=True),
            {name: Options(raw_mode=True) for name in ("queues", "bodies")},
        )
        for number in range(2_500):
            db[b"oh49\0%05d" % number] = b"row"
        db[b"qx"] = b"index"
        db.close()
        del db
        gc.collect()
        store = rocks.open()
        rows = await store.transact(lambda tx: tx.scan(b"o", limit=5_000))
        assert len(rows) == 2_500
        assert await store.transact(lambda tx: (tx.get(b"qx"), tx.get(b"ka"))) == (b"index", b"v" * 500)
        await store.close()

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


def test_a_home_in_use_is_refused_in_this_process_and_in_another(tmp_path: Path) -> None:
    store = open_at(tmp_path)
    assert refusal(tmp_path).reason == Reason.HOME_IN_USE
    program = (
        "import sys; from pathlib import Path; from node.store.rocks.store import RocksStore; from node.errors import Broken\n"
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


def test_a_check_reads_a_store_in_use_and_changes_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        store = open_at(tmp_path)
        await store.transact(put(b"ka"))
        before = {path.name: path.read_bytes() for path in (tmp_path / "db").iterdir() if path.name != "LOG"}
        check_store(tmp_path / "db", NODE)
        after = {path.name: path.read_bytes() for path in (tmp_path / "db").iterdir() if path.name != "LOG"}
        assert after == before
        with pytest.raises(Broken) as other:
            check_store(tmp_path / "db", "tinh-lao-cai")
        assert other.value.reason == Reason.SETTINGS_INVALID
        await store.transact(put(b"mschema", (SCHEMA + 1).to_bytes(4, "big")))
        with pytest.raises(Broken) as newer:
            check_store(tmp_path / "db", NODE)
        assert newer.value.reason == Reason.STORE_NEWER
        await store.transact(put(b"kb"))
        await store.close()

    asyncio.run(story())


def test_a_check_makes_no_store(tmp_path: Path) -> None:
    check_store(tmp_path / "db", NODE)
    assert list(tmp_path.iterdir()) == []
