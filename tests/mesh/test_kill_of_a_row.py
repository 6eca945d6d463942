"""A row whose handling ends the process by kill -9, on RocksDB: the node dies a few times, then lays it aside and goes on."""

import asyncio
from pathlib import Path

from node.model.reason import Reason
from tests.papers import document
from tests.real_mesh import MINISTRY, PROVINCE, ROOT, RealMesh, admin_client

POISON = """
import os, signal
from node.flow.send import packing
real = packing._load
def _load(tx, row):
    if row.record.body_bytes > 20_000:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(tx, row)
packing._load = _load
"""
"""Loading a body of more than 20,000 octets kills the process."""
DEATHS_MAX = 6


async def _submit(mesh: RealMesh, submission_id: str, size: int) -> None:
    async with mesh.office("g14") as office:
        packet = document("H49.22", sender="G14", number=submission_id, attachments=[("a.pdf", bytes(size))])
        assert (await office.submit(packet, submission_id)).reason is Reason.NONE


async def _arrived(mesh: RealMesh, count: int) -> None:
    async with mesh.office("h49") as office, asyncio.timeout(60):
        while len((await office.list_inbox())[0]) < count:
            await asyncio.sleep(0.1)


def test_the_row_is_laid_aside_after_a_few_deaths_and_all_others_arrive(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(POISON)
    with RealMesh(tmp_path / "mesh", [MINISTRY, PROVINCE]) as mesh:
        node, peer = mesh["g14"], mesh["h49"]
        peer.stop()
        for number in range(5):
            asyncio.run(_submit(mesh, f"good-{number}", 1_000))
        asyncio.run(_submit(mesh, "poison", 60_000))
        node.kill()
        peer.start()
        node.environment["PYTHONPATH"] = f"{tmp_path / 'site'}:{ROOT}"
        deaths = 0
        while deaths <= DEATHS_MAX:
            node.start(wait=False)
            assert node.process is not None
            try:
                code = node.process.wait(25)
            except Exception:  # it lives
                break
            assert code == -9, node.log()[-3000:]
            node.process = None
            deaths += 1
        assert 0 < deaths <= DEATHS_MAX, node.log()[-3000:]
        asyncio.run(_arrived(mesh, 5))
        rows = asyncio.run(_quarantine(mesh))
        assert len(rows) == 1
        asyncio.run(_submit(mesh, "after", 1_000))
        asyncio.run(_arrived(mesh, 6))


async def _quarantine(mesh: RealMesh) -> list[object]:
    async with admin_client(mesh["g14"]) as admin:
        return list((await admin.list_quarantine())[0])
