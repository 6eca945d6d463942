"""Stores as a crash leaves them: a copy of the folder taken while the store is open."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node.errors import Broken
from node.store.rocks.store import RocksStore
from tests.store.conftest import NODE, until


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
