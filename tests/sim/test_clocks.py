"""Clocks that err, played as attacks: at a start, at the first start ever, under a lease, two together, alone. What is handed in
meanwhile is delivered, nothing is ended or forgotten on the word of one clock, and nothing stays due for years."""

import asyncio
from collections.abc import Iterator

import pytest

from node.errors import Deferred
from node.model.delivery import State
from node.rows import keys, webhook_keys
from tests.sim.loop import VirtualLoop, run_virtual
from tests.sim.test_stories import HOUR_S, Cast, cut_off, tell
from tests.sim.test_under_change import now_ms, packet_id_of, short_lived
from tests.sim.world import Machine, World, tight_limits

DAY_MS, MINUTE_MS = 86_400_000, 60_000
YEAR_MS = 365 * DAY_MS
ERRORS_MS = (DAY_MS, -DAY_MS, 10 * YEAR_MS, -10 * YEAR_MS)
IDS = ("a day ahead", "a day behind", "ten years ahead", "ten years behind")
OTHERS = ("centre", "g22", "h37", "h01")


def due_rows(machine: Machine) -> Iterator[tuple[str, int]]:
    """Yield all that a node has to do at a time: the table, and when."""
    for key in machine.disk.store.rows_after_crash(machine.disk.store.unsynced):
        if key[:1] in (keys.DUE, keys.DUTIES, keys.HELD, webhook_keys.HOOKS_DUE):
            yield key[:1].decode(), keys.due_of(key)
        elif key[:1] == keys.LATER:
            yield "l", keys.due_of_later(key)


def require_nothing_far(world: World) -> None:
    """See that nothing is due later than any time of keeping allows."""
    for machine in world.machines.values():
        here_ms, policy = machine.skew.now_ms(world.loop.time()), world.policy
        longest_ms = max(policy.keep_records_ms, policy.expire_after_ms + policy.keep_memory_ms) + DAY_MS
        far = [(table, at_ms - here_ms) for table, at_ms in due_rows(machine) if at_ms > here_ms + longest_ms]
        assert far == [], f"{machine.name}: {far}"


@pytest.mark.parametrize("by_ms", ERRORS_MS, ids=IDS)
@pytest.mark.parametrize("when", ["while it runs", "across a restart"])
def test_what_is_handed_in_under_a_wrong_clock_is_delivered_and_nothing_stays_due_for_years(
    when: str, by_ms: int
) -> None:
    async def story(world: World, cast: Cast) -> None:
        h49 = world.machines["h49"]
        waiting = await cast.send("H49.22.05", "H37.11.02", name="before")
        if when == "across a restart":
            h49.crash()
            h49.skew.skew_ms += by_ms
            await h49.start()
            await asyncio.sleep(120)  # it is greeted
        else:
            h49.skew.skew_ms += by_ms
        papers = [await cast.send("H49.22.05", unit, name=f"to-{unit}") for unit in ("H37.11", "G22.01")]
        coming = await cast.send("G22.01", "H49.22.06", name="coming")
        await asyncio.sleep(1800)
        h49.skew.skew_ms -= by_ms
        for paper in (waiting, *papers, coming):
            await cast.delivered_within(world, paper, HOUR_S)
        await asyncio.sleep(3 * HOUR_S)
        require_nothing_far(world)

    tell(story)


@pytest.mark.parametrize("by_ms", ERRORS_MS, ids=IDS)
def test_a_clock_that_is_wrong_at_the_first_start_ever(by_ms: int) -> None:
    """There is no time in the store; only the directory's signature tells how late it is at least."""

    async def main(loop: VirtualLoop) -> None:
        world = World(loop, seed=1, show=False)
        h49 = world.machines["h49"]
        h49.skew.skew_ms += by_ms
        await world.start_all()
        cast = Cast(world)
        paper = await cast.send("H49.22.05", "H37.11", name="first")
        await cast.delivered_within(world, paper, HOUR_S)
        h49.skew.skew_ms -= by_ms
        later = await cast.send("H49.22.05", "H37.11", name="later")
        await cast.delivered_within(world, later, HOUR_S)
        await asyncio.sleep(3 * HOUR_S)
        require_nothing_far(world)
        assert world.loop.bugs == []
        for machine in world.machines.values():
            machine.crash()

    with tight_limits():
        run_virtual(main, 40 * HOUR_S)


def test_a_node_alone_with_a_dead_battery_ends_nothing_and_what_it_takes_is_not_over_before_it_is_sent() -> None:
    async def story(world: World, cast: Cast) -> None:
        h49 = world.machines["h49"]
        await asyncio.sleep(600)
        cut_off(world, "h49", *OTHERS)
        h49.crash()
        h49.skew.skew_ms -= 10 * YEAR_MS
        await h49.start()
        paper = await cast.send("H49.22.05", "H37.11", name="alone")
        await asyncio.sleep(3 * HOUR_S)
        assert h49.node.agreed_time.doubt() is not None
        world.network.cuts.clear()
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


@pytest.mark.parametrize("by_ms", ERRORS_MS, ids=IDS)
def test_two_of_five_that_are_wrong_together_end_nothing(by_ms: int) -> None:
    async def story(world: World, cast: Cast) -> None:
        wrong = [world.machines[name] for name in ("h49", "h37")]
        world.machines["h01"].crash()
        waiting = [
            await cast.send("H49.22.05", "H01.08", name="a"),
            await short_lived(cast, "G22.01", "H01.08", "b", 240),
        ]
        for machine in wrong:
            machine.skew.skew_ms += by_ms
        papers = [
            await cast.send(*between, name=str(between)) for between in (("H49.22.05", "H37.11"), ("H37.11", "G22.01"))
        ]
        await asyncio.sleep(3 * HOUR_S)
        for machine in world.machines.values():
            if machine in wrong:
                assert machine.node.agreed_time.sure_ms() is None, machine.name
            elif machine.process is not None:
                # Two against two: they are not sure either, but what they hand in they date by their own clocks.
                assert abs(machine.node.agreed_time.best_ms() - now_ms(world)) < MINUTE_MS, machine.name
        for machine in wrong:
            machine.skew.skew_ms -= by_ms
        await world.machines["h01"].start()
        for paper in (*waiting, *papers):
            await cast.delivered_within(world, paper, HOUR_S)
        await asyncio.sleep(3 * HOUR_S)
        require_nothing_far(world)

    tell(story)


def test_a_clock_that_drifts_by_minutes_an_hour_is_seen_as_soon_as_it_is_five_minutes_off() -> None:
    """No single step is a jump."""

    async def story(world: World, cast: Cast) -> None:
        h49 = world.machines["h49"]
        world.machines["h37"].crash()
        paper = await short_lived(cast, "H49.22.05", "H37.11", minutes=600)
        for _ in range(4 * 60):
            await asyncio.sleep(60)
            h49.skew.skew_ms += 4 * 60_000
        assert h49.node.agreed_time.doubt() is not None
        assert (await cast.views(paper))["H37.11"].state is State.WAITING, "by its own clock it is over"
        h49.skew.skew_ms -= 4 * 60 * 4 * 60_000
        await world.machines["h37"].start()
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


@pytest.mark.parametrize("by_ms", ERRORS_MS, ids=IDS)
def test_a_lease_under_which_the_clock_jumps_holds_no_longer_than_a_lease_may(by_ms: int) -> None:
    async def story(world: World, cast: Cast) -> None:
        paper = await cast.send("H49.22.05", "H37.11")
        await cast.delivered_within(world, paper, 60)
        packet_id, machine, system = await packet_id_of(world, cast, paper), world.machines["h37"], world.systems["h37"]
        assert machine.process is not None
        longest_s = world.policy.lease_ms_max / 1000
        await machine.process.call(machine.node.fetch(system, packet_id, "H37.11", 0, 60_000, "one"), 30.0)
        machine.skew.skew_ms += by_ms
        waited_s = 0.0
        while waited_s <= longest_s + 120:
            try:
                await machine.process.call(machine.node.fetch(system, packet_id, "H37.11", 0, 60_000, "other"), 30.0)
                return
            except Deferred:
                await asyncio.sleep(600)
                waited_s += 600
        raise AssertionError("the lease outlives every lease")

    tell(story)


@pytest.mark.parametrize("by_ms", ERRORS_MS, ids=IDS)
def test_a_jump_between_two_transactions_of_a_sweep_forgets_nothing_before_its_time(by_ms: int) -> None:
    async def story(world: World, cast: Cast) -> None:
        papers = [await cast.send("H49.22.05", "H37.11", name=f"paper-{number}") for number in range(40)]
        for paper in papers:
            await cast.delivered_within(world, paper, HOUR_S)
        machine = world.machines["h37"]
        for _ in range(30):
            machine.skew.skew_ms += by_ms
            await asyncio.sleep(0.01)
            machine.skew.skew_ms -= by_ms
            await asyncio.sleep(59.7)
        assert machine.node.counters.erased == 0
        rows = machine.disk.store.rows_after_crash(machine.disk.store.unsynced)
        assert sum(key[:1] == b"k" for key in rows) >= len(papers)

    tell(story)
