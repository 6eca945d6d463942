"""Counterparts: the units of one node that answer by themselves, through the same verbs as any office's software.

    look      the inbox of all of them
    read      a packet's header, once: what is to be reported of it, and when by the sandbox's clock (a plan)
    report    each status whose time has come; its submission id and its octets follow from the packet, so a repeat is once
    let go    acknowledge when nothing is left to report

A packet that is not acknowledged is found again when the sandbox is started anew, and its plan with it: nothing in memory matters.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from node.client.reporting import about_of
from node.edxml.reader import HeaderReader
from node.errors import Deferred, Fault
from node.log import get_logger
from node.model.code import parse_code
from node.model.envelope import PacketKind
from node.model.header import UPDATE, WITHDRAWAL, PacketHeader
from node.model.naming import submission_id_of_words
from node.model.office import NO_LEASE, InboxEntry, Submission, System
from node.model.packet import ResponseFor
from node.node import Node
from node.sandbox.cast import AGREEMENT, REFUSAL_OF_REQUEST, Counterpart, Step, Writes
from node.sandbox.clock import SandboxClock
from node.sandbox.papers import status_of

LOOK_EVERY_S = 0.25
ANSWER_AFTER_MS = 2_000
SYSTEM = "don-vi-mau"
ASKS_BACK, AGREES = "13", "15"

log = get_logger()


@dataclass(slots=True)
class Plan:
    """The statuses still to be reported of one packet. `own_code`: the unit's code as the packet wrote it."""

    entry: InboxEntry
    about: ResponseFor
    own_code: str
    steps: list[Step] = field(default_factory=list)
    cancels: bool = False
    """With its last step the document is taken back: whatever else was planned for it is dropped."""


class Counterparts:
    """The counterparts of one node. `on_document(counterpart, unit)`: one that writes odd packets was written to by that unit."""

    def __init__(
        self,
        node: Node,
        cast: tuple[Counterpart, ...],
        clock: SandboxClock,
        on_document: Callable[[Counterpart, str], Awaitable[None]],
    ) -> None:
        self._node = node
        self._cast = {one.unit.code: one for one in cast if one.takes}
        self._system = System(SYSTEM, frozenset(self._cast))
        self._clock = clock
        self._on_document = on_document
        self._plans: dict[tuple[bytes, str], Plan] = {}

    async def run(self) -> None:
        """Answer for ever. It ends by cancellation, which loses nothing."""
        while self._cast:
            try:
                wait_s = await self.turn()
            except Fault as fault:
                log.warning(
                    "counterpart.delayed", node=self._node.node_id, reason=fault.reason.name, detail=fault.detail
                )
                wait_s = LOOK_EVERY_S
            await self._clock.sleep(wait_s)

    async def turn(self) -> float:
        """Do what is due; return how many seconds until it is worth looking again."""
        waiting = await self._inbox()
        for entry in waiting:
            key = (entry.packet_id, entry.unit)
            if key not in self._plans:
                self._plans[key] = await self._plan(entry)
        gone = self._plans.keys() - {(entry.packet_id, entry.unit) for entry in waiting}
        for key in gone:
            del self._plans[key]
        for plan in list(self._plans.values()):
            await self._advance(plan)
        due_ms = [plan.entry.accept_time_ms + plan.steps[0].after_ms for plan in self._plans.values() if plan.steps]
        left_s = (min(due_ms) - self._clock.now_ms()) / 1000 if due_ms else LOOK_EVERY_S
        return max(0.01, min(LOOK_EVERY_S, left_s))

    async def _inbox(self) -> list[InboxEntry]:
        found: list[InboxEntry] = []
        token = ""
        while True:
            page, token = await self._node.list_inbox(self._system, "", 1000, token)
            found += page
            if not token:
                return found

    async def _plan(self, entry: InboxEntry) -> Plan:
        counterpart = self._cast[entry.unit]
        header = await self._header(entry)
        if header.kind is PacketKind.STATUS:
            about = _asked_back(header)
            steps = _answer(counterpart) if header.status_code == ASKS_BACK and about else []
            return Plan(entry, about or ResponseFor(), entry.unit, steps, cancels=bool(steps))
        told = about_of(header, entry.unit)
        about = ResponseFor(told.author, told.code, header.subject_document_id, told.date)
        if header.business_type in (WITHDRAWAL, UPDATE):
            cancels = header.business_type == WITHDRAWAL
            return Plan(entry, about, told.unit, _answer(counterpart), cancels=cancels)
        if counterpart.writes is Writes.ODD:
            await self._on_document(counterpart, parse_code(header.sender).text)
        return Plan(entry, about, told.unit, list(counterpart.steps))

    async def _header(self, entry: InboxEntry) -> PacketHeader:
        _, pieces = await self._node.fetch(self._system, entry.packet_id, entry.unit, lease_ms=NO_LEASE)
        reader = HeaderReader()
        async for piece in pieces:
            reader.feed(piece)
        return reader.finish()

    async def _advance(self, plan: Plan) -> None:
        """Report what is due of one plan; let go of its packet when nothing is left."""
        while plan.steps:
            due_ms = plan.entry.accept_time_ms + plan.steps[0].after_ms
            if due_ms > self._clock.now_ms():
                return
            await self._report(plan, plan.steps[0], due_ms)
            if plan.cancels and plan.steps[0].code == AGREES:
                self._drop_others(plan)
            plan.steps.pop(0)
        await self._node.acknowledge(self._system, [plan.entry.packet_id], plan.entry.unit)

    async def _report(self, plan: Plan, step: Step, due_ms: int) -> None:
        unit = self._cast[plan.entry.unit].unit
        packet = status_of(unit, plan.about, step.code, step.note, due_ms, by_code=plan.own_code)
        name = submission_id_of_words("hop-cat", plan.entry.packet_id.hex(), unit.code, step.code)
        try:
            await self._node.submit(self._system, Submission(name), packet)
        except Deferred:
            raise
        except Fault as fault:
            # The author cannot be told: his own packet names something that is no longer there. The other plans go on.
            log.warning("counterpart.refused", unit=unit.code, reason=fault.reason.name, detail=fault.detail)

    def _drop_others(self, plan: Plan) -> None:
        same = (plan.about.document_id, plan.entry.sender_unit, plan.entry.unit)
        for other in self._plans.values():
            if other is not plan and (other.about.document_id, other.entry.sender_unit, other.entry.unit) == same:
                other.steps.clear()


def _answer(counterpart: Counterpart) -> list[Step]:
    code = counterpart.on_request
    return [Step(ANSWER_AFTER_MS, code, AGREEMENT if code == AGREES else REFUSAL_OF_REQUEST)] if code else []


def _asked_back(header: PacketHeader) -> ResponseFor | None:
    """Return the document that a status is about, in words for its sender."""
    if not header.response_for:
        return None
    last = header.response_for[-1]
    return ResponseFor(header.sender, last.code, last.document_id, last.promulgation_date)
