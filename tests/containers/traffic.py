"""Steady traffic: at every node an office that writes documents, and one that reads its inbox, verifies, and answers with a status.

Nothing is acknowledged while a scenario runs, so that at its end every inbox still holds all it was given: once, or the check fails.
"""

import asyncio
import itertools
import os
import random
import time
from collections.abc import Iterable

from node.client import AsyncOffice, Deferred
from node.model.code import parse_code
from node.model.envelope import PacketKind
from node.model.office import InboxEntry
from tests.containers.ledger import ANSWERED, Ledger, Sent
from tests.containers.mesh import NODE_OF_UNIT, OFFICES, UNITS, Mesh
from tests.papers import document, status_about

SIZES, WEIGHTS = (0, 2_000, 30_000, 90_000, 1_200_000), (40, 40, 20, 8, 1)
"""Octets of attachments: bodies in the store, in files, and in the bulk lane."""
LOOK_EVERY_S = 0.5
NUMBERS = itertools.count(1)


class Traffic:
    """All offices of the mesh."""

    def __init__(self, mesh: Mesh, ledger: Ledger, chance: random.Random, pause_s: float = 0.4) -> None:
        self._mesh = mesh
        self.ledger = ledger
        self._chance = chance
        self._pause_s = pause_s
        self._enough = not pause_s
        self._writing: list[asyncio.Task[None]] = []
        self._reading: list[asyncio.Task[None]] = []
        self.offices: dict[str, AsyncOffice] = {}
        self._left: list[AsyncOffice] = []
        self.away: set[str] = set()
        """Nodes that do not answer now: their offices write nothing, and nobody can look into their inboxes."""

    def start(self) -> None:
        """Begin to write and read everywhere."""
        self.offices = {name: self._mesh.office(name) for name in OFFICES}
        self._reading = [asyncio.ensure_future(self._read(name)) for name in OFFICES]
        if not self._enough:
            self.restart_writing()

    def restart_writing(self) -> None:
        """Begin to write, at first or again."""
        self._enough = False
        self._writing = [asyncio.ensure_future(self._write(name)) for name in OFFICES]

    def reconnect(self, name: str) -> None:
        """A node has another address: its offices call it there from their next call on."""
        self._left.append(self.offices[name])
        self.offices[name] = self._mesh.office(name)

    async def flow(self, seconds: float) -> None:
        """Let the traffic flow for a while; what goes wrong in it is raised at once."""
        done, _ = await asyncio.wait(
            self._writing + self._reading, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            task.result()

    async def stop_writing(self) -> None:
        """Write no more; what was begun is finished (an office does not give up)."""
        self._enough = True
        writing, self._writing = self._writing, []
        await asyncio.gather(*writing)

    async def stop(self) -> None:
        """End everything."""
        tasks = self._writing + self._reading
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for office in [*self.offices.values(), *self._left]:
            await office.close()

    async def submit(self, name: str, packet: bytes, sent: tuple[str, tuple[str, ...], str, PacketKind]) -> None:
        """Hand a packet in until it is acknowledged, then note it."""
        sender, recipients, document_id, kind = sent
        submission_id = f"{kind.name.lower()}-{document_id}-{sender}"
        while True:
            try:
                result = await self.offices[name].submit(packet, submission_id=submission_id)
                break
            except Deferred:
                await asyncio.sleep(0.2)
        assert not result.refused, result
        one = Sent(
            submission_id,
            result.packet_id,
            result.packet_sha256,
            name,
            sender,
            recipients,
            document_id,
            kind,
            time.monotonic(),
        )
        self.ledger.note_sent(packet, one)

    async def inbox(self, name: str) -> list[InboxEntry]:
        """Return all that a node's inboxes hold."""
        return [entry async for entry in self.offices[name].inbox(page_entries=1000)]

    async def _write(self, name: str) -> None:
        while not self._enough:
            await asyncio.sleep(self._pause_s * (0.5 + self._chance.random()))
            if name not in self.away:
                await self.write_one(name)

    async def write_one(self, name: str, recipients: Iterable[str] = (), size_bytes: int | None = None) -> None:
        """Write one document, to units drawn by lot if none are named."""
        sender = self._chance.choice(UNITS[name])
        others = [unit for unit in NODE_OF_UNIT if unit != sender]
        chosen = tuple(recipients) or tuple(self._chance.sample(others, self._chance.choice((1, 1, 2, 3))))
        number = str(next(NUMBERS))
        size = self._chance.choices(SIZES, WEIGHTS)[0] if size_bytes is None else size_bytes
        files = [("công văn.pdf", os.urandom(size))] if size else []
        packet = document(*chosen, sender=sender, number=number, attachments=files)
        document_id = f"{sender},2026/11/22,{number}/BM-VP"
        await self.submit(name, packet, (sender, chosen, document_id, PacketKind.DOCUMENT))

    async def _read(self, name: str) -> None:
        seen: set[tuple[bytes, str]] = set()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                entries = await self.inbox(name)
                for entry in entries:
                    if (entry.packet_id, entry.unit) not in seen:
                        await self._take(name, entry)
                        seen.add((entry.packet_id, entry.unit))
            except Deferred:
                continue

    async def _take(self, name: str, entry: InboxEntry) -> None:
        fetched = await self.offices[name].fetch(entry.packet_id, entry.unit)
        self.ledger.note_received(entry, fetched.packet)
        if entry.kind is PacketKind.DOCUMENT:
            author, _, number = entry.document_id.split(",")
            packet = status_about(number.split("/")[0], ANSWERED, sender=entry.unit, author=author)
            recipient = parse_code(author).text
            await self.submit(name, packet, (entry.unit, (recipient,), entry.document_id, PacketKind.STATUS))
