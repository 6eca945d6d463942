"""Identifier codes: whatever way a clerk or a program writes one, it is the same address; and nothing else is one."""

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from node.errors import Rejected
from node.model.code import CODE_CHARACTERS_MAX, Code, parse_code
from node.model.reason import Reason

LEVEL_1 = st.from_regex(r"[A-Z][0-9]{2}", fullmatch=True)
LABEL = st.from_regex(r"[0-9A-Z]{1,6}", fullmatch=True)
CODES = st.builds(lambda top, rest: Code((top, *rest)), LEVEL_1, st.lists(LABEL, max_size=4))
OLD_TEXTS = st.from_regex(r"([0-9]{3}\.)?[0-9]{2}\.[0-9]{2}\.[A-Z][0-9]{2}", fullmatch=True)
WHITE = st.text(" \t\r\n\u00a0", max_size=3)


def refused(text: str) -> Rejected:
    with pytest.raises(Rejected) as caught:
        parse_code(text)
    assert caught.value.reason is Reason.CODE_MALFORMED
    return caught.value


@pytest.mark.parametrize(
    ("written", "canonical", "old"),
    [
        ("000.05.22.H49", "H49.22.05", "000.05.22.H49"),
        ("H49.22.05", "H49.22.05", "000.05.22.H49"),
        ("000.00.00.G22", "G22", "000.00.00.G22"),
        ("G22", "G22", "000.00.00.G22"),
        ("001.01.07.H53", "H53.07.01.001", "001.01.07.H53"),
        ("000.00.18.G12", "G12.18", "000.00.18.G12"),
        ("000.10.32.H53", "H53.32.10", "000.10.32.H53"),
        ("01.02.G22", "G22.02.01", "000.01.02.G22"),
        ("00.01.H03", "H03.01", "000.00.01.H03"),
        ("001.00.07.H53", "H53.07.001", "001.00.07.H53"),
        ("H37.DN.001", "H37.DN.001", None),
        ("H49.22.05.001.7", "H49.22.05.001.7", None),
        ("H49.2", "H49.2", None),
        ("  h49.22.05\r\n", "H49.22.05", "000.05.22.H49"),
        ("H01.151", "H01.151", "151.00.00.H01"),
        ("H01.151.01", "H01.151.01", None),
        ("Z01ABC", "Z01ABC", None),
        ("z01" + "a" * 32, "Z01" + "A" * 32, None),
        ("0101234567", "0101234567", None),
        ("031234567890", "031234567890", None),
        ("0101234567001", "0101234567001", None),
        (" 0101234567-001\n", "0101234567001", None),
        ("000.05.22.h49\u00a0", "H49.22.05", "000.05.22.H49"),
    ],
)
def test_both_written_forms_are_one_address(written: str, canonical: str, old: str | None) -> None:
    code = parse_code(written)
    assert (code.text, str(code), code.old_form) == (canonical, canonical, old)


@pytest.mark.parametrize(
    "rubbish",
    [
        "",
        " ",
        "A",
        "H4",
        "49.22",
        "H49.",
        ".H49",
        "H49..22",
        "H49.22 .05",
        "H49,22",
        "H49/22",
        "H49.\u0000",
        "H49.22-05",
        "UBND tỉnh",
        "Đ49.22",
        "H49.TTĐT",
        "H49.\u00df",  # its capital is SS
        "H49.\u0131",  # a dotless i, whose capital is I
        "\u212a49.22",  # the sign of the kelvin, which normalises to K
        "Ｈ49.22",  # full width
        "H４9.22",
        "H49.٢٢",  # Arabic digits
        "00.05.22.H49",
        "000.05.22.049",
        "0000.05.22.H49",
        "000.05.22.01.H49",
        "000.05.22",
        "H" + "4" * 200_000,
        "123456789",
        "12345678901",
        "12345678901234",
        "0101234567-01",
        "010123456-7001",
        "0101234567.001",
        "Z01" + "A" * 33,
        "Z01-ABC",
        "Z01ABC.05",
        "H49ABC",
        "٠١٠١٢٣٤٥٦٧",
    ],
)
def test_what_is_neither_form_is_refused(rubbish: str) -> None:
    assert len(refused(rubbish).detail) < 500


def test_a_code_has_at_most_35_characters() -> None:
    longest = "H49." + "1" * (CODE_CHARACTERS_MAX - 4)
    assert parse_code(longest).text == longest
    assert "not an identifier code" in refused(longest + "1").detail


def test_the_fault_names_the_offending_text() -> None:
    assert "'H49..22'" in refused("H49..22").detail


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_letter_with_an_accent_is_refused_however_it_is_composed(form: Any) -> None:
    refused(unicodedata.normalize(form, "H49.SỞ"))


@given(CODES, WHITE, WHITE)
def test_a_printed_code_reads_as_itself(code: Code, before: str, after: str) -> None:
    assume(len(code.text) <= CODE_CHARACTERS_MAX)
    assert parse_code(before + code.text.lower() + after) == code


@given(CODES)
def test_the_older_form_reads_as_the_same_code_if_there_is_one(code: Code) -> None:
    old = code.old_form
    if old is not None:
        assert re.fullmatch(r"\d{3}\.\d{2}\.\d{2}\.[A-Z]\d{2}", old)
        assert parse_code(old) == code


@given(OLD_TEXTS)
def test_every_text_of_the_older_form_is_a_code_that_prints_in_it_again(old: str) -> None:
    code = parse_code(old)
    printed = code.old_form
    assert printed is not None
    assert parse_code(printed) == code


@given(LEVEL_1, st.integers(1, 99), st.integers(1, 99), st.integers(0, 999), st.integers(1, 4))
def test_an_older_code_without_gaps_prints_as_it_was_written(
    top: str, two: int, three: int, four: int, levels: int
) -> None:
    groups = [
        f"{four:03}" if levels == 4 else "000",
        f"{three:02}" if levels > 2 else "00",
        f"{two:02}" if levels > 1 else "00",
    ]
    old = ".".join([*groups, top])
    assert parse_code(old).old_form == old
    assert parse_code(old).text == ".".join([top, *(group for group in reversed(groups) if int(group))])


@given(st.text(max_size=40))
def test_any_text_is_a_code_or_is_refused_and_never_anything_else(text: str) -> None:
    try:
        code = parse_code(text)
    except Rejected:
        refused(text)
    else:
        assert parse_code(code.text) == code


def under_label_by_label(labels: tuple[str, ...], prefix: tuple[str, ...]) -> bool:
    if not prefix:
        return True
    return bool(labels) and labels[0] == prefix[0] and under_label_by_label(labels[1:], prefix[1:])


FEW_LABELS = st.lists(st.sampled_from(["2", "22", "02", "05"]), max_size=3)
RELATED = st.builds(lambda top, rest: Code((top, *rest)), st.sampled_from(["H49", "H50"]), FEW_LABELS)


@given(RELATED, RELATED)
def test_under_means_the_same_labels_from_the_top(code: Code, prefix: Code) -> None:
    assert code.is_under(prefix) == under_label_by_label(code.labels, prefix.labels)
    assert code.is_under(prefix) == f"{code.text}.".startswith(f"{prefix.text}.")


def test_h49_22_is_not_under_h49_2() -> None:
    assert not parse_code("H49.22").is_under(parse_code("H49.2"))
    assert parse_code("H49.22").is_under(parse_code("H49"))
    assert parse_code("H49.22").is_under(parse_code("000.00.22.H49"))
    assert not parse_code("H49").is_under(parse_code("H49.22"))


@pytest.mark.parametrize(
    ("text", "is_leaf", "is_grantable"),
    [
        ("Z01ABC", True, True),
        ("0101234567", True, True),
        ("Z01", False, False),
        ("Z01.05", False, False),
        ("Y01.05", False, True),
        ("H49", False, True),
        ("000.00.22.H49", False, True),
    ],
)
def test_opaque_codes_are_told_from_places(text: str, is_leaf: bool, is_grantable: bool) -> None:
    code = parse_code(text)
    assert (code.is_leaf, code.is_grantable) == (is_leaf, is_grantable)


def test_an_opaque_code_lies_under_nothing_and_nothing_under_it() -> None:
    branch, head, outside = map(parse_code, ("0101234567-001", "0101234567", "Z01ABC"))
    assert not branch.is_under(head)
    assert not outside.is_under(parse_code("Z01"))
    assert branch.is_under(branch)


def test_codes_sort_with_every_unit_after_the_one_above_it() -> None:
    texts = ["H49.22.05", "H49", "H50", "H49.22", "H49.3"]
    assert [code.text for code in sorted(parse_code(text) for text in texts)] == [
        "H49",
        "H49.22",
        "H49.22.05",
        "H49.3",
        "H50",
    ]
