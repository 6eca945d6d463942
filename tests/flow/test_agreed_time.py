"""Agreed time: whose clock is believed. One liar among peers never moves the verdict, neither against us nor for us."""

import pytest

from node.flow.agreed_time import ALONE_BACK_MS, ALONE_MS, FRESH_MS, AgreedTime
from node.model.policy import DAY_MS, MINUTE_MS
from tests.clocks import NOW, SetClock

YEAR_MS = 365 * DAY_MS


def agreed(*ahead_ms: int, last_ms: int | None = NOW, steady: bool = True) -> tuple[AgreedTime, SetClock]:
    """Agreed time by a clock that is so far ahead of each of some peers."""
    clock = SetClock()
    time = AgreedTime(clock)
    time.go_on_from(last_ms)
    if not steady:
        clock.at_ms += YEAR_MS
        clock.jump_ms += YEAR_MS
    for number, by_ms in enumerate(ahead_ms):
        time.hear(f"peer-{number}", clock.at_ms - by_ms)
    return time, clock


@pytest.mark.parametrize(
    ("ahead_ms", "is_sure"),
    [
        ((), True),
        ((0, 0, 0), True),
        ((0, 0, YEAR_MS), True),  # one liar
        ((0, 0, -YEAR_MS), True),
        ((0, 0, 0, YEAR_MS), True),
        ((0, 0, YEAR_MS, YEAR_MS), True),  # two liars of four do not outvote us and two others
        ((YEAR_MS, YEAR_MS, YEAR_MS), False),
        ((YEAR_MS, YEAR_MS, 0), False),  # one liar that says we are right
        ((-YEAR_MS, -YEAR_MS, -YEAR_MS), False),
        ((4 * MINUTE_MS, 4 * MINUTE_MS, 4 * MINUTE_MS), True),
        ((6 * MINUTE_MS, 6 * MINUTE_MS, 6 * MINUTE_MS), False),
        ((YEAR_MS,), True),  # one peer against a clock that runs steadily
        ((YEAR_MS, YEAR_MS), False),  # two that agree with each other
        ((YEAR_MS, 2 * YEAR_MS), True),
        ((YEAR_MS, 0), True),
    ],
)
def test_whose_clock_is_believed_when_ours_runs_steadily(ahead_ms: tuple[int, ...], is_sure: bool) -> None:
    time, clock = agreed(*ahead_ms)
    assert (time.sure_ms() == clock.at_ms, time.doubt() is None) == (is_sure, is_sure)


@pytest.mark.parametrize(
    ("ahead_ms", "ours_is_off_by_ms"),
    [
        ((), 0),
        ((0, 0, 0), 0),
        ((4 * MINUTE_MS, 4 * MINUTE_MS, 4 * MINUTE_MS), 0),
        ((-YEAR_MS, -YEAR_MS), -YEAR_MS),
        ((YEAR_MS, YEAR_MS, YEAR_MS), YEAR_MS),
        ((YEAR_MS, YEAR_MS, 0), 0),  # two against two: who errs, nobody knows
        ((YEAR_MS, YEAR_MS, YEAR_MS, 0), YEAR_MS),
        ((YEAR_MS,), 0),  # one alone may be the one that errs
        ((YEAR_MS, 2 * YEAR_MS), 0),
        ((0, YEAR_MS, 2 * YEAR_MS), 0),  # in doubt, but nobody agrees on another time
        ((0, 0, YEAR_MS, YEAR_MS), 0),
    ],
)
def test_what_we_say_is_dated_by_the_others_if_two_of_them_agree_against_us(
    ahead_ms: tuple[int, ...], ours_is_off_by_ms: int
) -> None:
    time, clock = agreed(*ahead_ms)
    assert clock.at_ms - time.best_ms() == ours_is_off_by_ms


def test_two_against_two_are_believed_if_ours_has_jumped_just_now() -> None:
    time, clock = agreed(YEAR_MS, YEAR_MS, 0, steady=False)
    assert clock.at_ms - time.best_ms() == YEAR_MS


@pytest.mark.parametrize(("ahead_ms", "is_sure"), [((), False), ((0,), True), ((YEAR_MS,), False), ((0, 0, 0), True)])
def test_a_clock_that_has_jumped_needs_somebody_to_confirm_it(ahead_ms: tuple[int, ...], is_sure: bool) -> None:
    time, _ = agreed(*ahead_ms, steady=False)
    assert (time.doubt() is None) is is_sure


def test_a_clock_that_nobody_confirms_is_believed_after_an_hour_of_running_steadily() -> None:
    time, clock = agreed()
    assert time.doubt() is None
    clock.at_ms += DAY_MS
    clock.jump_ms += DAY_MS
    assert time.doubt() is not None
    clock.at_ms += ALONE_MS - 1
    assert time.doubt() is not None
    clock.at_ms += 1
    assert time.sure_ms() == clock.at_ms
    clock.at_ms += DAY_MS
    clock.jump_ms += DAY_MS
    assert time.sure_ms() is None, "it has jumped again"


@pytest.mark.parametrize(
    ("last_ms", "is_sure"),
    [(None, True), (NOW, True), (NOW - ALONE_MS, True), (NOW - ALONE_MS - 1, False), (NOW + DAY_MS, False)],
)
def test_after_a_start_the_clock_must_go_on_from_where_the_store_has_come_to(
    last_ms: int | None, is_sure: bool
) -> None:
    time, _ = agreed(last_ms=last_ms)
    assert (time.doubt() is None) is is_sure


@pytest.mark.parametrize(("heard_ms", "is_sure"), [((), False), ((0,), True)])
def test_a_clock_behind_what_was_agreed_runs_steadily_for_a_day_before_it_is_believed_alone(
    heard_ms: tuple[int, ...], is_sure: bool
) -> None:
    time, clock = agreed(*heard_ms, last_ms=NOW + YEAR_MS)
    clock.at_ms += FRESH_MS
    assert (time.sure_ms() is not None) is is_sure
    clock.at_ms += ALONE_BACK_MS - FRESH_MS
    assert time.sure_ms() == clock.at_ms


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_clock_that_is_far_ahead_of_what_was_agreed_waits_for_a_peer(*, is_restarted: bool) -> None:
    """No certificate is good by such a clock, so its node hears nobody however long it waits."""
    time, clock = agreed()
    assert time.sure_ms() == NOW
    clock.at_ms += YEAR_MS
    clock.jump_ms += YEAR_MS
    if is_restarted:
        time = AgreedTime(clock)
        time.go_on_from(NOW)
    for _ in range(60):
        clock.at_ms += DAY_MS
        assert time.sure_ms() is None
    time.hear("peer", clock.at_ms)
    assert time.sure_ms() == clock.at_ms, "the node was off for a year"


def test_at_the_first_start_ever_it_is_not_before_our_directory_was_signed() -> None:
    clock = SetClock()
    time = AgreedTime(clock)
    time.go_on_from(None, NOW + YEAR_MS)
    assert time.doubt() is not None
    assert time.best_ms() == NOW + YEAR_MS
    time.hear("peer", NOW)
    assert time.sure_ms() == NOW, "it was the authority's clock that erred"


def test_what_we_say_is_never_dated_before_what_was_agreed() -> None:
    time, clock = agreed(last_ms=NOW + YEAR_MS)
    clock.at_ms += 1_000
    assert time.best_ms() == NOW + YEAR_MS + 1_000, "a dead battery has set the clock back while the node was off"
    time, clock = agreed()
    assert time.sure_ms() == NOW
    clock.jump_ms -= YEAR_MS
    clock.at_ms += 1_000 - YEAR_MS
    assert time.best_ms() == NOW + 1_000, "or while it runs"
    clock.at_ms += ALONE_BACK_MS
    assert time.best_ms() == clock.at_ms, "after a day it was the other time that erred"


@pytest.mark.parametrize(
    ("ahead_ms", "is_confirmed"),
    [((), False), ((YEAR_MS,), False), ((0,), True), ((0, YEAR_MS), True), ((YEAR_MS, YEAR_MS, 0), False)],
)
def test_a_time_is_confirmed_by_a_peer_and_not_by_ourselves(ahead_ms: tuple[int, ...], is_confirmed: bool) -> None:
    time, clock = agreed(*ahead_ms)
    assert (time.confirmed_ms() == clock.at_ms, time.confirmed_ms() is not None) == (is_confirmed, is_confirmed)


def test_before_the_store_was_asked_nothing_is_sure() -> None:
    assert AgreedTime(SetClock()).sure_ms() is None


def test_what_was_heard_ages_by_the_monotonic_clock_and_not_by_ours() -> None:
    time, clock = agreed(0, 0, 0)
    clock.at_ms += DAY_MS
    clock.jump_ms += DAY_MS
    doubt = time.doubt()
    assert doubt is not None
    assert doubt.ahead_ms == DAY_MS
    clock.at_ms += FRESH_MS + 1
    assert time.doubt() is None, "nobody was heard for an hour, and it has run steadily for that long"


def test_a_peer_that_tells_any_time_costs_nothing_but_its_own_vote() -> None:
    time, _ = agreed(0, 0, 0)
    for wild in (0, 2**63 - 1, -(2**62)):
        time.hear("liar", wild)
        assert time.doubt() is None
