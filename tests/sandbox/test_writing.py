"""Papers as packets: every style is valid by our own rules, the same for the same paper, and as large as it says."""

import unicodedata
from dataclasses import replace

import pytest

from node.edxml.judging import judge
from node.edxml.reader import read_header
from node.model.packet import Bussiness
from node.model.policy import MIB
from node.sandbox.cast import COUNTERPARTS, VENDOR_NODE, VENDOR_UNITS, Counterpart, of_node
from node.sandbox.papers import Paper, Style, replacement, update, withdrawal
from node.sandbox.pdf import pdf, small_pdf
from node.sandbox.writing import SPECIAL_NAME, packet_of

NOW_MS = 1_795_345_200_000
UNSIGNED = "EDXML-080"
PAPER = Paper(COUNTERPARTS[0].unit, VENDOR_UNITS[0], "12", "VP-HC", "V/v thử", NOW_MS, size_bytes=2 * MIB)


def written(paper: Paper) -> bytes:
    return b"".join(packet_of(paper))


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("by_old_code", [False, True])
def test_every_style_obeys_the_rules(style: Style, by_old_code: bool) -> None:
    paper = replace(PAPER, style=style, by_old_code=by_old_code)
    _, findings = judge(written(paper), NOW_MS)

    assert {one.code for one in findings} == {UNSIGNED}, "no false signature is put in"
    assert written(paper) == written(paper)
    assert read_header(written(paper)).recipients == ("000.00.01.H99" if by_old_code else "H99.01",)


@pytest.mark.parametrize(
    "business", [withdrawal("vì"), update("vì"), replacement(PAPER, "vì")], ids=lambda one: one.bussiness_doc_type
)
def test_what_is_done_with_a_document_obeys_the_rules(business: Bussiness) -> None:
    _, findings = judge(written(replace(PAPER, number="13", business=business)), NOW_MS)

    assert {one.code for one in findings} == {UNSIGNED}


def test_the_full_one_leaves_no_text_field_empty() -> None:
    packet, _ = judge(written(replace(PAPER, style=Style.FULL)), NOW_MS)
    header = packet.header

    assert all((header.due_date, header.content, header.application_type, header.steering_type, header.response_for))
    assert header.other_info
    assert header.other_info.appendixes
    assert packet.bussiness
    assert packet.bussiness.staff_infos
    assert [one.attachment_name for one in packet.attachments] == ["Công văn.pdf", "Phụ lục I.txt"]


def test_special_characters_are_there_in_both_forms() -> None:
    packet, _ = judge(written(replace(PAPER, style=Style.CHARACTERS)), NOW_MS)
    subject = packet.header.subject

    assert unicodedata.normalize("NFC", subject) != subject != unicodedata.normalize("NFD", subject)
    assert all(mark in subject for mark in "<>&\"'“”½№")
    assert packet.attachments[0].attachment_name == SPECIAL_NAME


def test_the_largest_is_as_large_as_it_says() -> None:
    size = len(written(replace(PAPER, style=Style.LARGEST)))

    assert 0.99 * 2 * MIB < size <= 2 * MIB


@pytest.mark.parametrize("size_bytes", [0, 1_001, 70_000, 300_000])
def test_a_pdf_of_any_size_is_whole(size_bytes: int) -> None:
    made = b"".join(pdf("12/VP (x)", size_bytes))
    xref = int(made.split(b"startxref\n")[1].split(b"\n")[0])

    assert size_bytes - 1_000 < len(made) <= max(size_bytes, 1_000)
    assert made[xref:].startswith(b"xref\n0 6\n")
    for number, line in enumerate(made[xref:].splitlines()[3:8], 1):
        assert made[int(line[:10]) :].startswith(f"{number} 0 obj".encode())
    assert made != small_pdf("13/VP")


@pytest.mark.parametrize("counterpart", COUNTERPARTS, ids=lambda one: one.unit.code)
def test_everybody_who_is_made_up_says_so(counterpart: Counterpart) -> None:
    assert "(mẫu)" in counterpart.unit.name
    assert counterpart.unit.old_code != counterpart.unit.code, "both written forms"
    assert counterpart not in of_node(VENDOR_NODE)
