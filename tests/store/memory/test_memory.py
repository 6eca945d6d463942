"""The store in memory after a crash: the durable rows and, if granted, the oldest of what was not."""

import asyncio

import pytest

from node.store.memory.store import MemoryStore
from tests.store.conftest import TestDisk


async def _three_unsynced(store: MemoryStore, disk: TestDisk) -> list["asyncio.Task[None]"]:
    await store.transact(lambda tx: (tx.put(b"ka", b"1"), tx.put(b"kb", b"1")))
    disk.gate.clear()
    changes = [lambda tx: tx.put(b"ka", b"2"), lambda tx: tx.delete(b"kb"), lambda tx: tx.put(b"kc", b"1")]
    tasks = [asyncio.create_task(store.transact(change)) for change in changes]
    await asyncio.sleep(0.01)
    assert store.unsynced == 3
    return tasks


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (0, {b"ka": b"1", b"kb": b"1"}),
        (1, {b"ka": b"2", b"kb": b"1"}),
        (2, {b"ka": b"2"}),
        (3, {b"ka": b"2", b"kc": b"1"}),
    ],
)
def test_a_crash_loses_commits_from_the_end_and_never_in_between(keep: int, left: dict[bytes, bytes]) -> None:
    async def story() -> None:
        disk = TestDisk()
        store = MemoryStore(disk)
        tasks = await _three_unsynced(store, disk)
        after = store.crash(keep)
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks), "nobody was told of what was lost"
        disk.gate.set()
        assert dict(await after.transact(lambda tx: tx.scan(b"k", limit=10))) == left

    asyncio.run(story())


def test_thousands_of_transactions_are_quick() -> None:
    async def story() -> None:
        store = MemoryStore()
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for number in range(5_000):
            await store.transact(
                lambda tx, n=number: (tx.put(b"k%08d" % (n * 7919 % 5000), b"v"), tx.scan(b"k", limit=3))
            )
        assert loop.time() - begin < 5
        assert store.unsynced == 0

    asyncio.run(story())
