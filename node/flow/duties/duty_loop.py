"""Duty loop: does what the node owes in its units' names (duty.py), as if their software had done it.

        due      one transaction: which duties are due, and which are done already
        submit   the status packet, through the node's own door: the same checks, the same signature, the same outbox
        done     one transaction: their rows go

Nothing is remembered here: after a crash between the last two the rows are found again, and their submissions too. If the store takes
nothing the loop waits; a duty that is refused (its author's unit is not in the directory today) is put off and holds up no other.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from node.errors import Deferred, Fault
from node.flow import backoff
from node.flow.duties import duty
from node.flow.duties.duty import Duty
from node.flow.loop import Tasks, rest
from node.flow.risk import EndsTheProcess, Risk
from node.flow.signals import Signals
from node.log import get_logger
from node.model.code import parse_code
from node.model.office import Submission, SubmitResult, System
from node.model.policy import Policy
from node.ports import Ports
from node.rows.records import HeaderRecord, PacketRecord
from node.wire import codec

log = get_logger()

AT_ONCE = 32
IDLE_S = 60.0
"""Look for duties at least this often even if nobody says that there are any."""


Submit = Callable[[System, Submission, bytes | AsyncIterator[bytes]], Awaitable[SubmitResult]]


class DutyLoop:
    """One loop that submits what is owed: `submit` is the node's own door, `header` opens what lists show of a packet."""

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        signals: Signals,
        header: Callable[[PacketRecord], HeaderRecord],
        submit: Submit,
        risk: Risk,
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._signals = signals
        self._header = header
        self._submit = submit
        self._risk = risk
        self._wake = asyncio.Event()
        self._tasks = Tasks(signals.bug.send)
        self._failures = 0
        signals.duty.connect(lambda _: self._wake.set())

    async def start(self) -> None:
        """Start with what is owed from before."""
        self._tasks.supervise("duties", self._run)

    async def stop(self) -> None:
        """Stop. Duties that were under way are found again in the store."""
        await self._tasks.stop()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                wait_s = await self.work()
                self._failures = 0
            except Deferred as fault:
                wait_s = self._pause_s(fault)
            except Exception as bug:
                self._signals.bug.send(bug)
                wait_s = IDLE_S
            if wait_s:
                await rest(self._ports.clock, self._wake, wait_s)

    def _pause_s(self, fault: Deferred) -> float:
        self._failures += 1
        pause_ms = backoff.pause_ms(self._failures, 0, self._ports.entropy.jitter(), self._policy)
        return max(pause_ms, fault.retry_after_ms) / 1000

    async def work(self) -> float:
        """Do what is due; return how many seconds there is nothing to do. Raises Deferred if the node takes nothing now."""
        now_ms = self._ports.clock.now_ms()
        found, next_ms = await self._ports.store.transact(lambda tx: duty.due(tx, now_ms, AT_ONCE))
        if not found:
            return IDLE_S if next_ms is None else min(IDLE_S, max(0.01, (next_ms - now_ms) / 1000))
        outcomes = await asyncio.gather(*(self._do(one) for one in found), return_exceptions=True)
        pairs = list(zip(found, outcomes, strict=True))
        await self._note(
            done=[one.key for one, outcome in pairs if outcome is None],
            refused=[
                one for one, outcome in pairs if isinstance(outcome, Exception) and not isinstance(outcome, Deferred)
            ],
        )
        for outcome in outcomes:
            if isinstance(outcome, Deferred):
                raise outcome
            if isinstance(outcome, Exception) and not isinstance(outcome, Fault):
                self._signals.bug.send(outcome)
        return 0.0

    async def _do(self, one: Duty) -> None:
        if one.is_done:
            return
        if self._risk.is_over(one.key):
            await self._risk.forget(one.key)
            raise EndsTheProcess
        async with self._risk.step([one.key]):
            await self._fulfil(one)

    async def _fulfil(self, one: Duty) -> None:
        envelope, header = codec.decode_envelope(one.packet.envelope), self._header(one.packet)
        directory, now_ms = self._ports.directory.current(), self._ports.clock.now_ms()
        entry = directory.unit(parse_code(one.record.unit))
        author = duty.author_of(envelope, header, directory, now_ms)
        packet = duty.compose(one.record, author, header, entry.name if entry is not None else "")
        # The unit's code may have become an alias of its heir since: the sender then resolves to the heir, who may not be refused.
        heir = directory.resolve(parse_code(one.record.unit), now_ms).text
        system = replace(one.system, units=one.system.units | {heir})
        await self._submit(system, one.submission, packet)

    async def _note(self, *, done: list[bytes], refused: list[Duty]) -> None:
        now_ms = self._ports.clock.now_ms()
        await self._ports.store.transact(lambda tx: duty.done(tx, done))
        for one in refused:
            if not await self._ports.store.transact(lambda tx, one=one: duty.put_off(tx, one, now_ms, self._policy)):  # type: ignore[misc]
                log.error(
                    "duty.given_up",
                    unit=one.record.unit,
                    status=one.record.status_code,
                    packet_id=one.record.packet_id.hex(),
                )
