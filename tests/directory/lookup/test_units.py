"""Longest prefix on label boundaries, both written forms, and units that are decoded only when they are asked for."""

from hypothesis import given
from hypothesis import strategies as st

from node.directory.grant import cut_off_by
from node.directory.lookup.units import UnitTable
from node.directory.translate import zone_bytes
from node.directory.trust.freshness import age_findings, age_in_words, directory_age_ms
from node.model.code import Code, parse_code
from node.model.directory import EMPTY, Unit, Zone, directory_of
from node.model.reason import Reason
from tests.directory.people import DAY_MS, NOW_MS, codes

LABELS = st.sampled_from(["2", "22", "221", "05", "5", "A"])
CODES = st.builds(
    lambda top, rest: Code((top, *rest)), st.sampled_from(["H49", "H4A", "G09"]), st.lists(LABELS, max_size=4)
)


def under(code: str, prefix: str) -> bool:
    """The rule said with strings, apart from how the house does it."""
    return (code + ".").startswith(prefix + ".")


@given(st.lists(CODES, unique=True, max_size=12), CODES)
def test_the_longest_prefix_wins_as_trying_all_of_them_says(prefixes: list[Code], asked: Code) -> None:
    directory = directory_of(1, NOW_MS, [], [Zone(prefix, f"n{i}", {}) for i, prefix in enumerate(prefixes)])
    expected = max((p for p in prefixes if under(asked.text, p.text)), key=lambda p: len(p.text), default=None)
    zone = directory.zone_of(asked)
    assert (zone.prefix if zone else None) == expected


@given(st.lists(CODES, unique=True, max_size=8), CODES)
def test_what_cuts_a_code_off_is_found_on_label_boundaries(prefixes: list[Code], asked: Code) -> None:
    cut = cut_off_by(asked.text, frozenset(prefix.text for prefix in prefixes))
    expected = [prefix.text for prefix in prefixes if under(asked.text, prefix.text)]
    assert cut == max(expected, key=len, default=None)


@given(st.lists(CODES, unique=True, max_size=30), st.lists(CODES, max_size=3), CODES)
def test_a_unit_table_is_the_dict_it_stands_for(listed: list[Code], hiding: list[Code], asked: Code) -> None:
    top = Code(("H49",))
    longer = frozenset(code.text for code in hiding)
    words = [Unit(code.text, f"Đơn vị {code}", ("đv",), "H49", 1, 2, "H49.2") for code in listed]
    expected = {word.code: word for word in words if not any(under(word.code, one) for one in longer)}
    table = UnitTable(zone_bytes(top, "n", words), len(expected), longer)
    assert len(table) == len(expected)
    assert dict(table) == expected
    assert list(table) == sorted(expected)
    assert table.get(asked.text) == expected.get(asked.text)
    assert (asked.text in table) == (asked.text in expected)


def test_h49_22_is_not_under_h49_2_and_both_written_forms_are_one_address() -> None:
    zones = [Zone(code, code.text, {}) for code in codes("H49", "H49.2")]
    directory = directory_of(1, NOW_MS, [], zones)
    served = {
        text: zone.node_id
        for text in ("H49.22", "H49.2", "H49.2.5", "000.00.22.H49", "000.05.22.H49", "H49")
        if (zone := directory.zone_of(parse_code(text)))
    }
    assert served == {
        "H49.22": "H49",
        "H49.2": "H49.2",
        "H49.2.5": "H49.2",
        "000.00.22.H49": "H49",
        "000.05.22.H49": "H49",
        "H49": "H49",
    }
    assert directory.zone_of(parse_code("H50")) is None


def test_age_is_told_and_is_never_grave_unless_there_is_no_directory() -> None:
    directory = directory_of(7, NOW_MS, [], [])
    assert age_findings(directory, NOW_MS + DAY_MS) == []
    assert directory_age_ms(directory, NOW_MS - 5) == 0
    (day,) = age_findings(directory, NOW_MS + DAY_MS + 1)
    (month,) = age_findings(directory, NOW_MS + 40 * DAY_MS)
    (none,) = age_findings(EMPTY, NOW_MS)
    assert [one.grave for one in (day, month, none)] == [False, False, True]
    assert "phiên bản 7 đã ký cách đây 1 ngày" in day.advice
    assert "40 ngày" in month.advice
    assert "quá hạn" in month.advice
    assert none.reason == Reason.DIRECTORY_EMPTY
    assert age_in_words(5 * 3_600_000) == "5 giờ"
    assert age_in_words(0) == "dưới 1 giờ"
