"""Completeness of a recipient's reports: the four classes of the 2019 report, for a delivery and for a unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.model.completeness import Completeness, UnitReport, completeness, merged
from node.model.status import STATUS_NAMES

NONE, ARRIVAL_ONLY, PARTIAL, FULL = Completeness


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], NONE),
        (["01"], ARRIVAL_ONLY),
        (["01", "01"], ARRIVAL_ONLY),
        (["03"], PARTIAL),
        (["01", "03"], PARTIAL),
        (["06"], PARTIAL),
        (["01", "06"], PARTIAL),
        (["03", "06"], PARTIAL),
        (["01", "03", "04", "05"], PARTIAL),
        (["03", "05", "06"], FULL),
        (["01", "03", "04", "06"], FULL),
        (["01", "03", "04", "05", "06"], FULL),
        (["01", "02"], FULL),
        (["02"], FULL),
        (["01", "15"], FULL),
        (["01", "16"], PARTIAL),
        (["99"], PARTIAL),
    ],
)
def test_a_delivery_is_full_when_its_sender_can_follow_it_to_the_end(codes: list[str], expected: Completeness) -> None:
    assert completeness(codes) is completeness(reversed(codes)) is expected


@given(st.lists(st.sampled_from([*STATUS_NAMES, "99"])), st.sampled_from([*STATUS_NAMES, "99"]))
def test_one_more_status_never_lowers_the_class(codes: list[str], more: str) -> None:
    assert completeness([*codes, more]) >= completeness(codes)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({FULL: 1}, FULL),
        ({FULL: 5, NONE: 5}, FULL),
        ({FULL: 4, NONE: 5}, NONE),
        ({FULL: 4, PARTIAL: 1, NONE: 5}, PARTIAL),
        ({ARRIVAL_ONLY: 9, FULL: 1}, ARRIVAL_ONLY),
        ({NONE: 3}, NONE),
    ],
)
def test_a_units_class_is_what_half_of_its_deliveries_reach(
    counts: dict[Completeness, int], expected: Completeness
) -> None:
    assert UnitReport("H49", "", counts).unit_class is expected


def test_pages_add_up_in_order_of_code() -> None:
    pages = [
        UnitReport("H49", "Tỉnh", {FULL: 2}),
        UnitReport("H37", "", {NONE: 1}),
        UnitReport("H49", "Tỉnh", {FULL: 1, NONE: 4}),
    ]
    found = merged(pages)

    assert [(one.unit, one.counts[FULL], one.counts[NONE], one.total) for one in found] == [
        ("H37", 0, 1, 1),
        ("H49", 3, 4, 7),
    ]
    assert found[1].unit_name == "Tỉnh"
    assert merged([]) == []
