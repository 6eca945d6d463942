"""Old codes and new ones through separate processes: from the operator's command to the document that reaches the unit."""

from pathlib import Path

import pytest

from node.cli.main import run as truc
from node.client import AsyncOffice
from node.model.life import LifeState
from tests.mesh.support import QUICK, delivered, entry_of, eventually, run, views
from tests.papers import document, status_about
from tests.real_mesh import MINISTRY, NO_ARRIVALS, PROVINCE, RealMesh


def command(*words: object) -> None:
    assert truc([str(word) for word in words]) == 0, words


def test_an_old_code_reaches_the_unit_and_everything_comes_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mesh = RealMesh(tmp_path, (MINISTRY, PROVINCE), toml=QUICK + NO_ARRIVALS)
    here = mesh["h49"].home
    command("unit", "alias", "add", here, "000.05.99.H49", "H49.22")
    command("unit", "alias", "add", mesh["g14"].home, "G14.99", "G14")
    for name in ("h49", "g14"):
        command("unit", "publish", mesh[name].home, "--authority", tmp_path / "authority")
    for node in mesh.nodes.values():
        mesh.join(node)

    async def story() -> None:
        credential = mesh["g14"].credential
        async with mesh.office("g14") as ministry, AsyncOffice(mesh["h49"].credential) as province:
            [found] = await ministry.search_units("H49.99.05", 5)
            assert (found.code, [one.code for one in found.aliases]) == ("H49.22", ["H49.99.05"])

            packet = document("H49.99.05", number="900", sender="G14.99")
            result = await ministry.submit(packet, "alias-1")
            entry = await eventually(lambda: entry_of(province._connected(), result.packet_id, "H49.22"))
            assert (await province.fetch(entry.packet_id, "H49.99.05")).packet == packet
            await eventually(lambda: delivered(ministry, "alias-1"))

            await province.send_status(entry.packet_id, "03")
            about = status_about("900", "06", sender="H49.99.05", author="G14.99")
            await province.submit(about, submission_id="by-alias")

            async def both() -> bool:
                return {event.code for event in (await views(ministry, "alias-1"))["H49.22"].statuses} == {"03", "06"}

            await eventually(both)
            credential.save(tmp_path / "bo.json")

    with mesh:
        run(story())
        # The clerk takes it back by the old code; the ministry's software knows the document by the unit's own.
        sent = "G14.99,2026/11/22,900/BM-VP"
        command("withdraw", sent, "--as", tmp_path / "bo.json", "--reason", "gửi nhầm", "--to", "H49.99.05")
        run(asked_back(mesh))


async def asked_back(mesh: RealMesh) -> None:
    async with mesh.office("g14") as ministry:

        async def is_asked() -> bool:
            return (await views(ministry, "alias-1"))["H49.22"].life is LifeState.WITHDRAWAL_ASKED

        await eventually(is_asked)
