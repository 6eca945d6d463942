"""truc doctor: says in words what is missing or wrong, and what to do about it. Changes nothing.

checkup.py          what a finding is            checkup_home.py     settings, keys, zone, directory, disk
checkup_doors.py    the bridge, webhooks         checkup_mesh.py     the running node, roads to the peers, what waits
checkup_clock.py    is the clock kept right?     checkup_files.py    owners, modes, ages of keys
checkup_ports.py    who listens where            checkup_peers.py    do peers find us, versions
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from node.cli.command import Home, Json, now_ms
from node.cli.output import BAD, GOOD, QUIET, STRONG, WARNING, line, mark, table, tell, text
from node.errors import EXIT_OK, Broken
from node.ops.doctor.check import MARKS, Check, State
from node.ops.home import Home as Place

if TYPE_CHECKING:
    from rich.console import RenderableType


def doctor(home: Home, as_json: Json = False) -> None:
    """Khám một nút: còn thiếu gì, sai gì, phải làm gì. Không thay đổi gì cả."""
    checks = examine(Place(home))
    grave = [check for check in checks if check.state is State.WRONG]
    tell(as_json, told(home, checks), lambda: _shown(checks))
    raise typer.Exit(Broken.exit_code if grave else EXIT_OK)


def told(home: Path, checks: list[Check]) -> dict[str, Any]:
    """Return findings as programs read them."""
    return {
        "home": str(home),
        "healthy": not any(check.state is State.WRONG for check in checks),
        "checks": [
            {"name": one.name, "state": one.state.value, "said": one.said, "advice": one.advice} for one in checks
        ],
    }


def examine(place: Place) -> list[Check]:
    """Look at everything, as far as what was found before allows."""
    from node.ops.doctor.clock import check_clock
    from node.ops.doctor.files import check_files
    from node.ops.doctor.home import Patient, check_home
    from node.ops.doctor.mesh import check_mesh

    patient = Patient(place, now_ms())
    found = [*check_home(patient), *check_files(patient), *check_clock(), *check_mesh(patient)]
    # The running node says some of what its folder says, too: with the same advice it is the same thing.
    return list({(one.name, one.advice or one.said): one for one in reversed(found)}.values())[::-1]


def _shown(checks: list[Check]) -> list["RenderableType"]:
    rows = table(["", "Mục", "Thấy gì, phải làm gì"], whole=["Mục"])
    for one in checks:
        advice = text(f"→ {one.advice}", BAD if one.state is State.WRONG else WARNING)
        said = [line(text(part), "\n") for part in one.said.splitlines()] if one.advice else [text(one.said)]
        rows.add_row(mark(MARKS[one.state]), text(one.title, STRONG), line(*said, advice if one.advice else ""))
    wrong = sum(one.state is State.WRONG for one in checks)
    warned = sum(one.state is State.WARNING for one in checks)
    if wrong:
        verdict = text(f"{wrong} lỗi phải xử lý, {warned} điều cần chú ý.", f"bold {BAD}")
    elif warned:
        verdict = text(f"Chạy được; {warned} điều cần chú ý.", f"bold {WARNING}")
    else:
        verdict = text("Mọi thứ đều ổn.", f"bold {GOOD}")
    return [rows, verdict, text("✓ ổn   ! cần chú ý   ✗ phải xử lý", QUIET)]
