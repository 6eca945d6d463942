"""A really full disk: a small tmpfs, filled with a ballast file. Needs root to mount it."""

import asyncio
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.errors import Broken, Deferred, Fault
from node.model.reason import Reason
from node.store.bodies import FileBodies
from node.store.part import FilePart
from node.store.rocks.store import RocksStore
from tests.store.conftest import NODE

MIB = 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=112m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs here: {mounted.stderr.strip()}")
    (folder / "ballast").write_bytes(bytes(64 * MIB))
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


async def _fill(store: RocksStore, worker: int, told: dict[bytes, bytes]) -> Fault:
    number = 0
    while True:
        key, value = b"b%d-%08d" % (worker, number), os.urandom(20_000)
        try:
            await store.transact(lambda tx, k=key, v=value: tx.put(k, v))
        except Fault as error:
            return error
        told[key] = value
        number += 1


async def _taken_again(store: RocksStore) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                return await store.transact(lambda tx: tx.put(b"kagain", b"v"))
            except Deferred:
                await asyncio.sleep(0.1)


def test_the_store_keeps_all_it_told_of_on_a_full_disk_and_resumes_when_there_is_space(small_disk: Path) -> None:
    async def story() -> None:
        deaths: list[BaseException] = []
        store = RocksStore.open(small_disk / "db", small_disk / "WITNESS", node_id=NODE, on_fatal=deaths.append)
        told: dict[bytes, bytes] = {}
        faults = await asyncio.gather(*(_fill(store, worker, told) for worker in range(8)))
        assert {fault.reason for fault in faults} == {Reason.DISK_FULL}
        assert len(told) > 100
        with pytest.raises(Deferred):
            await store.transact(lambda tx: tx.put(b"kx", b"v"))
        (small_disk / "ballast").unlink()
        await _taken_again(store)
        assert not deaths
        for key, value in told.items():
            assert await store.transact(lambda tx, k=key: tx.get(k)) == value
        await store.close()

        store = RocksStore.open(small_disk / "db", small_disk / "WITNESS", node_id=NODE)
        assert store.fence is None
        assert await store.transact(lambda tx: tx.get(b"kagain")) == b"v"
        for key, value in told.items():
            assert await store.transact(lambda tx, k=key: tx.get(k)) == value
        await store.close()

    asyncio.run(story())


async def _append(part: FilePart, data: bytes) -> None:
    for at in range(part.size_bytes, len(data), MIB):
        await part.write(data[at : at + MIB])


def test_a_part_on_a_full_disk_keeps_what_was_written_and_goes_on_when_there_is_space(small_disk: Path) -> None:
    async def story() -> None:
        bodies = FileBodies(small_disk)
        data = os.urandom(72 * MIB)
        part = await bodies.open_part(b"t" * 16)
        with pytest.raises(Deferred) as full:
            await _append(part, data)
        assert full.value.reason == Reason.DISK_FULL
        assert 32 * MIB < part.size_bytes < 72 * MIB
        with pytest.raises(Deferred):
            await bodies.put(hashlib.sha256(data[: 2 * MIB]).digest(), data[: 2 * MIB])
        (small_disk / "ballast").unlink()
        await _append(part, data)
        await part.seal(hashlib.sha256(data).digest())
        assert await bodies.read(hashlib.sha256(data).digest(), 0, len(data)) == data
        assert not list((small_disk / "spool").iterdir())
        with pytest.raises(Broken):
            await bodies.read(b"\0" * 32, 0, 1)
        await bodies.close()

    asyncio.run(story())
