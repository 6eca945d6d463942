"""Sweeper: the loop that does what is due: expiry, forgetting, showing what waited too long for its document, files left behind."""

from collections.abc import Awaitable, Callable
from functools import partial

from node.errors import Fault
from node.flow import agreed_time
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
        self,
        ports: Ports,
        policy: Policy,
        signals: Signals,
        counters: Counters,
        body_files: BodyFiles,
        agreed: agreed_time.AgreedTime,
        look_at_queues: Callable[[], Awaitable[None]],
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._signals = signals
        self._counters = counters
        self._body_files = body_files
        self._agreed_time = agreed
        self._look_at_queues = look_at_queues
        self._tasks = Tasks(signals.bug.send)

    async def start(self) -> None:
        """Start with what is due from before."""
        self._agreed_time.go_on_from(await self._ports.store.transact(agreed_time.read_last))
        self._tasks.spawn(self._run())

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
        await self._look_at_queues()
        now_ms, due = self._ports.clock.now_ms(), await self._due()
        for item in due:
            if item.kind == keys.DUE_EXPIRE:
                await self._expire(item, now_ms)
            elif item.kind == keys.DUE_ASK_NO_MORE:
                await self._ports.store.transact(partial(sweep.ask_no_more, item=item))
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

    async def _due(self) -> list[sweep.Due]:
        """Return what is due by agreed time; nothing while our clock is in doubt."""
        sure_ms = self._agreed_time.sure_ms()
        if sure_ms is None:
            return []

        def look(tx: Tx) -> list[sweep.Due]:
            agreed_time.write_last(tx, sure_ms)
            return sweep.due(tx, sure_ms, SWEEP_ITEMS_MAX)

        return await self._ports.store.transact(look)

    async def _expire(self, item: sweep.Due, now_ms: int) -> None:
        own_id = self._ports.keys.node_id

        def statement(tx: Tx) -> Receipt | None:
            return sweep.expired_receipt(tx, item.packet_id, own_id, now_ms)

        said = await self._ports.store.transact(statement)
        believed = None
        if said is not None:
            believed = receipts.Believed(said, receipts.sign_receipts(self._ports.keys, [said])[0])
        failed = await self._ports.store.transact(lambda tx: sweep.expire(tx, item, believed, now_ms, self._policy))
        self._counters.ended[Reason.EXPIRED_UNCONFIRMED] += failed
        if failed:
            # The couriers of their nodes ask at once.
            self._signals.outbox.send(set(self._ports.directory.current().nodes))

    async def _forget(self, item: sweep.Due, now_ms: int) -> None:
        unnamed = await self._ports.store.transact(lambda tx: sweep.forget(tx, item, now_ms))
        if unnamed is not None:
            await self._body_files.drop([unnamed])
