"""A world that turns while packets travel, told as stories: keys change, prefixes move, directories reach nodes at different times."""

import asyncio
from dataclasses import replace
from typing import Any

from node.model.directory import Directory, PublicKey, directory_of
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
        right = keys._signing, keys.signing_public
        keys.change_signing_key()
        to_it = await cast.send("H49.22.05", "H37.11", name="to it")
        of_it = await cast.send("H37.11", "H49.22.05", name="of it")
        await asyncio.sleep(600)
        assert (await cast.views(to_it))["H37.11"].reason is Reason.RECEIPT_INVALID
        assert (await cast.views(of_it))["H49.22.05"].reason is Reason.ENVELOPE_SIGNATURE_INVALID
        keys._signing, keys.signing_public = right
        await cast.delivered_within(world, to_it, HOUR_S)
        await cast.delivered_within(world, of_it, HOUR_S)

    tell(story)
