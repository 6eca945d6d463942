"""Sweeper: the loop that does what is due: expiry, forgetting, showing what waited too long for its document, files left behind."""

from node.errors import Fault
from node.flow.bodies.files import BodyFiles
from node.flow.counters import Counters
from node.flow.expiry import sweep
from node.flow.loop import Tasks
from node.flow.receive import arrival
from node.flow.send import receipts
from node.flow.signals import Signals
from node.model.policy import Policy
from node.model.reason import Reason
from node.model.receipt import Receipt
from node.ports import Ports, Tx
from node.rows import keys

SWEEP_ITEMS_MAX = 100


class Sweeper:
    """Looks every `sweep_every_ms` at what is due."""

    def __init__(
        self, ports: Ports, policy: Policy, signals: Signals, counters: Counters, body_files: BodyFiles
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._signals = signals
        self._counters = counters
        self._body_files = body_files
        self._tasks = Tasks(signals.bug.send)

    async def start(self) -> None:
        """Start with what is due from before."""
        self._tasks.supervise("sweeper", self._run)

    async def stop(self) -> None:
        """Stop. Due things stay due."""
        await self._tasks.stop()

    async def _run(self) -> None:
        while True:
            try:
                await self.sweep_once()
            except Fault as fault:
                # The store takes no writes now; what is due stays due.
                await self._ports.clock.sleep(max(1.0, fault.retry_after_ms / 1000))
            await self._ports.clock.sleep(self._policy.sweep_every_ms / 1000)

    async def sweep_once(self) -> int:
        """Do what is due; return how many things that were."""
        now_ms = self._ports.clock.now_ms()
        due = await self._ports.store.transact(lambda tx: sweep.due(tx, now_ms, SWEEP_ITEMS_MAX))
        for item in due:
            if item.kind == keys.DUE_EXPIRE:
                await self._expire(item, now_ms)
            else:
                await self._forget(item, now_ms)
        shown, obliged = await self._ports.store.transact(
            lambda tx: arrival.show_what_waited(tx, now_ms, self._policy, SWEEP_ITEMS_MAX)
        )
        if obliged:
            self._signals.duty.send(None)
        if due or shown:
            self._signals.notice.send(None)
        await self._body_files.sweep(now_ms)
        return len(due) + shown

    async def _expire(self, item: sweep.Due, now_ms: int) -> None:
        own_id = self._ports.keys.node_id

        def statement(tx: Tx) -> Receipt | None:
            return sweep.expired_receipt(tx, item.packet_id, own_id, now_ms)

        said = await self._ports.store.transact(statement)
        believed = None
        if said is not None:
            believed = receipts.Believed(said, receipts.sign_receipts(self._ports.keys, [said])[0])
        failed = await self._ports.store.transact(lambda tx: sweep.expire(tx, item, believed, now_ms, self._policy))
        self._counters.ended[Reason.EXPIRED] += failed

    async def _forget(self, item: sweep.Due, now_ms: int) -> None:
        unnamed = await self._ports.store.transact(lambda tx: sweep.forget(tx, item, now_ms))
        if unnamed is not None:
            await self._body_files.drop([unnamed])
