"""Each rule finds what it is for, says so in Vietnamese with its source, and leaves good packets alone."""

import contextlib
import unicodedata
from base64 import b64encode
from dataclasses import replace
from time import perf_counter

import pytest
from hypothesis import given, settings

from node.edxml.document import PacketReader, read_packet
from node.edxml.reader import read_whole
from node.edxml.rules import RULES, check_packet
from node.edxml.rules.contents import Budget, ZipJudge, ZipMet
from node.edxml.rules.dates import read_time
from node.edxml.rules.secrecy import is_marked
from node.model.envelope import PacketKind
from node.model.finding import Severity
from node.model.packet import Organ, Packet
from tests.edxml.made import documents, statuses
from tests.edxml.packets import NAMES, QCVN, SAMPLES, changed, sample, without
from tests.edxml.test_document import DIALECTS
from tests.edxml.test_extract import BAD, BASE64, bomb, packet_with, zipped
from tests.edxml.zips import check_contents

GOOD, REPLACEMENT, UPDATE, WITHDRAWAL = sample("01"), sample("16"), sample("15"), sample("14")
STATUS, REFUSAL = sample("30_status_01"), sample("30_status_02")
UNSIGNED = {"EDXML-080"}
SIGNED = changed(
    GOOD, ("    </edXML:edXMLHeader>", "<Signature><SignatureValue>x</SignatureValue></Signature></edXML:edXMLHeader>")
)
ID = "000.00.01.H99,2026/10/05,123/UBND-VX"
FROM, TO = "<edXML:OrganId>000.00.01.H99</", "<edXML:OrganId>000.00.02.H99</"
SECOND_TO = (
    "<edXML:To><edXML:OrganId>{}</edXML:OrganId></edXML:To><edXML:DocumentId>" + ID + "</edXML:DocumentId><edXML:Code>"
)
BEFORE_CODE = f"<edXML:DocumentId>{ID}</edXML:DocumentId>\r\n        <edXML:Code>"

# fmt: off
SAMPLE_FINDINGS = {
    "02": {79}, "05": {79}, "06": {79}, "07": {79}, "08": {74}, "09": {14, 15, 16, 17, 18, 19, 20, 21, 30, 79}, "11": {79},
    "15": {74}, "16": {74}, "18": {79}, "19": {74},
}
"""Some have random octets for a pdf (74), some none (79), and 09 has next to nothing."""

CASES: list[tuple[int, bytes, str, str]] = [
    (2, GOOD, "<edXML:Subject>V/v", "<edXML:Subject>(Mật) V/v"),
    (2, GOOD, "<edXML:Subject>V/v", "<edXML:Subject>TUYỆT MẬT V/v"),
    (2, GOOD, "Nội bộ", "Tối mật"),
    (2, GOOD, "Nội dung:", "Độ mật: Tuyệt mật."),
    (2, GOOD, "<AttachmentName>cong-van.pdf", "<AttachmentName>Tuyet mat.pdf"),
    (3, GOOD, "<edXML:Subject>V/v", "<edXML:Subject>V/v danh mục tối mật"),
    (12, GOOD, BEFORE_CODE, SECOND_TO.format(" ")),
    (30, GOOD, FROM, "<edXML:OrganId>UBND</"),
    (30, GOOD, TO, "<edXML:OrganId>H99." + "0" * 40 + "</"),
    (35, GOOD, BEFORE_CODE, SECOND_TO.format("UBND")),
    (32, GOOD, BEFORE_CODE, SECOND_TO.format("H99.02")),
    (33, GOOD, BEFORE_CODE, SECOND_TO.format("h99.01")),
    (31, sample("11"), "<edXML:OrganId>000.00.03.H99</", "<edXML:OrganId>Sở</"),
    (40, GOOD, "<edXML:Subject>V/v", "<edXML:Subject>" + "v" * 500),
    (41, GOOD, "<edXML:CodeNumber>123", "<edXML:CodeNumber>123456789012"),
    (42, GOOD, "<edXML:CodeNotation>UBND-VX", "<edXML:CodeNotation>" + "X" * 31),
    (43, GOOD, "<edXML:OrganName>Sở Mẫu", "<edXML:OrganName>" + "S" * 201),
    (44, GOOD, "<edXML:TypeName>Công văn", "<edXML:TypeName>" + "C" * 101),
    (45, GOOD, "<edXML:Position>Chủ tịch", "<edXML:Position>" + "C" * 101),
    (46, GOOD, "<edXML:FullName>Nguyễn", "<edXML:FullName>" + "N" * 51),
    (50, GOOD, "2026/12/31", "cuối năm"),
    (50, STATUS, "2026/10/06 09:30:15", "05/10/2026"),
    (51, GOOD, "<edXML:DueDate>2026/12/31", "<edXML:DueDate>2027/02/30"),
    (51, STATUS, "2026/10/06 09:30:15", "2026/10/06 25:30:15"),
    (52, GOOD, "<edXML:DueDate>2026/12/31", "<edXML:DueDate>2026-12-31"),
    (52, GOOD, "2026/10/05 09:30:15", "2026-10-05T09:30:15+07:00"),
    (53, GOOD, "<edXML:DueDate>2026/12/31", "<edXML:DueDate>2026/10/04"),
    (54, GOOD, ID, "000.00.01.H99,2014/02/30,123/UBND-VX"),
    (60, GOOD, "<edXML:SteeringType>1", "<edXML:SteeringType>"),
    (60, GOOD, "<edXML:SteeringType>1", "<edXML:SteeringType> 1"),
    (60, GOOD, "<edXML:SteeringType>1", "<edXML:SteeringType>không"),
    (61, GOOD, "<edXML:SteeringType>1", "<edXML:SteeringType>9"),
    (62, GOOD, "<edXML:Type>1", "<edXML:Type>CV"),
    (63, GOOD, "<edXML:Priority>1", "<edXML:Priority>5"),
    (63, GOOD, "<edXML:Priority>1", "<edXML:Priority>khẩn"),
    (64, GOOD, "<edXML:PageAmount>3", "<edXML:PageAmount>ba"),
    (70, GOOD, BASE64, ""),
    (71, GOOD, "<AttachmentName>cong-van.pdf", "<AttachmentName>"),
    (72, GOOD, "<ContentType>application/pdf", "<ContentType>application/zip"),
    (73, GOOD, BASE64, b64encode(BAD["path"]).decode()),
    (74, GOOD, BASE64, "QUJD"),
    (75, GOOD, BASE64, b64encode(zipped(("u.exe", b"MZ"))).decode()),
    (76, GOOD, "<edXML:ContentId>cid:", "<edXML:ContentId>cid:x"),
    (76, GOOD, "<edXML:Reference>", "<edXML:Reference/><edXML:Reference>"),
    (77, sample("19"), "ec9494d9-42de-41de-860a-b4c10f5e0c35", "a43f8a18-8095-4c6b-bf82-ad8f52f8a934"),
    (78, GOOD, "<AttachmentName>cong-van.pdf", "<AttachmentName>../cong-van.pdf"),
    (81, GOOD, BASE64, BASE64[:-3]),
    (81, GOOD, BASE64, "data:application/pdf;base64," + BASE64),
    (81, GOOD, BASE64, BASE64[:6] + "\u00a0" + BASE64[6:]),
    (81, GOOD, BASE64, "QQ==" + BASE64),
    (82, GOOD, BASE64, BASE64[:-4] + "-_-_"),
    (100, GOOD, "<edXML:BussinessDocType>0", "<edXML:BussinessDocType>7"),
    (101, WITHDRAWAL, "Thu hồi văn bản điện tử", ""),
    (103, UPDATE, "<edXML:ReceiverType>0", "<edXML:ReceiverType>2"),
    (103, UPDATE, "<edXML:OrganId>000.00.03.H99", "<edXML:OrganId>?"),
    (104, REPLACEMENT, "<edXML:DocumentId>000.00.01.H99,2026/01/05,7/UBND-VX", "<edXML:DocumentId>"),
    (105, REPLACEMENT, "000.00.01.H99,2026/01/05,7/UBND-VX", ID),
    (120, STATUS, "<edXML:StatusCode>01", "<edXML:StatusCode>1"),
    (121, STATUS, "<edXML:StatusCode>01", "<edXML:StatusCode>07"),
    (122, REFUSAL, "Từ chối tiếp nhận: sai thẩm quyền", " "),
    (123, sample("30_status_13"), "<edXML:Description>Lấy lại", "<edXML:Description>"),
    (124, STATUS, "<edXML:ResponseFor>\r\n          " + FROM, "<edXML:ResponseFor>" + FROM.replace("000.00.01.H99", "")),
    (126, STATUS, f"<edXML:DocumentId>{ID}", "<edXML:DocumentId>"),
    (127, STATUS, "2026/10/06 09:30:15", ""),
    (128, STATUS, "<edXML:StatusCode>", "<edXML:To><edXML:OrganId>H99</edXML:OrganId></edXML:To><edXML:StatusCode>"),
]

LEFT_OUT: list[tuple[int, bytes, str]] = [
    (10, GOOD, "edXML:From"), (10, STATUS, "edXML:From"), (11, GOOD, "edXML:To"), (13, GOOD, "edXML:DocumentId"),
    (14, GOOD, "edXML:CodeNumber"), (15, GOOD, "edXML:CodeNotation"), (16, GOOD, "edXML:PromulgationInfo"),
    (17, GOOD, "edXML:TypeName"), (18, GOOD, "edXML:Subject"), (19, GOOD, "edXML:FullName"), (20, GOOD, "edXML:SignerInfo"),
    (21, GOOD, "edXML:OtherInfo"), (79, GOOD, "Attachment"), (102, UPDATE, "edXML:BussinessDocumentInfo"),
    (104, REPLACEMENT, "edXML:ReplacementInfoList"), (106, REPLACEMENT, "edXML:OrganIdList"), (125, STATUS, "edXML:ResponseFor"),
]
# fmt: on


def codes(octets: bytes) -> set[str]:
    return {finding.code for finding in check_packet(read_packet(octets))}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_found_in_the_samples(name: str) -> None:
    octets = (SAMPLES / name).read_bytes()
    expected = {f"EDXML-{number:03}" for number in SAMPLE_FINDINGS.get(name[:2], set())}
    assert codes(octets) == expected | (set() if "status" in name else UNSIGNED)


@pytest.mark.parametrize(("number", "octets", "old", "new"), CASES)
def test_each_rule_finds_what_it_is_for(number: int, octets: bytes, old: str, new: str) -> None:
    code = f"EDXML-{number:03}"
    assert code not in codes(octets)
    assert code in codes(changed(octets, (old, new)))


PREFIXED = (
    (f'<edXML xmlns="{QCVN}">', f'<edXML:edXML xmlns="{QCVN}" xmlns:edXML="{QCVN}">'),
    ("</edXML>", "</edXML:edXML>"),
)


@pytest.mark.parametrize("packet", [GOOD, STATUS, b"\xef\xbb\xbf" + GOOD, GOOD.replace(b"?>", b"?><!-- <a:b> -->", 1)])
def test_a_root_with_a_prefix_is_warned_of_in_both_ways_of_reading(packet: bytes) -> None:
    prefixed = changed(packet, *PREFIXED)
    assert codes(prefixed) == codes(packet) | {"EDXML-004"}
    streamed = read_packet(iter([prefixed[:100], prefixed[100:]]))
    assert {one.code for one in check_packet(streamed)} == codes(prefixed)
    assert "EDXML-004" not in {one.code for one in check_packet(read_packet(iter([packet])))}


def test_a_root_with_a_prefix_is_seen_in_utf_16() -> None:
    prefixed = changed(GOOD, *PREFIXED).decode().replace("UTF-8", "UTF-16").encode("utf-16")
    assert "EDXML-004" in codes(prefixed)


@pytest.mark.parametrize("code", ["031234567890", "0101234567-001", "0101234567", "Z01MTTQ", "H01.151"])
def test_codes_of_enterprises_organisations_and_communes_are_codes(code: str) -> None:
    addressed = changed(GOOD, (TO, f"<edXML:OrganId>{code}</"))
    assert codes(addressed) == codes(GOOD)


@pytest.mark.parametrize(("number", "octets", "element"), LEFT_OUT)
def test_what_is_missing_is_found(number: int, octets: bytes, element: str) -> None:
    code = f"EDXML-{number:03}"
    assert code not in codes(octets)
    assert code in codes(without(octets, element))


@pytest.mark.parametrize("name", ["e-doc.vn", "e-doc.vn in SOAP", "go.vn", "the envelope is the root"])
def test_a_dialect_that_receivers_cannot_read_is_an_error(name: str) -> None:
    assert "EDXML-001" in codes(DIALECTS[name][1])


def test_a_status_to_be_answered_twice() -> None:
    assert "EDXML-034" in codes(changed(STATUS, ("<edXML:StaffInfo>", "<edXML:ResponseFor/><edXML:StaffInfo>")))


def test_every_rule_has_its_case() -> None:
    shown = {number for number, *_ in CASES} | {number for number, *_ in LEFT_OUT} | {1, 4, 34, 55, 80}
    assert {rule.code for rule in RULES} == {f"EDXML-{number:03}" for number in shown}
    assert len({rule.code for rule in RULES}) == len(RULES)


def test_only_a_signature_takes_the_warning_of_none_away() -> None:
    assert codes(GOOD) == UNSIGNED
    assert codes(SIGNED) == set()


def test_errors_come_first_and_say_where_in_vietnamese_and_by_which_article() -> None:
    octets = changed(
        GOOD, (BASE64, ""), ("<edXML:Subject>V/v", "<edXML:Subject>(Mật)"), ("<edXML:Priority>1", "<edXML:Priority>9")
    )
    found = check_packet(read_packet(octets))
    assert [(finding.code, finding.severity) for finding in found] == [
        ("EDXML-002", Severity.ERROR),
        ("EDXML-070", Severity.ERROR),
        ("EDXML-063", Severity.WARNING),
        ("EDXML-080", Severity.WARNING),
    ]
    assert (found[0].path, found[0].source) == ("MessageHeader/Subject", "QĐ 28/2018/QĐ-TTg Điều 1 khoản 2")
    assert found[1].path == "AttachmentEncoded/Attachment[1]/ContentTransferEncoded"
    assert found[0].sentence == "Có dấu độ mật. Văn bản chứa bí mật nhà nước không được gửi qua trục liên thông."


@pytest.mark.parametrize(
    "text",
    [
        "Mật",
        "MẬT",
        " tuyệt  mật ",
        "[Tối mật]",
        "V/v x (MẬT)",
        "Độ mật: Mật",
        "văn bản mật",
        "Báo cáo TỐI MẬT",
        "TUYET MAT",
    ],
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_markings_of_secrecy(text: str, form: str) -> None:
    assert is_marked(unicodedata.normalize(form, text))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "V/v bảo vệ bí mật nhà nước",
        "Bảo mật thông tin",
        "mật độ xây dựng",
        "Mật ong",
        "mat",
        "danh mục tối mật",
        "độ mật",
    ],
)
def test_speaking_of_secrets_is_no_marking(text: str) -> None:
    assert not is_marked(text)


def test_tomorrow_is_told_by_the_day_in_vietnam() -> None:
    packet = read_packet(GOOD)
    five_o_clock_utc_the_day_before = 1_791_133_200_000  # 2026-10-04 17:00 UTC, midnight in Vietnam
    assert "EDXML-055" not in {one.code for one in check_packet(packet, five_o_clock_utc_the_day_before)}
    assert "EDXML-055" in {one.code for one in check_packet(packet, five_o_clock_utc_the_day_before - 1)}


def test_dates_in_every_form_that_is_tolerated() -> None:
    for text in (
        "2026/10/05",
        "2026-10-05",
        " 2026/10/05 ",
        "2026/10/05 09:30:15",
        "2026-10-05T09:30:15+07:00",
        "2026/10/05 09:30",
    ):
        read = read_time(text)
        assert read is not None
        assert (read.year, read.month, read.day) == (2026, 10, 5)
    for text in ("", "05/10/2026", "2014/02/30", "2026/10-05", "2026/13/01", "0000/01/01", "٢٠٢٦/10/05"):
        assert read_time(text) is None


CONTENTS = {
    "good": (zipped(("u.txt", b"x")), None),
    "two files": (BAD["two files"], "EDXML-090"),
    "path": (BAD["path"], "EDXML-090"),
    "checksum": (BAD["wrong checksum"], "EDXML-090"),
    "bomb": (bomb(32), "EDXML-091"),
}


@pytest.mark.parametrize("what", CONTENTS)
def test_zips_are_opened_and_judged(what: str) -> None:
    data, code = CONTENTS[what]
    octets = packet_with(data, "a.txt", "application/zip")
    found = check_contents(octets, read_packet(octets))
    assert [finding.code for finding in found] == ([code] if code else [])


def test_of_several_zips_each_is_judged() -> None:
    octets = changed(
        sample("19"),
        ("c9Uau9icuBlvDvtokvlNaPzMLDU=", b64encode(BAD["two files"]).decode()),
        ("OXIsu/i5GkuQRcXmF18QAerDL38=", b64encode(BAD["path"]).decode()),
        ("<AttachmentName>tu-ten-tep", "<AttachmentName>b.pdf"),
    )
    assert [one.path for one in check_contents(octets, read_packet(octets))] == [
        "AttachmentEncoded/Attachment[1]/ContentTransferEncoded",
        "AttachmentEncoded/Attachment[2]/ContentTransferEncoded",
    ]


def many_zips(count: int, data: bytes) -> bytes:
    """A packet with the same zip many times over."""
    octets = packet_with(data, "a.txt", "application/zip")
    start, end = octets.index(b"    <Attachment>"), octets.index(b"  </AttachmentEncoded>")
    return octets[:end] + octets[start:end] * (count - 1) + octets[end:]


def test_of_many_unsound_zips_no_more_are_opened_than_are_told() -> None:
    octets = many_zips(60, BAD["two files"])
    found = check_contents(octets, read_packet(octets))
    assert len(found) == 20
    assert found[-1].sentence.endswith("Còn những chỗ khác nữa cùng lỗi này.")


def test_zips_that_are_small_each_are_a_bomb_together() -> None:
    octets = many_zips(40, zipped(("u.txt", bytes(1 << 20))))
    judge = ZipJudge(budget=Budget(free_bytes=8 << 20, ratio_max=50))
    reader = PacketReader(on_content=judge)
    reader.feed(octets)
    found = judge.findings(reader.finish())
    assert {one.code for one in found} == {"EDXML-091"}
    assert found[0].path == "AttachmentEncoded/Attachment[9]/ContentTransferEncoded"
    assert check_contents(octets, read_packet(octets)) == []


ZIP_BASE64 = b64encode(zipped(("u.txt", b"x"))).decode()


@pytest.mark.parametrize(
    "octets",
    [
        changed(GOOD, (BASE64, ZIP_BASE64)),
        changed(GOOD, (BASE64, "\r\n  U*E\ns~D" + ZIP_BASE64[4:])),
        changed(GOOD, (BASE64, "&#85;" + ZIP_BASE64[1:])),
        changed(GOOD, (BASE64, f"<![CDATA[{ZIP_BASE64}]]>")),
        changed(GOOD, (BASE64, ZIP_BASE64)).decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        changed(GOOD, (BASE64, ZIP_BASE64), ('encoding="UTF-8"', 'encoding="utf-8"')),
    ],
)
def test_who_has_no_time_for_zips_hears_of_one_wherever_it_hides(octets: bytes) -> None:
    assert read_packet(octets).attachments[0].beginning.startswith(b"PK")
    with pytest.raises(ZipMet):
        read_whole(octets, listen=lambda: ZipJudge(opens_none=True))


@pytest.mark.parametrize("name", NAMES)
def test_who_has_no_time_for_zips_reads_all_packets_without_one(name: str) -> None:
    octets = (SAMPLES / name).read_bytes()
    holds = any(one.beginning.startswith(b"PK") for one in read_packet(octets).attachments)
    with pytest.raises(ZipMet) if holds else contextlib.nullcontext():
        read_whole(octets, listen=lambda: ZipJudge(opens_none=True))


@settings(max_examples=60, deadline=None)
@given(documents())
def test_any_document_can_be_judged(made: tuple[Packet, list[bytes]]) -> None:
    known = {rule.code for rule in RULES}
    assert {finding.code for finding in check_packet(made[0], 0)} <= known


@settings(max_examples=60, deadline=None)
@given(statuses())
def test_any_status_can_be_judged(packet: Packet) -> None:
    numbers = {int(finding.code[6:]) for finding in check_packet(packet, 0)}
    assert not numbers & set(range(60, 110)), "rules of documents"


def test_many_recipients_and_attachments_are_judged_in_time() -> None:
    packet = read_packet(GOOD)
    to = tuple(Organ(f"H49.{number // 100:02}.{number % 100:02}") for number in range(5_000))
    attachments = tuple(replace(packet.attachments[0], content_id=f"cid:{number}") for number in range(10_000))
    large = replace(packet, header=replace(packet.header, to=to), attachments=attachments)
    start = perf_counter()
    assert {finding.code for finding in check_packet(large)} == {"EDXML-076", "EDXML-080"}
    assert perf_counter() - start < 5
    assert large.kind is PacketKind.DOCUMENT
