"""The doctor, with nodes that stand still: each thing that may be missing or wrong is found and comes with advice."""

import fcntl
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from node.store.rocks.witness import Witness
from tests.cli.conftest import Admitted, Outcome, Truc


def found(outcome: Outcome, name: str, state: str = "wrong") -> list[dict[str, Any]]:
    """The rows about one thing that are in a state; all but fine ones carry advice."""
    rows = [check for check in outcome.document["checks"] if check["name"] == name and check["state"] == state]
    assert all(row["advice"] for row in rows if state != "fine")
    return rows


def wrongs(outcome: Outcome) -> list[str]:
    """Names of everything that is wrong."""
    return [check["name"] for check in outcome.document["checks"] if check["state"] == "wrong"]


def test_where_there_is_no_node_it_says_how_to_make_one(truc: Truc, tmp_path: Path) -> None:
    nowhere = truc("doctor", tmp_path / "nowhere")
    empty = truc("doctor", tmp_path, "--json")

    assert nowhere.code == 78
    assert "truc node create" in nowhere.out
    assert (empty.code, wrongs(empty)) == (78, ["settings"])


def test_a_fresh_node_lacks_its_directory_and_its_admission(truc: Truc, home: Path) -> None:
    fresh = truc("doctor", home, "--json")

    assert fresh.code == 78
    assert fresh.document["healthy"] is False
    assert wrongs(fresh) == ["directory", "admission"]
    assert f"truc node join {home}" in found(fresh, "directory")[0]["advice"]
    assert "join-request.truc" in found(fresh, "admission")[0]["advice"]
    assert found(fresh, "units", "warning")
    assert found(fresh, "systems", "warning")


def test_an_admitted_node_that_stands_still_is_fine_but_for_that(
    truc: Truc, admitted: Admitted, tmp_path: Path
) -> None:
    truc("system", "add", admitted.home, "s", "--unit", "H37.01", "-o", tmp_path / "s.json")
    seen = truc("doctor", admitted.home, "--json")
    warned = [check["name"] for check in seen.document["checks"] if check["state"] == "warning"]

    assert (seen.code, seen.document["healthy"]) == (0, True)
    assert warned == ["running"]
    assert "Chạy được; 1 điều cần chú ý." in truc("doctor", admitted.home).out


def test_every_mistake_in_the_settings_is_named(truc: Truc, home: Path) -> None:
    with (home / "node.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[mehs]\nlisten = "x"\n[limits2]\na = 1\n')
    seen = truc("doctor", home, "--json")
    other = truc("node", "show", home, "--json")

    assert "có phải mesh?" in found(seen, "settings")[0]["said"]
    assert "limits2" in found(seen, "settings")[0]["said"]
    assert (other.code, other.reason) == (78, "SETTINGS_INVALID")


def test_keys_that_are_missing_or_that_others_can_read(truc: Truc, admitted: Admitted) -> None:
    keys = admitted.home / "keys"
    (keys / "sign.pem").chmod(0o644)
    exposed = truc("doctor", admitted.home, "--json")
    (keys / "sign.pem").chmod(0o600)
    (keys / "seal-0001.pem").rename(keys / "elsewhere")
    missing = truc("doctor", admitted.home, "--json")
    (admitted.home / "admin.token").chmod(0o640)
    token = truc("doctor", admitted.home, "--json")

    assert "sign.pem" in found(exposed, "keys")[0]["said"]
    assert "chmod 600" in found(exposed, "keys")[0]["advice"]
    assert "seal-0001.pem" in found(missing, "keys")[0]["said"]
    assert "chmod 600" in found(token, "admin_token")[0]["advice"]


def test_keys_that_are_not_those_of_the_directory(truc: Truc, admitted: Admitted, tmp_path: Path) -> None:
    truc("node", "create", tmp_path / "x", "--id", "h37", "--name", "Cùng mã, khác khóa")
    for name in ("sign.pem", "tls.key", "tls.crt"):
        (tmp_path / "x" / "keys" / name).replace(admitted.home / "keys" / name)
    seen = truc("doctor", admitted.home, "--json")

    assert "nút khác sẽ từ chối" in found(seen, "signing_keys")[0]["said"]
    assert "chứng thư TLS" in found(seen, "entry")[0]["said"]
    assert "truc unit publish" in found(seen, "entry")[0]["advice"]
    assert found(seen, "sealing_keys", "fine")


def test_an_address_and_units_that_the_directory_does_not_know_yet(truc: Truc, admitted: Admitted) -> None:
    settings = admitted.home / "node.toml"
    settings.write_text(
        settings.read_text("utf-8").replace('advertise = "127.0.0.1:7401"', 'advertise = "moi.vn:7401"')
    )
    truc("unit", "add", admitted.home, "H37.26", "Chưa công bố")
    seen = truc("doctor", admitted.home, "--json")

    assert seen.code == 0
    assert "moi.vn:7401" in found(seen, "entry", "warning")[0]["said"]
    assert found(seen, "units", "warning")[0]["said"] == "3 đơn vị ở đây, 2 trong danh bạ"


def test_a_port_that_somebody_else_has(truc: Truc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.ops.doctor.mesh.ASK_S", 0.5)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        truc("node", "create", tmp_path / "a", "--id", "a", "--name", "A", "--mesh", f"127.0.0.1:{port}")
        truc("node", "create", tmp_path / "b", "--id", "b", "--name", "B", "--office", f"127.0.0.1:{port}")
        mesh = truc("doctor", tmp_path / "a", "--json")
        office = truc("doctor", tmp_path / "b", "--json")

    assert str(port) in found(mesh, "port")[0]["said"]
    assert "do chương trình khác giữ" in found(office, "port")[0]["said"]


def test_a_store_that_has_lost_a_part_of_itself(truc: Truc, admitted: Admitted) -> None:
    witness = Witness(admitted.home / "WITNESS")
    witness.create(bytes(16), 7)
    witness.close()
    lost = truc("doctor", admitted.home, "--json")
    (admitted.home / "store").mkdir()
    (admitted.home / "store" / "CURRENT").write_text("MANIFEST-000001\n")
    (admitted.home / "WITNESS").unlink()
    unwitnessed = truc("doctor", admitted.home, "--json")

    assert "kho dữ liệu đã mất" in found(lost, "store")[0]["said"]
    assert "WITNESS" in found(unwitnessed, "store")[0]["said"]


def test_a_store_that_another_process_holds(truc: Truc, admitted: Admitted) -> None:
    (admitted.home / "store").mkdir()
    lock = admitted.home / "store" / "LOCK"
    lock.touch()
    ready, release = os.pipe(), os.pipe()
    holder = os.fork()
    if holder == 0:
        file = lock.open("r+b")
        fcntl.lockf(file, fcntl.LOCK_EX)
        os.write(ready[1], b"x")
        os.read(release[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    seen = truc("doctor", admitted.home, "--json")
    os.write(release[1], b"x")
    os.waitpid(holder, 0)

    assert "đang giữ kho dữ liệu" in found(seen, "running")[0]["said"]
    assert found(truc("doctor", admitted.home, "--json"), "running") == []


def test_peers_that_do_not_answer_are_named(truc: Truc, admitted: Admitted, tmp_path: Path) -> None:
    truc("node", "create", tmp_path / "p", "--id", "peer", "--name", "Nút bạn", "--mesh", "127.0.0.1:1")
    truc("authority", "admit", admitted.authority, tmp_path / "p" / "join-request.truc")
    truc("authority", "publish", admitted.authority)
    truc("node", "update", admitted.home, admitted.authority / "public")
    seen = truc("doctor", admitted.home, "--json")

    assert "không gọi được peer (127.0.0.1:1)" in found(seen, "peers", "warning")[0]["said"]


def test_a_home_of_another_user_is_told_with_the_command_that_mends_it(
    truc: Truc, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tests may run as root, to whom nothing is closed; tests/containers has the real thing.
    closed = home.parent
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed)
    for command in ("serve", "doctor", "health", "outbox"):
        refused = truc(command, home, "--json")
        assert refused.code == 78
        error = refused.document["error"]
        assert str(closed) in error["detail"]
        assert f"chown -R {os.geteuid()}:{os.getegid()}" in error["advice"]
