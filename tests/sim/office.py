"""The simulated offices: software that hands packets in, reads its inbox, reports statuses and asks how its packets are doing.

An office keeps its own books (a paper stays on the desk until the node has answered for it) and behaves as real software does:
it asks again under the same submission id when no answer came, it now and then hands the same thing in twice, it crashes between
fetching and acknowledging. Everything it hears goes into the ledger.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from node.errors import Broken, Deferred, Fault
from node.model.envelope import PacketKind
from node.model.office import InboxEntry, Submission, SubmitResult, System
from node.model.reason import Reason
from tests.sim.ledger import Ledger
from tests.sim.loop import NoAnswer
from tests.sim.machine import stream
from tests.sim.papers import Paper, status
from tests.sim.world import Machine, World, spelt

T = TypeVar("T")
CLIENT_S = 30.0
"""How long office software waits for an answer."""
STATUS_CODES = ("01", "03", "04", "05", "06")


class Office:
    """One connected system."""

    def __init__(self, world: World, ledger: Ledger, machine: Machine, system: System) -> None:
        self.machine = machine
        self.system = system
        self.busy = 0
        """Papers on the desk that no node has answered for."""
        self.streams = False
        """Hands everything in as a stream, and not only now and then."""
        self.reads_all = False
        """At the end of the day: every packet is fetched and acknowledged, nothing is put off."""
        self.reports = True
        """Sends statuses about what it has read."""
        self._world = world
        self._ledger = ledger
        self._numbers = stream(world.seed, f"office {system.name}")

    def speaks_for(self, unit: str) -> bool:
        """Tell whether a paper of this unit is handed in here: its node serves it, as far as the node knows."""
        return unit in self.system.units and self._world.serves_now(self.machine.name, unit)

    async def hand_in(self, paper: Paper) -> SubmitResult | None:
        """Submit until the node answers; return the answer, or None if the paper was refused."""
        self._ledger.papers[paper.sha256] = paper
        self.busy += 1
        try:
            while True:
                try:
                    return await self._submit(paper)
                except NoAnswer:
                    await asyncio.sleep(self._numbers.uniform(1, 60))
                except Deferred as later:
                    await asyncio.sleep(max(later.retry_after_ms / 1000, self._numbers.uniform(1, 60)))
                except Broken as broken:
                    # The node's disk, not the paper: its operator is told, and the office tries again.
                    if self.machine.name not in self._world.wounded:
                        raise
                    self._world.trace(self.system.name, f"{paper.submission_id}: {broken}")
                    await asyncio.sleep(self._numbers.uniform(1, 60))
                except Fault as refusal:
                    self._ledger.refusal(paper, refusal.reason.name)
                    if paper.kind_of_act == "status" and refusal.reason is Reason.RECIPIENT_UNKNOWN:
                        self._ledger.breaks("life", f"{paper.submission_id}: nobody to report to, says its node")
                    self._world.trace(self.system.name, f"{paper.submission_id} refused: {refusal.reason.name}")
                    return None
        finally:
            self.busy -= 1

    async def _submit(self, paper: Paper) -> SubmitResult:
        machine, clock_ms = self.machine, self.machine.skew.now_ms(self._world.loop.time())
        submission = Submission(
            paper.submission_id,
            packet_bytes=len(paper.packet) if self._numbers.random() < 0.5 else 0,
            all_or_nothing=paper.all_or_nothing,
            expire_at_ms=clock_ms + paper.expire_after_ms if paper.expire_after_ms else 0,
        )
        streamed = self._numbers.random() < 0.5 or self.streams
        octets = _in_pieces(paper.packet, self._numbers) if streamed else paper.packet
        timeout_s = CLIENT_S if self._numbers.random() < 0.9 else self._numbers.random() * 0.2
        result: SubmitResult = await self._ask(lambda node: node.submit(self.system, submission, octets), timeout_s)
        if result.reason is not Reason.NONE:
            raise AssertionError(f"submit returned a refusal instead of raising it: {result}")
        self._ledger.answered(machine.name, paper, result)
        self._world.trace(self.system.name, f"{paper.submission_id} accepted as {result.packet_id.hex()}")
        return result

    async def repeat(self, paper: Paper) -> None:
        """Hand the same thing in again, or something else under the same id (which must be refused)."""
        if self._numbers.random() < 0.6:
            await self.hand_in(paper)
        else:
            other = replace(paper, packet=paper.packet.replace(b"12</edXML:CodeNumber>", b"13</edXML:CodeNumber>"))
            if other.packet != paper.packet and await self.hand_in(other) is not None:
                self._ledger.breaks("I6", f"{paper.submission_id}: the same id was accepted with other octets")

    async def read(self) -> int:
        """Go once through all inboxes of the system; return how many packets were in them. Says nothing if no answer came."""
        found = 0
        for unit in sorted(self.system.units):
            try:
                entries = await self._list(unit)
            except (NoAnswer, Fault):
                continue
            self._ledger.listed(self.machine.name, unit, entries)
            found += len(entries)
            for entry in entries:
                await self._try_to_take(unit, entry)
        return found

    async def _try_to_take(self, unit: str, entry: InboxEntry) -> None:
        try:
            await self._take(unit, entry)
        except (NoAnswer, Deferred):
            return
        except Fault as fault:
            if fault.reason is Reason.NOT_FOUND and self._ledger.may_be_taken(unit, entry):
                return
            if isinstance(fault, Broken) and self.machine.name in self._world.wounded:
                return  # the disk is damaged, and the node says so
            name = entry.packet_id.hex()
            self._ledger.breaks("law 1", f"{unit}: {name} is in the inbox and cannot be fetched: {fault}")

    async def _list(self, unit: str) -> list[InboxEntry]:
        entries: list[InboxEntry] = []
        token = ""
        page = self._numbers.choice((2, 5, 100))
        while True:
            more, token = await self._ask(lambda node, at=token: node.list_inbox(self.system, unit, page, at), CLIENT_S)
            entries.extend(more)
            if not token:
                return entries

    async def _take(self, unit: str, entry: InboxEntry) -> None:
        fickle = 0.0 if self.reads_all else self._numbers.random()
        if fickle > 0.85:
            return
        offset = self._numbers.randrange(entry.packet_bytes) if self._numbers.random() < 0.2 else 0
        octets = await self._ask(lambda node: self._fetch(node, unit, entry, offset), CLIENT_S)
        self._ledger.fetched(unit, entry, octets, offset)
        if fickle > 0.7:
            return
        paper = self._ledger.papers.get(entry.packet_sha256)
        act = paper.does(unit, paper.document_id) if paper is not None else ""
        if paper is not None and (act == "take back" or (act == "update" and self._numbers.random() < 0.5)):
            # A clerk decides first and files then: what was asked is answered even if the software stops in between.
            await self._tell(
                unit, paper, self._numbers.choice(("15", "15", "16")), f"answer-{unit}-{paper.submission_id}"
            )
        await self.acknowledge(unit, entry)
        if paper is not None and act in ("bring", "update"):
            await self._report(unit, paper)

    async def _fetch(self, node: Any, unit: str, entry: InboxEntry, offset: int) -> bytes:
        _, pieces = await node.fetch(self.system, entry.packet_id, unit, offset, 60_000)
        return b"".join([piece async for piece in pieces])

    async def acknowledge(self, unit: str, entry: InboxEntry) -> None:
        """Take a packet out of the inbox; sometimes twice."""
        received = self._ledger.received[unit, entry.packet_id]
        received.acknowledge_asked = True
        for _ in range(2 if self._numbers.random() < 0.2 else 1):
            taken = await self._ask(lambda node: node.acknowledge(self.system, [entry.packet_id], unit), CLIENT_S)
            if received.acknowledged and taken and received.node_id == self.machine.name:
                self._ledger.breaks("law 3", f"{unit}: {entry.packet_id.hex()} was acknowledged twice")
            received.acknowledged = True
        self._world.trace(self.system.name, f"{unit} acknowledged {entry.packet_id.hex()}")

    async def _report(self, unit: str, paper: Paper) -> None:
        """Send a few statuses about a document back to its author; 01 only where the node leaves that to us."""
        codes = STATUS_CODES if not self._world.policy.reports_arrival(unit) else STATUS_CODES[1:]
        for code in codes[: self._numbers.choice((0, 1, 1, 2, 3))]:
            await self._tell(unit, paper, code, f"{code}-{unit}-{paper.submission_id}")

    async def _tell(self, unit: str, paper: Paper, code: str, name: str) -> None:
        if (self.system.name, name) in self._ledger.sent or not (self.reports and self.speaks_for(unit)):
            return
        secret = f"LOIPHE{self._numbers.randbytes(8).hex()}".encode()
        by, numbers = self.system.name, self._numbers
        called, author = spelt(numbers, unit, by, as_sender=True), spelt(numbers, paper.sender, by)
        packet = status(called, author, paper.document_id, code, secret)
        slip = Paper(
            self.system.name, name, PacketKind.STATUS, unit, (paper.sender,), (paper.sender,), paper.document_id, secret,
            packet, status_code=code, kind_of_act="status",
        )  # fmt: skip
        await self.hand_in(slip)

    async def track(self, submission_id: str) -> None:
        """Ask how a packet is doing; an accepted one must be known for ever."""
        try:
            view = await self._ask(lambda node: node.track(self.system, submission_id=submission_id), CLIENT_S)
        except NoAnswer:
            return
        except Fault as fault:
            broken = isinstance(fault, Broken) and self.machine.name in self._world.wounded
            if not isinstance(fault, Deferred) and not broken:
                self._ledger.breaks("law 1", f"{submission_id} was accepted, and Track says {fault}")
            return
        self._ledger.tracked(view)

    async def _ask(self, question: Any, timeout_s: float) -> Any:
        """Call the node as an office does. Raises NoAnswer or the node's fault."""
        process, node = self.machine.process, self.machine.node
        if process is None:
            raise NoAnswer(self.machine.name)
        coroutine: Coroutine[Any, Any, Any] = question(node)
        try:
            return await process.call(coroutine, timeout_s)
        except Exception as error:
            if any(repr(error).startswith(mistake) for mistake in self._world.staged):
                # The software is told INTERNAL, and knows as much as if it had heard nothing.
                raise NoAnswer(self.machine.name) from error
            raise


async def _in_pieces(octets: bytes, numbers: random.Random) -> AsyncIterator[bytes]:
    at = 0
    while at < len(octets):
        size = numbers.randint(1, 2_000)
        yield octets[at : at + size]
        at += size
        if numbers.random() < 0.3:
            await asyncio.sleep(numbers.random() * 0.1)


class CrowdOffice(Office):
    """The system of very many units, which asks for all of their inboxes at once and reports nothing."""

    def __init__(self, world: World, ledger: Ledger, machine: Machine, system: System) -> None:
        super().__init__(world, ledger, machine, system)
        self.reports = False

    async def read(self) -> int:
        """Go once through everything."""
        try:
            entries = await self._list("")
        except (NoAnswer, Fault):
            return 0
        by_unit: dict[str, list[InboxEntry]] = {unit: [] for unit in sorted(self.system.units)}
        for entry in entries:
            by_unit[entry.unit].append(entry)
        for unit, its in by_unit.items():
            self._ledger.listed(self.machine.name, unit, its)
        for entry in entries:
            await self._try_to_take(entry.unit, entry)
        return len(entries)
