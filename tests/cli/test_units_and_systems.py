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
        ("x,y\nH37.1,A\n", "REQUEST_INVALID", "code (mã), name (tên)"),
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


def unit_of(truc: Truc, admitted: Admitted, code: str) -> dict[str, object]:
    units = truc("unit", "list", admitted.home, "--json").document["units"]
    return next(one for one in units if one["code"] == code)


@pytest.mark.parametrize(
    ("successor", "said"),
    [
        ("000.00.01.H37", "H37.01 là chính đơn vị bị đóng"),
        ("H37.02", "H37.02 không có trong vùng của nút này"),
        ("H37.25.03", "H37.25.03 đã đóng từ 01/07/2026"),
    ],
)
def test_a_successor_that_cannot_take_over_is_refused(
    truc: Truc, admitted: Admitted, successor: str, said: str
) -> None:
    assert truc("unit", "close", admitted.home, "H37.25.03", "--from", "01/07/2026").code == 0
    before = unit_of(truc, admitted, "H37.01")
    refused = truc("unit", "close", admitted.home, "H37.01", "--successor", successor, "--json")

    assert (refused.code, refused.reason) == (65, "REQUEST_INVALID")
    assert said in refused.document["error"]["detail"]
    assert unit_of(truc, admitted, "H37.01") == before


def test_a_successor_may_be_another_nodes(truc: Truc, admitted: Admitted) -> None:
    assert truc("unit", "close", admitted.home, "H37.01", "--successor", "H49.01").code == 0


def test_a_closed_unit_is_not_closed_otherwise(truc: Truc, admitted: Admitted) -> None:
    close = ("unit", "close", admitted.home, "H37.25.03")
    assert truc(*close, "--from", "01/07/2026").code == 0
    assert truc(*close, "--successor", "H37.01").code == 0, "what was not recorded may be added"
    before = unit_of(truc, admitted, "H37.25.03")

    for same in (
        (),
        ("--successor", "H37.01"),
        ("--from", "2026-07-01"),
        ("--from", "2026-07-01", "--successor", "H37.01"),
    ):
        again = truc(*close, *same)
        assert (again.code, "đã đóng từ 01/07/2026 từ trước, không đổi gì" in again.out) == (0, True), same
    assert truc(*close, "--json").document["changed"] is False
    for other in (("--from", "31/12/2099"), ("--from", "30/06/2026"), ("--successor", "H49.01")):
        refused = truc(*close, *other, "--json")
        assert (refused.code, refused.reason) == (65, "REQUEST_INVALID"), other
        said = refused.document["error"]["detail"]
        assert "H37.25.03 đã ghi đóng từ 01/07/2026, thay bằng H37.01" in said
        assert 'truc unit add HOME H37.25.03 "UBND xã Hoa Hồi" --reopen' in said
    assert unit_of(truc, admitted, "H37.25.03") == before


def test_a_unit_that_will_close_is_not_said_to_be_closed(truc: Truc, admitted: Admitted) -> None:
    said = truc("unit", "close", admitted.home, "H37.01", "--from", "31/12/2099").out
    at_once = truc("unit", "close", admitted.home, "H37.01", "--json")

    assert "Sẽ đóng từ 31/12/2099 H37.01" in said
    assert (at_once.code, at_once.reason) == (65, "REQUEST_INVALID")


def test_a_closed_unit_is_opened_only_if_that_is_asked_for(truc: Truc, admitted: Admitted, tmp_path: Path) -> None:
    truc("unit", "close", admitted.home, "H37.01", "--successor", "H37.25.03")
    (tmp_path / "u.csv").write_text("code,name\nH37.30,Mới\nH37.01,Tên mới\n", "utf-8")
    for words in (("H37.01", "Tên mới"), ("--from", tmp_path / "u.csv")):
        refused = truc("unit", "add", admitted.home, *words, "--json")
        assert (refused.code, refused.reason) == (65, "REQUEST_INVALID")
        assert "H37.01 đã ghi đóng từ" in refused.document["error"]["detail"]
        assert "thay bằng H37.25.03" in refused.document["error"]["detail"]
    assert unit_of(truc, admitted, "H37.01")["successor"] == "H37.25.03"
    assert len(truc("unit", "list", admitted.home, "--json").document["units"]) == 2

    assert truc("unit", "add", admitted.home, "H37.01", "Tên mới", "--reopen").code == 0
    opened = unit_of(truc, admitted, "H37.01")
    assert (opened["name"], opened["successor"], opened.get("valid_to")) == ("Tên mới", "", None)


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


# --- other codes ---------------------------------------------------------------------------------------------------------


def aliases(truc: Truc, admitted: Admitted) -> dict[str, str]:
    return {
        one["code"]: one["unit"] for one in truc("unit", "alias", "list", admitted.home, "--json").document["aliases"]
    }


def test_an_old_code_is_added_published_and_finds_its_unit(truc: Truc, admitted: Admitted) -> None:
    made = truc("unit", "alias", "add", admitted.home, "000.09.25.H37", "H37.25.03", "--to", "31/12/2030")
    assert (made.code, "H37.25.09 của H37.25.03, đến hết 31/12/2030" in made.out) == (0, True)
    assert "H37.25.09" in truc("unit", "list", admitted.home).out
    assert "1 mã tương đương ở đây, 0 trong danh bạ" in truc("doctor", admitted.home).out
    published = truc("unit", "publish", admitted.home, "--authority", admitted.authority, "--json").document
    truc("node", "update", admitted.home, admitted.authority / "public")
    shown = truc("authority", "show", admitted.authority, "--json").document["nodes"][0]

    assert (published["units"], published["aliases"], shown["aliases"]) == (2, 1, 1)
    for query in ("H37.25.09", "000.09.25.H37", "09.25.H37"):
        [found] = truc("unit", "search", query, "--home", admitted.home, "--json").document["units"]
        assert (found["code"], found["aliases"][0]["code"]) == ("H37.25.03", "H37.25.09")
        assert found["aliases"][0]["valid_to"] == "2031-01-01T00:00:00.000+07:00"
    assert "H37.25.09" in truc("unit", "search", "hoa hoi", "--home", admitted.home).out


def test_a_closed_unit_proposes_its_alias_and_gets_it_from_the_day_it_closes(truc: Truc, admitted: Admitted) -> None:
    closed = truc("unit", "close", admitted.home, "H37.01", "--successor", "H37.25.03", "--from", "2030-07-01")
    assert f"truc unit alias add {admitted.home} H37.01 H37.25.03" in closed.out
    made = truc("unit", "alias", "add", admitted.home, "H37.01", "H37.25.03", "--json").document

    assert made["aliases"][0]["valid_from"] == "2030-07-01T00:00:00.000+07:00"


def test_a_csv_file_adds_many_aliases_and_one_with_a_mistake_none(
    truc: Truc, admitted: Admitted, tmp_path: Path
) -> None:
    rows = "".join(f"H37.25.{number},H37.25.03,01/07/2025,\n" for number in range(10, 60))
    (tmp_path / "a.csv").write_text("\ufeffcode,unit,from,to\n" + rows, "utf-8")
    assert truc("unit", "alias", "add", admitted.home, "--file", tmp_path / "a.csv", "--json").document["added"] == 50
    (tmp_path / "b.csv").write_text("code,unit\nH37.60,H37.01\nH37.61\n", "utf-8")
    refused = truc("unit", "alias", "add", admitted.home, "--file", tmp_path / "b.csv", "--json")

    assert (refused.reason, "dòng 3" in refused.document["error"]["detail"]) == ("REQUEST_INVALID", True)
    assert len(aliases(truc, admitted)) == 50


@pytest.mark.parametrize(
    ("given", "reason", "said"),
    [
        (("H37.01", "H37.25.03"), "REQUEST_INVALID", "đơn vị đang hoạt động"),
        (("H37.01", "000.00.01.H37"), "REQUEST_INVALID", "mã của chính đơn vị đó"),
        (("H37.91", "H37.90"), "REQUEST_INVALID", "hãy chỉ thẳng đến đơn vị H37.25.03"),
        (("H49.01", "H37.01"), "PEER_SPEAKS_FOR_OTHERS", "H49.01"),
        (("sai", "H37.01"), "CODE_MALFORMED", "sai"),
        (("H37.92", "H37.01", "--from", "31/02/2026"), "REQUEST_INVALID", "31/02/2026"),
        (("H37.92", "H37.01", "--from", "2026-02-02", "--to", "2026-02-01"), "REQUEST_INVALID", "ở trước"),
    ],
)
def test_an_alias_that_cannot_be_is_refused_in_words(
    truc: Truc, admitted: Admitted, given: tuple[str, ...], reason: str, said: str
) -> None:
    truc("unit", "alias", "add", admitted.home, "H37.90", "H37.25.03")
    refused = truc("unit", "alias", "add", admitted.home, *given, "--json")

    assert refused.reason == reason
    assert said in refused.document["error"]["detail"]
    assert aliases(truc, admitted) == {"H37.90": "H37.25.03"}


def test_an_alias_of_a_unit_that_nobody_knows_yet_is_taken_with_a_warning_and_removed_by_its_code(
    truc: Truc, admitted: Admitted
) -> None:
    assert "Danh bạ chưa có đơn vị H49.01" in truc("unit", "alias", "add", admitted.home, "H37.90", "H49.01").out
    assert "H49.01" in truc("unit", "alias", "list", admitted.home).out
    assert "không dẫn đến đơn vị nào đang hoạt động: H37.90 → H49.01" in truc("doctor", admitted.home).out
    assert truc("unit", "alias", "remove", admitted.home, "000.00.90.H37").code == 0
    assert truc("unit", "alias", "remove", admitted.home, "H37.90", "--json").reason == "REQUEST_INVALID"


def test_a_unit_is_not_added_under_a_code_that_is_an_alias_and_a_system_is_told_whom_it_means(
    truc: Truc, admitted: Admitted, tmp_path: Path
) -> None:
    truc("unit", "alias", "add", admitted.home, "H37.90", "H37.25.03")
    refused = truc("unit", "add", admitted.home, "H37.90", "Đơn vị", "--json")
    told = truc("system", "add", admitted.home, "cu", "--unit", "H37.90", "-o", tmp_path / "cu.json")

    assert (refused.code, refused.reason) == (65, "REQUEST_INVALID")
    assert "hãy nối hệ thống với đơn vị H37.25.03" in told.out


def test_a_system_is_changed_and_renewed_without_being_connected_again(
    truc: Truc, admitted: Admitted, tmp_path: Path
) -> None:
    home, file = admitted.home, tmp_path / "xa.json"
    made = truc("system", "add", home, "xa", "--unit", "H37.25.*", "-o", file, "--json").document
    assert made["units"] == ["H37.25.*"]
    before = json.loads(file.read_bytes())
    edited = truc(
        "system", "edit", home, "xa", "--add", "H37.01", "--remove", "H37.25.*", "--add", "H37.25.03", "--json"
    )
    assert edited.document["units"] == ["H37.01", "H37.25.03"]
    assert "H37.99 chưa có trong vùng" in truc("system", "edit", home, "xa", "--add", "H37.99").out
    assert (
        "Hệ thống xa không có H37.02. Xem: truc system list"
        in truc("system", "edit", home, "xa", "--remove", "H37.02").err
    )
    assert "không nằm dưới tiền tố nào" in truc("system", "edit", home, "xa", "--add", "H49.*").err
    assert "ghi --add CODE" in truc("system", "edit", home, "xa").err.replace("Ghi", "ghi")

    renewed = truc("system", "renew", home, "xa", "-o", file)
    assert "Secret cũ" in renewed.out
    after = json.loads(file.read_bytes())
    assert after["secret"] != before["secret"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert truc("system", "renew", home, "xa", "-o", file, "--certificate").code == 0
    assert json.loads(file.read_bytes()) == after
    (tmp_path / "khac.json").write_text("{}")
    assert truc("system", "renew", home, "xa", "-o", tmp_path / "khac.json", "--json").reason == "ALREADY_EXISTS"
    assert json.loads(file.read_bytes()) == after
