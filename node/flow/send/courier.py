"""Courier: one sending loop per peer, which sends what is due, takes the answers, and keeps the road's health.

    plan      one transaction: what of the outbox is ready, and by which road (plan.py)
    carry     Push (several at once in flight), or Offer, PutBody, Commit for one large body at a time
    settle    verify the receipts, then one transaction: rows out, deliveries final; or rows put off with a reason (transfer.py)

The outbox is the only retry layer. Back-off is the peer's durable record, so a restart neither forgets nor hurries; the timer of
every waiting row is armed again from disk at start-up, and a peer that calls us is tried at once. Only durable rows are sent: they
are read in transactions, which return nothing else.
"""

import asyncio
from collections.abc import Awaitable, Callable

from node.errors import Fault, Rejected
from node.flow.loop import OnBug, rest
from node.flow.send import outbox
from node.flow.send import plan as plans
from node.flow.send.peer_health import PeerHealth
from node.flow.send.plan import Look, Plan, lower, read_plan
from node.flow.send.routing import Outlook, Road
from node.flow.send.transfer import Heard, Loaded, Transfer
from node.model.lane import Lane
from node.model.policy import MINUTE_MS, Policy
from node.model.reason import Reason
from node.ports import Ports

Carry = Callable[[Road, list[Loaded]], Awaitable[Heard]]

BUG_PAUSE_MS = 5 * MINUTE_MS
ALONE_EVERY = 4
"""Every fourth push may be one that was put off several times and travels alone."""
LINGER_S = 0.06
"""Wait this long after a small push for others to join the next one (decision 0005). The first push after a rest never waits."""


class Courier:
    """Sends everything that waits for one peer."""

    def __init__(
        self, peer_id: str, ports: Ports, policy: Policy, peer_health: PeerHealth, transfer: Transfer, on_bug: OnBug
    ) -> None:
        self.peer_id = peer_id
        self._on_bug = on_bug
        self._ports = ports
        self._policy = policy
        self._peer_health = peer_health
        self._transfer = transfer
        self._wake = asyncio.Event()
        self._in_flight: set[bytes] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self._bulk: asyncio.Task[None] | None = None
        self._cursor: dict[Lane, bytes] = {}
        """Where the next look at a lane begins: everything before is in flight or gone."""
        self._look_no = 0
        """Rises whenever a row lies before a cursor, or may lie there."""
        self._pushes = 0
        self._looked_ms = 0
        """When the lanes were last looked at from their beginning."""

    def wake(self) -> None:
        """Look at the outbox now."""
        self._wake.set()

    async def run(self) -> None:
        """Send for ever. Ends by cancellation, which loses nothing."""
        try:
            while True:
                self._wake.clear()
                plan, keeps_reach = await self._plan()
                if plan.loaded:
                    self._dispatch(plan, keeps_reach=keeps_reach)
                    await self._breathe(plan.loaded)
                else:
                    await rest(self._ports.clock, self._wake, plan.wait_s)
        finally:
            for task in [*self._sending, *([self._bulk] if self._bulk else [])]:
                task.cancel()

    # --- plan ------------------------------------------------------------------------------------------------

    async def _plan(self) -> tuple[Plan, bool]:
        """Return what to do, and whether its `reach` still holds: no row was found before a cursor while the store was asked."""
        look, look_no = self._look(), self._look_no
        try:
            plan = await self._ports.store.transact(lambda tx: read_plan(tx, look))
        except Fault as fault:
            # The store takes nothing now (full disk, fenced), but what it was told before may become durable all the same, so rows
            # may lie before the cursors again.
            self._cursor.clear()
            self._look_no += 1
            return Plan(Road(None, reason=fault.reason), wait_s=max(1.0, fault.retry_after_ms / 1000)), False
        keeps_reach = look_no == self._look_no
        for key in plan.promoted:
            self._look_from(key)
        return plan, keeps_reach

    def _look(self) -> Look:
        now_ms = self._ports.clock.now_ms()
        self._look_from_the_beginning_now_and_then(now_ms)
        return Look(
            peer_id=self.peer_id,
            outlook=Outlook(self._ports.keys.node_id, self._ports.directory.current(), now_ms, self._policy),
            cursor=dict(self._cursor),
            in_flight=frozenset(self._in_flight),
            lanes=self._lanes_with_room(),
            alone_first=(self._pushes + 1) % ALONE_EVERY == 0,
            record=self._peer_health.record,
        )

    def _lanes_with_room(self) -> tuple[Lane, ...]:
        fast = outbox.FAST_LANES if len(self._sending) < self._policy.push_window else ()
        return (*fast, *([Lane.BULK] if self._bulk is None else []))

    # --- carry -----------------------------------------------------------------------------------------------

    def _dispatch(self, plan: Plan, *, keeps_reach: bool) -> None:
        road = plan.road
        fast = [one for one in plan.loaded if one.row.lane is not Lane.BULK]
        bulk = [one for one in plan.loaded if one.row.lane is Lane.BULK]
        self._in_flight.update(one.row.key for one in plan.loaded)
        if keeps_reach:
            self._cursor.update(plan.reach)
        if fast:
            self._pushes += 1
            carry = self._transfer.ask if fast[0].row.record.asks_only else self._transfer.push
            task = asyncio.ensure_future(self._send(road, fast, carry))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        if bulk:
            carry = self._transfer.ask if bulk[0].row.record.asks_only else self._transfer.carry_large
            self._bulk = asyncio.ensure_future(self._send(road, bulk, carry))
            self._bulk.add_done_callback(self._bulk_done)

    def _bulk_done(self, task: "asyncio.Task[None]") -> None:
        self._bulk = None
        self._wake.set()

    async def _send(self, road: Road, loaded: list[Loaded], carry: Carry) -> None:
        assert road.call is not None
        started_ms = self._ports.clock.now_ms()
        all_gone = False
        try:
            heard = await carry(road, loaded)
            await self._peer_health.succeeded(road.call.node_id)
            all_gone = await self._settle(road, heard)
        except Rejected as fault:
            # The peer is there and refuses the call as a whole: the cause is something in the call, not the road.
            await self._put_off(loaded, fault.reason, self._policy.item_retry_ms)
        except Fault as fault:
            await self._peer_health.failed(road.call.node_id, fault.reason, started_ms)
        except Exception as bug:
            # Our own mistake with one packet must not stop the others: report it loudly, let these rows wait.
            self._on_bug(bug)
            await self._put_off(loaded, Reason.IO_FAILED, BUG_PAUSE_MS)
        finally:
            self._in_flight.difference_update(one.row.key for one in loaded)
            if not all_gone:
                for one in loaded:
                    self._look_from(one.row.key)
            self._wake.set()

    async def _settle(self, road: Road, heard: Heard) -> bool:
        try:
            return await self._transfer.settle(road, heard)
        except Fault as fault:
            # Our own store takes nothing now (full disk), which is no fault of the road. The rows stay in flight during the pause, so
            # that they are not sent again at once; afterwards the peer gives the same answers again (law 3).
            await self._ports.clock.sleep(max(1.0, fault.retry_after_ms / 1000))
            return False

    async def _put_off(self, loaded: list[Loaded], reason: Reason, pause_ms: int) -> None:
        try:
            await self._transfer.put_off(loaded, reason, pause_ms)
        except Fault as fault:
            self._on_bug(fault)

    def _look_from(self, key: bytes) -> None:
        self._look_no += 1
        lower(self._cursor, key)

    def _look_from_the_beginning_now_and_then(self, now_ms: int) -> None:
        # Rows may have come in below the cursor (a clock that was set back, a write that had to wait). Not at every look: sent rows
        # leave tombstones there, which cost a scan as much as rows do.
        if abs(now_ms - self._looked_ms) >= plans.IDLE_S * 1000:
            self._looked_ms = now_ms
            self._cursor.clear()

    async def _breathe(self, sent: list[Loaded]) -> None:
        """Wait for a free place in the window, or after a small push a moment, so that what comes meanwhile shares the next push."""
        policy, sent_bytes = self._policy, sum(one.row.record.body_bytes for one in sent)
        if len(self._sending) >= policy.push_window:
            await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
        elif len(sent) < policy.push_items_max // 2 and sent_bytes < policy.push_bytes_max // 2:
            await self._ports.clock.sleep(LINGER_S)
