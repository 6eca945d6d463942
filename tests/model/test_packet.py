"""The few things that a packet's words can tell of themselves."""

import pytest

from node.model.envelope import PacketKind
from node.model.packet import Bussiness, Code, Dialect, MessageHeader, Packet, ResponseFor, TraceHeaderList


@pytest.mark.parametrize(
    ("number", "notation", "text"),
    [
        ("123", "UBND-VX", "123/UBND-VX"),
        (" 123 ", "UBND-VX\n", "123/UBND-VX"),
        ("123", "", "123"),
        ("", "VX", "VX"),
        ("", " ", ""),
    ],
)
def test_number_and_notation_as_people_write_them(number: str, notation: str, text: str) -> None:
    assert Code(number, notation).text == text


def test_an_answer_to_nothing_is_empty() -> None:
    assert ResponseFor().is_empty
    assert ResponseFor(" \r\n", "\t").is_empty
    assert not ResponseFor(code="1/A").is_empty


def test_a_packet_without_trace_or_business_block_is_new() -> None:
    header, business = MessageHeader(), Bussiness(bussiness_doc_type="1")
    assert Packet(PacketKind.DOCUMENT, header).bussiness is None
    assert Packet(PacketKind.DOCUMENT, header, TraceHeaderList()).bussiness is None
    assert Packet(PacketKind.DOCUMENT, header, TraceHeaderList(bussiness=business)).bussiness is business


def test_older_dialects_are_told() -> None:
    assert [dialect for dialect in Dialect if dialect.is_older] == [Dialect.E_DOC, Dialect.GO_VN]
