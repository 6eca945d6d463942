"""A really full disk under a real node: new work is put off, nothing acknowledged is lost, and it resumes by itself."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.errors import Deferred
from node.model.policy import MIB
from node.model.reason import Reason
from node.net.client import OfficeClient
from tests.mesh.support import QUICK, Ledger, delivered, each, eventually, run, whole_inbox
from tests.papers import document
from tests.real_mesh import MINISTRY, PROVINCE, RealMesh, admin_client

DISK_MIB, BALLAST_MIB = 112, 64


TO_THE_BRIM = "[limits]\nadmit_large_bytes_min = 0\nadmit_all_bytes_min = 0\nadmit_urgent_bytes_min = 0\n"
"""Admission (flow/admission.py) would stop long before a disk is full; here it gets full all the same."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, half full with ballast."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs here: {mounted.stderr.strip()}")
    (folder / "ballast").write_bytes(bytes(BALLAST_MIB * MIB))
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def moved_to(mesh: RealMesh, node_id: str, disk: Path) -> None:
    """Put a node's home on the small disk, but for its log."""
    node = mesh[node_id]
    shutil.copytree(node.home, disk / node_id, symlinks=True)
    node.home = disk / node_id
    (node.home / "log").symlink_to(disk.parent / f"{node_id}.log")


def paper(number: int, size_bytes: int) -> bytes:
    return document("H49.22", number=str(number), attachments=[("a.pdf", os.urandom(size_bytes * 3 // 4))])


async def submit_until_full(client: OfficeClient, ledger: Ledger, size_bytes: int, first: int) -> tuple[int, Deferred]:
    """Hand packets in until the node takes no more; return the number of the first one put off, and how."""
    for number in range(first, first + 10_000):
        try:
            result = await client.submit(paper(number, size_bytes), f"n{number}")
        except Deferred as fault:
            return number, fault
        assert result.reason is Reason.NONE, result
        ledger.note(result)
    raise AssertionError("the disk never gets full")


async def taken(client: OfficeClient, ledger: Ledger, number: int, size_bytes: int) -> bool:
    result = await client.submit(paper(number, size_bytes), f"n{number}-again")
    ledger.note(result)
    return result.reason is Reason.NONE


@pytest.mark.parametrize("size_bytes", [60_000, 3_000_000], ids=["bodies in the store", "bodies in files"])
def test_a_full_disk_puts_submissions_off_loses_nothing_and_resumes_by_itself(
    small_disk: Path, tmp_path: Path, size_bytes: int
) -> None:
    mesh, ledger = (
        RealMesh(tmp_path / "mesh", [MINISTRY, PROVINCE], toml=QUICK + TO_THE_BRIM),
        Ledger(tmp_path / "ledger"),
    )
    moved_to(mesh, "g14", small_disk)

    async def story() -> None:
        mesh["g14"].start()
        async with mesh.office("g14") as client:
            number, fault = await submit_until_full(client, ledger, size_bytes, 0)
            assert fault.reason is Reason.DISK_FULL
            assert number > 3
            # It still answers what needs no room.
            view = await client.track(submission_id="n0")
            assert len(view.deliveries) == 1
            async with admin_client(mesh["g14"]) as operator:
                assert Reason.DISK_FULL in {finding.reason for finding in (await operator.health()).findings}

            mesh["h49"].start()
            (small_disk / "ballast").unlink()
            await eventually(lambda: taken(client, ledger, number, size_bytes), 30)
            await each(list(ledger.lines()), lambda name: eventually(lambda: delivered(client, name)))
        async with mesh.office("h49") as province:
            arrived = sorted((entry.packet_id, entry.packet_sha256) for entry in await whole_inbox(province))
        assert arrived == sorted(ledger.lines().values())

    try:
        run(story(), 100)
    finally:
        mesh.close()


def test_a_recipient_with_a_full_disk_acknowledges_nothing_it_could_not_keep(small_disk: Path, tmp_path: Path) -> None:
    mesh, ledger = (
        RealMesh(tmp_path / "mesh", [MINISTRY, PROVINCE], toml=QUICK + TO_THE_BRIM),
        Ledger(tmp_path / "ledger"),
    )
    moved_to(mesh, "h49", small_disk)

    async def story() -> None:
        async with mesh.office("g14") as client, mesh.office("h49") as province:
            names = [f"n{number}" for number in range(200)]
            for number, name in enumerate(names):
                ledger.note(await client.submit(paper(number, 300_000), name))

            async def is_full() -> bool:
                reasons = {(await client.track(submission_id=name)).deliveries[0].reason for name in names}
                return Reason.DISK_FULL in reasons

            await eventually(is_full, 40)
            (small_disk / "ballast").unlink()
            await each(names, lambda name: eventually(lambda: delivered(client, name), 40))
            arrived = sorted((entry.packet_id, entry.packet_sha256) for entry in await whole_inbox(province))
            assert arrived == sorted(ledger.lines().values())
            [first] = [one for one in await whole_inbox(province) if one.packet_id == ledger.lines()["n0"][0]]
            fetched = await province.fetch(first.packet_id, "H49.22")
            assert len(fetched.packet) == first.packet_bytes

    with mesh:
        run(story(), 110)
