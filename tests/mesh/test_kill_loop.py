"""A node is killed at random moments, again and again, while a client submits and keeps its own book of what was acknowledged.

At the end nothing acknowledged is missing at the recipient, nothing is there twice, and every delivery is DELIVERED. TRUC_KILLS
says how often a node is killed, both variants together; 20 without it.
"""

import asyncio
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.errors import Deferred, Fault
from node.model.reason import Reason
from node.net.client import OfficeClient
from tests.mesh.support import QUICK, Ledger, delivered, each, eventually, run, whole_inbox
from tests.papers import document
from tests.real_mesh import MINISTRY, PROVINCE, RealMesh

KILLS = int(os.environ.get("TRUC_KILLS", "20"))
RESTART_LIMIT_S = 10
WRITERS = 3
SIZES = (0, 2_000, 30_000, 90_000, 1_200_000)
"""Of the attachments: bodies in the store, in files, and in the bulk lane."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealMesh]:
    with RealMesh(tmp_path_factory.mktemp("kill"), [MINISTRY, PROVINCE], toml=QUICK) as made:
        yield made


class Writer:
    """One of the client's hands: submits packet after packet, each until it is acknowledged, and notes it."""

    def __init__(self, mesh: RealMesh, ledger: Ledger, name: str, chance: random.Random) -> None:
        self._mesh, self._ledger, self._name, self._chance = mesh, ledger, name, chance
        self._client: OfficeClient | None = None
        self.put_off = 0

    async def run(self, enough: asyncio.Event) -> None:
        number = 0
        while not enough.is_set():
            size = self._chance.choices(SIZES, (40, 40, 20, 8, 1))[0]
            packet = document(
                "H49.22",
                number=f"{self._name}{number}",
                attachments=[("a.pdf", self._chance.randbytes(size))] if size else (),
            )
            await self._until_acknowledged(f"{self._name}-{number}", packet)
            number += 1
            await asyncio.sleep(self._chance.random() * 0.05)
        if self._client is not None:
            await self._client.close()

    async def _until_acknowledged(self, submission_id: str, packet: bytes) -> None:
        while True:
            try:
                self._client = self._client or self._mesh.office("g14")
                result = await self._client.submit(packet, submission_id)
            except Deferred:
                # Lost on the way, or the answer was: the same id again, over a new connection.
                self.put_off += 1
                if self._client is not None:
                    await self._client.close()
                self._client = None
                await asyncio.sleep(0.05)
                continue
            assert result.reason is Reason.NONE, result
            self._ledger.note(result)
            return


async def kill_again_and_again(mesh: RealMesh, node_id: str, times: int, chance: random.Random) -> None:
    node = mesh[node_id]
    for _ in range(times):
        await asyncio.sleep(chance.random() * 0.5)
        node.kill()
        node.start(wait=False)
        await asyncio.to_thread(node.wait_ready)


async def check(mesh: RealMesh, ledger: Ledger, before: set[bytes]) -> int:
    """Hold what arrived against the book; return how many packets that were."""
    acknowledged = ledger.lines()
    async with mesh.office("g14") as ministry, mesh.office("h49") as province:
        await each(list(acknowledged), lambda name: eventually(lambda: delivered(ministry, name), 30))
        entries = [entry for entry in await whole_inbox(province) if entry.packet_id not in before]
        arrived = sorted((entry.packet_id, entry.packet_sha256) for entry in entries)
        assert arrived == sorted(acknowledged.values()), "nothing is missing, nothing is there twice"
        for entry in random.Random(1).sample(entries, min(20, len(entries))):
            # `fetch` compares the octets with the digest that the client's own book holds, too.
            await province.fetch(entry.packet_id, "H49.22")
    return len(acknowledged)


async def what_is_there(mesh: RealMesh) -> set[bytes]:
    async with mesh.office("h49") as province:
        try:
            return {entry.packet_id for entry in await whole_inbox(province)}
        except Fault as fault:
            raise AssertionError("the recipient does not answer") from fault


@pytest.mark.parametrize("victim", ["g14", "h49"], ids=["the sending node", "the receiving node"])
def test_nothing_acknowledged_is_lost_or_doubled_when_a_node_is_killed_again_and_again(
    pair: RealMesh, tmp_path: Path, victim: str
) -> None:
    async def story() -> None:
        chance, ledger, enough = random.Random(), Ledger(tmp_path / "ledger"), asyncio.Event()
        before = await what_is_there(pair)
        writers = [Writer(pair, ledger, f"{victim}-{hand}", random.Random(hand)) for hand in range(WRITERS)]
        writing = [asyncio.ensure_future(writer.run(enough)) for writer in writers]
        try:
            await kill_again_and_again(pair, victim, KILLS // 2, chance)
        finally:
            enough.set()
        await asyncio.gather(*writing)
        count = await check(pair, ledger, before)
        assert count > KILLS // 2, "there was work between the kills"
        if victim == "g14":
            assert sum(writer.put_off for writer in writers) > 0, "and some of it was hit"

    run(story(), 60 + KILLS * RESTART_LIMIT_S)
    for node in pair.nodes.values():
        for mistake in ("call.failed", "courier.failed", "Traceback", "STORE_CORRUPT", "ROLLED_BACK"):
            assert mistake not in node.log(), node.log()[-5000:]
