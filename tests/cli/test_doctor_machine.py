"""The doctor on a real installation: the machine's clock, owners and modes of files, who holds a port, what peers have shown."""

import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from node.cli.doctor import examine
from node.model.office import HealthView, PeerView
from node.model.reason import Reason
from node.model.thresholds import PEER_SILENT_AFTER_MS
from node.ops.doctor import clock
from node.ops.doctor.check import State
from node.ops.doctor.clock import KernelClock, check_clock, kernel_clock
from node.ops.doctor.peers import check_peers
from node.ops.doctor.ports import holder
from node.ops.home import Home
from tests.cli.conftest import Admitted, Truc
from tests.cli.test_doctor import found, wrongs
from tests.ports import free_ports

T = TypeVar("T")
NOW_MS = 1_795_000_000_000

# --- the clock -----------------------------------------------------------------------------------------------------


@pytest.fixture
def no_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "kernel_clock", lambda: KernelClock(False, 16_000_000))
    monkeypatch.setattr(clock, "systemd_says_synchronised", lambda: False)
    monkeypatch.setattr(clock, "running_keepers", set)


def test_the_kernel_of_this_machine_can_be_asked() -> None:
    told = kernel_clock()  # the one imported here, which the fixture does not replace
    assert told is None or told.error_us >= 0


def test_a_clock_that_nobody_keeps_is_told_with_what_to_install(no_keeper: None) -> None:
    [check] = check_clock()
    assert check.state is State.WARNING
    assert check.said.startswith("không đồng bộ giờ")
    assert "chrony" in check.advice


def test_a_keeper_that_has_not_found_the_time_yet(no_keeper: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "running_keepers", lambda: {"chrony"})
    [check] = check_clock()
    assert check.state is State.WARNING
    assert "chrony đang chạy nhưng chưa khớp" in check.said
    assert "123" in check.advice


def test_systemd_may_know_better_than_the_kernel(no_keeper: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "systemd_says_synchronised", lambda: True)
    [check] = check_clock()
    assert check.state is State.FINE


def test_a_timedatectl_that_hangs_or_is_missing_is_no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow = tmp_path / "timedatectl"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setattr(clock, "ASK_S", 0.2)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert clock.systemd_says_synchronised() is False
    slow.write_text("#!/bin/sh\necho yes\n")
    monkeypatch.setattr(clock, "ASK_S", 10.0)
    assert clock.systemd_says_synchronised() is True
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert clock.systemd_says_synchronised() is False


def test_the_doctor_warns_and_goes_on(truc: Truc, admitted: Admitted, no_keeper: None) -> None:
    seen = truc("doctor", admitted.home, "--json")
    assert seen.code == 0
    assert "không đồng bộ giờ" in found(seen, "time_sync", "warning")[0]["said"]


# --- files ---------------------------------------------------------------------------------------------------------


def test_a_folder_as_it_was_made_is_fine(truc: Truc, admitted: Admitted) -> None:
    seen = truc("doctor", admitted.home, "--json")
    assert len(found(seen, "files", "fine")) == 1
    assert "khóa ký" in found(seen, "key_ages", "fine")[0]["said"]


def test_secrets_that_others_can_read_are_named_with_the_command(
    truc: Truc, admitted: Admitted, tmp_path: Path
) -> None:
    truc("system", "add", admitted.home, "qlvb", "--unit", "H37.01", "-o", tmp_path / "s.json")
    (admitted.home / "zone" / "key.pem").chmod(0o644)
    (admitted.home / "systems" / "qlvb.json").chmod(0o640)
    seen = truc("doctor", admitted.home, "--json")
    [row] = found(seen, "files")

    assert "zone/key.pem" in row["said"]
    assert "systems/qlvb.json" in row["said"]
    assert f"chmod 600 {admitted.home}/zone/key.pem" in row["advice"]


def test_folders_that_others_can_write_are_named(truc: Truc, admitted: Admitted) -> None:
    (admitted.home / "keys").chmod(0o777)
    seen = truc("doctor", admitted.home, "--json")
    assert "thay được khóa" in found(seen, "files")[0]["said"]
    assert "chmod -R go-w" in found(seen, "files")[0]["advice"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_files_of_root_in_the_folder_of_another_account(truc: Truc, admitted: Admitted) -> None:
    nobody = 65_534
    for path in [admitted.home, *admitted.home.rglob("*")]:
        os.chown(path, nobody, nobody, follow_symlinks=False)
    os.chown(admitted.home / "keys" / "sign.pem", 0, 0)
    seen = truc("doctor", admitted.home, "--json")
    [row] = found(seen, "files")

    assert "keys/sign.pem không thuộc nobody" in row["said"]
    assert f"chown -R nobody: {admitted.home}" in row["advice"]
    assert "root" in found(seen, "files", "warning")[0]["said"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another account")
def test_a_volume_that_another_account_owns(truc: Truc, admitted: Admitted) -> None:
    """As a container sees it that runs as its own user over a volume which root has made."""
    with tempfile.TemporaryDirectory(dir="/tmp") as reachable:
        os.chmod(reachable, 0o755)
        home = Path(reachable) / "nut"
        shutil.copytree(admitted.home, home, symlinks=True)
        for place, mode, words in (
            (home, 0o755, "thuộc root"),
            (home, 0o700, "của tài khoản root"),
            (admitted.home, 0o755, "không được vào tới đó"),
        ):
            os.chmod(place, mode)
            grave = [one for one in as_nobody(partial(examine, Home(place))) if one.state is State.WRONG]
            assert all(one.advice for one in grave)
            assert any(words in one.said for one in grave), (mode, grave)


def as_nobody(act: Callable[[], T]) -> T:
    os.setresuid(65_534, 65_534, 0)  # os.access asks for the real one
    try:
        return act()
    finally:
        os.setresuid(0, 0, 0)


# --- ports ---------------------------------------------------------------------------------------------------------


def test_who_holds_a_port_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        told = holder(f"127.0.0.1:{other.getsockname()[1]}")
        assert f"pid {os.getpid()}" in told
    assert holder(f"127.0.0.1:{free_ports(1)[0]}") == ""


def test_every_door_of_the_settings_is_looked_at(truc: Truc, admitted: Admitted) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        settings = admitted.home / "node.toml"
        text = settings.read_text("utf-8")
        settings.write_text(text.replace("[watch]\n", f'[watch]\nlisten = "127.0.0.1:{port}"\n', 1), "utf-8")
        seen = truc("doctor", admitted.home, "--json")

    assert any(f"127.0.0.1:{port}" in row["said"] and "pid" in row["said"] for row in found(seen, "port"))


# --- peers ---------------------------------------------------------------------------------------------------------

HEALTH = HealthView(True, (), "h37", "truc 0.4.0", NOW_MS - 2 * PEER_SILENT_AFTER_MS, 3, NOW_MS, 5, 1, 1, 1)
PEER = PeerView(
    "g14", "Bộ", "g14:7401", "open", Reason.NONE, 0, 0, NOW_MS, "", 0, (), -1_500, 3, NOW_MS - 30_000, "truc 0.4.1"
)
SETTINGS: Any = SimpleNamespace(mesh=SimpleNamespace(advertise="h37.vn:7401"))


def looked(*peers: PeerView, settings: Any = SETTINGS, health: HealthView = HEALTH) -> dict[str, Any]:
    return {check.name: check for check in check_peers(settings, health, list(peers), NOW_MS)}


def test_peers_that_call_us_and_run_what_we_run() -> None:
    seen = looked(PEER)
    assert all(check.state is State.FINE for check in seen.values())
    assert "1/1 nút" in seen["inbound"].said
    assert "truc 0.4.0" in seen["versions"].said
    assert "1,50 giây" in seen["clock"].said


def test_a_peer_that_we_reach_and_that_does_not_call() -> None:
    never = replace(PEER, node_id="h49", last_contact_ms=0)
    long_ago = replace(PEER, node_id="h50", last_contact_ms=NOW_MS - 3 * PEER_SILENT_AFTER_MS)
    seen = looked(PEER, never, long_ago)

    assert seen["inbound"].state is State.WARNING
    assert "h49 (chưa lần nào" in seen["inbound"].said
    assert "h50 (lần cuối" in seen["inbound"].said
    assert "h37.vn:7401" in seen["inbound"].advice


def test_a_node_that_has_just_started_is_given_time() -> None:
    fresh = replace(HEALTH, start_time_ms=NOW_MS - 1_000)
    assert looked(replace(PEER, last_contact_ms=0), health=fresh)["inbound"].state is State.FINE


def test_where_nobody_may_call_nobody_is_missed() -> None:
    hidden: Any = SimpleNamespace(mesh=SimpleNamespace(advertise=""))
    seen = looked(replace(PEER, last_contact_ms=0), replace(PEER, road="relayed", last_contact_ms=0), settings=hidden)
    assert seen["inbound"].state is State.FINE


@pytest.mark.parametrize(
    ("software", "state"),
    [("truc 0.2.9", State.FINE), ("truc 0.1.0", State.WARNING), ("truc 1.4.0", State.WARNING), ("khác 9", State.FINE)],
)
def test_programs_too_far_apart_are_told(software: str, state: State) -> None:
    seen = looked(PEER, replace(PEER, node_id="h49", software=software))
    assert seen["versions"].state is state
    assert software in seen["versions"].said


# --- a node that runs ----------------------------------------------------------------------------------------------


def test_a_running_node_is_asked_about_its_doors(truc: Truc, node: Path) -> None:
    seen = truc("doctor", node, "--json")
    assert wrongs(seen) == []
    [row] = found(seen, "port", "fine")
    assert row["said"].startswith("đang nghe: mesh 127.0.0.1:")


def test_a_door_that_was_added_to_the_settings_of_a_running_node_is_missed(truc: Truc, node: Path) -> None:
    settings = node / "node.toml"
    before = settings.read_text("utf-8")
    settings.write_text(before.replace("[watch]\n", f'[watch]\nlisten = "127.0.0.1:{free_ports(1)[0]}"\n', 1), "utf-8")
    try:
        seen = truc("doctor", node, "--json")
    finally:
        settings.write_text(before, "utf-8")
    assert "không nghe ở watch" in found(seen, "port")[0]["said"]
    assert "khởi động lại" in found(seen, "port")[0]["advice"]
