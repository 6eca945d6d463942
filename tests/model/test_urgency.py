"""Degrees of urgency: however somebody writes one, it is that one; and nothing else is."""

import unicodedata

import pytest

from node.edxml.reader import read_header
from node.model.urgency import priority_number
from tests.edxml.packets import changed, sample


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("hỏa tốc", 3), ("hoả tốc", 3), ("hoa toc", 3), ("HOẢ TỐC", 3), (" Hỏa-tốc ", 3), (unicodedata.normalize("NFD", "hoả tốc"), 3),
        ("hoa_toc", 3), ("Hoả  tốc hẹn giờ", 4), ("thượng khẩn", 2), ("Khẩn", 1), ("thuong", 0), ("3", 3), (" 0 ", 0),
        ("", None), ("gấp", None), ("5", None), ("-1", None), ("3.", None), ("hỏa", None), ("hoa tocc", None), ("٣", None),
        ("h" * 10**6, None),
    ],
)  # fmt: skip
def test_degrees_by_number_and_name(written: str, number: int | None) -> None:
    assert priority_number(written) == number


@pytest.mark.parametrize(
    ("written", "number"), [("Hoả tốc", 3), ("2", 2), (" 1 ", 1), ("9", 9), ("rất gấp", None), ("", None)]
)
def test_a_packet_that_names_its_urgency_is_as_urgent(written: str, number: int | None) -> None:
    packet = changed(sample("01"), ("<edXML:Priority>1<", f"<edXML:Priority>{written}<"))
    assert read_header(packet).priority == number
