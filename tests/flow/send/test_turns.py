"""Turns: every lane has its floor, the urgent have most, nothing that waits is passed over for long, and the same look plans the same."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.flow.send import turns
from node.flow.send.courier import ALONE_EVERY
from node.flow.send.outbox import Row
from node.flow.send.turns import BULK_LANES, FAST_LANES, LARGE_IN_A_ROW, WEIGHTS, WHEEL, mix, next_large
from node.model.lane import Lane
from node.model.policy import KIB, URGENT_PASSED_PICKS, Policy
from node.rows import keys
from node.rows.records import OutboxRecord
from tests.clocks import NOW

URGENT = (Lane.HOA_TOC, Lane.THUONG_KHAN, Lane.KHAN)


def row(lane: Lane, number: int = 0, body_bytes: int = 0) -> Row:
    packet_id = number.to_bytes(16, "big")
    key = keys.outbox_row("h49", lane, NOW + number, packet_id, keys.OUTBOX_PACKET)
    return Row(key, "h49", lane, packet_id, keys.OUTBOX_PACKET, OutboxRecord(body_bytes=body_bytes))


def rows_of(lane: Lane, count: int, body_bytes: int = 0) -> list[Row]:
    return [row(lane, number, body_bytes) for number in range(count)]


def every_lane(count: int, body_bytes: int = 0) -> dict[Lane, list[Row]]:
    return {lane: rows_of(lane, count, body_bytes) for lane in FAST_LANES}


def pushes(lanes: Mapping[Lane, Sequence[Row]], policy: Policy, place: int, number: int) -> list[list[Lane]]:
    """The lanes of so many pushes in a row, from queues into which nothing comes."""
    left, found = {lane: list(rows) for lane, rows in lanes.items()}, []
    for _ in range(number):
        chosen, place = mix(left, policy, place)
        for one in chosen:
            left[one.lane].remove(one)
        found.append([one.lane for one in chosen])
    return found


# --- the wheel ----------------------------------------------------------------------------------------------------------


def test_a_lane_has_as_many_places_as_it_has_weight() -> None:
    assert {lane: WHEEL.count(lane) for lane in FAST_LANES} == WEIGHTS
    assert set(FAST_LANES) | set(BULK_LANES) == set(Lane)


def test_the_urgent_are_passed_by_as_few_picks_as_the_policy_says() -> None:
    twice = WHEEL + WHEEL
    for lane in URGENT:
        passed = [twice[place:].index(lane) for place in range(len(WHEEL))]
        assert max(passed) <= URGENT_PASSED_PICKS


@pytest.mark.parametrize("lane", FAST_LANES)
@pytest.mark.parametrize("place", range(len(WHEEL)))
def test_whatever_waits_has_a_part_in_every_round_wherever_the_wheel_stands(lane: Lane, place: int) -> None:
    chosen, _ = mix(every_lane(64), Policy(push_items_max=len(WHEEL)), place)
    assert [one.lane for one in chosen].count(lane) == WEIGHTS[lane]


@pytest.mark.parametrize(
    "policy", [Policy(), Policy(push_items_max=1), Policy(push_items_max=3), Policy(push_window=1)]
)
@pytest.mark.parametrize("place", range(len(WHEEL)))
def test_an_urgent_one_that_comes_late_waits_no_longer_than_the_policy_says(policy: Policy, place: int) -> None:
    body_bytes = policy.push_body_bytes_max
    for lane in URGENT:
        lanes = {**every_lane(64, body_bytes), lane: rows_of(lane, 1, body_bytes)}
        found = pushes(lanes, policy, place, URGENT_PASSED_PICKS + 1)
        of_others = next(number for number, push in enumerate(found) if lane in push)
        # The worst case of what travels alone: one goes before all others, then after every three.
        alone = of_others // (ALONE_EVERY - 1) + 1
        assert policy.push_window + of_others + alone <= policy.urgent_waits_pushes


def test_normal_documents_do_not_starve_behind_large_urgent_bodies() -> None:
    policy = Policy()
    body_bytes = policy.push_body_bytes_max
    lanes = {lane: rows_of(lane, 64, body_bytes) for lane in FAST_LANES}
    found = pushes(lanes, policy, 0, len(WHEEL) // 2)
    assert sum(push.count(Lane.NORMAL) for push in found) == WEIGHTS[Lane.NORMAL]


# --- one push -----------------------------------------------------------------------------------------------------------


def test_within_a_lane_the_oldest_go_first_and_all_goes_that_fits() -> None:
    chosen, _ = mix({Lane.HOA_TOC: rows_of(Lane.HOA_TOC, 2), Lane.NORMAL: rows_of(Lane.NORMAL, 3)}, Policy())
    assert [one.packet_id[-1] for one in chosen if one.lane is Lane.HOA_TOC] == [0, 1]
    assert [one.packet_id[-1] for one in chosen if one.lane is Lane.NORMAL] == [0, 1, 2]


def test_a_push_holds_no_more_items_than_allowed() -> None:
    assert len(mix({Lane.NORMAL: rows_of(Lane.NORMAL, 100)}, Policy(push_items_max=64))[0]) == 64


def test_a_push_holds_no_more_octets_than_allowed_but_always_one_thing() -> None:
    policy = Policy(push_bytes_max=100 * KIB)
    assert len(mix({Lane.NORMAL: rows_of(Lane.NORMAL, 10, 24 * KIB)}, policy)[0]) == 4
    assert len(mix({Lane.NORMAL: rows_of(Lane.NORMAL, 10, 500 * KIB)}, policy)[0]) == 1
    assert mix({Lane.HOA_TOC: [], Lane.NORMAL: []}, policy, 3) == ([], 3)


def test_what_no_longer_fits_is_the_first_of_the_next_push() -> None:
    lanes = every_lane(9, 24 * KIB)
    chosen, place = mix(lanes, Policy(push_bytes_max=100 * KIB))
    left = {lane: rows[sum(one.lane is lane for one in chosen) :] for lane, rows in lanes.items()}
    following, _ = mix(left, Policy(push_bytes_max=100 * KIB), place)
    assert tuple(one.lane for one in (*chosen, *following)) == WHEEL[: len(chosen) + len(following)]


def test_the_next_push_begins_with_a_lane_that_had_to_be_passed_over() -> None:
    lanes = {Lane.HOA_TOC: rows_of(Lane.HOA_TOC, 30)}
    chosen, place = mix(lanes, Policy(push_items_max=5), 0, {Lane.KHAN})
    assert [one.lane for one in chosen] == [Lane.HOA_TOC] * 5
    assert WHEEL[place] is Lane.KHAN


@given(
    st.lists(st.lists(st.integers(0, 400 * KIB), max_size=20), min_size=len(FAST_LANES), max_size=len(FAST_LANES)),
    st.integers(1, 64),
    st.integers(1, 2048 * KIB),
    st.integers(0, len(WHEEL) - 1),
)
@settings(max_examples=60, deadline=None)
def test_a_mix_keeps_each_lanes_order_and_its_bounds_and_is_always_the_same(
    sizes: list[list[int]], items_max: int, bytes_max: int, place: int
) -> None:
    lanes = {
        lane: [row(lane, number, size) for number, size in enumerate(of_lane)]
        for lane, of_lane in zip(FAST_LANES, sizes, strict=True)
    }
    policy = Policy(push_items_max=items_max, push_bytes_max=bytes_max)
    chosen, following = mix(lanes, policy, place)
    assert (chosen, following) == mix(lanes, policy, place)
    assert len(chosen) <= items_max
    assert len(chosen) <= 1 or sum(one.record.body_bytes for one in chosen) <= bytes_max
    assert bool(chosen) == any(lanes.values())
    for lane, rows in lanes.items():
        of_lane = [one for one in chosen if one.lane is lane]
        assert of_lane == rows[: len(of_lane)]


# --- what is large ------------------------------------------------------------------------------------------------------


def large_in_a_row(waiting: dict[Lane, int], number: int) -> list[Lane]:
    """The lanes of so many large ones in a row; of each lane so many wait, the less urgent the longer."""
    queues = {lane: [row(lane, 100 * (9 - lane) + number) for number in range(waiting[lane])] for lane in waiting}
    passed, found = 0, []
    for _ in range(number):
        chosen, passed = next_large([queues[lane][0] for lane in BULK_LANES if queues.get(lane)], passed)
        queues[chosen.lane].remove(chosen)
        found.append(chosen.lane)
    return found


def test_the_most_urgent_of_the_large_goes_first() -> None:
    waiting = dict.fromkeys(BULK_LANES, 1)
    assert large_in_a_row(waiting, len(BULK_LANES)) == list(BULK_LANES)


def test_a_stream_of_urgent_large_ones_lets_each_other_lane_through_now_and_then() -> None:
    waiting = dict.fromkeys(BULK_LANES, 1) | {Lane.BULK_HOA_TOC: 100}
    found = large_in_a_row(waiting, 3 * (LARGE_IN_A_ROW + 1))
    places = [number for number, lane in enumerate(found) if lane is not Lane.BULK_HOA_TOC]
    assert places == [LARGE_IN_A_ROW, 2 * LARGE_IN_A_ROW + 1, 3 * LARGE_IN_A_ROW + 2]
    assert {found[number] for number in places} == set(BULK_LANES[1:])


def test_what_passes_nobody_saves_up_no_turn_for_others() -> None:
    passed = 0
    for number in range(50):
        _, passed = next_large([row(Lane.BULK, number)], passed)
    assert next_large([row(Lane.BULK_KHAN), row(Lane.BULK)], passed)[0].lane is Lane.BULK_KHAN


def test_the_lane_at_a_place_is_the_next_in_which_something_waits() -> None:
    for place in range(len(WHEEL)):
        assert turns.lane_at(place, {Lane.NORMAL}) is Lane.NORMAL
        assert turns.lane_at(place, set(FAST_LANES)) is WHEEL[place]
