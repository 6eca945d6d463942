"""Every packet that the vendor's library writes is read, by both ways, into the words that it was made of."""

import re
import unicodedata
from base64 import b64decode
from typing import Any

import pytest

from node.edxml.document import read_packet
from node.edxml.grammar import WHOLE
from node.edxml.limits import LIMITS
from node.edxml.reader import read_header
from node.edxml.tree import read_tree
from node.model.envelope import PacketKind
from node.model.header import Business, PacketHeader, Receiver, Replaced, ResponseFor
from tests.edxml.packets import NAMES, sample, streamed

ID = "000.00.01.H99,2026/10/05,123/UBND-VX"

DOCUMENT: dict[str, Any] = {
    "kind": PacketKind.DOCUMENT,
    "sender": "000.00.01.H99",
    "sender_name": "UBND tỉnh Mẫu",
    "recipients": ("000.00.02.H99",),
    "document_id": ID,
    "code_number": "123",
    "code_notation": "UBND-VX",
    "subject": "V/v liên thông văn bản điện tử",
    "promulgation_date": "2026/10/05",
    "due_date": "2026/12/31",
    "document_type": 1,
    "document_type_name": "Công văn",
    "priority": 1,
    "business_type": 0,
    "status_code": "",
    "status_description": "",
    "status_timestamp": "",
    "response_for": (),
}
NOTHING: dict[str, Any] = DOCUMENT | {
    "sender_name": "",
    "document_id": "",
    "code_number": "",
    "code_notation": "",
    "subject": "",
    "promulgation_date": "",
    "due_date": "",
    "document_type": None,
    "document_type_name": "",
    "priority": None,
}
STATUS: dict[str, Any] = NOTHING | {
    "kind": PacketKind.STATUS,
    "sender": "000.00.02.H99",
    "sender_name": "Sở Mẫu",
    "recipients": ("000.00.01.H99",),
    "status_timestamp": "2026/10/06 09:30:15",
    "response_for": (ResponseFor("000.00.01.H99", ID, "123/UBND-VX", "2026/10/05"),),
}
SPECIAL = "<b>&\"'</b> ]]> – “ngoặc” \t tab\nxuống dòng\r\nCRLF  hai cách  📄 \u00a0nbsp"

DECREE = "Quyết định của Ủy ban nhân dân về ưu đãi, khuyến khích đầu tư"

PDF = ("cong-van.pdf", "application/pdf", 14)
FILES = {
    "01_new_pdf.edxml": [PDF],
    "08_new_10_recipients.edxml": [("a.pdf", "application/pdf", 10)],
    "15_update_2.edxml": [("moi.pdf", "application/pdf", 30)],
    "16_replace_3.edxml": [("thay.pdf", "application/pdf", 30)],
    "19_new_no_content_ids.edxml": [
        ("ten-khong-ma.pdf", "application/pdf", 20),
        ("tu-ten-tep", "application/docx", 20),
    ],
    "61_lf_only.edxml": [PDF],
    "64_other_prefix.edxml": [PDF],
}
"""(name, type, octets of content) of the attachments of samples that have some."""
EXPECTED: dict[str, dict[str, Any]] = {
    "01_new_pdf.edxml": DOCUMENT,
    "02_new_no_attachment.edxml": DOCUMENT | {"subject": "Không tệp kèm"},
    "05_new_NFC.edxml": DOCUMENT | {"subject": unicodedata.normalize("NFC", DECREE)},
    "06_new_NFD.edxml": DOCUMENT | {"subject": unicodedata.normalize("NFD", DECREE)},
    "07_new_special_chars.edxml": DOCUMENT | {"subject": SPECIAL},
    "08_new_10_recipients.edxml": DOCUMENT
    | {
        "subject": "Nhiều nơi nhận",
        "recipients": tuple(f"000.00.{number:02}.H99" for number in range(2, 12)),
    },
    "09_new_minimal.edxml": NOTHING
    | {"sender": "A", "recipients": ("B",), "document_id": "06b66209-68ea-40d5-bbb7-10b96ec5377c"},
    "11_new_response_for_two.edxml": DOCUMENT
    | {
        "subject": "Trả lời",
        "response_for": (
            ResponseFor("000.00.02.H99", "000.00.02.H99,2026/09/01,45/S-VX", "45/S-VX", "2026/09/01"),
            ResponseFor("000.00.03.H99", "", "46/S-VX", "2026/09/02"),
        ),
    },
    "14_withdraw_1.edxml": DOCUMENT
    | {
        "subject": "Thu hồi",
        "business_type": 1,
        "business": Business(ID, "Thu hồi văn bản điện tử"),
    },
    "15_update_2.edxml": DOCUMENT
    | {
        "subject": "Cập nhật",
        "business_type": 2,
        "business": Business(
            ID,
            "Cập nhật văn bản điện tử",
            (Receiver("000.00.02.H99", added=False), Receiver("000.00.03.H99", added=True)),
        ),
    },
    "16_replace_3.edxml": DOCUMENT
    | {
        "subject": "Thay thế",
        "business_type": 3,
        "business": Business(
            ID,
            "Văn bản thay thế",
            replaced=(
                Replaced("000.00.01.H99,2026/01/05,7/UBND-VX", ("000.00.02.H99", "000.00.03.H99")),
                Replaced("000.00.01.H99,2026/02/05,8/UBND-VX", ("000.00.02.H99", "000.00.03.H99")),
            ),
        ),
    },
    "18_new_trace_id_version_paper.edxml": DOCUMENT | {"subject": "Vết đi"},
    "19_new_no_content_ids.edxml": DOCUMENT
    | {
        "subject": "Không ContentId",
    },
    "30_status_01.edxml": STATUS | {"status_code": "01", "status_description": "Đã đến"},
    "30_status_02.edxml": STATUS | {"status_code": "02", "status_description": "Từ chối tiếp nhận: sai thẩm quyền"},
    "30_status_06.edxml": STATUS | {"status_code": "06", "status_description": "Hoàn thành"},
    "30_status_13.edxml": STATUS | {"status_code": "13", "status_description": "Lấy lại"},
    "30_status_15.edxml": STATUS | {"status_code": "15", "status_description": "Đồng ý cập nhật, lấy lại"},
    "61_lf_only.edxml": DOCUMENT,
    "64_other_prefix.edxml": DOCUMENT,
}


def test_no_sample_is_forgotten() -> None:
    assert sorted(EXPECTED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_both_ways_read_the_sample_into_the_same_words(name: str) -> None:
    packet = sample(name.removesuffix(".edxml"))
    words = read_header(packet)
    assert words == PacketHeader(**EXPECTED[name])
    assert streamed(packet) == words


@pytest.mark.parametrize("name", NAMES)
def test_what_the_vendors_library_writes_goes_the_quick_way(name: str) -> None:
    packet = sample(name.removesuffix(".edxml"))
    assert read_tree(packet, LIMITS, WHOLE) is not None


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_has_these_attachments(name: str) -> None:
    packet = read_packet(sample(name.removesuffix(".edxml")))
    found = [(one.attachment_name, one.content_type, one.size_bytes) for one in packet.attachments]
    assert found == FILES.get(name, [])


@pytest.mark.parametrize("name", NAMES)
def test_sizes_of_attachments_are_those_of_their_decoded_content(name: str) -> None:
    packet = sample(name.removesuffix(".edxml"))
    contents = re.findall(rb"ContentTransferEncoded [^>]*>([^<]*)<", packet)
    assert [one.size_bytes for one in read_packet(packet).attachments] == [len(b64decode(one)) for one in contents]


def test_composed_and_decomposed_accents_stay_as_they_were_written() -> None:
    nfc, nfd = read_header(sample("05")), read_header(sample("06"))
    assert unicodedata.is_normalized("NFC", nfc.subject)
    assert nfd.subject == unicodedata.normalize("NFD", nfc.subject) != nfc.subject


def test_number_and_notation_of_a_document_and_of_what_a_status_is_about() -> None:
    document, status = read_header(sample("01")), read_header(sample("30_status_01"))
    assert document.document_code == status.document_code == "123/UBND-VX"
    assert document.subject_document_id == status.subject_document_id == ID
