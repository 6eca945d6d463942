"""Notifier: tells systems what has happened to them, at the addresses that their operators have set (flow/webhooks/notices.py).

        follow   the store is told what the operator has set, whenever that has changed
        due      one transaction: which systems have to be told of something now
        batch    one transaction: what exactly; from then on every repeat has the same content
        post     out of the house; 2xx is success, everything else is not
        taken    one transaction: the rows go; or the system is put off

It remembers nothing but which systems are being told at this moment, one batch at a time each. A system that takes nothing holds up
nobody: the others are told beside it, and delivery knows nothing of any of this.
"""

import asyncio
from collections.abc import Mapping

from node.errors import Deferred, Fault
from node.flow.loop import Tasks, rest
from node.flow.signals import Signals
from node.flow.webhooks import notices
from node.log import get_logger
from node.model.policy import Policy
from node.model.webhook import Batch, Hook
from node.ports import Hooks, Ports
from node.wire.webhook import message_of

log = get_logger()

AT_ONCE = 32
LOOK_S = 2.0
"""Look at least this often whether the operator has changed anything, and what is due."""
LINGER_S = 0.05
"""Wait this long after each look, so that events which come meanwhile are told together."""


class Notifier:
    """One loop that starts a telling for every system that is due."""

    def __init__(self, ports: Ports, policy: Policy, signals: Signals, hooks: Hooks) -> None:
        self._ports = ports
        self._policy = policy
        self._signals = signals
        self._hooks = hooks
        self._followed: Mapping[str, Hook] | None = None
        """The webhooks that the store was told of last; None: of none since the start."""
        self._wake = asyncio.Event()
        self._tasks = Tasks(signals.bug.send)
        self._telling: dict[str, asyncio.Task[None]] = {}
        signals.notice.connect(lambda _: self._something_happened())

    async def start(self) -> None:
        """Start with what is due from before."""
        self._tasks.supervise("notices", self._run)

    async def stop(self) -> None:
        """Stop. Batches that were being told are told again after the next start."""
        await self._tasks.stop()

    def _something_happened(self) -> None:
        if self._followed:
            self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                wait_s = await self.work()
            except Deferred as fault:
                wait_s = max(1.0, fault.retry_after_ms / 1000)
            except Exception as bug:
                self._signals.bug.send(bug)
                wait_s = LOOK_S
            await rest(self._ports.clock, self._wake, wait_s)
            if self._followed:
                await self._ports.clock.sleep(LINGER_S)

    async def work(self) -> float:
        """Start to tell the systems that are due; return how many seconds there is nothing else to do.

        Raises Deferred if the store takes nothing.
        """
        await self._follow()
        if not self._followed:
            return LOOK_S
        now_ms = self._ports.clock.now_ms()
        # Systems that are being told are still due, so look at as many again.
        found, next_ms = await self._ports.store.transact(lambda tx: notices.due(tx, now_ms, 2 * AT_ONCE))
        for system in found:
            if system not in self._telling and len(self._telling) < AT_ONCE:
                self._begin(system)
        return LOOK_S if next_ms is None else min(LOOK_S, max(0.01, (next_ms - now_ms) / 1000))

    async def _follow(self) -> None:
        hooks, now_ms = self._hooks.all(), self._ports.clock.now_ms()
        if hooks is not self._followed:
            await self._ports.store.transact(lambda tx: notices.follow(tx, hooks, now_ms))
            self._followed = hooks

    # --- one system -----------------------------------------------------------------------------------------------------

    def _begin(self, system: str) -> None:
        task = self._tasks.spawn(self._tell(system))
        self._telling[system] = task
        task.add_done_callback(lambda _: self._ended(system))

    def _ended(self, system: str) -> None:
        del self._telling[system]
        self._wake.set()

    async def _tell(self, system: str) -> None:
        try:
            told = await self._ports.store.transact(lambda tx: notices.batch(tx, system))
            if told is not None:
                await self._tell_batch(told)
        except Deferred as fault:
            # Our own store takes nothing now: the same is told again, but not at once.
            await self._ports.clock.sleep(max(1.0, fault.retry_after_ms / 1000))
        except Exception as bug:
            self._signals.bug.send(bug)
            await self._ports.clock.sleep(LOOK_S)

    async def _tell_batch(self, told: Batch) -> None:
        ports, system = self._ports, told.system
        try:
            await self._hooks.post(system, message_of(told, ports.keys.node_id, ports.clock.now_ms()))
        except Fault as fault:
            await self._put_off(told, fault)
            return
        now_ms = ports.clock.now_ms()
        await ports.store.transact(lambda tx: notices.taken(tx, told, now_ms))

    async def _put_off(self, told: Batch, fault: Fault) -> None:
        now_ms, jitter = self._ports.clock.now_ms(), self._ports.entropy.jitter()
        reason, detail, pause_ms, policy = fault.reason, fault.detail, fault.retry_after_ms, self._policy
        goes_on = await self._ports.store.transact(
            lambda tx: notices.not_taken(tx, told, reason, detail, now_ms, pause_ms, jitter, policy)
        )
        if goes_on:
            log.debug("notice.refused", system=told.system, reason=reason.name, detail=detail)
        else:
            log.error("notice.given_up", system=told.system, reason=reason.name, detail=detail)
