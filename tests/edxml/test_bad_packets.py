"""A bad packet is refused for the right reason, in words that help its author, however it is read; and nothing of it is obeyed."""

from pathlib import Path

import pytest

from node.edxml.limits import Limits
from node.edxml.reader import HeaderReader, read_whole
from node.errors import Rejected
from node.model.reason import Reason
from tests.edxml.packets import NAMES, QCVN, changed, refused, sample, streamed, without

GOOD = sample("01")
STATUS = sample("30_status_01")
ROOT_BEGINS = GOOD.index(b"<edXML ")


def with_doctype(doctype: str, packet: bytes = GOOD) -> bytes:
    return packet[:ROOT_BEGINS] + doctype.encode() + packet[ROOT_BEGINS:]


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"   \r\n",
        b"hello",
        b"%PDF-1.4\n%\xe2\xe3",
        b"PK\x03\x04" + bytes(100),
        b"\x00" * 1000,
        b"{}",
        "Kính gửi: UBND tỉnh".encode(),
        b"\n" + GOOD,
        GOOD + b"trailing",
        GOOD + GOOD,
        GOOD.replace(b"</edXML:Subject>", b"</edXML:Subjekt>"),
        GOOD.replace(b"<edXML:Subject>V", b"<edXML:Subject>\xff\xfe"),
        GOOD.replace(b"<edXML:Subject>V", b"<edXML:Subject>\x01"),
        GOOD.replace(b"<edXML:Subject>V", b"<edXML:Subject>&"),
        GOOD.replace(b'encoding="UTF-8"', b'encoding="klingon"'),
        GOOD.replace(b" xmlns:edXML=", b" xmlns:other="),
        GOOD.replace(b"<AttachmentEncoded>", b'<AttachmentEncoded x="1" x="2">'),
    ],
)
def test_what_is_not_xml_is_called_that(rubbish: bytes) -> None:
    refused(rubbish, Reason.PACKET_NOT_XML)


def test_the_fault_of_bad_xml_names_line_and_elements() -> None:
    detail = refused(changed(GOOD, ("</edXML:Subject>", "</edXML:Subjekt>")), Reason.PACKET_NOT_XML)
    line = GOOD[: GOOD.index(b"</edXML:Subject>")].count(b"\n") + 1
    assert f"line {line}" in detail
    assert "Subjekt" in detail


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE edXML>",
        '<!DOCTYPE edXML SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE edXML [<!ENTITY a "b">]>',
        '<!DOCTYPE edXML [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]>',
    ],
)
def test_a_doctype_is_refused(doctype: str) -> None:
    assert "DOCTYPE" in refused(with_doctype(doctype), Reason.PACKET_HAS_DTD)


def test_a_doctype_hidden_in_utf_16_is_refused() -> None:
    text = with_doctype('<!DOCTYPE edXML [<!ENTITY a "b">]>').decode().replace("UTF-8", "UTF-16")
    refused(text.encode("utf-16"), Reason.PACKET_HAS_DTD)


def test_a_file_named_by_an_entity_is_not_read_into_the_subject(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    packet = with_doctype(f'<!DOCTYPE edXML [<!ENTITY x SYSTEM "{secret.as_uri()}">]>', changed(GOOD, ("V/v", "&x;")))
    assert "SECRET" not in refused(packet, Reason.PACKET_HAS_DTD)


def test_entities_that_grow_a_billionfold_cost_nothing() -> None:
    entities = "".join(f'<!ENTITY x{n + 1} "{f"&x{n};" * 10}">' for n in range(9))
    bomb = with_doctype(f'<!DOCTYPE edXML [<!ENTITY x0 "ha">{entities}]>', changed(GOOD, ("V/v", "&x9;")))
    refused(bomb, Reason.PACKET_HAS_DTD)


def test_an_entity_that_nobody_declared_is_refused() -> None:
    assert "nbsp" in refused(changed(GOOD, ("V/v", "V&nbsp;v")), Reason.PACKET_HAS_DTD)


@pytest.mark.parametrize("name", NAMES)
def test_a_packet_cut_anywhere_is_truncated(name: str) -> None:
    packet = sample(name.removesuffix(".edxml")).rstrip()
    # Until the envelope has ended: what ends after that may have other faults, but not for long.
    for end in range(1, len(packet), 41):
        refused(packet[:end], Reason.PACKET_TRUNCATED)
    refused(packet[:-1], Reason.PACKET_TRUNCATED)


def test_truncation_inside_a_letter_is_truncation() -> None:
    cut = GOOD.index("Mẫu".encode()) + 2
    detail = refused(GOOD[:cut], Reason.PACKET_TRUNCATED)
    assert "edXML/edXMLEnvelope/edXMLHeader/MessageHeader/From/OrganizationInCharge" in detail


def test_another_namespace_is_named() -> None:
    packet = changed(GOOD, (f'xmlns:edXML="{QCVN}"', 'xmlns:edXML="http://www.e-doc.vn/Schema/"'))
    detail = refused(packet, Reason.PACKET_WRONG_NAMESPACE)
    assert "found {http://www.e-doc.vn/Schema/}edXMLEnvelope" in detail
    assert f"no {{{QCVN}}}edXMLEnvelope below the root {{{QCVN}}}edXML" in detail


@pytest.mark.parametrize(
    "packet",
    [
        b"<edXML/>",
        b"<html><body>Kh\xc3\xb4ng</body></html>",
        f'<edXML xmlns="{QCVN}"><EdXMLEnvelope/></edXML>'.encode(),
        b"<edXML><edXMLEnvelope><edXMLHeader/></edXMLEnvelope></edXML>",
        f'<edXMLEnvelope xmlns="{QCVN}"><edXMLHeader/></edXMLEnvelope>'.encode(),
        b'<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Header/><S:Body/></S:Envelope>',
    ],
)
def test_xml_of_another_kind_has_no_envelope(packet: bytes) -> None:
    assert "no {" in refused(packet, Reason.PACKET_WRONG_NAMESPACE)


def test_a_soap_envelope_is_named() -> None:
    soap = b'<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body/></S:Envelope>'
    detail = refused(soap, Reason.PACKET_WRONG_NAMESPACE)
    assert "found {http://schemas.xmlsoap.org/soap/envelope/}Envelope" in detail


@pytest.mark.parametrize(
    ("packet", "found"),
    [
        (without(GOOD, "edXML:From"), "no From"),
        (changed(GOOD, ("<edXML:OrganId>000.00.01.H99</edXML:OrganId>", "")), "1 From without it"),
        (changed(GOOD, ("<edXML:OrganId>000.00.01.H99</", "<edXML:OrganId> \r\n </")), "1 From without it"),
        (without(GOOD, "edXML:MessageHeader"), "no MessageHeader"),
        (without(STATUS, "edXML:From"), "no From"),
    ],
)
def test_a_packet_from_nobody(packet: bytes, found: str) -> None:
    assert found in refused(packet, Reason.PACKET_NO_SENDER)


@pytest.mark.parametrize(
    ("packet", "found"),
    [
        (without(GOOD, "edXML:To"), "no To"),
        (changed(GOOD, ("<edXML:OrganId>000.00.02.H99</edXML:OrganId>", "")), "1 To without it"),
        (without(STATUS, "edXML:ResponseFor"), "no ResponseFor"),
        (changed(STATUS, ("<edXML:OrganId>000.00.01.H99</edXML:OrganId>", "")), "1 ResponseFor without it"),
    ],
)
def test_a_packet_to_nobody(packet: bytes, found: str) -> None:
    assert found in refused(packet, Reason.PACKET_NO_RECIPIENT)


@pytest.mark.parametrize("code", ["", " ", "1", "001", "1a", "-1", "٠١", "01 02", "đã đến", "0" * 1000])
def test_a_status_code_that_is_not_two_digits(code: str) -> None:
    packet = changed(STATUS, (">01</edXML:StatusCode>", f">{code}</edXML:StatusCode>"))
    assert "StatusCode" in refused(packet, Reason.STATUS_MALFORMED)


def test_a_status_whose_code_was_forgotten() -> None:
    assert "found none" in refused(without(STATUS, "edXML:StatusCode"), Reason.STATUS_MALFORMED)


def test_too_many_elements() -> None:
    limits = Limits(elements_max=100)
    packet = changed(GOOD, ("<AttachmentEncoded>", "<AttachmentEncoded>" + "<x/>" * 200))
    assert "elements_max 100" in refused(packet, Reason.PACKET_TOO_COMPLEX, limits)


@pytest.mark.parametrize("depth", [33, 250, 300, 5000])
def test_elements_too_deep_inside_one_another(depth: int) -> None:
    packet = changed(GOOD, ("<AttachmentEncoded>", "<AttachmentEncoded>" + "<x>" * depth + "</x>" * depth))
    assert "depth_max 32" in refused(packet, Reason.PACKET_TOO_COMPLEX)


def test_depth_is_measured_to_the_element() -> None:
    below = 32 - 2
    packet = changed(GOOD, ("<AttachmentEncoded>", "<AttachmentEncoded>" + "<x>" * below + "</x>" * below))
    assert streamed(packet) == streamed(GOOD)
    one_more = changed(packet, ("<x><x>", "<x><x><x>"), ("</x></x>", "</x></x></x>"))
    refused(one_more, Reason.PACKET_TOO_COMPLEX)


def test_too_many_recipients_and_too_many_attachments() -> None:
    to = "<edXML:To><edXML:OrganId>H99</edXML:OrganId></edXML:To>"
    many_to = changed(GOOD, ("<edXML:To>", to * 10_000 + "<edXML:To>"))
    assert "10000 To" in refused(many_to, Reason.PACKET_TOO_COMPLEX)
    many_files = changed(GOOD, ("<Attachment>", "<Attachment/>" * 10_000 + "<Attachment>"))
    with pytest.raises(Rejected, match="10000 Attachment") as caught:
        read_whole(many_files)
    assert caught.value.reason is Reason.PACKET_TOO_COMPLEX


def test_too_long_a_text() -> None:
    packet = changed(GOOD, ("V/v", "v" * 262_144))
    assert "MessageHeader/Subject" in refused(packet, Reason.PACKET_TOO_COMPLEX)


def test_too_much_text_together() -> None:
    limits = Limits(header_characters_max=300)
    packet = changed(GOOD, ("V/v", "v" * 250))
    assert "header_characters_max 300" in refused(packet, Reason.PACKET_TOO_COMPLEX, limits)


def fed_until_refused(beginning: bytes) -> tuple[Rejected, int]:
    """Feed x after the beginning, 8 MiB at most; return the refusal and how many octets it took."""
    reader = HeaderReader()
    reader.feed(beginning)
    for count in range(128):
        try:
            reader.feed(b"x" * 65_536)
        except Rejected as refusal:
            return refusal, count * 65_536
    raise AssertionError("not refused")


@pytest.mark.parametrize("opening", ["<!--", "<?x ", "<![CDATA[", '<x y="', "<x"])
def test_a_tag_or_comment_without_an_end_is_not_held_for_ever(opening: str) -> None:
    refusal, fed_bytes = fed_until_refused(GOOD[: GOOD.index(b"<AttachmentEncoded>")] + opening.encode())
    assert refusal.reason is Reason.PACKET_TOO_COMPLEX
    assert "markup_bytes_max" in refusal.detail
    assert "xx" not in refusal.detail
    assert fed_bytes < 2 << 20


@pytest.mark.parametrize("mark", ["&", "& ", "&amp", "< "])
def test_a_lone_mark_is_called_bad_xml_though_the_parser_waits_for_its_end(mark: str) -> None:
    refusal, _ = fed_until_refused(GOOD[: GOOD.index(b"V/v")] + mark.encode() + b" ")
    assert refusal.reason is Reason.PACKET_NOT_XML
    refused(changed(GOOD, ("V/v", f"V{mark} v")), Reason.PACKET_NOT_XML)


def test_once_refused_it_stays_refused_for_the_same_reason() -> None:
    reader = HeaderReader()
    with pytest.raises(Rejected) as first:
        reader.feed(with_doctype("<!DOCTYPE edXML>") + bytes(100_000))
    for again in (lambda: reader.feed(GOOD), lambda: reader.feed(b""), reader.finish, reader.finish):
        with pytest.raises(Rejected) as later:
            again()
        assert (later.value.reason, later.value.detail) == (first.value.reason, first.value.detail)


def test_what_nobody_can_carry_is_refused_before_its_attachments_are_read() -> None:
    reader = HeaderReader()
    with pytest.raises(Rejected) as caught:
        reader.feed(without(GOOD, "edXML:To").removesuffix(b"</edXML>\r\n") + b" " * 65_536)
    assert caught.value.reason is Reason.PACKET_NO_RECIPIENT
