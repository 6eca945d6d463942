"""A real node whose clock is years off: health, doctor, outbox and Track say so in true words, and nothing is lost by it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from node.model.delivery import State
from node.model.reason import Reason
from tests.containers.hosts import FAKETIME, wrong_clock
from tests.mesh.support import QUICK, delivered, eventually, run, views
from tests.papers import document
from tests.real_mesh import CENTRE, MINISTRY, NO_ARRIVALS, PROVINCE, ROOT, RealMesh, RealNode, admin_client

YEAR_S = 365 * 86_400


def doctor_of(node: RealNode) -> dict[str, list[str]]:
    """What doctor, on the node's own machine, says: its words by name of the check."""
    said = subprocess.run(
        [sys.executable, "-m", "node.cli.main", "doctor", "--home", str(node.home), "--json"],
        cwd=ROOT,
        env={**os.environ, **node.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode != 0, said.stdout
    found: dict[str, list[str]] = {}
    for one in json.loads(said.stdout)["checks"]:
        found.setdefault(one["name"], []).append(f"{one['state']} {one['said']}")
    return found


@pytest.mark.skipif(not FAKETIME.exists(), reason=f"no {FAKETIME}; apt-get install libfaketime")
def test_a_clock_that_is_years_off_is_named_and_what_is_handed_in_meanwhile_arrives(tmp_path: Path) -> None:
    """By such a clock no certificate is good: nobody is heard, so that the others' clocks cannot tell."""

    async def story(mesh: RealMesh) -> None:
        province = mesh["h49"]
        province.stop()
        province.environment = wrong_clock(10 * YEAR_S)
        province.start()
        async with mesh.office("h49") as office, admin_client(province) as admin:
            await office.submit(document("G14", sender="H49.22"), "1")
            health = await admin.health()
            [clock] = [one for one in health.findings if one.reason is Reason.CLOCK_UNSURE]
            assert (health.healthy, clock.grave) == (False, True)
            assert "nhanh" in clock.advice
            [view] = (await views(office, "1")).values()
            assert view.state is State.WAITING
            await eventually(lambda: _fails(admin))
        assert any(not one.startswith("fine") for one in doctor_of(province)["clock"])
        province.stop()
        province.environment = {}
        province.start()
        async with mesh.office("h49") as office:
            await eventually(lambda: delivered(office, "1"), 30)

    async def _fails(admin) -> bool:  # type: ignore[no-untyped-def]
        return [one.reason for one in (await admin.list_outbox("g14"))[0]] == [Reason.PEER_TLS_FAILED]

    with RealMesh(tmp_path / "mesh", [CENTRE, MINISTRY, PROVINCE], QUICK + NO_ARRIVALS) as mesh:
        run(story(mesh), 120)
