"""Homes for the contract tests: a place where a store or bodies live, are opened, closed, filled up and held back."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from node.errors import Deferred
from node.model.reason import Reason
from node.store.bodies import FileBodies
from node.store.embedded.fence import Fence
from node.store.files import NoSpace
from node.store.memory.bodies import MemoryBodies
from node.store.memory.store import MemoryStore
from node.store.rocks.store import RocksStore

NODE = "bo-noi-vu"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=None, help="restarts in kill loops; also TRUC_KILLS, default 20")


async def until(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    """Wait for a condition, with a limit."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.005)


class TestDisk:
    """A disk that can be held back and filled up, for stores in memory."""

    __test__ = False

    def __init__(self) -> None:
        self.full_for_writes = self.full_for_syncs = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.syncs = 0

    def write(self, size_bytes: int) -> None:
        if self.full_for_writes:
            raise Deferred(Reason.DISK_FULL)

    async def sync(self) -> None:
        self.syncs += 1
        await asyncio.sleep(0)
        await self.gate.wait()
        if self.full_for_syncs:
            raise Deferred(Reason.DISK_FULL)


class MemoryHome:
    """Stores in memory."""

    def __init__(self, _: Path) -> None:
        self.disk = TestDisk()
        self.store: MemoryStore | None = None

    @property
    def syncs(self) -> int:
        return self.disk.syncs

    def open(self) -> MemoryStore:
        self.store = self.store.crash(0) if self.store else MemoryStore(self.disk)
        return self.store

    async def open_fenced(self) -> MemoryStore:
        before = self.open()
        await before.transact(lambda tx: tx.put(b"ka", b"1"))
        fence = Fence(Reason.STORE_ROLLED_BACK, "an old copy", 1, 2)
        self.store = before.crash(0, fence=fence)
        return self.store

    def hold(self) -> None:
        self.disk.gate.clear()

    def release(self) -> None:
        self.disk.gate.set()

    def fill(self, *, at_sync: bool) -> None:
        self.disk.full_for_syncs, self.disk.full_for_writes = at_sync, not at_sync

    def make_room(self) -> None:
        self.disk.full_for_syncs = self.disk.full_for_writes = False


class RocksHome:
    """Stores in RocksDB. Held back and filled up by standing between the store and its engine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gate = threading.Event()
        self.gate.set()
        self.syncs = 0
        self.full_for_writes = self.full_for_syncs = False

    def open(self, **more: Any) -> RocksStore:
        store = RocksStore.open(self.folder / "db", self.folder / "WITNESS", node_id=NODE, **more)
        self._stand_between(store._rocks)
        return store

    async def open_fenced(self) -> RocksStore:
        before = self.open()
        await before.transact(lambda tx: tx.put(b"ka", b"1"))
        await before.close()
        (self.folder / "WITNESS").unlink()
        return self.open()

    def _stand_between(self, engine: Any) -> None:
        write, sync, heal = engine.write, engine.sync, engine.heal

        def guarded_write(*args: Any) -> None:
            if self.full_for_writes:
                raise NoSpace("full")
            write(*args)

        def guarded_sync() -> None:
            self.syncs += 1
            assert self.gate.wait(30)
            if self.full_for_syncs:
                raise NoSpace("full")
            sync()

        def guarded_heal() -> int:
            if self.full_for_writes or self.full_for_syncs:
                raise NoSpace("full")
            return int(heal())

        engine.write, engine.sync, engine.heal = guarded_write, guarded_sync, guarded_heal

    def hold(self) -> None:
        self.gate.clear()

    def release(self) -> None:
        self.gate.set()

    def fill(self, *, at_sync: bool) -> None:
        self.full_for_syncs, self.full_for_writes = at_sync, not at_sync

    def make_room(self) -> None:
        self.full_for_syncs = self.full_for_writes = False


@pytest.fixture(params=[MemoryHome, RocksHome], ids=["memory", "rocks"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> MemoryHome | RocksHome:
    return request.param(tmp_path)  # type: ignore[no-any-return]


@pytest.fixture
def rocks(tmp_path: Path) -> RocksHome:
    return RocksHome(tmp_path)


class MemoryShelf:
    """Bodies in memory."""

    def __init__(self, _: Path) -> None:
        self.bodies: MemoryBodies | None = None

    def open(self) -> MemoryBodies:
        self.bodies = self.bodies.crash() if self.bodies else MemoryBodies()
        return self.bodies


class FileShelf:
    """Bodies in files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self) -> FileBodies:
        return FileBodies(self.folder)


@pytest.fixture(params=[MemoryShelf, FileShelf], ids=["memory", "files"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryShelf | FileShelf]:
    return request.param(tmp_path)  # type: ignore[no-any-return]
