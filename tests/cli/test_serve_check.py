"""truc serve --check: may this version run that node? An upgrade and a way back ask it before they change anything."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.store.embedded.fence import SCHEMA
from node.store.rocks.store import RocksStore
from tests.real_mesh import PROVINCE, SERVE, RealMesh, RealNode
from tests.store.rocks.crash import put

LIMIT_S = 30.0


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RealNode]:
    """A node that has run and stands still."""
    with RealMesh(tmp_path / "mesh", [PROVINCE]) as mesh:
        mesh["h49"].stop()
        yield mesh["h49"]


def check(node: RealNode) -> "subprocess.CompletedProcess[str]":
    command = [*SERVE, str(node.home), "--check", "--json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)


def files(node: RealNode) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (node.home / "store").iterdir() if path.name != "LOG"}


def test_a_node_that_stands_still_and_one_that_runs(node: RealNode) -> None:
    before = files(node)
    done = check(node)
    assert (done.returncode, json.loads(done.stdout)["node_id"]) == (0, "h49"), done.stderr
    assert files(node) == before

    node.start()
    assert check(node).returncode == 0
    assert node.process is not None
    assert node.process.poll() is None


def test_a_store_of_a_newer_version_is_refused_and_stays_as_it_is(node: RealNode) -> None:
    async def write() -> None:
        store = RocksStore.open(node.home / "store", node.home / "WITNESS", node_id="h49")
        await store.transact(put(b"mschema", (SCHEMA + 1).to_bytes(4, "big")))
        await store.close()

    asyncio.run(write())
    before = files(node)
    done = check(node)

    assert done.returncode == 78
    assert "STORE_NEWER" in done.stdout + done.stderr
    assert files(node) == before


def test_settings_and_keys_that_this_version_cannot_use_are_told(node: RealNode) -> None:
    settings = node.home / "node.toml"
    settings.write_text(settings.read_text("utf-8") + "\n[mesh2]\n", "utf-8")
    told = check(node)
    assert (told.returncode, "SETTINGS_INVALID" in told.stdout + told.stderr) == (78, True)

    settings.write_text(settings.read_text("utf-8").replace("[mesh2]", ""), "utf-8")
    (node.home / "keys" / "sign.pem").chmod(0o644)
    told = check(node)
    assert (told.returncode, "KEY_FILE_EXPOSED" in told.stdout + told.stderr) == (78, True)


def test_a_folder_without_a_node_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "node.cli.main", "serve", str(tmp_path), "--check"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert (done.returncode, "truc node create" in done.stdout + done.stderr) == (78, True)
