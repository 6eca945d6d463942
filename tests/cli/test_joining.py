"""An authority, a node, and how one gets into the other's directory: all with files, as operators do it."""

import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Admitted, Truc


def test_an_authority_says_its_fingerprint_and_where_its_public_folder_is(truc: Truc, tmp_path: Path) -> None:
    made = truc("authority", "create", tmp_path / "a", "--name", "Cơ quan mẫu", "--json")
    shown = truc("authority", "show", tmp_path / "a", "--json").document

    assert made.code == 0
    assert made.document["fingerprint"] == shown["fingerprint"]
    assert (Path(made.document["public"]) / "metadata" / "timestamp.json").exists()
    assert shown["name"] == "Cơ quan mẫu"
    assert shown["version"] == 1
    assert shown["signed_time"].endswith("+07:00")


def test_people_are_told_what_to_do_next(truc: Truc, tmp_path: Path) -> None:
    authority = truc("authority", "create", tmp_path / "a", "--name", "Cơ quan mẫu")
    node = truc("node", "create", tmp_path / "n", "--id", "h37", "--name", "Tỉnh Mẫu", "--prefix", "H37")

    assert f"truc authority admit {tmp_path / 'a'}" in authority.out
    assert str(tmp_path / "n" / "join-request.truc") in node.out
    assert f"truc node join {tmp_path / 'n'}" in node.out


def test_a_new_node_has_everything_and_keeps_its_secrets_to_itself(home: Path) -> None:
    for secret in ("keys/sign.pem", "keys/seal-0001.pem", "keys/tls.key", "zone/key.pem", "admin.token"):
        assert stat.S_IMODE((home / secret).stat().st_mode) == 0o600, secret
    for other in ("node.toml", "keys/tls.crt", "join-request.truc"):
        assert (home / other).is_file()


def test_a_folder_that_holds_anything_is_never_overwritten(truc: Truc, home: Path, tmp_path: Path) -> None:
    before = sorted(home.rglob("*"))
    again = truc("node", "create", home, "--id", "other", "--name", "Nút khác", "--json")
    authority = truc("authority", "create", home, "--name", "Cơ quan", "--json")

    assert (again.code, again.reason) == (78, "ALREADY_EXISTS")
    assert (authority.code, authority.reason) == (78, "ALREADY_EXISTS")
    assert sorted(home.rglob("*")) == before
    assert sorted(tmp_path.iterdir()) == [home]


@pytest.mark.parametrize(
    ("options", "code", "reason", "named"),
    [
        (("--id", "Tỉnh 37"), 78, "SETTINGS_INVALID", "node_id"),
        (("--id", "h37", "--mesh", "https://x"), 78, "SETTINGS_INVALID", "mesh.listen"),
        (("--id", "h37", "--prefix", "37"), 65, "CODE_MALFORMED", "'37'"),
        (("--id", "h37", "--mesh", "0.0.0.0:7401"), 65, "REQUEST_INVALID", "--advertise"),
        (("--id", "timestamp"), 78, "DIRECTORY_INVALID", "timestamp"),
    ],
)
def test_a_node_that_cannot_be_is_refused_whole(
    truc: Truc, tmp_path: Path, options: tuple[str, ...], code: int, reason: str, named: str
) -> None:
    refused = truc("node", "create", tmp_path / "n", "--name", "Tỉnh Mẫu", *options, "--json")

    assert (refused.code, refused.reason) == (code, reason)
    assert named in refused.document["error"]["detail"]
    assert str(tmp_path / ".n") not in refused.out, "the scratch folder is nobody's business"
    assert list(tmp_path.iterdir()) == []


def test_a_node_that_listens_everywhere_tells_others_where_to_call(truc: Truc, tmp_path: Path) -> None:
    options = ("--mesh", "0.0.0.0:7401", "--advertise", "nut.example.vn:7401", "--via-relay", "centre")
    truc("node", "create", tmp_path / "n", "--id", "h37", "--name", "Tỉnh Mẫu", *options)
    shown = truc("node", "show", tmp_path / "n", "--json").document

    assert (shown["mesh"], shown["advertise"]) == ("0.0.0.0:7401", "nut.example.vn:7401")
    assert (shown["admitted"], shown["directory_version"]) == (False, 0)


def test_the_way_into_the_directory(truc: Truc, admitted: Admitted) -> None:
    shown = truc("node", "show", admitted.home, "--json").document
    authority = truc("authority", "show", admitted.authority, "--json").document

    assert shown["admitted"] is True
    assert shown["prefixes"] == ["H37"]
    assert shown["units"] == 2
    assert shown["fingerprint"] == authority["fingerprint"]
    assert shown["directory_version"] == authority["version"]
    assert [(one["node_id"], one["prefixes"], one["units"]) for one in authority["nodes"]] == [("h37", ["H37"], 2)]
    assert authority["unpublished"] == []


def test_what_is_decided_and_not_published_is_pointed_out(truc: Truc, tmp_path: Path, home: Path) -> None:
    truc("authority", "create", tmp_path / "a", "--name", "Cơ quan mẫu")
    truc("authority", "admit", tmp_path / "a", home / "join-request.truc", "--role", "relay", "--role", "directory")
    shown = truc("authority", "show", tmp_path / "a")

    assert "chưa công bố" in shown.out
    assert "chuyển tiếp, danh bạ" in shown.out
    assert truc("authority", "publish", tmp_path / "a", "--json").document["version"] == 2
    assert "chưa công bố" not in truc("authority", "show", tmp_path / "a").out


def test_a_refresh_publishes_nothing_of_what_is_decided(truc: Truc, tmp_path: Path, home: Path) -> None:
    truc("authority", "create", tmp_path / "a", "--name", "Cơ quan mẫu")
    truc("authority", "admit", tmp_path / "a", home / "join-request.truc")
    said = truc("authority", "refresh", tmp_path / "a")

    assert (said.code, "phiên bản 2, nội dung như cũ" in said.out) == (0, True)
    assert truc("authority", "refresh", tmp_path / "a", "--json").document["version"] == 3
    assert "chưa công bố" in truc("authority", "show", tmp_path / "a").out
    missing = truc("authority", "refresh", tmp_path / "khong-co", "--json")
    assert missing.code == 78


def test_a_zone_travels_as_a_file_from_the_node_to_the_authority(truc: Truc, admitted: Admitted) -> None:
    truc("unit", "add", admitted.home, "H37.25.07", "UBND xã Suối Ngàn")
    published = truc("unit", "publish", admitted.home, "--out", admitted.home / "vung.truc", "--json").document
    taken = truc("authority", "take", admitted.authority, published["file"], "--json")
    truc("authority", "publish", admitted.authority)
    updated = truc("node", "update", admitted.home, admitted.authority / "public", "--json")

    assert taken.document == {"node_id": "h37"}
    assert updated.document["directory_version"] == 3
    assert truc("node", "show", admitted.home, "--json").document["units"] == 3


def test_a_prefix_has_one_holder(truc: Truc, admitted: Admitted, tmp_path: Path) -> None:
    truc("node", "create", tmp_path / "x", "--id", "x", "--name", "Nút khác", "--prefix", "H37")
    refused = truc("authority", "admit", admitted.authority, tmp_path / "x" / "join-request.truc", "--json")

    assert (refused.code, refused.reason) == (77, "PEER_SPEAKS_FOR_OTHERS")
    assert "h37" in refused.document["error"]["detail"]


def test_a_fingerprint_that_differs_stops_the_joining(truc: Truc, admitted: Admitted, tmp_path: Path) -> None:
    truc("node", "create", tmp_path / "n", "--id", "n", "--name", "Nút")
    public = admitted.authority / "public"
    wrong = truc("node", "join", tmp_path / "n", public, "--fingerprint", "0000-1111", "--json")
    told = truc("authority", "show", admitted.authority, "--json").document["fingerprint"]
    right = truc("node", "join", tmp_path / "n", public, "--fingerprint", told.upper().replace("-", " "), "--json")

    assert (wrong.code, wrong.reason) == (78, "DIRECTORY_INVALID")
    assert not (tmp_path / "n" / "directory" / "root.json").is_file() or right.code == 0
    assert right.document["fingerprint_compared"] is True
    assert right.document["admitted"] is False


def test_joining_without_a_fingerprint_asks_to_compare_it(truc: Truc, admitted: Admitted) -> None:
    again = truc("node", "join", admitted.home, admitted.authority / "public")

    assert "đối chiếu dấu vân tay" in again.out


def test_what_is_no_request_is_refused_by_name(truc: Truc, admitted: Admitted, tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"\xff\xff junk")
    junk = truc("authority", "admit", admitted.authority, tmp_path / "junk", "--json")
    missing = truc("authority", "take", admitted.authority, tmp_path / "absent", "--json")
    nowhere = truc("authority", "publish", tmp_path / "absent", "--json")
    role = truc("authority", "admit", admitted.authority, tmp_path / "junk", "--role", "king", "--json")

    assert (junk.code, junk.reason) == (78, "DIRECTORY_INVALID")
    assert (missing.code, missing.reason) == (65, "REQUEST_INVALID")
    assert (nowhere.code, nowhere.reason) == (78, "HOME_MISSING")
    assert (role.code, role.reason) == (2, "USAGE")


def test_a_revoked_node_is_gone_from_the_next_directory(truc: Truc, admitted: Admitted) -> None:
    truc("authority", "revoke", admitted.authority, "h37")
    truc("authority", "publish", admitted.authority)
    truc("node", "update", admitted.home, admitted.authority / "public")

    assert truc("node", "show", admitted.home, "--json").document["admitted"] is False


def test_a_changed_address_reaches_the_directory_by_publishing(truc: Truc, admitted: Admitted) -> None:
    settings = admitted.home / "node.toml"
    settings.write_text(
        settings.read_text("utf-8").replace('advertise = "127.0.0.1:7401"', 'advertise = "moi.vn:7401"')
    )
    published = truc("unit", "publish", admitted.home, "--authority", admitted.authority, "--json").document
    truc("node", "update", admitted.home, admitted.authority / "public")

    assert published["node_described_anew"] is True
    assert "moi.vn:7401" in truc("node", "show", admitted.home).out
