"""Stories of damaged bodies that are whole again without an operator."""

import asyncio

import pytest

from node.errors import Fault
from node.rows import keys
from tests.sim.decay import Wounds
from tests.sim.machine import stream
from tests.sim.papers import Paper
from tests.sim.test_stories import HOUR_S, Cast, tell
from tests.sim.test_under_change import hand_in_many, packet_id_of, paper_of, switch_off
from tests.sim.world import Machine, World


def wound(machine: Machine) -> Wounds:
    """Flip a bit of every body of a machine."""
    disk = machine.disk
    wounds = Wounds(disk, stream(1, "wounds"))
    wounds.flipped.update(key for key in disk.store.rows_after_crash(disk.store.unsynced) if key[:1] == keys.BODY)
    wounds.flipped_bodies.update(disk.bodies._sealed)
    return wounds


async def read(world: World, cast: Cast, machine: Machine, paper: Paper) -> bytes | None:
    """Fetch a paper; None if it cannot be read."""
    [unit] = paper.recipients
    process = machine.process
    assert process is not None
    packet_id = await packet_id_of(world, cast, paper)

    async def fetch() -> bytes:
        _, pieces = await machine.node.fetch(world.systems[machine.name], packet_id, unit, lease_ms=-1)
        return b"".join([piece async for piece in pieces])

    try:
        return await process.call(fetch(), 30.0)
    except Fault:
        return None


def papers(kind: str) -> list[Paper]:
    filler = stream(1, "filler").randbytes(6_000).hex() if kind == "large" else ""
    return [paper_of("H49.22.05", "H37.11", f"{kind}-{number}", filler=filler + str(number)) for number in range(3)]


@pytest.mark.parametrize("kind", ["small", "large"])
def test_what_is_damaged_at_its_recipient_can_be_read_again_a_few_minutes_later(kind: str) -> None:
    async def story(world: World, cast: Cast) -> None:
        sent = papers(kind)
        await hand_in_many(cast, sent)
        for paper in sent:
            await cast.delivered_within(world, paper, HOUR_S)
        machine = world.machines["h37"]
        wound(machine)
        assert [await read(world, cast, machine, paper) for paper in sent] == [None] * 3
        await asyncio.sleep(300)
        assert [await read(world, cast, machine, paper) for paper in sent] == [paper.packet for paper in sent]

    tell(story)


def test_an_origin_that_is_away_for_an_hour_mends_it_afterwards_and_a_restart_in_between_changes_nothing() -> None:
    async def story(world: World, cast: Cast) -> None:
        [paper, *_] = sent = papers("large")[:1]
        await hand_in_many(cast, sent)
        await cast.delivered_within(world, paper, HOUR_S)
        switch_off(world, "h49")
        machine = world.machines["h37"]
        wound(machine)
        assert await read(world, cast, machine, paper) is None
        await asyncio.sleep(HOUR_S / 2)
        machine.crash()
        await machine.start()
        await asyncio.sleep(HOUR_S / 2)
        assert await read(world, cast, machine, paper) is None
        await world.machines["h49"].start()
        await asyncio.sleep(HOUR_S)
        assert await read(world, cast, machine, paper) == paper.packet

    tell(story)


def test_the_scrub_finds_what_nobody_reads_and_it_is_mended() -> None:
    async def story(world: World, cast: Cast) -> None:
        [paper, *_] = sent = papers("large")[:1]
        await hand_in_many(cast, sent)
        await cast.delivered_within(world, paper, HOUR_S)
        wounds = wound(world.machines["h37"])
        for _ in range(48):
            await asyncio.sleep(HOUR_S / 2)
            if not wounds.any:
                return
        raise AssertionError("a day later it is still damaged")

    tell(story, scrub_every_ms=6 * 3_600_000)
