"""A whole packet is read into words however it is written, and says in which dialect; what cannot be read is refused."""

import unicodedata

import pytest
from hypothesis import given, settings

from node.edxml.compose import compose_document
from node.edxml.document import PacketReader, read_packet
from node.edxml.limits import Limits
from node.edxml.reader import read_header
from node.errors import Rejected
from node.model.envelope import PacketKind
from node.model.packet import (
    BussinessDocumentInfo,
    Dialect,
    Organ,
    OrganIdList,
    Packet,
    Receiver,
    ReceiverList,
    ReplacementInfo,
    ResponseFor,
    StaffInfo,
    TraceHeader,
)
from node.model.reason import Reason
from tests.edxml.packets import NAMES, QCVN, SAMPLES, changed, sample, without
from tests.edxml.test_two_ways import mutated, mutated_between_tags

GOOD = sample("01")
WORDS = read_packet(GOOD)
STATUS = sample("30_status_15")
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
E_DOC = "http://www.e-doc.vn/Schema/"


def pieced(packet: bytes, piece_bytes: int) -> Packet:
    reader = PacketReader()
    for start in range(0, len(packet), piece_bytes):
        reader.feed(packet[start : start + piece_bytes])
    return reader.finish()


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_says_the_same_as_its_header_and_however_it_is_cut(name: str) -> None:
    octets = (SAMPLES / name).read_bytes()
    packet, header = read_packet(SAMPLES / name), read_header(octets)
    assert packet == read_packet(octets) == pieced(octets, 7)
    assert packet.dialect is Dialect.QCVN_102
    assert packet.kind is header.kind
    assert packet.header.sender is not None
    assert packet.header.sender.organ_id == header.sender
    assert (packet.header.subject, packet.header.status_code) == (header.subject, header.status_code)


def test_the_words_of_a_document() -> None:
    header = WORDS.header
    assert header.to == (
        Organ(
            "000.00.02.H99",
            "Cơ quan chủ quản của Sở Mẫu",
            "Sở Mẫu",
            "Số 1 Hoàng Hoa Thám, Hà Nội",
            "vt@example.vn",
            "024.1234567",
            "024.7654321",
            "www.example.vn",
        ),
    )
    assert header.code is not None
    assert header.code.text == "123/UBND-VX"
    assert header.to_places is not None
    assert header.to_places.places == ("Như trên", "Lưu: VT")
    assert header.other_info is not None
    assert (header.other_info.priority, header.other_info.direction) == ("1", "false")
    assert (header.steering_type, header.due_date, header.content[:9]) == ("1", "2026/12/31", "Nội dung:")
    assert WORDS.trace is not None
    assert WORDS.trace.trace_headers == (TraceHeader("000.00.01.H99", "2026/10/05 09:30:15"),)
    assert WORDS.references is not None
    assert WORDS.references[0].content_type == "application/zip"
    assert WORDS.attachments[0].beginning == b"%PDF-1.4 m\xe1\xba\xabu"


def test_the_words_of_what_is_done_with_a_document() -> None:
    update, replacement = read_packet(sample("15")).bussiness, read_packet(sample("16")).bussiness
    assert update is not None
    assert update.bussiness_document_infos == (
        BussinessDocumentInfo("1", "1", ReceiverList((Receiver("000.00.02.H99", "0"), Receiver("000.00.03.H99", "1")))),
    )
    assert replacement is not None
    gone_to = OrganIdList(("000.00.02.H99", "000.00.03.H99"))
    assert replacement.replacement_info_lists[0].replacement_infos == (
        ReplacementInfo("000.00.01.H99,2026/01/05,7/UBND-VX", gone_to),
        ReplacementInfo("000.00.01.H99,2026/02/05,8/UBND-VX", gone_to),
    )


def test_the_words_of_a_status() -> None:
    packet = read_packet(STATUS)
    assert packet.kind is PacketKind.STATUS
    document = "000.00.01.H99,2026/10/05,123/UBND-VX"
    assert packet.header.response_for == (ResponseFor("000.00.01.H99", "123/UBND-VX", document, "2026/10/05"),)
    staff = StaffInfo("Văn thư", "VT", "Lê Mẫu", "NV2", "le@example.vn", "0900000001")
    assert (packet.header.staff_info, packet.header.status_code) == (staff, "15")
    assert (packet.references, packet.attachments, packet.header.steering_type) == (None, (), None)


def _reordered_trace(packet: bytes) -> bytes:
    start, end = packet.index(b"<edXML:TraceHeader>"), packet.index(b"</edXML:TraceHeader>") + 20
    return packet.replace(packet[start:end], b"").replace(
        b"<edXML:Bussiness>", packet[start:end] + b"<edXML:Bussiness>"
    )


SAME = {
    "another prefix": changed(GOOD, ("edXML:", "x:"), ("xmlns:edXML", "xmlns:x")),
    "LF": GOOD.replace(b"\r\n", b"\n"),
    "BOM": b"\xef\xbb\xbf" + GOOD,
    "UTF-16": GOOD.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    "no declaration": GOOD[GOOD.index(b"<edXML ") :],
    "CDATA": changed(GOOD, ("<edXML:Subject>V/v", "<edXML:Subject><![CDATA[V/]]>v")),
    "comments": changed(GOOD, ("V/v", "V/<!-- x -->v"), ("<edXML:To>", "<!-- y --><edXML:To>")),
    "Manifest": changed(GOOD, ("edXML:edXMLManifest", "edXML:Manifest")),
    "Business spelled right": changed(GOOD, ("Bussiness", "Business")),
    "TraceHeader first": _reordered_trace(GOOD),
    "no prefix in attachments": changed(
        GOOD, ("<edXML:ContentTransferEncoded", "<ContentTransferEncoded"), ("</edXML:ContentTransfer", "</ContentTransfer")
    ),
    "base64 on many lines": changed(GOOD, ("JVBERi0xLjQ", "JVBE\r\n   Ri0x\tLjQ")),
    "elements that nobody knows": changed(GOOD, ("<edXML:To>", "<edXML:New><edXML:OrganId>?</edXML:OrganId></edXML:New><edXML:To>")),
    "a second of what is there once": changed(GOOD, ("</edXML:Subject>", "</edXML:Subject><edXML:Subject>no</edXML:Subject>")),
    "an empty signature": changed(GOOD, ("</edXML:edXMLHeader>", "<Signature/></edXML:edXMLHeader>")),
}  # fmt: skip


@pytest.mark.parametrize("way", SAME)
def test_however_it_is_written_it_says_the_same(way: str) -> None:
    assert SAME[way] != GOOD
    assert read_packet(SAME[way]) == WORDS


def in_dialect(namespace: str, *edits: tuple[str, str]) -> bytes:
    return changed(GOOD, (f'xmlns:edXML="{QCVN}"', f'xmlns:edXML="{namespace}"'), *edits)


def soap() -> bytes:
    """The dialect before QCVN 102: header and manifest in a SOAP envelope, attachments elsewhere."""
    message = GOOD[GOOD.index(b"<edXML:MessageHeader>") : GOOD.index(b"</edXML:edXMLHeader>")].decode()
    reference = (
        '<edXML:Reference xlink:href="cid:1"><edXML:AttachmentName>a.pdf</edXML:AttachmentName></edXML:Reference>'
    )
    return (
        f'<S:Envelope xmlns:S="{SOAP}" xmlns:edXML="{E_DOC}" xmlns:xlink="http://www.w3.org/1999/xlink"><S:Header>{message}</S:Header>'
        f"<S:Body><edXML:Manifest>{reference}</edXML:Manifest></S:Body></S:Envelope>"
    ).encode()


DIALECTS = {
    "e-doc.vn": (Dialect.E_DOC, in_dialect(E_DOC)),
    "e-doc.vn in SOAP": (Dialect.E_DOC, soap()),
    "go.vn": (
        Dialect.GO_VN,
        in_dialect("http://www.go.vn/eDoc", ("edXML:edXMLEnvelope", "edXML:EdXMLEnvelope"), ("edXML:edXMLHeader", "edXML:EdXMLHeader")),
    ),
    "the envelope is the root": (
        Dialect.BARE_ENVELOPE,
        GOOD[GOOD.index(b"<edXML:edXMLEnv") : GOOD.index(b"<AttachmentEncoded>")].replace(b"edXMLEnvelope", b"EdXMLEnvelope"),
    ),
    ".NET by its attributes": (
        Dialect.DOT_NET,
        changed(GOOD, ("<edXML:TraceHeaderList>", '<edXML:TraceHeaderList id="1" mustUnderstand="1" actor="next">')),
    ),
    ".NET by its namespaces": (
        Dialect.DOT_NET,
        changed(GOOD, ("<edXML xmlns", '<edXML xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns')),
    ),
    ".NET by its signature": (Dialect.DOT_NET, changed(GOOD, ("</edXML:edXMLHeader>", "<edXML:DigitalSignature/></edXML:edXMLHeader>"))),
    ".NET by its links": (
        Dialect.DOT_NET,
        changed(GOOD, ("<edXML:Reference>", '<edXML:Reference xmlns:l="http://www.w3.org/1999/xlink" l:href="cid:1">')),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects_are_read_and_named(name: str) -> None:
    dialect, octets = DIALECTS[name]
    packet = read_packet(octets)
    assert packet.dialect is dialect
    assert packet.header == WORDS.header
    assert packet.bussiness == WORDS.bussiness
    assert packet.signature == b""


def test_an_ampersand_in_an_attribute_is_one() -> None:
    octets = changed(GOOD, ("<edXML:TraceHeaderList>", '<edXML:TraceHeaderList id="a&amp;b&#38;c&lt;&amp;#38;">'))
    trace = read_packet(octets).trace
    assert trace is not None
    assert trace.id == "a&b&c<&#38;"


def test_dot_net_attributes_are_kept() -> None:
    trace = read_packet(DIALECTS[".NET by its attributes"][1]).trace
    assert trace is not None
    assert (trace.id, trace.must_understand, trace.actor) == ("1", "1", "next")
    references = read_packet(DIALECTS[".NET by its links"][1]).references
    assert references is not None
    assert references[0].href == "cid:1"


@settings(max_examples=250, deadline=None)
@given(mutated() | mutated_between_tags())
def test_whatever_is_damaged_is_read_or_refused_and_agrees_with_the_header(octets: bytes) -> None:
    try:
        packet = read_packet(octets)
    except Rejected:
        return  # nothing but Rejected may come out
    if packet.dialect in (Dialect.QCVN_102, Dialect.DOT_NET):
        try:
            header = read_header(octets)
        except Rejected as refusal:
            assert refusal.reason in (Reason.PACKET_NO_SENDER, Reason.PACKET_NO_RECIPIENT, Reason.STATUS_MALFORMED)  # noqa: PT017
            return
        assert packet.header.subject == header.subject
        assert packet.header.document_id.strip() == header.document_id


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", Reason.PACKET_NOT_XML),
        (b"%PDF", Reason.PACKET_NOT_XML),
        (changed(GOOD, ("V/v", "V\x01v")), Reason.PACKET_NOT_XML),
        (GOOD[:3000], Reason.PACKET_TRUNCATED),
        (changed(GOOD, ("<edXML xmlns", "<!DOCTYPE edXML><edXML xmlns")), Reason.PACKET_HAS_DTD),
        (changed(GOOD, ("V/v", "&nbsp;")), Reason.PACKET_HAS_DTD),
        (in_dialect("urn:other"), Reason.PACKET_WRONG_NAMESPACE),
        (b"<edXML><edXMLEnvelope/></edXML>", Reason.PACKET_WRONG_NAMESPACE),
        (f'<S:Envelope xmlns:S="{SOAP}"><S:Header/></S:Envelope>'.encode(), Reason.PACKET_WRONG_NAMESPACE),
        (changed(GOOD, ("V/v", "v" * 300_000)), Reason.PACKET_TOO_COMPLEX),
        (changed(GOOD, ("<edXML:To>", "<x>" * 40 + "</x>" * 40 + "<edXML:To>")), Reason.PACKET_TOO_COMPLEX),
        (
            changed(GOOD, ("<AttachmentEncoded>", "<AttachmentEncoded>" + "<Attachment/>" * 10_001)),
            Reason.PACKET_TOO_COMPLEX,
        ),
    ],
)
def test_what_cannot_be_read_is_refused(octets: bytes, reason: Reason) -> None:
    for read in (read_packet, lambda each: pieced(each, 1_000)):
        with pytest.raises(Rejected) as caught:
            read(octets)
        assert caught.value.reason is reason


def test_a_signature_is_limited_like_everything_else() -> None:
    octets = changed(GOOD, ("</edXML:edXMLHeader>", f"<Signature>{'x' * 5000}</Signature></edXML:edXMLHeader>"))
    with pytest.raises(Rejected) as caught:
        read_packet(octets, Limits(header_characters_max=5_000))
    assert caught.value.reason is Reason.PACKET_TOO_COMPLEX


def test_who_is_missing_is_left_to_the_rules() -> None:
    packet = read_packet(without(without(GOOD, "edXML:From"), "edXML:To"))
    assert (packet.header.sender, packet.header.to, packet.kind) == (None, (), PacketKind.DOCUMENT)
    assert read_packet(without(GOOD, "edXML:MessageHeader")).header.document_id == ""


def test_an_empty_steering_type_is_not_the_same_as_none() -> None:
    assert read_packet(changed(GOOD, ("<edXML:SteeringType>1</", "<edXML:SteeringType></"))).header.steering_type == ""
    assert read_packet(without(GOOD, "edXML:SteeringType")).header.steering_type is None


@pytest.mark.parametrize(
    "subject",
    [
        "Quyết định 📄 " * 5_000,
        unicodedata.normalize("NFD", "Ưu đãi ố"),
        unicodedata.normalize("NFC", "Ưu đãi ố"),
        "👩\u200d⚖️",
    ],
)
def test_subjects_are_kept_as_they_are(subject: str) -> None:
    packet = compose_document(
        sender="H99",
        sender_name="",
        recipients=[("H98", "")],
        document_id="1",
        number="1",
        notation="",
        subject=subject,
        date="",
    )
    assert read_packet(packet).header.subject == subject.strip()


def test_5000_recipients() -> None:
    codes = [f"H49.{number // 100:02}.{number % 100:02}" for number in range(5_000)]
    packet = compose_document(
        sender="H99", sender_name="", recipients=[(code, "Xã") for code in codes], document_id="1", number="1", notation="",
        subject="", date="",
    )  # fmt: skip
    assert [one.organ_id for one in read_packet(packet).header.to] == codes
