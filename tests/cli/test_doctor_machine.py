"""The doctor on a real installation: the machine's clock, owners and modes of files, who holds a port, a node that runs."""

import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from node.ops.doctor import clock
from node.ops.doctor.check import State
from node.ops.doctor.clock import KernelClock
from node.ops.doctor.examine import examine
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
            grave = [one for one in as_nobody(partial(examine, Home(place), NOW_MS)) if one.state is State.WRONG]
            assert all(one.advice for one in grave)
            assert any(words in one.said for one in grave), (mode, grave)


def as_nobody(act: Callable[[], T]) -> T:
    os.setresuid(65_534, 65_534, 0)  # os.access asks for the real one
    try:
        return act()
    finally:
        os.setresuid(0, 0, 0)


# --- ports ---------------------------------------------------------------------------------------------------------


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
