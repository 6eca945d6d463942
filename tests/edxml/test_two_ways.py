"""Whichever way a packet is read, however deep and however it is cut up, the words and the faults are the same; and nothing but
Rejected comes out."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.edxml.compose import compose_document
from node.edxml.document import read_packet
from node.edxml.grammar import WHOLE
from node.edxml.limits import LIMITS
from node.edxml.reader import BLOCK_BYTES, Whole, read_header
from node.edxml.tree import read_tree
from node.model.header import PacketHeader
from tests.edxml.packets import NAMES, SAMPLES, changed, outcome, sample, whole_outcome

PACKETS = [(SAMPLES / name).read_bytes() for name in NAMES]
STATUS = sample("30_status_15")

SNIPPETS = [
    "<", ">", "&", "&amp;", "&#65;", "&#x1f4c4;", "&foo;", "</", "/>", "<!-- c -->", "<?x y?>", "<![CDATA[x < y]]>", "]]>", " ", "\r\n",
    "\x00", "đ", "<x/>", "<x>", "</edXML:Subject>", "<edXML:To>", "<edXML:StatusCode>01</edXML:StatusCode>", "<!DOCTYPE x>", '"', "'",
    'xmlns="urn:x"', "edXML:", "<edXML:OrganId>H01</edXML:OrganId>", "<edXML:OrganId/>", " <![CDATA[]]> ", " <!-- --> ", "  <x/>  ", "!",
    "?",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A sample with up to three faults: octets cut out, doubled or turned over, or something put between."""
    packet = bytearray(draw(st.sampled_from(PACKETS)))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(packet)))
        end = min(len(packet), start + draw(st.sampled_from([0, 1, 1, 5, 60, 600])))
        inside = draw(
            st.one_of(
                st.sampled_from(SNIPPETS).map(str.encode), st.binary(max_size=3), st.just(bytes(packet[start:end]) * 2)
            )
        )
        packet[start:end] = inside
    return bytes(packet)


@st.composite
def mutated_between_tags(draw: st.DrawFn) -> bytes:
    """A sample with things put where they leave it well-formed more often: around tags."""
    packet = draw(st.sampled_from(PACKETS)).decode()
    for _ in range(draw(st.integers(1, 4))):
        places = [place for place, letter in enumerate(packet) if letter == "<"]
        place = draw(st.sampled_from(places))
        packet = packet[:place] + draw(st.sampled_from(SNIPPETS)) + packet[place:]
    return packet.encode()


@settings(max_examples=400, deadline=None)
@given(st.one_of(mutated(), mutated_between_tags()), st.integers(1, 6000))
def test_a_damaged_packet_is_read_or_refused_alike_by_both_ways(packet: bytes, piece_bytes: int) -> None:
    header, whole = outcome(packet), whole_outcome(packet)
    assert header == outcome(packet, piece_bytes=piece_bytes)
    assert whole == whole_outcome(packet, piece_bytes=piece_bytes)
    assert (whole.header if isinstance(whole, Whole) else whole) == header


SIGNATURE = """<Signature>
  <SignedInfo a="1 &amp; &#38; 2"><x:Y xmlns:x="urn:x" x:b="&lt;">  </x:Y> tail
  </SignedInfo>
</Signature>"""
WRITTEN: dict[str, bytes] = dict(zip(NAMES, PACKETS, strict=True)) | {
    "signed": changed(sample("01"), ("    </edXML:edXMLHeader>", SIGNATURE + "</edXML:edXMLHeader>")),
    "an empty signature": changed(sample("01"), ("    </edXML:edXMLHeader>", "<Signature/></edXML:edXMLHeader>")),
    "attributes": changed(
        sample("01"),
        ("<edXML:TraceHeaderList", '<edXML:TraceHeaderList id="a &amp; b" version="1.0" mustUnderstand="1" actor="&#38;amp;"'),
        ("<edXML:Reference>", '<edXML:Reference xmlns:l="http://www.w3.org/1999/xlink" l:href="cid:1 &lt;">'),
    ),
    "errors": changed(
        sample("01"),
        ("</edXML:edXMLHeader>", "<ErrorList><Error><Code>1</Code></Error><Error/></ErrorList></edXML:edXMLHeader>"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_a_whole_packet_says_the_same_both_ways_and_its_header_is_the_header(name: str) -> None:
    packet = WRITTEN[name]
    tree = read_tree(packet, LIMITS, WHOLE)
    assert tree is not None, "an ordinary packet goes the quick way"
    whole = whole_outcome(packet)
    assert isinstance(whole, Whole)
    assert whole == whole_outcome(packet, piece_bytes=11)
    assert whole.packet == read_packet(packet) == read_packet([packet])
    assert whole.header == read_header(packet)


def test_no_other_header_can_stand_before_the_one_that_programs_read() -> None:
    decoy = "<{0}><MessageHeader><From><OrganId>H01</OrganId></From></MessageHeader></{0}><edXML:edXMLHeader>"
    for name in ("Header", "EdXMLHeader"):
        packet = changed(sample("01"), ("<edXML:edXMLHeader>", decoy.format(name)))
        assert outcome(packet) == outcome(packet, piece_bytes=100) == outcome(sample("01"))


def test_an_envelope_of_another_name_or_time_before_the_right_one_is_refused() -> None:
    for decoy in ("<EdXMLEnvelope/>", '<edXMLEnvelope xmlns="http://www.e-doc.vn/Schema/"/>'):
        packet = changed(sample("01"), ("<edXML:edXMLEnvelope", decoy + "<edXML:edXMLEnvelope"))
        assert outcome(packet) == outcome(packet, piece_bytes=100) == whole_outcome(packet)
        assert not isinstance(outcome(packet), PacketHeader)


@pytest.mark.parametrize("piece_bytes", range(1, 400))
def test_pieces_of_every_size_give_the_same_words(piece_bytes: int) -> None:
    whole = outcome(STATUS)
    assert isinstance(whole, PacketHeader)
    assert outcome(STATUS, piece_bytes=piece_bytes) == whole


@pytest.mark.parametrize("packet", PACKETS, ids=NAMES)
def test_octet_by_octet_is_the_same(packet: bytes) -> None:
    assert outcome(packet, piece_bytes=1) == outcome(packet)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("shift", range(8))
def test_a_letter_over_the_border_of_two_blocks_stays_whole(shift: int, encoding: str) -> None:
    subject = "x" * shift + unicodedata.normalize("NFD", "Quyết định ưu đãi 📄 ") * 8_000
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
    packet = packet.decode().replace("UTF-8", encoding).encode(encoding)
    assert len(packet) > 3 * BLOCK_BYTES
    for piece_bytes in (0, BLOCK_BYTES, 50_001):
        words = outcome(packet, piece_bytes=piece_bytes)
        assert isinstance(words, PacketHeader)
        assert words.subject == subject.rstrip()


def test_a_fault_after_megabytes_is_the_same_for_every_cutting() -> None:
    content = b"QUJD" * 400_000
    packet = (
        sample("01")
        .replace(b"JVBERi0xLjQgbeG6q3U=", content)
        .replace(b"</AttachmentEncoded>", b"</AttachmentEncoded x>")
    )
    at_once = outcome(packet)
    assert not isinstance(at_once, PacketHeader)
    assert all(outcome(packet, piece_bytes=size) == at_once for size in (777, 65_535, 65_536, 65_537, 1 << 20))
