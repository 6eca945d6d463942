"""Two processes that change one zone at the same time lose nothing, and one that hangs is named."""

import subprocess
import sys
from pathlib import Path

import pytest

from node.directory.zone.zone import ZoneEditor
from node.directory.zone.zone_lock import editing
from node.errors import Broken, Deferred
from node.model.directory import Unit
from node.model.reason import Reason
from tests.cli.conftest import home, truc

__all__ = ["home", "truc"]

EDITS = 25
ADD_BY_COMMAND = """
import sys
from node.cli.main import run
sys.stdin.readline()
for number in range({edits}):
    assert run(["unit", "add", sys.argv[1], f"H37.{{sys.argv[2]}}.{{number:02}}", "Đơn vị"]) == 0
"""
ADD_BY_BRIDGE = """
import asyncio, sys
from pathlib import Path
from node.model.code import parse_code
from node.model.office import System
from node.access.systems import Systems
from node.web.vxp.register import Agency, Registrar

async def main():
    place = Path(sys.argv[1])
    systems = Systems(place / "systems")
    systems.create("qlvb", ["H37"])
    systems.open_registrations("qlvb", 2)
    registrar = Registrar(place / "zone", systems, lambda: 1)
    sys.stdin.readline()
    for number in range({edits}):
        code = parse_code(f"H37.{{sys.argv[2]}}.{{number:02}}")
        await registrar.register(System("qlvb", frozenset({{"H37"}})), Agency(code, "Đơn vị", ""))

asyncio.run(main())
"""


def test_the_command_and_the_bridge_at_the_same_moment_lose_no_unit(home: Path) -> None:
    scripts = (ADD_BY_COMMAND, ADD_BY_BRIDGE)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script.format(edits=EDITS), str(home), f"0{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for number, script in enumerate(scripts, 1)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    ends = [(process.communicate(timeout=60)[1].decode(), process.returncode) for process in processes]

    assert ends == [(ends[0][0], 0), (ends[1][0], 0)], ends
    wanted = [f"H37.0{number}.{edit:02}" for number in (1, 2) for edit in range(EDITS)]
    assert [unit.code for unit in ZoneEditor.open(home / "zone").units()] == wanted


def test_who_is_not_let_in_is_told_who_holds_it_up_and_who_only_looks_is_not_held_up(home: Path) -> None:
    zone = home / "zone"
    with editing(zone) as editor:
        editor.add_unit(Unit("H37.01", "Sở"))
        with pytest.raises(Deferred) as caught, editing(zone, wait_s=0.05):
            pass
        assert caught.value.reason is Reason.STORE_STALLED
        assert str(zone) in caught.value.detail
        assert len(ZoneEditor.open(zone).units()) == 1
    with editing(zone) as editor:
        assert len(editor.units()) == 1


def test_where_there_is_no_zone_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(Broken) as caught, editing(tmp_path / "zone"):
        pass
    assert caught.value.reason is Reason.HOME_MISSING
    assert list(tmp_path.iterdir()) == []
