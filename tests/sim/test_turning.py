"""A world that turns while packets travel, told as stories: keys change, prefixes move, directories reach nodes at different times."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from node.model.code import parse_code
from node.model.delivery import State
from node.model.directory import Directory, PublicKey, Unit, Zone, directory_of
from node.model.reason import Reason
from tests.sim.test_stories import HOUR_S, Cast, cut_off, tell
from tests.sim.world import World

DAY_S = 24 * HOUR_S


def with_keys(world: World, before: Directory, name: str, *keys: PublicKey) -> Directory:
    """Return the next directory, in which a node has these signing keys."""
    entry = replace(before.nodes[name], signing_keys=keys)
    nodes = [entry if node.node_id == name else node for node in before.nodes.values()]
    return directory_of(before.version + 1, before.signed_time_ms, nodes, list(before.zones.values()))


def publish(world: World, directory: Directory, *names: str) -> None:
    """Let nodes (all if none are named) trust a directory."""
    world.directory = directory
    for name in names or world.machines:
        machine = world.machines[name]
        machine.directories.snapshot = directory
        if machine.process is not None:
            machine.loops.dispatcher.directory_changed()


def now_ms(world: World, name: str) -> int:
    return world.machines[name].skew.now_ms(world.loop.now_s)


def change_key(world: World, name: str, *, revoked: bool = False) -> None:
    """Let a node sign with another key from now on; the old one ends, or is in the directory no more."""
    keys = world.machines[name].keys
    old, at_ms = keys.signing_public, now_ms(world, name)
    new = PublicKey(keys.change_signing_key(), 1, at_ms)
    ended = () if revoked else (PublicKey(old, 1, 0, at_ms),)
    publish(world, with_keys(world, world.directory, name, new, *ended))


def test_packets_that_wait_while_their_nodes_signing_key_ends_arrive() -> None:
    async def story(world: World, cast: Cast) -> None:
        world.machines["h37"].crash()
        paper = await cast.send("H49.22.05", "H37.11")
        large = await cast.send("H49.22.05", "H37.11", name="large", filler="x" * 40_000)
        await asyncio.sleep(600)
        change_key(world, "h49")
        await asyncio.sleep(DAY_S)
        await world.machines["h37"].start()
        await cast.delivered_within(world, paper, HOUR_S)
        await cast.delivered_within(world, large, HOUR_S)

    tell(story)


def test_packets_that_wait_under_a_revoked_key_are_signed_anew_also_at_a_relay() -> None:
    async def story(world: World, cast: Cast) -> None:
        cut_off(world, "h37", "h49", "g22", "h01")
        world.machines["h37"].crash()
        papers = [await cast.send("H49.22.05", "H37.11", name=name) for name in ("one", "two")]
        papers.append(await cast.send("H49.22.05", "H37.11", name="large", filler="x" * 40_000))
        while (await cast.views(papers[-1]))["H37.11"].reason is not Reason.IN_CUSTODY:
            await asyncio.sleep(1)
        change_key(world, "h49", revoked=True)
        await world.machines["h37"].start()
        for paper in papers:
            await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


def test_receipts_under_a_key_that_has_ended_or_was_revoked_meanwhile_are_believed() -> None:
    async def lost_receipt(world: World, cast: Cast, *, revoked: bool) -> None:
        world.network.weather.lose_reply = 1.0
        paper = await cast.send("H49.22.05", "H37.11", name=f"revoked-{revoked}")
        await asyncio.sleep(300)
        change_key(world, "h37", revoked=revoked)
        world.network.weather.lose_reply = 0.0
        await cast.delivered_within(world, paper, HOUR_S)

    async def story(world: World, cast: Cast) -> None:
        await lost_receipt(world, cast, revoked=False)
        await lost_receipt(world, cast, revoked=True)

    tell(story)


def test_a_node_whose_signing_key_was_damaged_for_a_while_makes_good_what_it_signed_with_it() -> None:
    async def story(world: World, cast: Cast) -> None:
        keys: Any = world.machines["h37"].keys
        right = dict(keys._signing), keys.signing_public, keys._forced
        keys.change_signing_key()
        to_it = await cast.send("H49.22.05", "H37.11", name="to it")
        of_it = await cast.send("H37.11", "H49.22.05", name="of it")
        await asyncio.sleep(600)
        assert (await cast.views(to_it))["H37.11"].reason is Reason.RECEIPT_INVALID
        assert (await cast.views(of_it))["H49.22.05"].reason is Reason.ENVELOPE_SIGNATURE_INVALID
        keys._signing, keys.signing_public, keys._forced = right
        await cast.delivered_within(world, to_it, HOUR_S)
        await cast.delivered_within(world, of_it, HOUR_S)

    tell(story)


def gossip(world: World) -> None:
    """Let every node fetch the directory of a peer of which it hears that it is newer, as trust/feed.py does."""
    for name, machine in world.machines.items():

        def heard(news: tuple[str, int], name: str = name) -> None:
            directory = world.machines[news[0]].directories.snapshot
            if directory.version > world.machines[name].directories.snapshot.version:
                world.loop.call_later(0.2, publish, world, directory, name)

        machine.node.signals.newer_directory.connect(heard)


def with_unit(before: Directory, prefix: str, unit: Unit) -> Directory:
    """Return the next directory, in which a zone lists one more unit, or one unit otherwise."""
    zones = [
        replace(zone, units={**zone.units, unit.code: unit}) if zone.prefix.text == prefix else zone
        for zone in before.zones.values()
    ]
    return directory_of(before.version + 1, before.signed_time_ms, list(before.nodes.values()), zones)


def test_a_unit_that_its_own_node_has_not_heard_of_is_served_as_soon_as_it_has() -> None:
    async def story(world: World, cast: Cast) -> None:
        gossip(world)
        newer = with_unit(world.directory, "H37", Unit("H37.12", "Xã mới"))
        publish(world, newer, "h49")
        paper = await cast.send("H49.22.05", "H37.12")
        large = await cast.send("H49.22.05", "H37.12", name="large", filler="x" * 40_000)
        await cast.delivered_within(world, paper, 30)
        await cast.delivered_within(world, large, 60)
        assert world.machines["h37"].directories.snapshot is newer, "fetched from the caller at once"

    tell(story)


def test_the_author_of_a_packet_whom_only_the_newest_directory_knows_can_be_answered_as_soon_as_it_is_there() -> None:
    async def story(world: World, cast: Cast) -> None:
        gossip(world)
        newer = with_unit(world.directory, "H49", Unit("H49.22.05", "Xã đổi tên"))
        publish(world, newer, "h49")
        paper = await cast.send("H49.22.05", "H37.11")
        await cast.delivered_within(world, paper, 30)
        assert world.machines["h37"].directories.snapshot is newer, (
            "nothing was refused, and it was fetched all the same"
        )

    tell(story)


def test_what_only_the_newest_directory_says_is_refused_by_nobody_before_it_knows_it_also_behind_a_relay() -> None:
    async def story(world: World, cast: Cast) -> None:
        cut_off(world, "h49", "h37")
        gossip(world)
        newer = with_unit(world.directory, "H37", Unit("H37.12", "Xã mới"))
        publish(world, newer, "h49")
        paper = await cast.send("H49.22.05", "H37.12")
        await asyncio.sleep(20)
        assert (await cast.views(paper))["H37.12"].state is State.WAITING
        publish(world, newer, "centre")
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


def test_a_refusal_by_a_directory_that_is_as_new_is_final() -> None:
    async def story(world: World, cast: Cast) -> None:
        before = world.directory
        newer = with_unit(before, "H37", Unit("H37.12", "Xã mới"))
        publish(world, newer, "h49")
        paper = await cast.send("H49.22.05", "H37.12")
        await asyncio.sleep(60)
        view = (await cast.views(paper))["H37.12"]
        assert (view.state, view.reason) == (State.WAITING, Reason.DIRECTORY_OLDER)
        publish(world, replace(before, version=newer.version), "h37")
        await asyncio.sleep(60)
        view = (await cast.views(paper))["H37.12"]
        assert (view.state, view.reason) == (State.FAILED, Reason.RECIPIENT_UNKNOWN)

    tell(story)


def without_node(before: Directory, name: str, heir: str) -> Directory:
    """Return the next directory, in which a node is no more and another holds its prefixes."""
    zones = [replace(zone, node_id=heir) if zone.node_id == name else zone for zone in before.zones.values()]
    nodes = [node for node in before.nodes.values() if node.node_id != name]
    return directory_of(before.version + 1, before.signed_time_ms, nodes, zones)


@pytest.mark.parametrize("crashes", [False, True])
def test_a_draft_that_is_stored_after_its_recipient_has_moved_follows_it_also_after_a_crash(crashes: bool) -> None:
    async def story(world: World, cast: Cast) -> None:
        machine = world.machines["h49"]
        drafting = machine.node._intake._draft

        async def slow(*given: Any) -> Any:
            draft = await drafting(*given)
            publish(world, without_node(world.directory, "h37", "h01"))
            await asyncio.sleep(2)
            return draft

        machine.node._intake._draft = slow
        paper = await cast.send("H49.22.05", "H37.11")
        if crashes:
            machine.crash()
            await machine.start()
        await cast.delivered_within(world, paper, 60)

    tell(story)


def moved(before: Directory, prefix: str, node_id: str, at_ms: int) -> Directory:
    """Return the next directory, in which a node holds another's units under a longer prefix, since a time."""
    code = parse_code(prefix)
    old = before.zone_of(code)
    assert old is not None
    units = {name: unit for name, unit in old.units.items() if parse_code(name).is_under(code)}
    left = replace(old, units={name: unit for name, unit in old.units.items() if name not in units})
    zones = [left if zone is old else zone for zone in before.zones.values()]
    zones.append(Zone(code, node_id, units, held_from_ms=at_ms))
    return directory_of(before.version + 1, before.signed_time_ms, list(before.nodes.values()), zones)


def test_a_senders_packets_arrive_after_its_prefix_has_gone_to_another_node() -> None:
    async def story(world: World, cast: Cast) -> None:
        world.machines["h37"].crash()
        paper = await cast.send("H49.22.05", "H37.11")
        large = await cast.send("H49.22.05", "H37.11", name="large", filler="x" * 40_000)
        await asyncio.sleep(600)
        newer = moved(world.directory, "H49.22", "g22", now_ms(world, "h49"))
        publish(world, newer)
        await world.machines["h37"].start()
        await cast.delivered_within(world, paper, HOUR_S)
        await cast.delivered_within(world, large, HOUR_S)

    tell(story)
