"""What lies in the folders of large bodies and is none of the node's is told by its name."""

from pathlib import Path

import pytest

from node.ops.doctor.check import State
from node.ops.doctor.patient import Patient
from node.ops.doctor.strays import check_strays
from node.ops.home import Home
from tests.clocks import NOW


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "spool").mkdir()
    (tmp_path / "bodies" / "ab").mkdir(parents=True)
    (tmp_path / "spool" / f"{'0a' * 16}.part").touch()
    (tmp_path / "bodies" / "ab" / ("ab" * 32)).touch()
    return tmp_path


def test_a_folder_with_nothing_else_is_fine(home: Path) -> None:
    [check] = check_strays(Patient(Home(home), NOW))
    assert check.state is State.FINE


@pytest.mark.parametrize("name", ["spool/ghi-chu.txt", "spool/not-hex.part", "bodies/ab/lost+found", "bodies/README"])
def test_whatever_else_lies_there_is_told_with_what_to_do(home: Path, name: str) -> None:
    (home / name).touch()
    [check] = check_strays(Patient(Home(home), NOW))
    assert check.state is State.WARNING
    assert name in check.said
    assert check.advice


def test_a_node_that_has_not_run_yet_has_nothing_to_tell(tmp_path: Path) -> None:
    assert list(check_strays(Patient(Home(tmp_path), NOW))) == []
