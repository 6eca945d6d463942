"""Single troubles, staged one by one: what the seeds find by chance, told as stories."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import pairwise
from typing import Any

from node.model.code import parse_code
from node.model.delivery import State
from node.model.directory import Zone, directory_of
from node.model.envelope import PacketKind
from node.model.office import DeliveryView
from node.model.reason import Reason
from tests.sim.ledger import Ledger
from tests.sim.loop import VirtualLoop, run_virtual
from tests.sim.office import Office
from tests.sim.papers import Paper, document
from tests.sim.world import World, tight_limits

HOUR_S = 3600.0
Story = Callable[[World, "Cast"], Coroutine[Any, Any, None]]


class Cast:
    """The offices of a world, by node."""

    def __init__(self, world: World) -> None:
        self.ledger = Ledger()
        self.offices = {
            name: Office(world, self.ledger, world.machines[name], system) for name, system in world.systems.items()
        }

    async def send(self, sender: str, *recipients: str, name: str = "paper", filler: str = "") -> Paper:
        """Let the sender's office hand a document in and have it accepted."""
        packet = document(sender, recipients, f"{sender},{name}", b"BIMAT01", filler=filler)
        office = next(one for one in self.offices.values() if sender in one.system.units)
        paper = Paper(
            office.system.name, name, PacketKind.DOCUMENT, sender, recipients, recipients, f"{sender},{name}", b"BIMAT01",
            packet,
        )  # fmt: skip
        assert await office.hand_in(paper) is not None
        return paper

    async def views(self, paper: Paper) -> dict[str, DeliveryView]:
        """Return what Track shows for a paper, by unit."""
        office = next(one for one in self.offices.values() if one.system.name == paper.system)
        process, node = office.machine.process, office.machine.node
        assert process is not None
        view = await process.call(node.track(office.system, submission_id=paper.submission_id), 30.0)
        return {one.unit: one for one in view.deliveries}

    async def delivered_within(self, world: World, paper: Paper, seconds: float) -> float:
        """Wait until all deliveries of a paper are final and DELIVERED; return how long that took."""
        began_s = world.loop.time()
        while world.loop.time() - began_s <= seconds:
            views = await self.views(paper)
            if all(one.state is State.DELIVERED for one in views.values()):
                return world.loop.time() - began_s
            await asyncio.sleep(1)
        shown = {unit: (one.state.name, one.reason.name, one.next_attempt_ms) for unit, one in views.items()}
        raise AssertionError(f"not delivered within {seconds} s: {shown}")


def tell(story: Story, *, faults: frozenset[str] = frozenset(), **policy: Any) -> None:
    """Play a story in a world where all is well to begin with; no law may be broken in it. `policy`: limits that are others here."""

    async def main(loop: VirtualLoop) -> None:
        world = World(loop, seed=1, show=False, faults=faults)
        world.policy = replace(world.policy, **policy)
        await world.start_all()
        cast = Cast(world)
        await asyncio.sleep(60)
        await story(world, cast)
        assert not cast.ledger.broken
        assert not loop.bugs
        for machine in world.machines.values():
            machine.crash()
        await asyncio.sleep(0)

    with tight_limits():
        run_virtual(main, limit_s=100 * HOUR_S)


def cut_off(world: World, one: str, *others: str) -> None:
    for other in others:
        world.network.cut(one, other, "reject")
        world.network.cut(other, one, "reject")


def test_a_document_between_two_healthy_nodes_is_there_in_a_second() -> None:
    async def story(world: World, cast: Cast) -> None:
        paper = await cast.send("H49.22.05", "G22.01")
        assert await cast.delivered_within(world, paper, 1.5) <= 1.5

    tell(story)


def test_two_provinces_that_cannot_meet_are_served_through_the_centre_which_can_read_nothing() -> None:
    async def story(world: World, cast: Cast) -> None:
        cut_off(world, "h49", "h37")
        paper = await cast.send("H49.22.05", "H37.11")
        await cast.delivered_within(world, paper, 300)
        assert (await cast.views(paper))["H37.11"].relay_node == "centre"
        assert b"BIMAT" not in world.machines["centre"].disk.everything()

    tell(story)


def test_a_relay_that_burns_down_with_a_packet_in_custody_loses_nothing() -> None:
    async def story(world: World, cast: Cast) -> None:
        cut_off(world, "h37", "h49", "centre", "g22", "h01")
        paper = await cast.send("H49.22.05", "H37.11")
        while (await cast.views(paper))["H37.11"].reason is not Reason.IN_CUSTODY:
            await asyncio.sleep(1)
        world.machines["centre"].burn()
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


def test_a_clock_set_back_by_hours_does_not_hold_up_what_was_put_off() -> None:
    async def story(world: World, cast: Cast) -> None:
        cut_off(world, "h37", "h49", "centre", "g22", "h01")
        paper = await cast.send("H49.22.05", "H37.11")
        while (await cast.views(paper))["H37.11"].reason is not Reason.IN_CUSTODY:
            await asyncio.sleep(1)
        world.machines["centre"].burn()
        world.machines["h49"].skew.skew_ms -= 6 * 3_600_000
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


def test_a_month_without_the_centre_changes_nothing_between_those_who_know_each_other() -> None:
    async def story(world: World, cast: Cast) -> None:
        world.machines["centre"].crash()
        await asyncio.sleep(HOUR_S)
        paper = await cast.send("G22", "H49", "H37", "H01")
        assert await cast.delivered_within(world, paper, 2) <= 2

    tell(story)


def test_a_peer_that_was_away_for_hours_is_served_as_soon_as_it_is_back() -> None:
    async def story(world: World, cast: Cast) -> None:
        world.machines["h37"].crash()
        papers = [await cast.send("H49.22.05", "H37.11", name=f"paper-{number}") for number in range(30)]
        await asyncio.sleep(5 * HOUR_S)
        await world.machines["h37"].start()
        began_s = world.loop.time()
        for paper in papers:
            await cast.delivered_within(world, paper, 30)
        assert world.loop.time() - began_s <= 30

    tell(story)


def test_an_upload_goes_on_where_it_broke_off_and_does_not_start_over() -> None:
    async def story(world: World, cast: Cast) -> None:
        offsets: list[int] = []
        real = world.machines["h37"].node.receive_body

        async def noted(peer_id: str, token: bytes, offset_bytes: int, chunks: Any) -> int:
            offsets.append(offset_bytes)
            done: int = await real(peer_id, token, offset_bytes, chunks)
            return done

        world.machines["h37"].node.receive_body = noted
        world.machines["centre"].crash()
        world.network.weather.break_upload = 0.1
        paper = await cast.send("H49.22.05", "H37.11", filler="x" * 40_000)
        await cast.delivered_within(world, paper, HOUR_S)
        assert len(offsets) >= 2
        assert all(earlier < later for earlier, later in pairwise(offsets))

    tell(story)


def test_a_disk_that_is_full_only_at_the_sync_does_not_lose_the_body_of_what_it_may_still_have_written() -> None:
    async def story(world: World, cast: Cast) -> None:
        machine = world.machines["h49"]
        real = machine.disk.store._memory.write

        def full_after_the_commit(writes: Any, commit_no: int) -> None:
            real(writes, commit_no)
            machine.disk.full_at_sync = machine.disk.full_at_sync or any(key[:1] == b"s" for key in writes)

        machine.disk.store._memory.write = full_after_the_commit  # type: ignore[method-assign]
        world.loop.call_later(300, machine.disk.mend)
        cast.offices["h49"].streams = True
        paper = await cast.send("H49.22.05", "H37.11", filler="x" * 40_000)
        machine.disk.store._memory.write = real  # type: ignore[method-assign]
        machine.disk.mend()
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


def test_units_that_move_to_another_node_while_a_packet_waits_get_it_there() -> None:
    async def story(world: World, cast: Cast) -> None:
        world.machines["h37"].crash()
        paper = await cast.send("H49.22.05", "H37", "H37.11", "H37.11.02")
        await asyncio.sleep(600)
        old = world.directory
        h37 = old.zones[parse_code("H37")]
        moved = {code: unit for code, unit in h37.units.items() if code.startswith("H37.11")}
        zones = [zone for zone in old.zones.values() if zone is not h37]
        zones += [replace(h37, units={"H37": h37.units["H37"]}), Zone(parse_code("H37.11"), "h01", moved)]
        world.directory = directory_of(3, old.signed_time_ms, list(old.nodes.values()), zones)
        for machine in world.machines.values():
            machine.directories.snapshot = world.directory
            if machine.process is not None:
                machine.loops.dispatcher.directory_changed()
        await world.machines["h37"].start()
        await cast.delivered_within(world, paper, HOUR_S)
        views = await cast.views(paper)
        assert {unit: view.node_id for unit, view in views.items()} == {
            "H37": "h37",
            "H37.11": "h01",
            "H37.11.02": "h01",
        }

    tell(story)
