"""Scrub: damage on the disk is found before anybody asks for the document, and the packets concerned are known."""

import asyncio
from typing import Any

from node.flow.bodies import refs
from node.flow.bodies.scrub import STEP_S, Scrub, read_place
from node.model.policy import Policy
from node.ports import Tx
from node.rows import keys
from tests.papers import document
from tests.small_mesh import SmallMesh, small_mesh


def ignore(error: Exception) -> None:
    raise error


def all_bodies(tx: Tx) -> dict[bytes, bytes]:
    return {keys.body_of_ref(key): key[33:] for key, _ in tx.scan(keys.BODY_REFS, limit=100)}


async def a_round(scrub: Scrub) -> int:
    """Go through all bodies once; return in how many steps."""
    rounds, steps = scrub.counts.rounds, 0
    while scrub.counts.rounds == rounds:
        await scrub.step()
        steps += 1
    return steps


async def _filled(mesh: SmallMesh) -> dict[bytes, bytes]:
    mesh.cut("g14", "h49")  # so that no status comes in between
    for number, size in enumerate((10, 10, 200_000, 2_500_000)):
        await mesh["g14"].submit(
            document("H49.22", number=str(number), attachments=[("a.pdf", bytes(size))]), str(number)
        )
    return await mesh["g14"].ports.store.transact(all_bodies)


def damage(mesh: SmallMesh, body_sha256: bytes) -> Any:
    """Damage a small body; return a transaction."""
    return lambda tx: tx.put(keys.body(body_sha256), tx.get(keys.body(body_sha256))[:-1] + b"x")


def test_damaged_and_missing_bodies_are_noted_with_their_packets() -> None:
    async def story() -> None:
        async with small_mesh(Policy()) as mesh:
            packet_of = await _filled(mesh)
            ports = mesh["g14"].ports
            scrub = Scrub(ports, Policy(scrub_every_ms=0, scrub_bytes_per_s=1 << 30), ignore)
            await a_round(scrub)
            assert (scrub.counts.damaged, scrub.counts.bodies) == (0, 4)

            inline = {name for name in packet_of if await ports.store.transact(lambda tx, n=name: tx.get(keys.body(n)))}  # type: ignore[misc]
            lost, [damaged, *_] = next(iter(packet_of.keys() - inline)), sorted(inline)
            await ports.bodies.remove(lost)
            await ports.store.transact(damage(mesh, damaged))
            await a_round(scrub)
            found = {one.body_sha256: one.packet_ids for one in await scrub.damaged()}
            assert found == {name: (packet_of[name],) for name in (lost, damaged)}
            assert scrub.counts.damaged == 2

            await ports.store.transact(lambda tx: refs.let_go(tx, lost, packet_of[lost]))
            await a_round(scrub)
            assert [one.body_sha256 for one in await scrub.damaged()] == [damaged]

    asyncio.run(story())


def test_a_restart_goes_on_where_the_round_stood_and_a_round_waits_for_its_time() -> None:
    async def story() -> None:
        async with small_mesh(Policy()) as mesh:
            packet_of = await _filled(mesh)
            ports = mesh["g14"].ports
            object.__setattr__(ports, "clock", _Unhurried(ports.clock))
            policy = Policy(scrub_bytes_per_s=1)  # so that each step ends after one body
            for name in sorted(packet_of)[:2]:
                scrub = Scrub(ports, policy, ignore)
                assert await scrub.step() == STEP_S
                assert scrub.counts.bodies == 1
                assert (await ports.store.transact(read_place)).following == keys.after_refs(name)
            await a_round(scrub)
            assert scrub.counts.bodies == 3
            assert await scrub.step() > STEP_S
            assert scrub.counts.bodies == 3

    asyncio.run(story())


class _Unhurried:
    """A clock that sleeps no time."""

    def __init__(self, clock: Any) -> None:
        self.now_ms, self.monotonic_ms = clock.now_ms, clock.monotonic_ms
        self.call_later = clock.call_later

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


def test_a_mistake_of_ours_does_not_end_the_reading_for_good(monkeypatch: Any) -> None:
    monkeypatch.setattr("node.flow.bodies.scrub.SETTLE_S", 0.0)
    monkeypatch.setattr("node.flow.loop.RESTART_FIRST_S", 0.0)
    bugs: list[Exception] = []

    async def story() -> None:
        async with small_mesh(Policy()) as mesh:
            await _filled(mesh)
            scrub = Scrub(mesh["g14"].ports, Policy(scrub_every_ms=0), bugs.append)
            real, failing = scrub.step, [True]

            async def step() -> float:
                if failing.pop() if failing else False:
                    raise ValueError("a mistake")
                return await real()

            scrub.step = step  # type: ignore[method-assign]
            await scrub.start()
            async with asyncio.timeout(10):
                while not scrub.counts.bodies:
                    await asyncio.sleep(0.01)
            await scrub.stop()

    asyncio.run(story())
    assert [type(bug) for bug in bugs] == [ValueError]
