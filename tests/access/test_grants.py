"""Grants to systems: changed while they stand, by prefix, and with a secret that is followed by another."""

import json
from pathlib import Path

import pytest

from node.access.grants import OwnUnits, read_grants
from node.access.systems import Systems
from node.errors import Denied, Rejected
from node.model.code import parse_code
from node.model.directory import Directory, Unit, Zone, directory_of

NOW_MS = 4_000_000_000_000
"""Far ahead of the clock of whatever machine runs this."""


def directory(*codes: str) -> Directory:
    units = {code: Unit(code, code) for code in codes}
    others = {"H49.02.01": Unit("H49.02.01", "another node's")}
    return directory_of(1, 0, [], [Zone(parse_code("H49"), "h49", units), Zone(parse_code("H49.02"), "other", others)])


class Held:
    def __init__(self, now: Directory) -> None:
        self.now = now

    def __call__(self) -> Directory:
        return self.now


def systems_of(folder: Path, held: Held) -> Systems:
    seconds = iter(range(10_000))
    return Systems(folder, monotonic_s=lambda: float(next(seconds)), own_units=OwnUnits(held, "h49"))


def test_a_grant_by_prefix_is_all_of_this_nodes_units_below_it_today_and_tomorrow(tmp_path: Path) -> None:
    held = Held(directory("H49", "H49.01", "H49.01.151", "H49.010", "H49.02.01"))
    systems = systems_of(tmp_path, held)
    secret = systems.create("tinh", ["H49.01.*", "H49"])
    header = f"Bearer tinh.{secret}"
    assert systems.authenticate(header).units == {"H49", "H49.01.151"}
    held.now = directory("H49", "H49.01.151", "H49.01.152", "H49.01.152.01")
    assert systems.authenticate(header).units == {"H49", "H49.01.151", "H49.01.152", "H49.01.152.01"}
    assert systems.list()[0].granted.written == ["H49", "H49.01.*"]
    assert json.loads((tmp_path / "tinh.json").read_bytes())["units"] == ["H49"], "programs of before read these"


def test_all_below_the_top_are_not_those_of_another_node(tmp_path: Path) -> None:
    systems = systems_of(tmp_path, Held(directory("H49.01", "H49.03.1")))
    systems.create("tinh", ["H49.*"])
    assert systems.list()[0].system.units == {"H49.01", "H49.03.1"}


def test_grants_change_and_nothing_is_taken_that_is_not_there(tmp_path: Path) -> None:
    systems = systems_of(tmp_path, Held(directory("H49.01", "H49.03.1")))
    secret = systems.create("tinh", ["H49.01"])
    assert systems.edit("tinh", add=["000.00.22.H49", "H49.03.*"]).written == ["H49.01", "H49.03.*", "H49.22"]
    assert systems.edit("tinh", add=["H49.22"], remove=["H49.01"]).written == ["H49.03.*", "H49.22"]
    assert systems.authenticate(f"Bearer tinh.{secret}").units == {"H49.22", "H49.03.1"}
    for remove, said in (
        (["H49.01"], "is not granted"),
        (["H49.03"], "is not granted"),
        (["H49.03.*", "H49.22"], "at least one"),
    ):
        with pytest.raises(Rejected, match=said):
            systems.edit("tinh", remove=remove)
    with pytest.raises(Rejected, match="no system"):
        systems.edit("khong", add=["H49"])
    assert systems.edit("tinh").written == ["H49.03.*", "H49.22"], "a refusal has changed nothing"


def test_the_former_secret_is_good_for_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systems = systems_of(tmp_path, Held(directory("H49")))
    first = systems.create("tinh", ["H49"])
    clock = [NOW_MS]
    monkeypatch.setattr("node.access.systems.time.time_ns", lambda: clock[0] * 1_000_000)
    second = systems.renew("tinh", 1_000, NOW_MS)
    for secret in (first, second):
        assert systems.authenticate(f"Bearer tinh.{secret}").name == "tinh"
    clock[0] += 1_000
    assert systems.authenticate(f"Bearer tinh.{second}").name == "tinh"
    with pytest.raises(Denied):
        systems.authenticate(f"Bearer tinh.{first}")
    third = systems.renew("tinh", 0, clock[0])
    with pytest.raises(Denied):
        systems.authenticate(f"Bearer tinh.{second}")
    assert systems.authenticate(f"Bearer tinh.{third}").units == {"H49"}


@pytest.mark.parametrize("written", ["*", ".*", "H49.", "H49*", "H49.01.*.*", "0101234567.*", "Z01ABC.*", "h49.1*"])
def test_what_is_no_grant(written: str) -> None:
    with pytest.raises(Rejected):
        read_grants([written])
