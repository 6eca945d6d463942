"""A letter becomes the packet that the vendor's library would make, and what is wrong with it is told all at once."""

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.edxml.attach import attach, attach_file
from node.edxml.document import read_packet
from node.edxml.extract import extract
from node.edxml.letter import Letter, date_of, document_id_of, letter_of, packet_of_letter, priority_of
from node.edxml.rules import check_packet
from node.edxml.write import write_packet
from node.errors import Rejected
from node.model.packet import Organ, ResponseFor
from node.model.reason import Reason

NOW = datetime(2026, 10, 5, 9, 30, 15)
TABLE = {
    "sender": "H99.01",
    "sender_name": "UBND tỉnh Mẫu",
    "to": ["H99.02", {"code": "H99.03", "name": "Sở Mẫu"}],
    "number": 123,
    "notation": "UBND-VX",
    "date": "5/10/2026",
    "type": "Công văn",
    "subject": "V/v liên thông",
    "signer": "Nguyễn Văn Mẫu",
    "position": "Chủ tịch",
    "priority": "hỏa tốc",
    "reply_to": [{"unit": "H99.02", "code": "7/X", "document_id": "d", "date": "2026-01-31"}],
    "to_places": ["Như trên", "Lưu: VT"],
}


def test_a_letter_reads_back_as_what_was_filled_in() -> None:
    packet = packet_of_letter(letter_of(TABLE), NOW)
    octets = b"".join(write_packet(packet))
    assert read_packet(octets) == packet
    header = packet.header
    assert header.to == (Organ("H99.02"), Organ("H99.03", organ_name="Sở Mẫu"))
    assert header.document_id == "H99.01,2026/10/05,123/UBND-VX"
    assert header.response_for == (ResponseFor("H99.02", "7/X", "d", "2026/01/31"),)
    assert header.other_info is not None
    assert (header.other_info.priority, header.steering_type) == ("3", "0")
    assert {one.code for one in check_packet(packet)} == {"EDXML-079", "EDXML-080"}, "no attachment, no signature"


def test_everything_wrong_with_a_table_is_told_at_once() -> None:
    with pytest.raises(Rejected) as caught:
        letter_of(TABLE | {"subjekt": "x", "to": 5, "number": 1.5, "attachments": [{"datei": "a.pdf"}], "due": True})
    assert caught.value.reason is Reason.REQUEST_INVALID
    for said in (
        "không có mục 'subjekt', có phải 'subject'?",
        "to: phải là danh sách",
        "number: phải là một dòng chữ",
        "attachments: phải là danh sách",
        "due: phải là một dòng chữ",
    ):
        assert said in caught.value.detail


@pytest.mark.parametrize("written", ["2026/10/05", "2026-10-05", "5/10/2026", "05/10/2026", " 2026-10-05 "])
def test_dates_as_people_write_them(written: str) -> None:
    assert date_of(written) == "2026/10/05"


@pytest.mark.parametrize("written", ["30/02/2026", "2026-13-01", "mai", "5/10/26", "10.05.2026"])
def test_what_is_no_date_is_refused(written: str) -> None:
    with pytest.raises(Rejected):
        date_of(written)


def test_urgency_by_name_or_number() -> None:
    assert [priority_of(one) for one in ("0", "khẩn", "Thượng khẩn", "hỏa tốc hẹn giờ")] == ["0", "1", "2", "4"]
    for wrong in ("5", "-1", "gấp", ""):
        with pytest.raises(Rejected):
            priority_of(wrong)


def test_without_the_parts_of_an_identifier_there_must_be_one() -> None:
    with pytest.raises(Rejected) as caught:
        document_id_of(Letter(sender="H99"))
    assert "thiếu ngay (ngày ban hành), so (số văn bản)" in caught.value.detail


FILES = st.tuples(st.sampled_from(["a.pdf", "b.xls", "c", "d.docx", "e.zip"]), st.binary(max_size=400))


@given(FILES)
def test_a_file_is_attached_as_its_octets_would_be(
    tmp_path_factory: pytest.TempPathFactory, file: tuple[str, bytes]
) -> None:
    name, data = file
    folder: Path = tmp_path_factory.mktemp("tep")
    (folder / name).write_bytes(data)
    made = attach_file(folder / name, folder, description="Mô tả")
    own_id = made.attachment.content_id.removeprefix("cid:")
    expected = attach(name, data, own_id, "Mô tả")
    assert b"".join(made.content) == expected.content  # type: ignore[arg-type]  # pieces of a file
    assert (made.attachment, made.reference) == (expected.attachment, expected.reference)


def test_the_same_file_has_the_same_id_and_another_another(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF 1")
    (tmp_path / "b.pdf").write_bytes(b"%PDF 2")
    one, again, other = (attach_file(tmp_path / name, tmp_path) for name in ("a.pdf", "a.pdf", "b.pdf"))
    assert one.attachment.content_id == again.attachment.content_id != other.attachment.content_id
    renamed = attach_file(tmp_path / "a.pdf", tmp_path, name="khác.pdf")
    assert (renamed.attachment.attachment_name, renamed.attachment.description) == ("khác.pdf", "")
    packet = packet_of_letter(letter_of(TABLE), NOW, [one, other])
    octets = b"".join(write_packet(packet, [one.content, other.content]))
    assert [b"".join(extract(octets, packet, index)) for index in (0, 1)] == [b"%PDF 1", b"%PDF 2"]
