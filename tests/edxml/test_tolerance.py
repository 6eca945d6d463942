"""Packets that other makers' programs write are read as well, and mean the same: edxml.md sections 3, 5 and 6."""

import pytest

from node.edxml.document import read_packet
from node.edxml.reader import read_header
from node.model.envelope import PacketKind
from node.model.header import ResponseFor
from tests.edxml.packets import QCVN, changed, sample, streamed, without

GOOD = sample("01")
STATUS = sample("30_status_01")
WORDS = read_header(GOOD)
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
BASE64 = "JVBERi0xLjQgbeG6q3U="


def as_utf_16(packet: bytes, encoding: str) -> bytes:
    return packet.decode().replace("UTF-8", "UTF-16").encode(encoding)


SAME: dict[str, bytes] = {
    "LF": GOOD.replace(b"\r\n", b"\n"),
    "no line ends": GOOD.replace(b"\r\n", b""),
    "more line ends at the end": GOOD + b"\r\n" * 5,
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "UTF-16, little end first": as_utf_16(GOOD, "utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + as_utf_16(GOOD, "utf-16-be"),
    "UTF-16 without a mark": as_utf_16(GOOD, "utf-16-le"),
    "no declaration": GOOD.removeprefix(DECLARATION.encode()),
    "declaration in apostrophes": changed(GOOD, (DECLARATION, DECLARATION.replace('"', "'"))),
    "standalone": changed(GOOD, ('"UTF-8"?>', '"UTF-8" standalone="yes"?>')),
    "another prefix": changed(GOOD, ("edXML:", "x-1:"), ("xmlns:edXML", "xmlns:x-1")),
    "no prefix": changed(GOOD, ("edXML:", ""), (f' xmlns:edXML="{QCVN}"', "")),
    "another root": changed(GOOD, ("<edXML xmlns=", "<goiTin xmlns="), ("</edXML>", "</goiTin>")),
    "root without namespace": changed(GOOD, (f'<edXML xmlns="{QCVN}">', "<edXML>")),
    "elements below in no namespace": changed(
        GOOD, (f'<edXML xmlns="{QCVN}">', "<edXML>"), ("edXML:MessageHeader>", "MessageHeader>")
    ),
    "Manifest": changed(GOOD, ("edXML:edXMLManifest", "edXML:Manifest")),
    "Business": changed(GOOD, ("Bussiness", "Business")),
    "Business around Bussiness": changed(GOOD, ("edXML:Bussiness>", "edXML:Business>")),
    "comments": changed(GOOD, ("V/v", "V<!-- c -->/v"), ("<edXML:From>", "<!-- c --><edXML:From>")),
    "CDATA": changed(GOOD, ("V/v liên", "<![CDATA[V/v]]> <![CDATA[liên]]>")),
    "CDATA after a space that counts": changed(GOOD, (">V/v liên", "><![CDATA[V/v]]><![CDATA[ ]]>liên")),
    "instructions": changed(GOOD, ("V/v", "V<?x y?>/v"), ("<edXML:From>", "<?x?><edXML:From>")),
    "white space round ids": changed(
        GOOD, (">000.00.02.H99<", "> 000.00.02.H99\r\n<"), ("X</edXML:DocumentId>", "X\t</edXML:DocumentId>")
    ),
    "unknown elements": changed(
        GOOD, ("<edXML:From>", "<edXML:New><edXML:OrganId>H01</edXML:OrganId></edXML:New><From2/><edXML:From>")
    ),
    "attributes": changed(
        GOOD, ("<edXML:Reference>", '<edXML:Reference xmlns:l="http://www.w3.org/1999/xlink" l:href="cid:1" l:type="simple">')
    ),
    "no manifest": without(GOOD, "edXML:edXMLBody"),
    "the same recipient twice": changed(
        GOOD, ("</edXML:To>", "</edXML:To><edXML:To><edXML:OrganId> 000.00.02.H99</edXML:OrganId></edXML:To>")
    ),
    "an empty To": changed(GOOD, ("<edXML:To>", "<edXML:To/><edXML:To><edXML:OrganId/></edXML:To><edXML:To>")),
    "an empty ResponseFor": changed(GOOD, ("<edXML:Subject>", "<edXML:ResponseFor /><edXML:Subject>")),
    "content in lines": changed(GOOD, (BASE64, "\r\n  JVBERi0x\r\n  LjQgbeG6\r\n  q3U=\r\n")),
    "rubbish in the content": changed(GOOD, (BASE64, "JV**BERi0xLjQ—gbeG6q3U=")),
    "content in CDATA": changed(GOOD, (BASE64, f"<![CDATA[{BASE64}]]>")),
    "content without prefix": changed(
        GOOD, (f'edXML:ContentTransferEncoded xmlns:edXML="{QCVN}"', "ContentTransferEncoded"), ("/edXML:ContentTr", "/ContentTr")
    ),
    "attachments with prefix": changed(
        GOOD,
        ("<AttachmentEncoded", f'<e:AttachmentEncoded xmlns:e="{QCVN}"'),
        ("</AttachmentEncoded", "</e:AttachmentEncoded"),
        ("<Attachment>", "<e:Attachment>"),
        ("</Attachment>", "</e:Attachment>"),
    ),
    "no name at the attachment": changed(GOOD, ("<AttachmentName>cong-van.pdf</AttachmentName>", "")),
    "no name, another spelling of the id": changed(
        GOOD, ("<AttachmentName>cong-van.pdf</AttachmentName>", ""), ("<ContentId>cid:", "<ContentId>cid:cid:")
    ),
    "no name, no id": changed(
        without(GOOD, "ContentId"), ("<AttachmentName>cong-van.pdf</AttachmentName>", "")
    ),
    "a second of what is there once": changed(
        GOOD,
        ("</edXML:From>", "</edXML:From><edXML:From><edXML:OrganId>H01</edXML:OrganId></edXML:From>"),
        ("</edXML:Subject>", "</edXML:Subject><edXML:Subject>another</edXML:Subject>"),
        ("</edXML:edXMLEnvelope>", f'</edXML:edXMLEnvelope><edXMLEnvelope xmlns="{QCVN}"/>'),
        ("</edXML:ContentTransferEncoded>", "</edXML:ContentTransferEncoded><ContentTransferEncoded>QUJD</ContentTransferEncoded>"),
    ),
    "an envelope of another namespace before it": changed(
        GOOD, ("<edXML:edXMLEnvelope", '<edXMLEnvelope xmlns="urn:other"><From/></edXMLEnvelope><edXML:edXMLEnvelope')
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SAME)
def test_the_same_words_however_they_are_written(what: str) -> None:
    assert SAME[what] != GOOD
    assert read_header(SAME[what]) == streamed(SAME[what]) == WORDS


def test_elements_in_another_order_mean_the_same() -> None:
    header = GOOD[GOOD.index(b"<edXML:MessageHeader>") + 21 : GOOD.index(b"</edXML:MessageHeader>")]
    begins = [
        header.index(f"<edXML:{name}>".encode())
        for name in ("From", "To", "DocumentId", "Code", "Subject", "SignerInfo")
    ]
    parts = [header[start:end] for start, end in zip(begins, [*begins[1:], len(header)], strict=True)]
    packet = GOOD.replace(header, b"".join(reversed(parts)))
    assert packet != GOOD
    assert read_header(packet) == streamed(packet) == WORDS


def test_texts_and_dates_are_kept_as_written() -> None:
    packet = changed(
        GOOD,
        ("<edXML:Subject>V/v", "<edXML:Subject>  V/v"),
        (">2026/10/05</edXML:PromulgationDate>", ">05-10-2026 </edXML:PromulgationDate>"),
        (">2026/12/31<", ">hết năm<"),
    )
    words = read_header(packet)
    assert words == streamed(packet)
    assert (words.subject[:5], words.promulgation_date, words.due_date) == ("  V/v", "05-10-2026 ", "hết năm")


def test_an_element_inside_a_text_is_not_part_of_it() -> None:
    packet = changed(GOOD, ("V/v", "<b>V</b>/<i/>v"))
    assert read_header(packet) == streamed(packet)
    assert read_header(packet).subject.startswith("/v liên")


@pytest.mark.parametrize("number", ["", "x", "1.0", "１", "1_0", "99999999999999999999"])
def test_a_number_that_cannot_be_read_is_none(number: str) -> None:
    packet = changed(
        GOOD,
        (">1</edXML:Type>", f">{number}</edXML:Type>"),
        (">1</edXML:Priority>", f">{number}</edXML:Priority>"),
        (">0</edXML:BussinessDocType>", f">{number}</edXML:BussinessDocType>"),
    )
    words = read_header(packet)
    assert words == streamed(packet)
    assert (words.document_type, words.priority, words.business_type) == (None, None, 0)


def test_a_number_with_white_space_is_read() -> None:
    assert read_header(changed(GOOD, (">1</edXML:Priority>", "> 3\r\n</edXML:Priority>"))).priority == 3


def test_trace_headers_before_the_business_block() -> None:
    packet = changed(sample("14"), ("<edXML:Bussiness>", "<edXML:TraceHeader/><edXML:Bussiness>"))
    assert read_header(packet).business_type == streamed(packet).business_type == 1


def test_of_several_responses_of_a_status_the_last_counts() -> None:
    first = "<edXML:ResponseFor><edXML:OrganId>H01</edXML:OrganId><edXML:DocumentId>d</edXML:DocumentId></edXML:ResponseFor>"
    packet = changed(STATUS, ("<edXML:ResponseFor>", first + "<edXML:ResponseFor>"))
    words = read_header(packet)
    assert words == streamed(packet)
    assert words.recipients == ("000.00.01.H99",)
    assert words.response_for[0] == ResponseFor("H01", "d", "", "")
    assert words.subject_document_id == "000.00.01.H99,2026/10/05,123/UBND-VX"


def test_a_status_with_an_empty_to_is_a_status() -> None:
    packet = changed(
        STATUS, ("<edXML:ResponseFor>", "<edXML:To><edXML:OrganId></edXML:OrganId></edXML:To><edXML:ResponseFor>")
    )
    assert read_header(packet) == streamed(packet) == read_header(STATUS)


def test_a_status_code_with_white_space_is_trimmed_and_one_that_is_unknown_is_kept() -> None:
    packet = changed(STATUS, (">01</edXML:StatusCode>", "> 09\n</edXML:StatusCode>"))
    assert read_header(packet).status_code == streamed(packet).status_code == "09"


def test_what_is_to_somebody_is_a_document_even_with_a_status_code() -> None:
    packet = changed(GOOD, ("<edXML:Subject>", "<edXML:StatusCode>x</edXML:StatusCode><edXML:Subject>"))
    assert read_header(packet).kind is streamed(packet).kind is PacketKind.DOCUMENT


def test_an_attachment_without_content_has_no_octets() -> None:
    packet = changed(GOOD, (BASE64, ""))
    (only,) = read_packet(packet).attachments
    assert (only.attachment_name, only.content_type, only.size_bytes) == ("cong-van.pdf", "application/pdf", 0)


def test_a_status_that_carries_to_is_a_status_to_whom_it_answers() -> None:
    to = "<edXML:To><edXML:OrganId>000.00.09.H99</edXML:OrganId></edXML:To><edXML:StatusCode>"
    octets = changed(STATUS, ("<edXML:StatusCode>", to))
    header = read_header(octets)
    assert (header.kind, header.recipients) == (PacketKind.STATUS, read_header(STATUS).recipients)
    assert read_packet(octets).kind is PacketKind.STATUS


def test_a_document_that_mentions_a_status_code_stays_a_document() -> None:
    octets = changed(
        sample("11"), ("<edXML:SteeringType>", "<edXML:StatusCode>06</edXML:StatusCode><edXML:SteeringType>")
    )
    assert read_header(octets).kind is PacketKind.DOCUMENT
