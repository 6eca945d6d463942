"""Composed packets are what the vendor's library would have written, and read as the words they were made of."""

import io
import re
import unicodedata
import zipfile
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.edxml.compose import compose_document, compose_status
from node.edxml.document import read_packet
from node.edxml.grammar import WHOLE
from node.edxml.limits import LIMITS
from node.edxml.reader import read_header
from node.edxml.tree import read_tree
from node.errors import Rejected
from node.model.envelope import PacketKind
from node.model.header import ResponseFor
from node.model.reason import Reason
from tests.edxml.packets import sample, streamed

WHITE = " \t\r\n"
ID = "000.00.01.H99,2026/10/05,123/UBND-VX"

DOCUMENT: dict[str, Any] = {
    "sender": "000.00.01.H99",
    "sender_name": "UBND tỉnh Mẫu",
    "recipients": [("000.00.02.H99", "Sở Mẫu")],
    "document_id": ID,
    "number": "123",
    "notation": "UBND-VX",
    "subject": "V/v liên thông văn bản điện tử",
    "date": "2026/10/05",
}
STATUS: dict[str, Any] = {
    "sender": "000.00.02.H99",
    "sender_name": "Sở Mẫu",
    "author": "000.00.01.H99",
    "document_id": ID,
    "code": "123/UBND-VX",
    "date": "2026/10/05",
    "status_code": "01",
    "description": "Đã đến",
    "timestamp": "2026/10/06 09:30:15",
}

CHARACTERS = st.characters(exclude_categories=["Cs"]).filter(
    lambda letter: letter in "\t\n\r" or (letter >= "\u0020" and letter not in "\ufffe\uffff")
)
VIETNAMESE = st.text("aăâđêôơưẢẤỆữỹ <>&\"']]>\r\n\t📄", max_size=30)
TEXTS = st.one_of(
    st.text(CHARACTERS, max_size=30), VIETNAMESE, VIETNAMESE.map(lambda text: unicodedata.normalize("NFD", text))
)
IDS = TEXTS.map(str.strip).filter(bool)


def without_lines(packet: bytes, *names: str) -> bytes:
    """Drop the elements that compose does not write, groups with what is in them."""
    text = packet.decode()
    for name in names:
        text = re.sub(rf" *<(edXML:)?{name}>.*?</(edXML:)?{name}>\r\n", "", text, flags=re.DOTALL)
    return text.encode()


ADDRESS = ["OrganizationInCharge", "OrganAdd", "Email", "Telephone", "Fax", "Website"]


def test_a_status_is_byte_for_byte_what_the_library_writes_less_the_fields_that_we_do_not_set() -> None:
    assert compose_status(**STATUS) == without_lines(sample("30_status_01"), "StaffInfo", *ADDRESS)


def test_special_characters_are_written_as_the_library_writes_them() -> None:
    special = sample("07")
    subject = read_header(special).subject
    (written,) = re.findall(rb"<edXML:Subject>.*?</edXML:Subject>", special, re.DOTALL)
    assert written in compose_document(**DOCUMENT | {"subject": subject})


def test_a_document_has_the_librarys_elements_in_the_librarys_order() -> None:
    ours = compose_document(**DOCUMENT, priority=1, attachments=[("cong-van.pdf", b"%PDF-1.4 m\xe1\xba\xabu")])
    not_set = [
        "Place",
        "TypeName",
        "SphereOfPromulgation",
        "TyperNotation",
        "PromulgationAmount",
        "PageAmount",
        "Content",
    ]
    not_set += ["SignerInfo", "DueDate", "ToPlaces", "StaffInfo", "TraceHeader", "BussinessDocReason", "Description"]
    # Of the two DocumentIds only the first is ours; the second stands in Bussiness.
    theirs = without_lines(sample("01"), *ADDRESS, *not_set)
    theirs = re.sub(rb"(<edXML:Bussiness>\r\n) *<edXML:DocumentId>.*?\r\n", rb"\1", theirs)
    assert shape(ours) == shape(theirs)


def shape(packet: bytes) -> list[bytes]:
    """Lines without texts that are ids or numbers of the example."""
    packet = re.sub(rb"cid:[0-9a-f-]{36}", b"cid:id", packet)
    return re.sub(rb"(Type|TypeDetail|SteeringType)>\d<", rb"\1>0<", packet).split(b"\r\n")


def test_the_same_words_make_the_same_octets() -> None:
    files = [("a.pdf", b"1"), ("b.xlsx", b"2" * 1000)]
    assert compose_document(**DOCUMENT, attachments=files) == compose_document(**DOCUMENT, attachments=list(files))
    assert compose_status(**STATUS) == compose_status(**STATUS)


def test_every_attachment_has_an_id_of_its_own_in_both_places() -> None:
    packet = compose_document(**DOCUMENT, attachments=[("a.pdf", b"1"), ("a.pdf", b"1"), ("b.txt", b"1")])
    ids = re.findall(rb"ContentId>(cid:[0-9a-f-]{36})<", packet)
    assert ids[:3] == ids[3:]
    assert len(set(ids)) == 3


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.pdf", "application/pdf"),
        ("A.DOCX", "application/docx"),
        ("x.xslx", "application/xslx"),
        ("x.zip", "application/zip"),
    ],
)
def test_files_of_these_types_travel_as_they_are(name: str, content_type: str) -> None:
    packet = compose_document(**DOCUMENT, attachments=[(name, b"data")])
    (only,) = read_packet(packet).attachments
    assert (only.attachment_name, only.content_type, only.size_bytes) == (name, content_type, 4)
    assert b">ZGF0YQ==</edXML:ContentTransferEncoded>" in packet


@pytest.mark.parametrize(
    ("name", "data", "ending"),
    [
        ("bảng.xlsx", b"data", ".xlsx"),
        ("ảnh.JPG", b"data", ".jpg"),
        ("../../x", b"data", ""),
        ("a.b/c", b"", ""),
        ("a.pdf", b"", ".pdf"),
    ],
)
def test_all_others_and_empty_ones_travel_as_a_zip_of_one_file_without_a_folder(
    name: str, data: bytes, ending: str
) -> None:
    packet = compose_document(**DOCUMENT, attachments=[(name, data)])
    (content,) = re.findall(rb"ContentTransferEncoded [^>]*>([^<]+)<", packet)
    with zipfile.ZipFile(io.BytesIO(b64decode(content))) as archive:
        (entry,) = archive.namelist()
        assert archive.read(entry) == data
    assert re.fullmatch(r"[0-9a-f-]{36}" + re.escape(ending), entry)
    (attachment,) = read_packet(packet).attachments
    assert (attachment.attachment_name, attachment.content_type, attachment.size_bytes) == (
        name,
        "application/zip",
        len(b64decode(content)),
    )


@pytest.mark.parametrize("letter", ["\x00", "\x08", "\x1f", "\ufffe", "\uffff", "\ud800"])
def test_a_character_that_xml_does_not_allow_is_refused(letter: str) -> None:
    with pytest.raises(Rejected) as caught:
        compose_document(**DOCUMENT | {"subject": f"a{letter}b"})
    assert caught.value.reason is Reason.REQUEST_INVALID
    assert f"U+{ord(letter):04X}" in caught.value.detail


def test_empty_texts_leave_no_element_behind() -> None:
    packet = compose_document(**DOCUMENT | {"subject": "", "number": "", "notation": " ", "sender_name": ""})
    assert b"Subject" not in packet
    assert b"<edXML:Code />" in packet
    assert b"<AttachmentEncoded />" in packet
    assert packet.count(b"OrganName") == 2


@settings(max_examples=150, deadline=None)
@given(
    st.fixed_dictionaries({
        "sender": IDS, "sender_name": TEXTS, "document_id": TEXTS, "number": TEXTS, "notation": TEXTS, "subject": TEXTS, "date": TEXTS,
        "recipients": st.lists(st.tuples(IDS, TEXTS), min_size=1, max_size=3), "priority": st.integers(0, 4),
        "attachments": st.lists(st.tuples(IDS.map(lambda name: f"{name}.pdf"), st.binary(min_size=1, max_size=50)), max_size=3),
    })
)  # fmt: skip
def test_a_composed_document_reads_as_the_words_it_was_made_of(words: dict[str, Any]) -> None:
    packet = compose_document(**words)
    header = read_header(packet)
    assert header == streamed(packet)
    assert header.kind is PacketKind.DOCUMENT
    assert header.sender == words["sender"]
    assert header.document_id == words["document_id"].strip()
    assert header.recipients == tuple(dict.fromkeys(code for code, _ in words["recipients"]))
    texts = (header.sender_name, header.code_number, header.code_notation, header.subject, header.promulgation_date)
    assert texts == tuple(words[name].strip(WHITE) for name in ("sender_name", "number", "notation", "subject", "date"))
    assert (header.priority, header.document_type, header.business_type) == (words["priority"], 0, 0)
    found = [(one.attachment_name, one.content_type, one.size_bytes) for one in read_packet(packet).attachments]
    assert found == [(name, "application/pdf", len(data)) for name, data in words["attachments"]]


@settings(max_examples=100, deadline=None)
@given(
    st.fixed_dictionaries({
        "sender": IDS, "sender_name": TEXTS, "author": IDS, "document_id": TEXTS, "code": TEXTS, "date": TEXTS, "description": TEXTS,
        "timestamp": TEXTS, "status_code": st.from_regex(r"[0-9]{2}", fullmatch=True),
    })
)  # fmt: skip
def test_a_composed_status_reads_as_the_words_it_was_made_of(words: dict[str, Any]) -> None:
    packet = compose_status(**words)
    header = read_header(packet)
    assert header == streamed(packet)
    assert (header.kind, header.recipients) == (PacketKind.STATUS, (words["author"],))
    assert (header.sender, header.status_code) == (words["sender"], words["status_code"])
    texts = (header.sender_name, header.status_description, header.status_timestamp)
    assert texts == tuple(words[name].strip(WHITE) for name in ("sender_name", "description", "timestamp"))
    code, date = words["code"].strip(WHITE), words["date"].strip(WHITE)
    assert header.response_for == (ResponseFor(words["author"], words["document_id"].strip(), code, date),)


def test_what_is_composed_goes_the_quick_way() -> None:
    assert read_tree(compose_document(**DOCUMENT), LIMITS, WHOLE) is not None
    assert read_tree(compose_status(**STATUS), LIMITS, WHOLE) is not None
