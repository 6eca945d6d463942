"""The whole check-up, in order: settings, keys and folders first, then files, the clock, and the mesh as far as those allow."""

from pathlib import Path
from typing import Any

from node.ops.doctor.check import Check, State
from node.ops.doctor.clock import check_clock
from node.ops.doctor.files import check_files
from node.ops.doctor.home import check_home
from node.ops.doctor.mesh import check_mesh
from node.ops.doctor.patient import Patient
from node.ops.doctor.strays import check_strays
from node.ops.home import Home


def examine(place: Home, now_ms: int) -> list[Check]:
    """Look at everything, as far as what was found before allows."""
    patient = Patient(place, now_ms)
    own = [*check_home(patient), *check_files(patient), *check_strays(patient), *check_clock()]
    advised = {(one.name, one.advice) for one in own if one.advice}
    # The running node says some of what its folder says, too: with the same advice it is the same thing.
    return [*own, *(one for one in check_mesh(patient) if (one.name, one.advice) not in advised)]


def told(home: Path, checks: list[Check]) -> dict[str, Any]:
    """Return findings as programs read them."""
    return {
        "home": str(home),
        "healthy": not any(check.state is State.WRONG for check in checks),
        "checks": [
            {"name": one.name, "state": one.state.value, "said": one.said, "advice": one.advice} for one in checks
        ],
    }
