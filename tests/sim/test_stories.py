"""Single troubles, staged one by one: what the seeds find by chance, told as stories."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from node.flow.send.settling import ASK_SOON_MAX
from node.model.code import parse_code
from node.model.delivery import State
from node.model.directory import Role, Zone, directory_of
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


async def send_with_poison(world: World, cast: Cast) -> tuple[list[Paper], Paper, bytes]:
    """Let five good papers and a poisonous one wait for h37; return them, and what tells the poison."""
    world.machines["h37"].crash()
    good = [await cast.send("H49.22.05", "H37.11", name=f"good-{number}") for number in range(2)]
    poison = await cast.send("H49.22.05", "H37.11", name="poison")
    good += [await cast.send("H49.22.05", "H37.11", name=f"good-{number}") for number in range(2, 5)]
    process, node = world.machines["h49"].process, world.machines["h49"].node
    assert process is not None
    view = await process.call(node.track(cast.offices["h49"].system, submission_id=poison.submission_id), 30.0)
    await world.machines["h37"].start()
    return good, poison, view.packet_id


def expect_bugs(world: World, words: str) -> None:
    """Take note of our own mistakes that a story has made on purpose."""
    assert world.loop.bugs, "it must be told loudly"
    assert all(words in bug for bug in world.loop.bugs), world.loop.bugs
    world.loop.bugs.clear()


async def poison_waits(cast: Cast, poison: Paper) -> None:
    view = (await cast.views(poison))["H37.11"]
    assert (view.state, view.reason) == (State.WAITING, Reason.FAILED_INSIDE)


@pytest.mark.parametrize("place", ["_verdict", "settle"])
def test_an_item_on_which_its_receiver_fails_concerns_no_other(place: str) -> None:
    async def story(world: World, cast: Cast) -> None:
        good, poison, packet_id = await send_with_poison(world, cast)
        reception = world.machines["h37"].node.reception
        part = reception._deciding if place == "settle" else reception
        real = getattr(part, place)

        def fails(*args: Any) -> Any:
            if packet_id in [getattr(one, "packet_id", b"") for one in args] or any(
                getattr(getattr(one, "envelope", None), "packet_id", b"") == packet_id
                for one in (args[1] if place == "settle" else ())
            ):
                raise ZeroDivisionError("poison")
            return real(*args)

        setattr(part, place, fails)
        for paper in good:
            await cast.delivered_within(world, paper, 60)
        await poison_waits(cast, poison)
        expect_bugs(world, "ZeroDivisionError")
        setattr(part, place, real)
        await cast.delivered_within(world, poison, HOUR_S)
        world.loop.bugs.clear()

    tell(story)


def test_a_push_that_fails_as_a_whole_is_split_until_the_poison_is_alone() -> None:
    async def story(world: World, cast: Cast) -> None:
        good, poison, packet_id = await send_with_poison(world, cast)
        node = world.machines["h37"].node
        real = node.receive_push

        async def fails(peer_id: str, items: Any) -> Any:
            if any(packet_id in item.parcel.signed_envelope.envelope for item in items if hasattr(item, "parcel")):
                raise ZeroDivisionError("poison")
            return await real(peer_id, items)

        node.receive_push = fails
        for paper in good:
            await cast.delivered_within(world, paper, 60)
        await poison_waits(cast, poison)
        expect_bugs(world, "ZeroDivisionError")
        peers = await world.machines["h49"].process.call(world.machines["h49"].node.list_peers(), 30.0)  # type: ignore[union-attr]
        assert next(one for one in peers if one.node_id == "h37").road == "open"
        node.receive_push = real
        await cast.delivered_within(world, poison, HOUR_S)
        world.loop.bugs.clear()

    tell(story)


def test_a_large_packet_on_which_its_receiver_fails_does_not_count_against_the_road() -> None:
    async def story(world: World, cast: Cast) -> None:
        node = world.machines["h37"].node
        real = node.reception._check_parcel

        def fails(peer_id: str, parcel: Any) -> Any:
            raise ZeroDivisionError("poison")

        node.reception._check_parcel = fails
        poison = await cast.send("H49.22.05", "H37.11", filler="x" * 40_000)
        await asyncio.sleep(60)
        await poison_waits(cast, poison)
        peers = await world.machines["h49"].process.call(world.machines["h49"].node.list_peers(), 30.0)  # type: ignore[union-attr]
        assert next(one for one in peers if one.node_id == "h37").road == "open"
        expect_bugs(world, "ZeroDivisionError")
        node.reception._check_parcel = real
        await cast.delivered_within(world, poison, HOUR_S)

    tell(story)


async def second_relay(world: World) -> None:
    """Let h01 carry for others, too."""
    world.relays.add("h01")
    for machine in world.machines.values():
        old = machine.directories.snapshot
        nodes = [
            replace(node, roles=frozenset({Role.RELAY})) if node.node_id == "h01" else node
            for node in old.nodes.values()
        ]
        machine.directories.snapshot = directory_of(
            old.version + 1, old.signed_time_ms, nodes, list(old.zones.values())
        )
        if machine.process is not None:
            machine.loops.dispatcher.directory_changed()
    world.machines["h01"].crash()
    await world.machines["h01"].start()


def test_a_relay_that_takes_custody_and_delivers_nothing_is_passed_over() -> None:
    async def story(world: World, cast: Cast) -> None:
        await second_relay(world)
        cut_off(world, "h49", "h37")
        centre = world.machines["centre"]
        assert centre.process is not None
        await centre.process.call(centre.node.hold_peer("h37"), 30.0)
        papers = [await cast.send("H49.22.05", "H37.11", name=f"paper-{number}") for number in range(12)]
        papers.append(await cast.send("H49.22.05", "H37.11", name="large", filler="x" * 40_000))
        while (await cast.views(papers[-1]))["H37.11"].reason is not Reason.IN_CUSTODY:
            await asyncio.sleep(1)
        assert {(await cast.views(paper))["H37.11"].custody_node for paper in papers} == {"centre"}
        began_s = world.loop.time()
        for paper in papers:
            await cast.delivered_within(world, paper, 2 * world.policy.custody_retry_ms / 1000)
        assert world.loop.time() - began_s <= 2 * world.policy.custody_retry_ms / 1000
        assert (await cast.views(papers[0]))["H37.11"].relay_node == "h01"

    tell(story)


def test_relays_are_asked_in_turns_as_long_as_nothing_arrives() -> None:
    async def story(world: World, cast: Cast) -> None:
        await second_relay(world)
        cut_off(world, "h37", "h49", "centre", "g22", "h01")
        paper = await cast.send("H49.22.05", "H37.11")
        held_by: list[str] = []
        while world.loop.time() < 2 * HOUR_S:
            view = (await cast.views(paper))["H37.11"]
            if view.custody_node and held_by[-1:] != [view.custody_node]:
                held_by.append(view.custody_node)
            await asyncio.sleep(20)
        assert held_by[:6] == ["centre", "h01"] * 3
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


class Calls:
    """Counts what a machine's node is asked from now on."""

    def __init__(self, node: Any) -> None:
        self.verbs: list[str] = []
        for verb in ("receive_push", "receive_offer", "receive_body"):
            setattr(node, verb, self._counted(verb.removeprefix("receive_"), getattr(node, verb)))

    def _counted(self, name: str, verb: Any) -> Any:
        async def called(*args: Any) -> Any:
            self.verbs.append(name)
            return await verb(*args)

        return called


REFUSED_CALLS_MAX = 12
"""Of an item that a healthy peer refuses, in four hours."""


@pytest.mark.parametrize("is_behind", [False, True], ids=["by a directory as new", "by one that stays behind"])
def test_what_a_peer_refuses_comes_ever_less_often_without_its_body_and_at_once_when_its_directory_rises(
    is_behind: bool,
) -> None:
    async def story(world: World, cast: Cast) -> None:
        world.policy = replace(world.policy, item_retry_max_ms=6 * 3_600_000)
        sender, receiver = world.machines["h49"], world.machines["h37"]
        sender.crash()
        await sender.start()
        known = sender.directories.snapshot
        # The receiver does not know the key that the sender signs with, and fetches nothing although it hears of a newer directory.
        nodes = [replace(node, signing_keys=()) if node.node_id == "h49" else node for node in known.nodes.values()]
        zones = list(known.zones.values())
        version = known.version - 1 if is_behind else known.version
        receiver.directories.snapshot = directory_of(version, known.signed_time_ms, nodes, zones)
        receiver.hear_of = lambda peer, version: None
        world.machines["centre"].crash()
        await asyncio.sleep(30 * 60)
        calls = Calls(receiver.node)
        paper = await cast.send("H49.22.05", "H37.11")
        await asyncio.sleep(4 * HOUR_S)
        view = (await cast.views(paper))["H37.11"]
        assert view.reason is (Reason.DIRECTORY_OLDER if is_behind else Reason.ENVELOPE_SIGNATURE_INVALID)
        assert calls.verbs[0] == "push", "the first time it goes as it is"
        assert set(calls.verbs[1:]) == {"offer"}
        # One that is behind is asked a few times at once, since its directory is usually on its way.
        assert len(calls.verbs) <= REFUSED_CALLS_MAX + (ASK_SOON_MAX if is_behind else 0)
        receiver.directories.snapshot = directory_of(
            known.version + 1, known.signed_time_ms, list(known.nodes.values()), zones
        )
        await cast.delivered_within(world, paper, 1.25 * world.policy.hello_every_ms / 1000 + 10)

    tell(story)


def test_custody_is_asked_about_without_sending_the_body_again() -> None:
    async def story(world: World, cast: Cast) -> None:
        cut_off(world, "h37", "h49", "centre", "g22", "h01")
        calls = Calls(world.machines["centre"].node)
        paper = await cast.send("H49.22.05", "H37.11")
        while (await cast.views(paper))["H37.11"].attempts < 5:
            await asyncio.sleep(10)
        assert [verb for verb in calls.verbs if verb != "offer"] == ["push"]
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


def test_a_full_disk_of_our_own_does_not_push_again_and_again() -> None:
    async def story(world: World, cast: Cast) -> None:
        world.machines["h37"].crash()
        papers = [await cast.send("H49.22.05", "H37.11", name=f"paper-{number}") for number in range(40)]
        await world.machines["h37"].start()
        world.machines["h49"].disk.full = True
        calls = Calls(world.machines["h37"].node)
        await asyncio.sleep(10 * 60)
        assert len(calls.verbs) <= 40, f"{len(calls.verbs)} calls in ten minutes"
        world.machines["h49"].disk.mend()
        for paper in papers:
            await cast.delivered_within(world, paper, 60)

    tell(story)


def test_a_courier_that_an_exception_ends_starts_again() -> None:
    async def story(world: World, cast: Cast) -> None:
        courier = world.machines["h49"].loops.dispatcher._couriers["h37"]
        real, courier._look = courier._look, lambda: {}["nothing"]
        paper = await cast.send("H49.22.05", "H37.11")
        await asyncio.sleep(30)
        courier._look = real
        await cast.delivered_within(world, paper, 90)
        expect_bugs(world, "KeyError")

    tell(story)


def test_an_origin_that_lost_its_disk_learns_that_its_papers_were_delivered() -> None:
    async def story(world: World, cast: Cast) -> None:
        papers = [
            await cast.send("H49.22.05", "H37.11", "G22", name="small"),
            await cast.send("H49.22.05", "H37.11", name="large", filler="x" * 40_000),
        ]
        for paper in papers:
            await cast.delivered_within(world, paper, HOUR_S)
        world.machines["h49"].burn()
        await world.machines["h49"].start()
        for paper in papers:
            assert await cast.offices["h49"].hand_in(paper) is not None
            await cast.delivered_within(world, paper, HOUR_S)

    tell(story)
