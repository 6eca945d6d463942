"""The mesh between hosts that are cut off, slowed, paused, filled and killed keeps its promise.

After each scenario: every submitted packet is in each recipient's inbox, octet for octet, once; every status is back; and while it
waited `truc outbox` said so. See scenario.py for what is checked, and mesh.py for who is where.
"""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from tests.containers import lines
from tests.containers.hosts import FAKETIME, wrong_clock
from tests.containers.mesh import CENTRE, NAMES, UNITS
from tests.containers.meshes import Meshes
from tests.containers.scenario import LONG, Stage
from tests.containers.small_volume import SmallVolume
from tests.containers.truth import check_outbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

AWAY = ("PEER_UNREACHABLE", "IN_CUSTODY")
"""Reasons of deliveries to a node that is away: that it is, or that the centre keeps them."""
OTHERS = {CENTRE, "g14", "h37", "h49-22"}
NEAR = {
    "g14": {*UNITS["g14"], *UNITS["h49"]},
    "h49": {*UNITS["g14"], *UNITS["h49"]},
    "h37": {*UNITS["h37"], *UNITS["h49-22"]},
    "h49-22": {*UNITS["h37"], *UNITS["h49-22"]},
}
"""Whom each node reaches without the centre."""
PAUSE_S = 60 if LONG else 12
"""How long a node stands still; the shorter time is enough for its peers to give up on it."""

long = pytest.mark.skipif(not LONG, reason="the short form of these scenarios; TRUC_LONG=1 plays this one, too")
"""A scenario that differs little from another, or takes long, is played when asked for."""


@long
def test_a_quiet_day(stage: Stage) -> None:
    async def story() -> None:
        async with stage("a quiet day") as one:
            await one.flow(4)

    asyncio.run(story())


@pytest.mark.parametrize(
    "how", [lines.DROP, pytest.param(lines.REJECT, marks=long)], ids=["without a word", "with a word"]
)
def test_a_province_is_cut_off_in_both_directions(stage: Stage, how: tuple[str, ...]) -> None:
    async def story() -> None:
        async with stage(f"a province is cut off, {how[0]}") as one:
            await one.flow(2)
            line = stage.mesh.line("h49")
            line.cut(how)
            await one.flow(6)
            await one.outbox_says("g14", {"h49"}, *AWAY)
            await one.outbox_says("h49", OTHERS, "PEER_UNREACHABLE")
            line.heal()
            one.healed()
            await one.flow(2)

    asyncio.run(story())


def test_the_packets_of_one_direction_are_lost(stage: Stage) -> None:
    async def story() -> None:
        async with stage("packets from a province are lost") as one:
            await one.flow(2)
            line = stage.mesh.line("h49")
            line.cut(incoming=False)
            await one.outbox_says("g14", {"h49"}, *AWAY)
            await one.outbox_says("h49", OTHERS, "PEER_UNREACHABLE")
            line.heal()
            one.healed()
            await one.flow(2)

    asyncio.run(story())


@long
def test_nobody_can_call_a_province_but_it_can_call_the_others(stage: Stage) -> None:
    async def story() -> None:
        async with stage("nobody can call a province") as one:
            await one.flow(2)
            line = stage.mesh.line("h49")
            line.refuse_calls()
            await one.outbox_says("g14", {"h49"}, *AWAY)
            line.heal()
            one.healed()
            await one.flow(2)

    asyncio.run(story())


def play_on_a_poor_line(
    stage: Stage, name: str, spoil: Callable[[lines.Line], None], bulk: Sequence[tuple[str, str]] = ()
) -> None:
    """Spoil the line of a province, and let everything arrive while it is spoilt."""

    async def story() -> None:
        async with stage(name, limit_s=90) as one:
            line = stage.mesh.line("h49")
            spoil(line)
            for node, unit in bulk:
                await one.traffic.write_one(node, [unit], size_bytes=1_500_000)
            await one.flow(8)
            await check_outbox(stage.mesh, one.traffic, "h49")
            await one.settle(90)
            line.heal()

    asyncio.run(story())


def test_a_line_with_300_ms_delay(stage: Stage) -> None:
    play_on_a_poor_line(stage, "300 ms delay each way", lambda line: line.stretch(300))


def test_a_line_that_loses_two_packets_of_a_hundred(stage: Stage) -> None:
    play_on_a_poor_line(stage, "2 % loss", lambda line: line.lose(0.02))


def test_a_line_of_10_mbit_per_second(stage: Stage) -> None:
    bulk = [("g14", "H49"), ("h49", "G14")] * 2
    play_on_a_poor_line(stage, "10 Mbit/s line", lambda line: line.narrow("10mbit"), bulk)


def test_the_centre_is_gone_and_those_who_can_reach_each_other_go_on(stage: Stage) -> None:
    async def story() -> None:
        stage.mesh[CENTRE].stop()
        async with stage("the centre is gone for the whole test") as one:
            await one.flow(5)
            await one.outbox_says("h49", {"h37", "h49-22"}, "PEER_UNREACHABLE")
            near = [("g14", "H49"), ("h49", "G14"), ("h37", "H49.22"), ("h49-22", "H37")]
            for node, unit in near:
                await one.traffic.write_one(node, [unit])
            await one.arrived(lambda sent, unit: unit in NEAR[sent.node])
            stage.mesh.start([CENTRE])
            one.healed()

    asyncio.run(story())


def test_provinces_that_meet_only_through_the_centre(stage: Stage) -> None:
    async def story() -> None:
        async with stage("provinces meet only at the centre", pause_s=0) as one:
            for _ in range(10):
                await one.traffic.write_one("h49", ["H37", "H49.22"])
                await one.traffic.write_one("h37", ["H49.05"], size_bytes=90_000)
            await one.traffic.write_one("h37", ["H49"], size_bytes=1_500_000)
            await one.settle()
            await one.went_by_relay("h49", {"h37", "h49-22"})
            await one.went_by_relay("h37", {"h49"})

    asyncio.run(story())


@pytest.mark.parametrize(
    "victims",
    [(CENTRE,), *(pytest.param((name,), marks=long) for name in NAMES if name != CENTRE), ("g14", "h49")],
    ids="-and-".join,
)
def test_nodes_are_killed_and_come_back(stage: Stage, victims: tuple[str, ...]) -> None:
    async def story() -> None:
        async with stage(f"kill -9 of {' and '.join(victims)}") as one:
            for _ in range(2):
                await one.flow(1.5)
                for name in victims:
                    stage.mesh[name].kill()
                await one.flow(1)
                await asyncio.to_thread(stage.mesh.start, victims)
            one.healed()
            await one.flow(1)

    asyncio.run(story())


def test_a_node_that_stands_still_for_a_while(stage: Stage) -> None:
    async def story() -> None:
        async with stage(f"a province is paused for {PAUSE_S} s") as one:
            await one.flow(2)
            one.traffic.away.add("h49")
            stage.mesh["h49"].pause()
            await one.flow(PAUSE_S / 2)
            await one.outbox_says("g14", {"h49"}, *AWAY)
            await one.flow(PAUSE_S / 2)
            stage.mesh["h49"].resume()
            one.traffic.away.clear()
            one.healed()
            await one.flow(2)

    asyncio.run(story())


def test_a_volume_runs_full_and_is_given_space_again(stage: Stage, small_volume: SmallVolume) -> None:
    async def story() -> None:
        small_volume.move_in("h49")
        async with stage("a volume runs full") as one:
            await one.flow(3)
            small_volume.fill()
            await one.outbox_says("g14", {"h49"}, "DISK_FULL", "PEER_BUSY", limit_s=60)
            await one.flow(3)
            small_volume.give_space()
            one.healed()
            await one.flow(2)

    asyncio.run(story())


@pytest.mark.parametrize("offset_s", [3600, pytest.param(-3600, marks=long)], ids=["an hour ahead", "an hour behind"])
def test_a_clock_that_is_an_hour_wrong(stage: Stage, offset_s: int) -> None:
    if not FAKETIME.exists():
        pytest.skip(f"no {FAKETIME}; apt-get install libfaketime")

    async def story() -> None:
        stage.mesh["h49"].stop()
        stage.mesh.start_unwell("h49", **wrong_clock(offset_s))
        async with stage(f"a clock is wrong by {offset_s // 3600:+d} h") as one:
            await one.flow(5)
            seen_s = await one.clock_seen_from("g14", "h49")
            assert abs(seen_s - offset_s) < 30, f"its neighbours see it {seen_s:.0f} s off"
            await one.clock_is_named("h49")
            await one.settle()
            one.traffic.restart_writing()
            stage.mesh["h49"].stop()
            await asyncio.to_thread(stage.mesh.start, ["h49"])
            one.healed()
            await one.flow(3)

    asyncio.run(story())


def test_a_node_moves_to_a_new_address(stage: Stage) -> None:
    async def story() -> None:
        async with stage("a province moves to a new address") as one:
            await one.flow(2)
            stage.mesh["h49"].stop()
            await one.flow(2)
            await asyncio.to_thread(stage.mesh["h49"].move, "h49-moi")
            stage.mesh.publish_move("h49", "h49-moi")
            await asyncio.to_thread(stage.mesh.start, ["h49"])
            one.traffic.reconnect("h49")
            one.healed()
            await one.flow(3)

    asyncio.run(story())


def test_a_recipient_that_comes_up_only_after_everything_was_sent(stage: Stage) -> None:
    async def story() -> None:
        stage.mesh["h37"].stop()
        async with stage("a recipient comes up only afterwards") as one:
            one.traffic.away.add("h37")
            await one.flow(6)
            await one.traffic.stop_writing()
            await one.outbox_says("h49-22", {"h37"}, *AWAY)
            await one.outbox_says("g14", {"h37"}, *AWAY)
            stage.mesh.start(["h37"])
            one.traffic.away.clear()
            one.healed()

    asyncio.run(story())


@long
@pytest.mark.timeout(1200)
def test_after_ten_minutes_of_traffic_a_healed_cut_is_made_up_for_within_a_minute(
    meshes: Meshes, record_property: Callable[[str, object], None]
) -> None:
    """With the times that nodes are installed with."""
    mesh = meshes.afresh({})
    stage = Stage(mesh, lambda row: record_property("scenario", row))

    async def story() -> None:
        async with stage("ten minutes cut off, usual times", pause_s=4.0, limit_s=60.0) as one:
            await one.flow(5)
            line = mesh.line("h49")
            line.cut()
            await one.flow(600)
            await one.outbox_says("g14", {"h49"}, *AWAY)
            line.heal()
            one.healed()

    asyncio.run(story())
