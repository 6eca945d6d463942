"""Every row of the table of what the vendor's parser takes (edxml.md section 3), on every sample: read alike, or refused by name.

Where the node is stricter or more lenient than that parser, the row says so.
"""

import re
from collections.abc import Callable

import pytest

from node.edxml.document import read_packet
from node.edxml.reader import read_header, read_whole
from node.edxml.rules import check_packet
from node.model.finding import Severity
from node.model.reason import Reason
from tests.edxml.packets import NAMES, QCVN, SAMPLES, changed, outcome, refused, streamed, whole_outcome

Edit = Callable[[str], str | bytes]
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
UNTOUCHED = {name: (SAMPLES / name).read_bytes() for name in NAMES}


def prefix_of(text: str) -> str:
    found = re.search(r"<(\w+):edXMLEnvelope", text)
    assert found is not None
    return found[1]


def after_root(text: str, insertion: str) -> str:
    end = text.index(">", text.index("<edXML ")) + 1
    return text[:end] + insertion + text[end:]


def with_doctype(doctype: str) -> Edit:
    return lambda text: text.replace("<edXML ", f"{doctype}<edXML ", 1)


def in_every_text(make: Callable[[str], str]) -> Edit:
    """Write each OrganId in another way."""
    return lambda text: re.sub(r"(OrganId>)([^<]+)(<)", lambda found: found[1] + make(found[2]) + found[3], text)


PREFIXED = "root prefixed with both declarations (more lenient, with a warning)"
READ: dict[str, Edit] = {
    "LF for CRLF": lambda text: text.replace("\r\n", "\n"),
    "BOM": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "UTF-16 with declaration": lambda text: text.replace("UTF-8", "UTF-16").encode("utf-16"),
    "no XML declaration": lambda text: text.replace(DECLARATION, "").lstrip(),
    "extra CRLFs at the end": lambda text: text + "\r\n" * 7,
    "other prefix": lambda text: text.replace(f"{prefix_of(text)}:", "q:").replace(
        f"xmlns:{prefix_of(text)}", "xmlns:q"
    ),
    "no prefix": lambda text: text.replace(f"{prefix_of(text)}:", "").replace(f' xmlns:{prefix_of(text)}="{QCVN}"', ""),
    "prefix declared on the root": lambda text: text.replace("<edXML ", f'<edXML xmlns:{prefix_of(text)}="{QCVN}" ', 1),
    "root of another name": lambda text: text.replace("<edXML ", "<goi ", 1).replace("</edXML>", "</goi>"),
    PREFIXED: lambda text: text.replace("<edXML ", f'<z:edXML xmlns:z="{QCVN}" ', 1).replace("</edXML>", "</z:edXML>"),
    "CDATA": in_every_text(lambda code: f"<![CDATA[{code}]]>"),
    "comments": in_every_text(lambda code: f"<!-- c -->{code}"),
    "processing instructions": in_every_text(lambda code: f"{code}<?x y?>"),
    "character references": in_every_text(lambda code: f"&#x{ord(code[0]):x};{code[1:]}"),
    "white space round OrganId": in_every_text(lambda code: f"\r\n {code}\t"),
    "unknown elements": lambda text: after_root(text, "<la><OrganId>H01</OrganId></la>"),
    "unknown attributes": lambda text: re.sub(r"<(\w+:\w+)>", r'<\1 la="1">', text),
    "no AttachmentEncoded where there is nothing in it": lambda text: text.replace("  <AttachmentEncoded />\r\n", ""),
}
REFUSED: dict[str, tuple[Edit, Reason]] = {
    "a blank line before the declaration": (lambda text: "\r\n" + text, Reason.PACKET_NOT_XML),
    "text at the end": (lambda text: text + "x", Reason.PACKET_NOT_XML),
    "a second packet at the end": (lambda text: text + text, Reason.PACKET_NOT_XML),
    "truncated": (lambda text: text[: len(text) // 2], Reason.PACKET_TRUNCATED),
    "wrong UTF-8": (lambda text: text.encode().replace(b"OrganId>", b"OrganId>\xc3\x28", 1), Reason.PACKET_NOT_XML),
    "a control character": (lambda text: text.replace("OrganId>", "OrganId>\x07", 1), Reason.PACKET_NOT_XML),
    "a control character by reference": (lambda text: text.replace("OrganId>", "OrganId>&#7;", 1), Reason.PACKET_NOT_XML),
    "a null character by reference": (lambda text: text.replace("OrganId>", "OrganId>&#0;", 1), Reason.PACKET_NOT_XML),
    "a lone surrogate by reference": (lambda text: text.replace("OrganId>", "OrganId>&#xD800;", 1), Reason.PACKET_NOT_XML),
    "DOCTYPE (stricter)": (with_doctype("<!DOCTYPE edXML>"), Reason.PACKET_HAS_DTD),
    "external entity (stricter)": (
        lambda text: with_doctype('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>')(text).replace("OrganId>", "OrganId>&e;", 1),  # type: ignore[union-attr]
        Reason.PACKET_HAS_DTD,
    ),
    "internal entity (stricter)": (with_doctype('<!DOCTYPE x [<!ENTITY e "H01">]>'), Reason.PACKET_HAS_DTD),
    "the namespace before QCVN 102": (lambda text: text.replace(QCVN, "http://www.e-doc.vn/Schema/"), Reason.PACKET_WRONG_NAMESPACE),
    "no namespace": (
        lambda text: re.sub(r' xmlns(:\w+)?="[^"]*"', "", text).replace(f"{prefix_of(text)}:", ""),
        Reason.PACKET_WRONG_NAMESPACE,
    ),
    "the envelope as the root": (
        lambda text: re.sub(r"<edXML [^>]*>|</edXML>|<AttachmentEncoded.*</AttachmentEncoded>|<AttachmentEncoded />", "", text, flags=re.S),
        Reason.PACKET_WRONG_NAMESPACE,
    ),
    "no MessageHeader": (lambda text: re.sub(r"<\w+:MessageHeader>.*</\w+:MessageHeader>", "", text, flags=re.S), Reason.PACKET_NO_SENDER),
    "no edXMLHeader": (lambda text: re.sub(r"<\w+:edXMLHeader>.*</\w+:edXMLHeader>", "", text, flags=re.S), Reason.PACKET_NO_SENDER),
    "no From": (lambda text: re.sub(r"<(\w+):From>.*</\w+:From>", "", text, flags=re.S), Reason.PACKET_NO_SENDER),
}  # fmt: skip


def octets(edited: str | bytes) -> bytes:
    return edited if isinstance(edited, bytes) else edited.encode()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("row", READ)
def test_what_is_read_says_the_same(row: str, name: str) -> None:
    packet = octets(READ[row](UNTOUCHED[name].decode()))
    words = read_header(UNTOUCHED[name])
    assert read_header(packet) == streamed(packet) == read_whole(packet).header == words
    assert whole_outcome(packet) == whole_outcome(packet, piece_bytes=997)
    before, after = (check_packet(read_packet(one)) for one in (UNTOUCHED[name], packet))
    of_the_root = {"EDXML-004"} if row == PREFIXED else set()
    assert [one.code for one in before] == [one.code for one in after if one.code not in of_the_root]
    assert of_the_root <= {one.code for one in after}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("row", REFUSED)
def test_what_is_refused_is_refused_for_its_reason_by_every_reader(row: str, name: str) -> None:
    edit, reason = REFUSED[row]
    packet = octets(edit(UNTOUCHED[name].decode()))
    refused(packet, reason)
    assert whole_outcome(packet) == whole_outcome(packet, piece_bytes=997) == outcome(packet)


DOCUMENTS = [name for name in NAMES if "status" not in name and read_packet(UNTOUCHED[name]).attachments]


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize(
    ("what", "edit", "code"),
    [
        ("no name", lambda text: re.sub(r"<AttachmentName>[^<]*</AttachmentName>", "", text), "EDXML-071"),
        ("no content", lambda text: re.sub(r"<(\w+:)?ContentTransferEncoded.*?</(\w+:)?ContentTransferEncoded>", "", text), "EDXML-070"),
        ("empty content", lambda text: re.sub(r"(<(?:\w+:)?ContentTransferEncoded[^>]*>)[^<]*", r"\1", text), "EDXML-070"),
        ("called a zip and none", lambda text: text.replace("application/pdf", "application/zip"), "EDXML-072"),
    ],
)  # fmt: skip
def test_what_makes_the_vendors_parser_fail_on_the_whole_packet_is_an_error(
    name: str, what: str, edit: Edit, code: str
) -> None:
    packet = octets(edit(UNTOUCHED[name].decode()))
    errors = [one.code for one in check_packet(read_packet(packet)) if one.severity is Severity.ERROR]
    assert code in errors, what


@pytest.mark.parametrize("name", [name for name in NAMES if "status" not in name])
@pytest.mark.parametrize("written", ["", "x", " 1 ", "1.0", "٣"])
def test_a_steering_type_that_is_no_integer_is_an_error(name: str, written: str) -> None:
    packet = re.sub(r"(SteeringType>)[^<]*(<)", rf"\g<1>{written}\2", UNTOUCHED[name].decode()).encode()
    assert packet != UNTOUCHED[name]
    assert "EDXML-060" in {one.code for one in check_packet(read_packet(packet))}


@pytest.mark.parametrize("name", [name for name in NAMES if "PromulgationDate>2026/10/05" in UNTOUCHED[name].decode()])
@pytest.mark.parametrize(
    ("date", "code"),
    [("2026-10-05", "EDXML-052"), ("05/10/2026", "EDXML-050"), ("rác", "EDXML-050"), ("2014/02/30", "EDXML-051")],
)
def test_a_date_in_another_form_is_a_warning_and_kept(name: str, date: str, code: str) -> None:
    packet = changed(UNTOUCHED[name], ("PromulgationDate>2026/10/05", f"PromulgationDate>{date}"))
    found = {one.code: one.severity for one in check_packet(read_packet(packet))}
    assert found[code] is Severity.WARNING
    header = read_header(packet)
    assert date in (header.promulgation_date, *(one.promulgation_date for one in header.response_for))


@pytest.mark.parametrize("name", [name for name in NAMES if "H99,2026/10/05," in UNTOUCHED[name].decode()])
def test_an_impossible_date_in_a_document_id_is_a_warning_and_the_id_is_kept(name: str) -> None:
    packet = UNTOUCHED[name].replace(b"H99,2026/10/05,", b"H99,2014/02/30,")
    found = {one.code: one.severity for one in check_packet(read_packet(packet))}
    assert found["EDXML-054"] is Severity.WARNING
    assert "2014/02/30" in read_header(packet).subject_document_id
