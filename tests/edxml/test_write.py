"""Written packets are what the vendor's library would have written, and read as the words they were made of."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from node.edxml.document import content, read_packet
from node.edxml.write import write_packet
from node.errors import Rejected
from node.model.envelope import PacketKind
from node.model.packet import Attachment, Code, MessageHeader, Organ, OtherInfo, Packet, TraceHeaderList
from node.model.reason import Reason
from tests.edxml.made import documents, statuses
from tests.edxml.packets import NAMES, SAMPLES, changed, sample

NOT_THE_LIBRARYS_OWN = {"61_lf_only.edxml", "64_other_prefix.edxml"}
"""Made from what it wrote: the one with LF for CRLF, the other with another prefix. They come out as 01 does."""

SIGNATURE = """      <Signature>
        <SignedInfo>
          <CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315" />
          <Reference URI="">
            <DigestValue>a&amp;b=</DigestValue>
          </Reference>
        </SignedInfo>
        <SignatureValue>dG8=</SignatureValue>
      </Signature>
    </edXML:edXMLHeader>""".replace("\n", "\r\n")


def rewritten(octets: bytes) -> bytes:
    packet = read_packet(octets)
    contents = [content(octets, index) for index in range(len(packet.attachments))]
    return b"".join(write_packet(packet, contents))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_THE_LIBRARYS_OWN])
def test_what_the_vendors_library_wrote_is_written_again_octet_for_octet(name: str) -> None:
    octets = (SAMPLES / name).read_bytes()
    assert rewritten(octets) == octets


@pytest.mark.parametrize("name", sorted(NOT_THE_LIBRARYS_OWN))
def test_what_was_altered_afterwards_comes_out_as_the_library_had_written_it(name: str) -> None:
    assert rewritten((SAMPLES / name).read_bytes()) == rewritten(sample("01")) == sample("01")


def test_a_signature_is_carried_octet_for_octet() -> None:
    octets = changed(sample("01"), ("    </edXML:edXMLHeader>", SIGNATURE))
    assert rewritten(octets) == octets
    assert read_packet(octets).signature.startswith(b"<Signature xmlns=")


def test_a_signature_with_text_between_its_elements_is_not_touched() -> None:
    signature = b'<s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#" s:Id="1">a<s:b/> c </s:Signature>'
    packet = replace(read_packet(sample("01")), signature=signature, attachments=())
    assert signature in b"".join(write_packet(packet))


@pytest.mark.parametrize("signature", [b"<a>", b"x", b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'])
def test_a_signature_that_is_no_xml_is_refused(signature: bytes) -> None:
    packet = replace(read_packet(sample("02")), signature=signature)
    with pytest.raises(Rejected) as caught:
        list(write_packet(packet))
    assert caught.value.reason is Reason.REQUEST_INVALID


@settings(max_examples=60, deadline=None)
@given(documents())
def test_a_document_reads_as_it_was_written(made: tuple[Packet, list[bytes]]) -> None:
    packet, contents = made
    octets = b"".join(write_packet(packet, contents))
    read = read_packet(octets)
    assert replace(read, kind=PacketKind.DOCUMENT) == packet
    assert [b"".join(content(octets, index)) for index in range(len(contents))] == contents
    assert b"".join(write_packet(packet, [_one_by_one(each) for each in contents])) == octets
    assert octets.count(b"\n") == octets.count(b"\r\n")


@settings(max_examples=50, deadline=None)
@given(statuses())
def test_a_status_reads_as_it_was_written(packet: Packet) -> None:
    octets = b"".join(write_packet(packet))
    assert read_packet(octets) == packet
    assert b"edXMLBody" not in octets
    assert b"AttachmentEncoded" not in octets


def _one_by_one(octets: bytes) -> list[bytes]:
    return [octets[place : place + 1] for place in range(len(octets))]


def test_numbers_that_nobody_set_are_written_as_the_library_writes_them() -> None:
    header = MessageHeader(
        sender=Organ("A"), to=(Organ("B"),), document_id="1", steering_type="", other_info=OtherInfo(direction="")
    )
    octets = b"".join(write_packet(Packet(PacketKind.DOCUMENT, header)))
    assert b"<edXML:SteeringType>0</edXML:SteeringType>" in octets
    assert b"<edXML:Direction>false</edXML:Direction>" in octets


def test_an_empty_group_is_written_and_an_absent_one_is_not() -> None:
    header = MessageHeader(sender=Organ("A"), to=(Organ("B"),), code=Code())
    octets = b"".join(write_packet(Packet(PacketKind.DOCUMENT, header)))
    assert b"<edXML:Code />" in octets
    assert b"PromulgationInfo" not in octets


def test_what_only_other_programs_write_is_left_out() -> None:
    trace = TraceHeaderList(id="1", must_understand="1", actor="x")
    octets = b"".join(write_packet(Packet(PacketKind.DOCUMENT, MessageHeader(to=(Organ("B"),)), trace)))
    assert b'<edXML:TraceHeaderList id="1" />' in octets


def test_a_character_that_xml_does_not_allow_is_refused() -> None:
    with pytest.raises(Rejected) as caught:
        list(write_packet(Packet(PacketKind.DOCUMENT, MessageHeader(subject="\x0b"))))
    assert caught.value.reason is Reason.REQUEST_INVALID


def test_contents_are_streams_and_never_held() -> None:
    given_out = 0

    def pieces() -> object:
        nonlocal given_out
        for _ in range(100):
            given_out += 1
            yield bytes(65_536)

    packet = Packet(PacketKind.DOCUMENT, MessageHeader(to=(Organ("B"),)), attachments=(Attachment("cid:1", "a.pdf"),))
    ahead = []
    for count, _ in enumerate(write_packet(packet, [pieces()])):  # type: ignore[list-item]
        ahead.append(given_out - count)
    assert given_out == 100
    assert max(ahead) <= 1
