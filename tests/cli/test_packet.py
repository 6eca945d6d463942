"""truc packet: people look into packets, check them, make them and take the files out of them, without any node."""

import json
import tomllib
from pathlib import Path

import pytest

from node.cli.packet_new import EXAMPLE
from node.edxml.compose import compose_document
from node.edxml.document import read_packet
from node.edxml.letter import KEYS_IN_VIETNAMESE, Letter, letter_of
from node.edxml.reader import read_header
from node.model.header import PacketHeader
from tests.cli.conftest import Truc
from tests.edxml.packets import NAMES, SAMPLES, changed, sample
from tests.edxml.test_document import DIALECTS
from tests.edxml.test_extract import BAD, BASE64, packet_with, zipped

WITH_FILE = EXAMPLE.replace("# tep_dinh_kem", "tep_dinh_kem")
PDF = b"%PDF-1.4 m\xe1\xba\xabu"


@pytest.fixture
def form(tmp_path: Path) -> Path:
    """The example form with its attachment beside it."""
    (tmp_path / "cong-van.pdf").write_bytes(PDF)
    path = tmp_path / "cong-van.toml"
    path.write_text(WITH_FILE, "utf-8")
    return path


def written(folder: Path, octets: bytes, name: str = "goi.edxml") -> Path:
    path = folder / name
    path.write_bytes(octets)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_is_shown_to_people_and_to_programs(truc: Truc, name: str) -> None:
    header, packet = read_header((SAMPLES / name).read_bytes()), read_packet(SAMPLES / name)
    shown = truc("packet", "show", SAMPLES / name)
    document = truc("packet", "show", SAMPLES / name, "--json").document
    assert shown.code == 0
    for word in (
        header.sender,
        *header.recipients,
        header.document_code,
        *(one.attachment_name for one in packet.attachments),
    ):
        assert word in shown.out
    assert document["header"]["sender"]["organ_id"] == header.sender
    assert document["dialect"] == "QCVN 102:2016"
    assert len(document["attachments"]) == len(packet.attachments)


def test_what_is_done_with_a_document_is_shown(truc: Truc) -> None:
    names = ("14_withdraw_1", "15_update_2", "16_replace_3")
    withdrawal, update, replacement = (truc("packet", "show", SAMPLES / f"{name}.edxml").out for name in names)
    assert "thu hồi" in withdrawal
    assert "Thu hồi văn bản điện tử" in withdrawal
    assert [line.split() for line in update.splitlines() if "nơi nhận" in line.lower()][-2:] == [
        ["Bỏ", "nơi", "nhận", "000.00.02.H99"],
        ["Thêm", "nơi", "nhận", "000.00.03.H99"],
    ]
    assert "000.00.01.H99,2026/01/05,7/UBND-VX" in replacement


def test_an_older_dialect_is_shown_and_said_to_be_unreadable_for_receivers(truc: Truc, tmp_path: Path) -> None:
    dialect, octets = DIALECTS["e-doc.vn"]
    path = written(tmp_path, octets)
    assert dialect.value in truc("packet", "show", path).out
    checked = truc("packet", "check", path, "--json")
    assert checked.code == 65
    assert "EDXML-001" in [one["code"] for one in checked.document["files"][0]["findings"]]


def test_of_very_many_recipients_and_attachments_people_see_the_first(truc: Truc, tmp_path: Path) -> None:
    codes = [f"H49.{number // 100:02}.{number % 100:02}" for number in range(5_000)]
    files = [(f"tệp {number}.pdf", b"%PDF") for number in range(60)]
    octets = compose_document(
        sender="G22", sender_name="", recipients=[(code, "Xã") for code in codes], document_id="1", number="1", notation="X",
        subject="s", date="2026/10/05", attachments=files,
    )  # fmt: skip
    path = written(tmp_path, octets)
    shown = truc("packet", "show", path).out
    assert "H49.00.49" in shown
    assert "H49.00.50" not in shown
    assert "4.950 nơi nữa" in shown
    assert "10 tệp nữa" in shown
    document = truc("packet", "show", path, "--json").document
    assert (len(document["header"]["to"]), len(document["attachments"])) == (5_000, 60)


def test_a_subject_cannot_move_the_cursor(truc: Truc, tmp_path: Path) -> None:
    path = written(tmp_path, changed(sample("01"), ("V/v", "V/v\u202e\u0085[bold]")))
    out = truc("packet", "show", path).out
    assert "[bold]" in out
    assert "\u202e" not in out


def test_checking_ends_with_65_for_errors_and_0_for_warnings_and_names_each_rule(truc: Truc, tmp_path: Path) -> None:
    warned = SAMPLES / "01_new_pdf.edxml"
    broken = written(tmp_path, changed(sample("01"), ("<edXML:Subject>V/v", "<edXML:Subject>(Mật) V/v")))
    only_warnings, errors = truc("packet", "check", warned), truc("packet", "check", warned, broken)
    assert (only_warnings.code, errors.code) == (0, 65)
    assert "EDXML-080" in only_warnings.out
    assert "EDXML-002" not in only_warnings.out
    for said in (
        "EDXML-002",
        "MessageHeader/Subject",
        "Có dấu độ mật",
        "QĐ 28/2018/QĐ-TTg Điều 1 khoản 2",
        "1 lỗi, 1 cảnh báo",
    ):
        assert said in errors.out
    one, other = truc("packet", "check", warned, broken, "--json").document["files"]
    assert (one["good"], one["errors"], one["warnings"]) == (True, 0, 1)
    assert (other["good"], other["errors"]) == (False, 1)
    assert other["findings"][0] | {"sentence": ""} == {
        "code": "EDXML-002", "severity": "error", "path": "MessageHeader/Subject", "sentence": "",
        "source": "QĐ 28/2018/QĐ-TTg Điều 1 khoản 2",
    }  # fmt: skip


def test_checking_tells_of_files_that_are_no_packets_and_goes_on(truc: Truc, tmp_path: Path) -> None:
    files = [written(tmp_path, b"hello", "a.txt"), tmp_path / "none.edxml", SAMPLES / "30_status_01.edxml"]
    checked = truc("packet", "check", *files, "--json")
    assert checked.code == 65
    reasons = [one["fault"] and one["fault"]["reason"] for one in checked.document["files"]]
    assert reasons == ["PACKET_NOT_XML", "REQUEST_INVALID", None]
    assert "đúng quy định" in truc("packet", "check", *files).out


def test_zips_are_opened_when_checking(truc: Truc, tmp_path: Path) -> None:
    path = written(tmp_path, packet_with(BAD["two files"], "a.txt", "application/zip"))
    found = truc("packet", "check", path, "--json").document["files"][0]["findings"]
    assert found[0]["code"] == "EDXML-090"


def test_the_example_makes_a_packet_that_clients_can_read(truc: Truc, form: Path, tmp_path: Path) -> None:
    out = tmp_path / "ra.edxml"
    assert truc("packet", "new", "--example").out == EXAMPLE
    made = truc("packet", "new", form, "-o", out, "--json")
    assert made.code == 0
    assert [one["code"] for one in made.document["findings"]] == ["EDXML-080"]
    packet, header = read_packet(out), read_header(out.read_bytes())
    assert (header.sender, header.recipients) == ("H99.01", ("H99.02", "H99.03"))
    assert (header.document_id, header.due_date) == ("H99.01,2026/10/05,123/UBND-VX", "2026/12/31")
    assert header.priority == 1
    assert packet.trace is not None
    assert [one.organ_id for one in packet.trace.trace_headers] == ["H99.01"]
    assert b"\r\n" in out.read_bytes()
    taken = truc("packet", "extract", out, "-d", tmp_path / "tep")
    assert taken.code == 0
    assert (tmp_path / "tep" / "cong-van.pdf").read_bytes() == PDF


def test_options_alone_make_a_packet_and_win_over_the_form(
    truc: Truc, form: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bảng.xlsx").write_bytes(b"PK\x03\x04 xlsx")
    options = [
        "--from",
        "H99.01=UBND tỉnh Mẫu",
        "--to",
        "H99.02=Sở",
        "--to",
        "H99.03",
        "--number",
        "7",
        "--notation",
        "X",
    ]
    options += ["--date", "05/10/2026", "--type", "Công văn", "--subject", "V/v", "--signer", "N", "--position", "P"]
    options += ["--priority", "hỏa tốc"]
    made = truc("packet", "new", *options, "-a", "bảng.xlsx", "--json").document
    header = read_header((tmp_path / made["file"]).read_bytes())
    assert made["file"] == "7-X.edxml"
    assert (header.recipients, header.priority, header.promulgation_date) == (("H99.02", "H99.03"), 3, "2026/10/05")
    (file,) = read_packet(tmp_path / made["file"]).attachments
    assert (file.attachment_name, file.content_type) == ("bảng.xlsx", "application/zip")
    again = truc("packet", "new", *options)
    assert (again.code, "ALREADY_EXISTS" in again.err) == (78, True)
    assert truc("packet", "new", form, "--subject", "Khác", "-o", "khac.edxml").code == 0
    assert read_header((tmp_path / "khac.edxml").read_bytes()).subject == "Khác"


def test_what_the_rules_refuse_is_not_written(truc: Truc, form: Path, tmp_path: Path) -> None:
    out = tmp_path / "ra.edxml"
    refused = truc("packet", "new", form, "--subject", "TỐI MẬT", "-o", out, "--json")
    assert (refused.code, refused.document["file"], refused.document["reason"]) == (65, None, "PACKET_BREAKS_RULES")
    assert refused.document["findings"][0]["code"] == "EDXML-002"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cong-van.pdf", "cong-van.toml"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("trich_yeu =", "trich_yeuu =", "không có mục 'trich_yeuu', có phải 'trich_yeu'?"),
        ("trich_yeu =", "subjekt =", "có phải 'subject'?"),
        ("trich_yeu =", "trich_yeu = 'a'\n\"Trích yếu\" =", "ghi hai lần"),
        ('noi_nhan = ["H99.02"', 'noi_nhan = [7, "H99.02"', "noi_nhan: phải là danh sách mã"),
        ('ma = "H99.03"', 'mã_số = "H99.03"', "viết không đúng dạng"),
        ('ma = "H99.03"', 'ma_so = "H99.03"', "noi_nhan: phải là danh sách mã"),
        ("so = ", "so = [] #", "so: phải là một dòng chữ"),
        ("ngay = 2026-10-05", 'ngay = "30/02/2026"', "30/02/2026 không phải một ngày"),
        ('do_khan = "khẩn"', 'do_khan = "gấp"', "gấp không phải mức độ khẩn; có: 0 thường"),
        ("cong-van.pdf", "khong-co.pdf", "khong-co.pdf"),
        ("so = ", "= ", "dòng 6, cột 1"),
    ],
)
def test_a_mistake_in_the_form_is_named(truc: Truc, form: Path, old: str, new: str, said: str) -> None:
    form.write_text(WITH_FILE.replace(old, new), "utf-8")
    refused = truc("packet", "new", form, "-o", form.parent / "ra.edxml")
    assert refused.code == 65
    assert said.lower() in refused.err.lower()
    assert not (form.parent / "ra.edxml").exists()


def test_the_example_is_what_the_form_knows() -> None:
    assert letter_of(tomllib.loads(WITH_FILE)).date == "2026/10/05"
    assert set(KEYS_IN_VIETNAMESE.values()) == set(Letter.__dataclass_fields__)


def test_the_example_works_as_it_stands(truc: Truc, tmp_path: Path) -> None:
    form = tmp_path / "mau.toml"
    form.write_text(truc("packet", "new", "--example").out, "utf-8-sig")
    made = truc("packet", "new", form, "-o", tmp_path / "ra.edxml", "--json")
    assert (made.code, [one["code"] for one in made.document["findings"]]) == (0, ["EDXML-079", "EDXML-080"])


def test_english_and_vietnamese_keys_make_the_same_letter() -> None:
    english = {
        "sender": "H99.01",
        "to": ["H99.02"],
        "subject": "V/v",
        "priority": "hoả tốc",
        "attachments": [{"file": "a", "name": "b"}],
    }
    own = {
        "Nơi gửi": "H99.01",
        "noi_nhan": "H99.02",
        "TRÍCH YẾU": "V/v",
        "do-khan": "hoả tốc",
        "Tệp đính kèm": [{"tep": "a", "Tên": "b"}],
    }
    assert letter_of(english) == letter_of(own)


def test_extracting_takes_safe_names_never_twice_and_leaves_out_what_is_unsound(truc: Truc, tmp_path: Path) -> None:
    octets = changed(
        sample("19"),
        ("<AttachmentName>ten-khong-ma.pdf", "<AttachmentName>../../A.pdf"),
        ("<AttachmentName>tu-ten-tep", "<AttachmentName>a.pdf"),
    )
    path = written(tmp_path, octets)
    taken = truc("packet", "extract", path, "-d", tmp_path / "ra", "--json")
    assert taken.code == 0
    assert sorted(one.name for one in (tmp_path / "ra").iterdir()) == ["A.pdf", "a (2).pdf"]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["goi.edxml", "ra"]
    again = truc("packet", "extract", path, "-d", tmp_path / "ra")
    assert (again.code, "ALREADY_EXISTS" in again.err) == (78, True)
    assert truc("packet", "extract", path, "-d", tmp_path / "ra", "--force").code == 0
    bad = written(tmp_path, packet_with(BAD["path"], "a.txt", "application/zip"), "xau.edxml")
    refused = truc("packet", "extract", bad, "-d", tmp_path / "xau", "--json")
    assert refused.code == 65
    assert refused.document["attachments"][0]["fault"]["reason"] == "REQUEST_INVALID"
    assert list((tmp_path / "xau").iterdir()) == []


def test_extracting_unzips_what_travelled_zipped(truc: Truc, tmp_path: Path) -> None:
    path = written(tmp_path, packet_with(zipped(("u.xls", b"xls")), "bảng.xls", "application/zip"))
    truc("packet", "extract", path, "-d", tmp_path)
    assert (tmp_path / "bảng.xls").read_bytes() == b"xls"


def test_a_packet_without_attachments_and_one_with_an_empty_one(truc: Truc, tmp_path: Path) -> None:
    assert "không có tệp" in truc("packet", "extract", SAMPLES / "02_new_no_attachment.edxml", "-d", tmp_path).out
    path = written(tmp_path, changed(sample("01"), (BASE64, "")))
    assert truc("packet", "extract", path, "-d", tmp_path, "--json").document["attachments"][0]["bytes"] == 0


def test_the_form_reads_into_the_same_header_however_it_is_written(truc: Truc, form: Path, tmp_path: Path) -> None:
    def header(text: str) -> PacketHeader:
        form.write_text(text, "utf-8")
        document = json.loads(truc("packet", "new", form, "-o", tmp_path / "x.edxml", "--force", "--json").out)
        assert document["reason"] is None
        return read_header((tmp_path / "x.edxml").read_bytes())

    plain = header(EXAMPLE)
    assert plain == header(EXAMPLE.replace('"khẩn" ', "1 ").replace("2026-10-05", '"5/10/2026"'))


def test_a_damaged_attachment_is_told_and_never_a_smaller_file(truc: Truc, tmp_path: Path) -> None:
    good = sample("01").replace(b"JVBERi0xLjQgbeG6q3U=", b"JVBERi0xLjQgbeG6q")
    (tmp_path / "hong.edxml").write_bytes(good)
    checked = truc("packet", "check", tmp_path / "hong.edxml")
    taken = truc("packet", "extract", tmp_path / "hong.edxml", "-d", tmp_path / "ra")

    assert (checked.code, taken.code) == (65, 65)
    assert "EDXML-081" in checked.out
    assert "đã hỏng trong gói tin" in taken.out
    assert list((tmp_path / "ra").iterdir()) == []


def test_show_prints_no_label_without_a_word(truc: Truc, tmp_path: Path) -> None:
    (tmp_path / "it.edxml").write_bytes(sample("09"))
    shown = truc("packet", "show", tmp_path / "it.edxml").out
    heading = shown.partition("Nơi nhận")[0]
    assert "Nơi gửi" in heading
    assert all(label not in heading for label in ("Trích yếu", "Số, ký hiệu", "Loại", "Người ký", "Hạn", "Mức độ khẩn"))
