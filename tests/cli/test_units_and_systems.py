"""Units of a node's zone, and the systems that may speak for them."""

import json
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Admitted, Truc


def test_both_written_forms_are_one_unit(truc: Truc, admitted: Admitted) -> None:
    truc("unit", "add", admitted.home, "h37.01", "Sở Mẫu, tên mới")
    listed = truc("unit", "list", admitted.home, "--json").document

    assert [(unit["code"], unit["name"]) for unit in listed["units"]] == [
        ("H37.01", "Sở Mẫu, tên mới"),
        ("H37.25.03", "UBND xã Hoa Hồi"),
    ]


def test_a_csv_file_adds_many_units_at_once(truc: Truc, admitted: Admitted, tmp_path: Path) -> None:
    rows = "".join(f"H37.30.{number:02},UBND xã số {number},X{number};XS{number},H37.30\n" for number in range(50))
    (tmp_path / "u.csv").write_text("\ufeffcode,name,short_names,parent\n" + rows, "utf-8")
    added = truc("unit", "add", admitted.home, "--from", tmp_path / "u.csv", "--json").document
    listed = truc("unit", "list", admitted.home, "--json").document["units"]

    assert (added["added"], added["units"]) == (50, 52)
    assert listed[-1]["short_names"] == ["X49", "XS49"]
    assert listed[-1]["parent"] == "H37.30"


@pytest.mark.parametrize(
    ("content", "reason", "named"),
    [
        ("ma,ten\nH37.1,A\n", "REQUEST_INVALID", "code, name"),
        ("code,name\nH37.30,Đúng\nH37.31,\n", "REQUEST_INVALID", "dòng 3"),
        ("code,name\nH37.30,Đúng\nsai,Sai\n", "CODE_MALFORMED", "dòng 3"),
        ("code,name\nH37.30,Đúng\nH49.30,Tỉnh khác\n", "PEER_SPEAKS_FOR_OTHERS", "H49.30"),
    ],
)
def test_a_csv_file_with_a_mistake_adds_nothing(
    truc: Truc, admitted: Admitted, tmp_path: Path, content: str, reason: str, named: str
) -> None:
    (tmp_path / "u.csv").write_text(content, "utf-8")
    refused = truc("unit", "add", admitted.home, "--from", tmp_path / "u.csv", "--json")

    assert refused.reason == reason
    assert named in refused.document["error"]["detail"]
    assert len(truc("unit", "list", admitted.home, "--json").document["units"]) == 2


def test_a_unit_of_another_prefix_is_not_ours_to_add(truc: Truc, admitted: Admitted) -> None:
    refused = truc("unit", "add", admitted.home, "H370.01", "Không phải H37", "--json")
    other = truc("unit", "add", admitted.home, "H49.01", "Tỉnh khác", "--json")

    assert (refused.code, refused.reason) == (65, "CODE_MALFORMED")
    assert (other.code, other.reason) == (77, "PEER_SPEAKS_FOR_OTHERS")


def test_a_closed_unit_names_who_takes_over(truc: Truc, admitted: Admitted) -> None:
    closed = truc("unit", "close", admitted.home, "000.03.25.H37", "--successor", "H37.01", "--json").document["closed"]
    shown = truc("unit", "list", admitted.home).out
    absent = truc("unit", "close", admitted.home, "H37.99", "--json")

    assert (closed["code"], closed["successor"]) == ("H37.25.03", "H37.01")
    assert closed["valid_to"].endswith("+07:00")
    assert "thay bằng H37.01" in shown
    assert (absent.code, absent.reason) == (65, "RECIPIENT_UNKNOWN")


@pytest.mark.parametrize("query", ["hoa hoi", "Hồi", "H37.25", "000.03.25.H37"])
def test_a_unit_is_found_by_name_without_accents_and_by_code_in_either_form(
    truc: Truc, admitted: Admitted, query: str
) -> None:
    found = truc("unit", "search", query, "--home", admitted.home, "--json").document["units"]

    assert [(unit["code"], unit["old_code"], unit["node_id"]) for unit in found] == [
        ("H37.25.03", "000.03.25.H37", "h37")
    ]


def test_a_search_that_finds_nothing_says_so_and_one_without_a_place_asks_for_it(
    truc: Truc, admitted: Admitted
) -> None:
    assert "Không tìm thấy" in truc("unit", "search", "zzz", "--home", admitted.home).out
    assert truc("unit", "search", "zzz", "--json").reason == "CREDENTIAL_MISSING"


def test_a_credential_is_written_once_for_its_owner_alone(truc: Truc, admitted: Admitted, tmp_path: Path) -> None:
    path = tmp_path / "qlvb.json"
    added = truc("system", "add", admitted.home, "qlvb", "--unit", "000.00.01.H37", "-o", path, "--json").document
    credential = json.loads(path.read_text())

    assert added["units"] == ["H37.01"]
    assert added["units_not_listed"] == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (credential["system"], credential["address"]) == ("qlvb", "127.0.0.1:7402")
    assert credential["secret"] not in (admitted.home / "systems" / "qlvb.json").read_text()


def test_a_system_speaks_only_for_units_of_its_node(truc: Truc, admitted: Admitted, tmp_path: Path) -> None:
    foreign = truc("system", "add", admitted.home, "s", "--unit", "H49.01", "-o", tmp_path / "s.json", "--json")
    unknown = truc("system", "add", admitted.home, "s", "--unit", "H37.77", "-o", tmp_path / "s.json")

    assert (foreign.code, foreign.reason) == (77, "PEER_SPEAKS_FOR_OTHERS")
    assert unknown.code == 0
    assert "H37.77 chưa có trong vùng" in unknown.out


def test_a_credential_file_in_the_way_leaves_no_system_behind(truc: Truc, admitted: Admitted, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("đã có")
    refused = truc("system", "add", admitted.home, "s", "--unit", "H37.01", "-o", tmp_path / "s.json", "--json")

    assert (refused.code, refused.reason) == (78, "ALREADY_EXISTS")
    assert (tmp_path / "s.json").read_text() == "đã có"
    assert truc("system", "list", admitted.home, "--json").document == {"systems": []}


def test_a_revoked_system_is_gone(truc: Truc, admitted: Admitted, tmp_path: Path) -> None:
    truc("system", "add", admitted.home, "s", "--unit", "H37.01", "-o", tmp_path / "s.json")
    listed = truc("system", "list", admitted.home, "--json").document["systems"]

    assert [(one["system"], one["units"]) for one in listed] == [("s", ["H37.01"])]
    assert truc("system", "revoke", admitted.home, "s").code == 0
    assert truc("system", "revoke", admitted.home, "s", "--json").reason == "NOT_FOUND"
    assert truc("system", "list", admitted.home, "--json").document == {"systems": []}


def test_a_vxp_secret_is_shown_once_and_lies_encrypted(truc: Truc, admitted: Admitted, tmp_path: Path) -> None:
    added = truc("system", "add", admitted.home, "s", "--unit", "H37.01", "--vxp", "-o", tmp_path / "s.json", "--json")
    granted, stored = added.document["vxp"], admitted.home / "systems" / "s.vxp"

    assert (granted["systemid"], granted["endpoint"]) == ("s", "")
    assert len(granted["secret"]) == 44
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert granted["secret"] != json.loads((tmp_path / "s.json").read_text())["secret"]
    for path in (admitted.home / "systems").iterdir():
        assert granted["secret"] not in path.read_text(), path
    assert granted["secret"] not in truc("system", "list", admitted.home, "--json").out


def test_a_new_vxp_secret_replaces_the_old_one_and_goes_with_its_system(
    truc: Truc, admitted: Admitted, tmp_path: Path
) -> None:
    settings = admitted.home / "node.toml"
    settings.write_text(settings.read_text().replace('# listen = "127.0.0.1:7403"', 'listen = "127.0.0.1:7403"'))
    truc("system", "add", admitted.home, "s", "--unit", "H37.01", "-o", tmp_path / "s.json")
    first = truc("system", "vxp", admitted.home, "s", "--json").document["vxp"]
    second = truc("system", "vxp", admitted.home, "s")

    assert first["endpoint"] == "http://127.0.0.1:7403/vxp"
    assert first["secret"] not in second.out
    assert "chỉ hiện một lần" in second.out
    assert truc("system", "vxp", admitted.home, "x", "--json").reason == "NOT_FOUND"
    assert truc("system", "vxp", admitted.home, "../node", "--json").reason == "REQUEST_INVALID"
    assert truc("system", "revoke", admitted.home, "s").code == 0
    assert not (admitted.home / "systems" / "s.vxp").exists()
