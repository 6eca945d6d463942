"""Connected systems, their files and secrets; the administrator's token; a system's credential file."""

import json
import os
import stat
import threading

import pytest

from node.access import systems as room
from node.access.credential import Credential
from node.access.systems import Systems
from node.errors import Broken, Denied, Fault, Rejected
from node.model.reason import Reason


class Seconds:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def reason_from(call, *arguments):
    with pytest.raises(Fault) as caught:
        call(*arguments)
    return caught.value.reason


def test_a_system_proves_itself_with_the_secret_it_was_given_once(tmp_path):
    systems = Systems(tmp_path / "systems")
    secret = systems.create("qlvb-1", ["H49.22", "000.00.23.H49"], now_ms=5)
    assert len(secret) == 43
    system = systems.authenticate(f"Bearer qlvb-1.{secret}")
    assert (system.name, system.units) == ("qlvb-1", frozenset({"H49.22", "H49.23"}))
    file = tmp_path / "systems" / "qlvb-1.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert secret not in file.read_text()
    assert [(r.system, r.created_ms) for r in systems.list()] == [(system, 5)]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, Reason.CREDENTIAL_MISSING),
        ("", Reason.CREDENTIAL_MISSING),
        ("Basic abc", Reason.CREDENTIAL_WRONG),
        ("Bearer ", Reason.CREDENTIAL_WRONG),
        ("Bearer qlvb", Reason.CREDENTIAL_WRONG),
        ("Bearer qlvb.", Reason.CREDENTIAL_WRONG),
        ("Bearer qlvb.wrong", Reason.CREDENTIAL_WRONG),
        ("Bearer nobody.wrong", Reason.CREDENTIAL_WRONG),
        ("Bearer ../qlvb.wrong", Reason.CREDENTIAL_WRONG),
    ],
)
def test_anything_else_is_refused(tmp_path, header, reason):
    systems = Systems(tmp_path)
    systems.create("qlvb", ["H49"])
    assert reason_from(systems.authenticate, header) is reason


@pytest.mark.parametrize("name", ["", "a.b", "A", "../x", "a/b", "x" * 65, "á"])
def test_a_bad_name_is_refused(tmp_path, name):
    assert reason_from(Systems(tmp_path).create, name, ["H49"]) is Reason.REQUEST_INVALID
    assert reason_from(Systems(tmp_path).revoke, name) is Reason.REQUEST_INVALID
    assert list(tmp_path.iterdir()) == []


def test_no_units_bad_codes_and_names_in_use_are_refused(tmp_path):
    systems = Systems(tmp_path)
    assert reason_from(systems.create, "a", []) is Reason.REQUEST_INVALID
    assert reason_from(systems.create, "a", ["not a code"]) is Reason.CODE_MALFORMED
    systems.create("a", ["H49"])
    assert reason_from(systems.create, "a", ["H49"]) is Reason.ALREADY_EXISTS
    assert reason_from(systems.revoke, "b") is Reason.NOT_FOUND


def test_the_folder_is_looked_at_once_a_second_and_again_after_a_refusal(tmp_path):
    seconds = Seconds()
    running, command = Systems(tmp_path, monotonic_s=seconds), Systems(tmp_path)
    first = command.create("a", ["H49"])
    running.authenticate(f"Bearer a.{first}")
    command.revoke("a")
    running.authenticate(f"Bearer a.{first}")
    seconds.now = 1.0
    with pytest.raises(Denied):
        running.authenticate(f"Bearer a.{first}")
    second = command.create("a", ["H50"])
    seconds.now = 1.06
    assert running.authenticate(f"Bearer a.{second}").units == {"H50"}
    assert reason_from(running.authenticate, f"Bearer a.{first}") is Reason.CREDENTIAL_WRONG


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"\xff", b'{"name": "other", "units": ["H49"], "secret_sha256": "", "created_ms": 1}',
     json.dumps({"name": "bad", "units": ["?"], "secret_sha256": "00" * 32, "created_ms": 1}).encode(),
     json.dumps({"name": "bad", "units": ["H49"], "secret_sha256": "00", "created_ms": 1}).encode()],
)  # fmt: skip
def test_a_damaged_file_leaves_its_system_out_and_the_others_in(tmp_path, content):
    systems = Systems(tmp_path)
    secret = systems.create("good", ["H49"])
    (tmp_path / "bad.json").write_bytes(content)
    assert systems.authenticate(f"Bearer good.{secret}").name == "good"
    assert reason_from(systems.authenticate, "Bearer bad.x") is Reason.CREDENTIAL_WRONG
    assert [record.system.name for record in systems.list()] == ["good"]


def test_the_administrators_token_is_made_once_and_only_for_the_owners_eyes(tmp_path):
    systems = Systems(tmp_path / "systems", tmp_path / "admin.token")
    assert reason_from(systems.authenticate_admin, "Bearer ") is Reason.CREDENTIAL_WRONG
    token = systems.ensure_admin_token()
    assert systems.ensure_admin_token() == token
    assert stat.S_IMODE((tmp_path / "admin.token").stat().st_mode) == 0o600
    systems.authenticate_admin(f"Bearer {token}")
    secret = systems.create("qlvb", ["H49"])
    assert reason_from(systems.authenticate_admin, f"Bearer qlvb.{secret}") is Reason.ADMIN_ONLY
    assert reason_from(systems.authenticate_admin, f"Bearer {token}x") is Reason.CREDENTIAL_WRONG
    assert reason_from(systems.authenticate_admin, None) is Reason.CREDENTIAL_MISSING


def test_without_a_token_file_nobody_is_administrator(tmp_path):
    for systems in (Systems(tmp_path), Systems(tmp_path, tmp_path / "none")):
        assert reason_from(systems.authenticate_admin, "Bearer ") is Reason.CREDENTIAL_WRONG


def test_a_credential_file_is_saved_for_its_owner_only_and_read_again(tmp_path):
    credential = Credential("127.0.0.1:1", "PEM", "qlvb", "secret-text")
    path = tmp_path / "qlvb.json"
    credential.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Credential.load(path) == credential
    assert "secret-text" not in repr(credential)
    assert reason_from(credential.save, path) is Reason.ALREADY_EXISTS
    os.chmod(path, 0o640)
    assert reason_from(Credential.load, path) is Reason.KEY_FILE_EXPOSED


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"address": 1, "certificate_pem": "", "system": "", "secret": ""}']
)
def test_something_else_is_not_a_credential(tmp_path, content):
    path = tmp_path / "x.json"
    assert reason_from(Credential.load, path) is Reason.CREDENTIAL_MISSING
    path.write_bytes(content)
    path.chmod(0o600)
    assert reason_from(Credential.load, path) is Reason.CREDENTIAL_WRONG


def test_kinds_of_the_faults(tmp_path):
    with pytest.raises(Broken):
        Systems(tmp_path).create("a", ["H49"]) and Systems(tmp_path).create("a", ["H49"])
    with pytest.raises(Rejected):
        Systems(tmp_path).revoke("zz")


def test_a_system_that_is_revoked_while_it_gets_a_unit_does_not_come_back(tmp_path, monkeypatch):
    folder = tmp_path / "systems"
    serving, command = Systems(folder), Systems(folder)
    serving.create("qlvb", ["H49"])
    revoking = threading.Thread(target=command.revoke, args=("qlvb",))
    write = room.replace_file

    def write_while_it_is_revoked(path, octets):
        revoking.start()
        revoking.join(0.2)  # it waits, or would have gone through by now
        write(path, octets)

    monkeypatch.setattr(room, "replace_file", write_while_it_is_revoked)
    serving.add_unit("qlvb", "H49.22")
    revoking.join(5)
    assert list(folder.iterdir()) == []
    assert reason_from(serving.add_unit, "qlvb", "H49.23") is Reason.NOT_FOUND
