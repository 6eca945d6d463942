"""A real node on damaged files: it says so everywhere, serves what can be read, and never ends as a mistake of ours."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node.errors import Fault
from node.model.reason import Reason
from tests.papers import document
from tests.real_mesh import MINISTRY, PROVINCE, SERVE, RealMesh, RealNode
from tests.store.rocks.test_damage import flip

LIMIT_S = 60.0


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[RealMesh]:
    with RealMesh(tmp_path / "mesh", [PROVINCE]) as mesh:
        yield mesh


def doctor(node: RealNode) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit code of a check-up and what is wrong."""
    command = [sys.executable, "-m", "node.cli.main", "doctor", str(node.home), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    return done.returncode, [one for one in json.loads(done.stdout)["checks"] if one["state"] == "wrong"]


async def _sent(mesh: RealMesh, sizes: list[int], first: int = 0) -> list[bytes]:
    """Send documents within the node, numbered from `first` on; return the ids of what is in the inbox when they all are."""
    async with mesh.office("h49") as office:
        for number, size in enumerate(sizes, first):
            attached = [("a.pdf", os.urandom(size))]
            packet = document("H49.22", sender="H49", number=str(number), attachments=attached)
            assert (await office.submit(packet, str(number))).reason is Reason.NONE
        while len((await office.list_inbox())[0]) < first + len(sizes):
            await asyncio.sleep(0.05)
        return [entry.packet_id for entry in (await office.list_inbox())[0]]


async def _lost(mesh: RealMesh, packet_ids: list[bytes]) -> int:
    """Fetch all; return how many are damaged. Each of those says which packet it is."""
    faults = []
    async with mesh.office("h49") as office:
        for packet_id in packet_ids:
            try:
                await office.fetch(packet_id, lease_ms=-1)
            except Fault as fault:
                faults.append((packet_id.hex(), fault))
    assert all(fault.reason is Reason.STORE_CORRUPT and name in fault.detail for name, fault in faults)
    return len(faults)


def test_one_damaged_body_of_each_kind_costs_two_documents_of_thirty_two(mesh: RealMesh) -> None:
    node = mesh["h49"]
    packet_ids = asyncio.run(_sent(mesh, [20_000] * 30 + [200_000] * 2))
    node.stop()
    node.start()
    node.stop()  # twice, so that the bodies lie in blob files
    flip(max((node.home / "store").glob("*.blob"), key=lambda path: path.stat().st_size), 100)
    next((node.home / "bodies").glob("??/*")).unlink()
    node.start()

    assert doctor(node)[0] == 0  # nothing has been read yet
    assert asyncio.run(_lost(mesh, packet_ids)) == 2
    everything = asyncio.run(_sent(mesh, [20_000], first=32))
    assert asyncio.run(_lost(mesh, everything)) == 2
    code, wrong = doctor(node)
    assert code == 78
    assert {one["name"] for one in wrong} == {"store"}
    # Each kind of damage that was met, and that there is nobody from whom it could be fetched again: the document was sent within the node.
    assert len(wrong) == 3
    assert any("không nút nào hỏi được còn giữ" in one["advice"] for one in wrong)


def test_damaged_files_of_a_delivered_document_come_back_from_their_origin(tmp_path: Path) -> None:
    with RealMesh(tmp_path / "mesh", [MINISTRY, PROVINCE]) as mesh:
        node, packet = mesh["h49"], document("H49.22", sender="G14", attachments=[("a.pdf", os.urandom(3_000_000))])
        packet_id, received = asyncio.run(_delivered(mesh, packet))
        assert received == packet
        [path] = (node.home / "bodies").glob("??/*")
        flip(path, 1_000_000)
        damaged = path.read_bytes()
        assert asyncio.run(_lost(mesh, [packet_id])) == 1
        assert asyncio.run(_read_when_whole(mesh, packet_id)) == packet
        [apart] = (node.home / "damaged").iterdir()
        assert (apart.read_bytes(), apart.name) == (damaged, f"{path.name}.0")
        _, wrong = doctor(node)
        assert any("tự lấy lại 1 nội dung" in one["advice"] for one in wrong)
        # Where nobody else has it any more, that is said, and why.
        mesh["g14"].stop()
        flip(path, 500_000)
        assert asyncio.run(_lost(mesh, [packet_id])) == 1
        until_s = time.monotonic() + 30
        while not any("chưa gọi được" in one["advice"] and packet_id.hex() in one["advice"] for one in doctor(node)[1]):
            assert time.monotonic() < until_s, doctor(node)
            time.sleep(0.5)


async def _delivered(mesh: RealMesh, packet: bytes) -> tuple[bytes, bytes]:
    async with mesh.office("g14") as office:
        packet_id = (await office.submit(packet, "1")).packet_id
    async with mesh.office("h49") as office:
        while packet_id not in [entry.packet_id for entry in (await office.list_inbox())[0]]:
            await asyncio.sleep(0.05)
        return packet_id, await _octets(office, packet_id)


async def _octets(office: Any, packet_id: bytes) -> bytes:
    return bytes((await office.fetch(packet_id, lease_ms=-1)).packet)


async def _read_when_whole(mesh: RealMesh, packet_id: bytes) -> bytes:
    async with mesh.office("h49") as office, asyncio.timeout(30):
        while True:
            with contextlib.suppress(Fault):
                return await _octets(office, packet_id)
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("pattern", ["*.sst", "MANIFEST-*", "CURRENT"])
def test_flipped_octets_at_the_start_end_as_what_they_are(mesh: RealMesh, pattern: str) -> None:
    node = mesh["h49"]
    asyncio.run(_sent(mesh, [20_000] * 3))
    node.stop()
    whole = node.home.with_name("whole")
    shutil.copytree(node.home / "store", whole)
    for number, name in enumerate(sorted(path.name for path in whole.glob(pattern))):
        shutil.rmtree(node.home / "store")
        shutil.copytree(whole, node.home / "store")
        path = node.home / "store" / name
        flip(path, path.stat().st_size // 2)
        node.start(wait=False)
        assert node.process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert node.process.wait(5) == 78, node.log()[-2000:]
            assert "STORE_CORRUPT" in node.log()
            assert doctor(node)[0] == 78, f"{name} {number}"
        node.kill()
        assert "BUG" not in node.log()


def test_a_disk_that_is_read_only_is_called_so(mesh: RealMesh) -> None:
    node = mesh["h49"]
    node.stop()
    try:
        subprocess.run(["mount", "--bind", node.home, node.home], check=True, capture_output=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", node.home], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here")
    try:
        done = subprocess.run([*SERVE, str(node.home)], capture_output=True, text=True, timeout=LIMIT_S)
        assert (done.returncode, "Đĩa chỉ đọc" in done.stderr) == (78, True), done.stderr
        code, wrong = doctor(node)
        assert code == 78
        assert "chỉ đọc" in next(one["said"] for one in wrong if one["name"] == "disk")
    finally:
        subprocess.run(["umount", node.home], check=False)
