"""What a running node finds wrong with itself stands in the check-up under what it is about."""

import pytest

from node.errors import ADVICE, HealthFinding
from node.model.office import HealthView
from node.model.reason import Reason
from node.ops.doctor.check import State
from node.ops.doctor.mesh import check_health

NOW_MS = 1_795_000_000_000


@pytest.mark.parametrize(
    ("reason", "grave", "name", "state"),
    [
        (Reason.CLOCK_UNSURE, True, "clock", State.WRONG),
        (Reason.CLOCK_UNSURE, False, "clock", State.WARNING),
        (Reason.DISK_FULL, False, "disk", State.WARNING),
        (Reason.STORE_CORRUPT, False, "store", State.WRONG),
        (Reason.KEY_UNUSABLE, True, "running", State.WRONG),
    ],
)
def test_a_finding_stands_under_what_it_is_about(reason: Reason, grave: bool, name: str, state: State) -> None:
    finding = HealthFinding(reason, ADVICE[reason], grave=grave)
    view = HealthView(not grave, (finding,), "h37", "truc 0.4.0", NOW_MS, 3, NOW_MS, 5, 1, 1, 1)
    running, found = check_health(view, NOW_MS)
    assert (running.name, running.state) == ("running", State.FINE)
    assert (found.name, found.state, found.advice) == (name, state, ADVICE[reason])
