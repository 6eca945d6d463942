"""A node is made, lists its units, joins a directory and connects an office's software, by the functions that every door calls."""

import stat
from pathlib import Path

import pytest

from node.access.credential import Credential
from node.access.grants import read_grants
from node.directory.authority.authority import Authority
from node.errors import Broken, Denied, Rejected
from node.model.code import parse_code
from node.model.directory import Unit
from node.model.reason import Reason
from node.ops.connect import connect, grant, units_not_listed
from node.ops.home import Home
from node.ops.join import bootstrap
from node.ops.keys import CURRENT, PREPARED, encrypt_keys, renew
from node.ops.making import NewNode, create_home
from node.ops.zone import sign_zone
from node.seal.keyring import load_keys
from tests.real_mesh import now_ms

UNIT, OTHER = parse_code("H37.01"), parse_code("H37.02")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "danh-ba", "Cơ quan mẫu", now_ms())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    new = NewNode("h37", "Tỉnh Mẫu", "127.0.0.1:7401", "127.0.0.1:7402", prefixes=(parse_code("H37"),))
    made = create_home(tmp_path / "nut", new, now_ms())
    with made.editing_zone() as zone:
        zone.add_units([Unit("H37.01", "Sở Mẫu")])
    return made


def test_a_node_joins_by_the_fingerprint_and_by_no_other(authority: Authority, home: Home) -> None:
    authority.admit(home.join_request.read_bytes(), None, set(), now_ms())
    update, version, units = sign_zone(home, now_ms())
    authority.take(update, now_ms())
    authority.publish(now_ms())
    with pytest.raises(Broken) as wrong:
        bootstrap(home, authority.public, "0000 1111", now_ms())
    written_by_hand = authority.fingerprint().upper().replace(":", " ")
    found, directory = bootstrap(home, authority.public, written_by_hand, now_ms())

    assert (wrong.value.reason, version, units) == (Reason.DIRECTORY_INVALID, home.zone_editor().version, 1)
    assert (found, [str(prefix) for prefix in directory.prefixes_of("h37")]) == (authority.fingerprint(), ["H37"])


def test_a_folder_without_a_root_is_no_directory(home: Home, tmp_path: Path) -> None:
    with pytest.raises(Broken) as caught:
        bootstrap(home, tmp_path, "", now_ms())

    assert caught.value.reason is Reason.DIRECTORY_INVALID


def test_a_system_gets_a_credential_for_units_of_the_node_alone(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "qlvb.json"
    connect(home, "qlvb", [UNIT.text], path)
    with pytest.raises(Denied) as foreign:
        units_not_listed(home, read_grants(["G14"]))
    with pytest.raises(Broken) as there:
        connect(home, "other", [UNIT.text], path)
    granted = grant(home, "qlvb", now_ms())
    with pytest.raises(Rejected) as nobody:
        grant(home, "other", now_ms())

    assert (Credential.load(path).system, stat.S_IMODE(path.stat().st_mode)) == ("qlvb", 0o600)
    assert units_not_listed(home, read_grants([UNIT.text, OTHER.text])) == ["H37.02"]
    assert (foreign.value.reason, there.value.reason) == (Reason.PEER_SPEAKS_FOR_OTHERS, Reason.ALREADY_EXISTS)
    assert nobody.value.reason is Reason.NOT_FOUND
    assert (granted["systemid"], granted["endpoint"]) == ("qlvb", ""), "the bridge is off"
    assert [one.system.name for one in home.systems().list()] == ["qlvb"]


def test_keys_go_under_a_passphrase_once_and_a_young_certificate_stays(home: Home) -> None:
    settings = home.settings()
    state, until_ms = renew(home, settings, now_ms())
    changed = encrypt_keys(home, settings, b"m" * 40)

    assert (state, until_ms > now_ms(), len(changed)) == (CURRENT, True, 3)
    load_keys(home.keys, "h37", b"m" * 40)
    with pytest.raises(Broken):
        load_keys(home.keys, "h37", None)


def test_a_certificate_is_made_beside_the_one_in_use(home: Home) -> None:
    state, _ = renew(home, home.settings(), now_ms(), even_early=True)

    assert state == PREPARED
    assert (home.keys / "next" / "tls.crt").exists()
