"""Stories of fairness: what one unit sends in masses does not hold up what others send to the same peer in the same lane."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from node.flow.send import fair
from tests.sim.test_stories import HOUR_S, Cast, tell
from tests.sim.test_under_change import calls_before, hand_in_many, packet_id_of, paper_of, switch_off
from tests.sim.world import World

MANY = 400
"""Fifty pushes of this world."""


@contextmanager
def first_come_first_served() -> Iterator[None]:
    """A courier that looks at nothing but time."""
    with patch.object(fair, "in_turn", lambda rows, given: sorted(rows, key=lambda row: row.key)):
        yield


async def pushes_before_the_one(world: World, cast: Cast, *, when: str) -> int:
    """Let one unit hand in very many documents and another one document; return how many pushes went before that."""
    switch_off(world, "h37", "centre")
    await hand_in_many(cast, [paper_of("H49.22.05", "H37.11", f"many-{number}") for number in range(MANY)])
    one = paper_of("H49.22.06", "H37.11.02", "one")
    before = calls_before(world, "push", "h49", "h37")
    if when == "behind the backlog":
        await hand_in_many(cast, [one])
        await world.machines["h37"].start()
    else:
        world.network.lines.bytes_per_s = 20_000
        await world.machines["h37"].start()
        while len(before) < MANY // 4:
            await asyncio.sleep(0.05)
        went = len(set(before.values()))
        await hand_in_many(cast, [one])
    await cast.delivered_within(world, one, HOUR_S)
    number = before[await packet_id_of(world, cast, one)]
    return number if when == "behind the backlog" else number - went


@pytest.mark.parametrize("when", ["behind the backlog", "while it goes out"])
def test_one_document_does_not_wait_for_four_hundred_of_another_unit(when: str) -> None:
    async def story(world: World, cast: Cast) -> None:
        # Those that are under way already, and the one in which it goes.
        assert await pushes_before_the_one(world, cast, when=when) <= world.policy.push_window + 1

    tell(story)


def test_without_turns_of_units_it_would() -> None:
    async def story(world: World, cast: Cast) -> None:
        assert await pushes_before_the_one(world, cast, when="behind the backlog") >= MANY / world.policy.push_items_max

    with first_come_first_served():
        tell(story)
