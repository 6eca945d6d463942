"""The points about packets alone: a folder that a vendor's software has written, good and with one mistake each."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from node.conformance import checks
from node.conformance.checks import CHECKS
from node.conformance.run import judge_folder
from node.conformance.verdict import Outcome
from node.edxml.rules import RULES
from node.errors import Rejected
from node.model.packet import Bussiness, ResponseFor
from node.sandbox.cast import CONFORMANCE, VENDOR_UNITS
from node.sandbox.papers import Paper, replacement, status_of, withdrawal
from node.sandbox.writing import packet_of

NOW_MS = 1_795_345_200_000
OWN = VENDOR_UNITS[0]
PAPER = Paper(OWN, CONFORMANCE, "1", "STN-VP", "V/v thử", NOW_MS)
ABOUT = ResponseFor(CONFORMANCE.code, "7/KT", "G99.90,2026/11/22,7/KT", "2026/11/22")
THEIRS = Paper(CONFORMANCE, OWN, "7", "KT", "V/v kiểm tra", NOW_MS, document_id=ABOUT.document_id)

Files = dict[str, bytes]


def written(paper: Paper) -> bytes:
    return b"".join(packet_of(paper))


def good() -> Files:
    return {
        "new.edxml": written(PAPER),
        "back.edxml": written(PAPER.about(withdrawal("Gửi nhầm"), "Thu hồi", NOW_MS)),
        "replace.edxml": written(replace(PAPER, number="2", business=replacement(PAPER, "Sửa"))),
        "theirs.edxml": written(THEIRS),
        "03.edxml": status_of(OWN, about(), "03", "", NOW_MS),
        "13.edxml": status_of(OWN, own(), "13", "Gửi nhầm", NOW_MS),
        "02.edxml": status_of(OWN, about(), "02", "Không thuộc thẩm quyền", NOW_MS),
    }


def own() -> ResponseFor:
    """A 13 names the author's own document, and the recipient who is asked for it."""
    return ResponseFor(CONFORMANCE.code, PAPER.code, PAPER.own_id, PAPER.date)


def about(**changes: str) -> ResponseFor:
    return replace(ABOUT, promulgation_date=PAPER.date, **changes)


def outcomes(folder: Path, files: Files) -> dict[int, Outcome]:
    for name, octets in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)
    return {number: one.outcome for number, one in judge_folder(folder, NOW_MS).verdicts.items()}


def test_good_packets_pass_every_point_that_packets_can_show(tmp_path: Path) -> None:
    found = outcomes(tmp_path, good())

    assert set(found.values()) == {Outcome.PASS}, found
    assert found.keys() == {check.number for check in CHECKS if check.by_packets} | {checks.REFUSES}


def status(status_code: str, note: str = "x", **changes: str) -> Callable[[Files], None]:
    def add(files: Files) -> None:
        files["wrong.edxml"] = status_of(OWN, about(**changes), status_code, note, NOW_MS)

    return add


def file_of(octets: bytes) -> Callable[[Files], None]:
    def add(files: Files) -> None:
        files["wrong.edxml"] = octets

    return add


OTHER = replace(PAPER, number="3")
WITHOUT_REASON = Bussiness(bussiness_doc_type="1", paper="0")


@pytest.mark.parametrize(
    ("number", "spoil"),
    [
        (checks.REFUSES, status("02", "")),
        (checks.ABOUT, status("03", code="8/KT")),
        (checks.ABOUT, status("03", organ_id="G99.91")),
        (checks.ABOUT, status("03", document_id="")),
        (checks.RULES, status("3")),
        (checks.RULES, file_of(b"<html>502 Bad Gateway</html>")),
        (checks.RULES, file_of(written(OTHER)[:-300])),
        (checks.RULES, file_of(written(OTHER).replace(b"G99.90", "Đ99.90".encode()))),
        (checks.ATTACHMENTS, file_of(written(OTHER).replace(b"<AttachmentName>cong-van.pdf", b"<AttachmentName>"))),
        (checks.INFORMATION, file_of(written(OTHER).replace("Công văn".encode(), b""))),
        (checks.INFORMATION, file_of(written(OTHER).replace(b"<edXML:Priority>0", b"<edXML:Priority>"))),
        (checks.IDENTIFIERS, file_of(written(replace(OTHER, document_id=PAPER.own_id)))),
        (checks.IDENTIFIERS, file_of(written(replace(PAPER, document_id="2026-1")))),
        (checks.BUSINESS, file_of(written(PAPER.about(WITHOUT_REASON, "Thu hồi", NOW_MS)))),
    ],
)
def test_one_mistake_fails_at_one_point(tmp_path: Path, number: int, spoil: Callable[[Files], None]) -> None:
    files = good()
    spoil(files)
    found = outcomes(tmp_path, files)

    assert [one for one, outcome in found.items() if outcome is Outcome.FAIL] == [number]
    told = judge_folder(tmp_path, NOW_MS).verdicts[number].evidence
    assert "wrong.edxml" in told, told


def test_both_forms_of_a_code_are_the_same_unit(tmp_path: Path) -> None:
    files = good() | {"old.edxml": status_of(OWN, about(organ_id=CONFORMANCE.old_code), "03", "", NOW_MS)}

    assert outcomes(tmp_path, files)[checks.ABOUT] is Outcome.PASS


def test_what_is_not_there_is_not_seen(tmp_path: Path) -> None:
    found = outcomes(tmp_path, {"tram/03.edxml": good()["03.edxml"]})

    assert found[checks.RULES] is Outcome.PASS
    unseen = (checks.ABOUT, checks.INFORMATION, checks.IDENTIFIERS, checks.ATTACHMENTS, checks.BUSINESS, checks.REFUSES)
    assert {found[one] for one in unseen} == {Outcome.UNSEEN}


def test_a_folder_without_packets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="holds no packet"):
        judge_folder(tmp_path, NOW_MS)


def test_every_rule_it_names_is_one() -> None:
    from node.conformance.packets import _POINT_OF

    assert _POINT_OF.keys() <= {rule.code for rule in RULES}


def test_numbers_are_those_of_the_list() -> None:
    assert [check.number for check in CHECKS] == list(range(1, len(CHECKS) + 1))
    assert len({check.title for check in CHECKS}) == len(CHECKS)
