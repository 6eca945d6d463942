"""Tables as spreadsheets save them: separators, headings and encodings of a machine in Vietnam; all wrong rows at once; a dry run first."""

import unicodedata
from pathlib import Path

import pytest

from tests.cli.conftest import Admitted, Truc

TABLE = (
    "Mã định danh;Tên đơn vị;Tên gọi tắt;Cấp trên\r\n"
    "H37.40;Sở Nội vụ;SNV, Nội vụ;\r\n"
    "000.00.41.H37;Ủy ban Tài chính;;H37.40\r\n"
    ";;;\r\n"
)
TONES = "\u0300\u0301\u0303\u0309\u0323"


def as_1258(text: str) -> bytes:
    """Encode as Excel does: base letters with their hats, tones as characters of their own."""
    out = b""
    for character in text:
        parts = unicodedata.normalize("NFD", character)
        tone = "".join(one for one in parts if one in TONES)
        base = unicodedata.normalize("NFC", "".join(one for one in parts if one not in TONES))
        out += (base + tone).encode("cp1258")
    return out


FORMS = {
    "BOM": TABLE.encode("utf-8-sig"),
    "UTF-8": TABLE.encode(),
    "NFD": unicodedata.normalize("NFD", TABLE).encode(),
    "Windows-1258": as_1258(TABLE),
    "Unicode text": TABLE.replace(";", "\t").encode("utf-16"),
}
FORMS["commas"] = (
    b"\xef\xbb\xbf" + 'MA DINH DANH,Tên đơn vị\nH37.40,Sở Nội vụ\n000.00.41.H37,"Ủy ban Tài chính"\n'.encode()
)


@pytest.mark.parametrize("form", FORMS)
def test_every_way_of_saving_is_the_same_table(truc: Truc, admitted: Admitted, tmp_path: Path, form: str) -> None:
    (tmp_path / "u.csv").write_bytes(FORMS[form])
    added = truc("unit", "add", admitted.home, "--from", tmp_path / "u.csv", "--json")
    units = {one["code"]: one["name"] for one in truc("unit", "list", admitted.home, "--json").document["units"]}

    assert (added.code, added.document["added"], added.document["new"]) == (0, 2, 2)
    assert (units["H37.40"], units["H37.41"]) == ("Sở Nội vụ", "Ủy ban Tài chính")


def test_every_wrong_row_is_told_at_once_and_nothing_is_written(truc: Truc, admitted: Admitted, tmp_path: Path) -> None:
    rows = "Mã,Tên\nH37.60,A\nH49.1,B\nxx,C\nH37.61,\n000.00.60.H37,D\nH37\u00a0.62,E\n"
    (tmp_path / "sai.csv").write_text(rows, "utf-8")
    refused = truc("unit", "add", admitted.home, "--from", tmp_path / "sai.csv")

    assert refused.code != 0
    assert "5 dòng sai nên chưa ghi gì" in refused.err
    for said in (
        "dòng 3: H49.1 không nằm dưới tiền tố nào",
        "dòng 4: xx không phải mã định danh",
        "dòng 5: Thiếu mã hoặc tên.",
        "dòng 6: Mã H37.60 đã có ở một dòng trên.",
        "dòng 7: H37\\xa0.62 không phải mã",
    ):
        assert said in refused.err
    assert len(truc("unit", "list", admitted.home, "--json").document["units"]) == 2


def test_a_hundred_thousand_wrong_rows_do_not_flood_the_screen(truc: Truc, admitted: Admitted, tmp_path: Path) -> None:
    (tmp_path / "sai.csv").write_text("mã,tên\n" + "x,y\n" * 100_000, "utf-8")
    refused = truc("unit", "add", admitted.home, "--from", tmp_path / "sai.csv")

    assert "Tệp có 100000 dòng sai" in refused.err
    assert "… và 99980 dòng sai nữa" in refused.err
    assert len(refused.err.splitlines()) < 30


def test_a_dry_run_shows_what_would_be_written(truc: Truc, admitted: Admitted, tmp_path: Path) -> None:
    (tmp_path / "u.csv").write_text("mã,tên\nH37.01,Sở Mẫu\nH37.25.03,Tên mới\nH37.50,Mới\n", "utf-8")
    words = ("unit", "add", admitted.home, "--from", tmp_path / "u.csv")
    shown = truc(*words, "--dry-run")

    assert "Sẽ ghi 3 đơn vị (1 mới, 2 thay đổi)" in shown.out
    assert "Chưa ghi gì" in shown.out
    assert len(truc("unit", "list", admitted.home, "--json").document["units"]) == 2
    assert truc(*words, "--json").document["changed"] == 2
    assert truc(*words, "--json").document["unchanged"] == 3


def test_codes_that_differ_in_a_zero_are_pointed_out(truc: Truc, admitted: Admitted) -> None:
    assert "chỉ khác số 0" not in truc("unit", "add", admitted.home, "H37.25.4", "Xã A").out
    assert "H37.25.03 và H37.25.3 chỉ khác số 0 đứng đầu" in truc("unit", "add", admitted.home, "H37.25.3", "Xã B").out


def test_a_mistaken_unit_goes_if_nobody_has_seen_it(truc: Truc, admitted: Admitted) -> None:
    truc("unit", "add", admitted.home, "H37.99", "Nhầm")
    assert truc("unit", "remove", admitted.home, "H37.99").code == 0
    kept = truc("unit", "remove", admitted.home, "H37.01")
    assert kept.code == 65
    assert f"hãy đóng: truc unit close {admitted.home} H37.01\n" in kept.err


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"PK\x03\x04abc", "là tệp Excel; hãy chọn Lưu thành"),
        (b"a,b\n1,2\n", "dòng đầu thiếu cột code (mã), name (tên); đang có: a,b"),
        (b"", "dòng đầu thiếu cột"),
        (b"m\xe3,t\xean\n\xd2\x81\x8d,x\n", ""),
        (b'code,name\nH37.1,"x\n', "không đọc được bảng"),
        (b"code,name\n\x00\x00,x\n", "dòng 2"),
    ],
)
def test_what_is_no_table(truc: Truc, admitted: Admitted, tmp_path: Path, octets: bytes, said: str) -> None:
    (tmp_path / "x.csv").write_bytes(octets)
    refused = truc("unit", "add", admitted.home, "--from", tmp_path / "x.csv")
    assert refused.code == 65
    assert said in refused.err
