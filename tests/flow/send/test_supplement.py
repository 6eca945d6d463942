"""A receipt that grows: what it may say more, and what it may never say otherwise."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from node.flow.send.supplement import agreed, open_units, supplemented, supplements
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt
from tests.sim.grown import decided

UNITS = ("H49", "H49.22", "H37", "G14")


def receipt(*outcomes: Outcome, at_ms: int = 1) -> Receipt:
    return Receipt(bytes(16), bytes(32), "h49", Level.DELIVERED, outcomes, at_ms)


TAKEN, LATE = Outcome("H49", Reason.NONE), Outcome("H49.22", Reason.EXPIRED)


def no(unit: str, version: int) -> Outcome:
    return Outcome(unit, Reason.WRONG_NODE, version)


def test_what_was_decided_is_closed_and_what_was_not_is_open() -> None:
    assert open_units(receipt(TAKEN, LATE), ("H49", "H49.22", "H37"), 99) == ["H37"]


def test_a_no_stands_against_what_was_addressed_by_no_newer_directory() -> None:
    said = receipt(no("H37", 7))
    assert [open_units(said, ("H37",), version) for version in (0, 6, 7, 8)] == [[], [], [], ["H37"]]


def test_a_supplement_says_the_same_first_and_the_new_last() -> None:
    both = supplemented(receipt(TAKEN, no("H37", 7), LATE), receipt(Outcome("H37", Reason.NONE), at_ms=9))
    assert both.outcomes == (TAKEN, LATE, Outcome("H37", Reason.NONE))
    assert both.create_time_ms == 9


def test_a_receipt_that_says_less_or_otherwise_is_no_supplement() -> None:
    first = receipt(TAKEN, no("H37", 7))
    assert not supplements(first, first)
    assert not supplements(first, receipt(TAKEN))
    assert not supplements(first, receipt(Outcome("H49", Reason.EXPIRED), no("H37", 7), LATE))
    assert not supplements(first, receipt(LATE, Outcome("H37", Reason.NONE), Outcome("G14", Reason.NONE)))
    assert supplements(first, receipt(TAKEN, Outcome("H37", Reason.NONE)))
    assert supplements(first, receipt(TAKEN, no("H37", 8)))
    assert supplements(receipt(no("H37", 7)), receipt(Outcome("H37", Reason.EXPIRED)))
    assert not supplements(receipt(Outcome("H37", Reason.EXPIRED)), receipt(no("H37", 9)))


def test_of_two_receipts_that_contradict_each_other_only_what_both_say_holds() -> None:
    assert agreed(receipt(TAKEN, LATE), receipt(TAKEN, Outcome("H49.22", Reason.NONE))) == (TAKEN,)


@st.composite
def courses(draw: st.DrawFn) -> list[Receipt]:
    """Receipts as a node gives them one after the other: what it decides, it decides once; what it refuses may come back."""
    version, said, course = 1, receipt(draw(st.sampled_from([no("H49", 1), TAKEN]))), []
    course.append(said)
    for _ in range(draw(st.integers(1, 8))):
        version += draw(st.integers(0, 2))
        unit = draw(st.sampled_from(UNITS))
        if not open_units(said, (unit,), version):
            continue
        word = draw(st.sampled_from([Reason.NONE, Reason.EXPIRED, Reason.WRONG_NODE]))
        new = Outcome(unit, word, version if word is Reason.WRONG_NODE else 0)
        said = supplemented(said, receipt(new))
        course.append(said)
    return course


@given(courses())
def test_in_whatever_order_its_receipts_come_the_last_one_is_kept(course: list[Receipt]) -> None:
    for first, second in pairwise(course):
        assert supplements(first, second)
        assert decided(first).items() <= decided(second).items()
    for backwards in (course, course[::-1]):
        kept = backwards[0]
        for other in backwards[1:]:
            kept = other if supplements(kept, other) else kept
        assert kept == course[-1]
