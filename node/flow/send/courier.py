"""Courier: one sending loop per peer, which sends what is due, takes the answers, and keeps the road's health.

    plan      one transaction: what of the outbox is ready, and by which road (plan.py)
    carry     Push (several at once in flight), or Offer, PutBody, Commit for one large body at a time
    settle    verify the receipts, then one transaction: rows out, deliveries final; or rows put off with a reason (transfer.py)

The outbox is the only retry layer. Back-off is the peer's durable record, so a restart neither forgets nor hurries; the timer of
every waiting row is armed again from disk at start-up, and a peer that calls us is tried at once. Only durable rows are sent: they
are read in transactions, which return nothing else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from node.errors import Fault
from node.flow import quarantine
from node.flow.loop import OnBug, rest
from node.flow.risk import EndsTheProcess, Risk
from node.flow.send import outbox, turns
from node.flow.send import plan as plans
from node.flow.send.fair import NOTHING, Beyond
from node.flow.send.outbox import Row
from node.flow.send.packing import Loaded, Unfit
from node.flow.send.peer_health import PeerHealth
from node.flow.send.plan import Batch, Look, Plan, lower, read_plan
from node.flow.send.reroute import NEVER_MS, Sent
from node.flow.send.routing import Outlook, Road
from node.flow.send.transfer import Heard, Transfer
from node.flow.send.turns import Turn
from node.model.lane import Lane
from node.model.policy import ALONE_EVERY, MINUTE_MS, Policy
from node.model.reason import Reason
from node.ports import Ports
from node.rows import keys

Carry = Callable[[Road, list[Loaded]], Awaitable[Heard]]

BUG_PAUSE_MS = 5 * MINUTE_MS
OWN_PAUSE_MAX_S = 30.0
"""A courier whose own store takes no answers sends nothing for so long, at most."""
LINGER_S = 0.06
"""Wait this long after a small push for others to join the next one (decision 0005). The first push after a rest never waits."""


class Courier:
    """Sends everything that waits for one peer."""

    def __init__(
        self,
        peer_id: str,
        ports: Ports,
        policy: Policy,
        peer_health: PeerHealth,
        transfer: Transfer,
        on_bug: OnBug,
        risk: Risk,
    ) -> None:
        self.peer_id = peer_id
        self._on_bug = on_bug
        self._ports = ports
        self._risk = risk
        self._policy = policy
        self._peer_health = peer_health
        self._transfer = transfer
        self._wake = asyncio.Event()
        self._in_flight: set[bytes] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self._bulk: asyncio.Task[None] | None = None
        self._cursor: dict[Lane, bytes] = {}
        """Where the next look at a lane begins: everything before is in flight or gone."""
        self._beyond: dict[Lane, Beyond] = {}
        """What is remembered of lanes in which more waits than goes at once."""
        self._look_no = 0
        """Rises whenever a row lies before a cursor, or may lie there."""
        self._pushes = 0
        self._turn = Turn()
        """Whose turn it is. After a start turns begin anew: no lane loses more than a round by that."""
        self._troubles = 0
        """How often in a row our own store could not note what a peer has answered."""
        self._looked_ms = 0
        """When the lanes were last looked at from their beginning."""
        self.still = asyncio.Lock()
        """Whoever holds it knows that nothing new is sent meanwhile."""
        self._unanswered: set[bytes] = set()
        """Packets that have left without an answer that could be noted: the peer may have them."""
        self._new_from_ms: int | None = None
        """What was written before this time, another process may have sent; None: not known yet."""

    def wake(self) -> None:
        """Look at the outbox now."""
        self._wake.set()

    async def run(self) -> None:
        """Send for ever. Ends by cancellation, which loses nothing."""
        self._cursor.clear()
        self._beyond.clear()
        try:
            while True:
                self._wake.clear()
                async with self.still:
                    plan, keeps_reach = await self._plan()
                    if plan.rows:
                        self._dispatch(plan, keeps_reach=keeps_reach)
                if plan.rows:
                    await self._breathe(plan.rows)
                else:
                    await rest(self._ports.clock, self._wake, plan.wait_s)
        finally:
            for task in [*self._sending, *([self._bulk] if self._bulk else [])]:
                task.cancel()

    def sent(self) -> Sent:
        """Say what may have been sent, while nobody sends anything new."""
        under_way = {keys.parse_outbox_row(key)[2] for key in self._in_flight}
        return Sent(under_way | self._unanswered, NEVER_MS if self._new_from_ms is None else self._new_from_ms)

    async def _find_out_what_is_new(self) -> int:
        """Return a time from which on what is written was written by this process: it has sent nothing so far.

        If something that lies here says that it was written later, a clock was ahead: then times tell nothing.
        """
        from_ms = self._ports.clock.now_ms() + 1
        is_sure = await self._ports.store.transact(lambda tx: not outbox.holds_newer(tx, self.peer_id, from_ms))
        return from_ms if is_sure else NEVER_MS

    # --- plan ------------------------------------------------------------------------------------------------

    async def _plan(self) -> tuple[Plan, bool]:
        """Return what to do, and whether its `reach` still holds: no row was found before a cursor while the store was asked."""
        look, look_no = self._look(), self._look_no
        try:
            if self._new_from_ms is None:
                self._new_from_ms = await self._find_out_what_is_new()
            plan = await self._ports.store.transact(lambda tx: read_plan(tx, look))
        except Fault as fault:
            # The store takes nothing now (full disk, fenced), but what it was told before may become durable all the same, so rows
            # may lie before the cursors again.
            self._cursor.clear()
            self._beyond.clear()
            self._look_no += 1
            return Plan(wait_s=max(1.0, fault.retry_after_ms / 1000)), False
        keeps_reach = look_no == self._look_no
        self._remember(plan.beyond, keeps_reach=keeps_reach)
        for key in plan.promoted:
            self._look_from(key)
        for key in plan.damaged:
            self._transfer.tell_laid_aside(keys.parse_outbox_row(key)[2], Reason.STORE_CORRUPT, "")
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
            turn=self._turn,
            beyond=dict(self._beyond),
            record=self._peer_health.record,
        )

    def _lanes_with_room(self) -> tuple[Lane, ...]:
        if self._troubles and (self._sending or self._bulk):
            # The answers could not be noted either. When the pause is over, one push finds out whether our store takes them again.
            return ()
        fast = turns.FAST_LANES if len(self._sending) < self._policy.push_window else ()
        return (*fast, *(turns.BULK_LANES if self._bulk is None else ()))

    # --- carry -----------------------------------------------------------------------------------------------

    def _dispatch(self, plan: Plan, *, keeps_reach: bool) -> None:
        self._in_flight.update(row.key for row in plan.rows)
        self._turn = plan.turn
        if keeps_reach:
            self._cursor.update(plan.reach)
        for batch in plan.batches:
            if batch.rows[0].lane.is_bulk:
                self._bulk = asyncio.ensure_future(self._send(batch.road, batch.rows, self._transfer.offer))
                self._bulk.add_done_callback(self._bulk_done)
            else:
                self._pushes += 1
                self._dispatch_fast(batch)

    def _dispatch_fast(self, batch: Batch) -> None:
        """Push what goes for the first time or is small; ask about the rest, whose bodies may be there already."""
        asking = [row for row in batch.rows if outbox.asks_first(row, self._policy)]
        pushed = [row for row in batch.rows if not outbox.asks_first(row, self._policy)]
        for rows, carry in ((pushed, self._transfer.push), (asking, self._transfer.offer)):
            if rows:
                task = asyncio.ensure_future(self._send(batch.road, rows, carry))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)

    def _bulk_done(self, task: "asyncio.Task[None]") -> None:
        self._bulk = None
        self._wake.set()

    async def _send(self, road: Road, rows: list[Row], carry: Carry) -> None:
        all_gone = False
        try:
            all_gone = await self._carry(road, rows, carry)
        finally:
            self._in_flight.difference_update(row.key for row in rows)
            if not all_gone:
                for row in rows:
                    self._look_from(row.key)
            # Before the wake, so that the look that follows sees the free place.
            self._sending -= {asyncio.current_task()}
            self._wake.set()

    async def _carry(self, road: Road, rows: list[Row], carry: Carry) -> bool:
        """Carry rows and take the answers; return whether all are gone. An exception of ours is laid to the row that meets it."""
        if any(self._risk.is_suspect(outbox.name_of(row)) for row in rows):
            return await self._carry_cautiously(road, rows, carry)
        return await self._carry_together(road, rows, carry)

    async def _carry_cautiously(self, road: Road, rows: list[Row], carry: Carry) -> bool:
        """Carry each row alone that was under way when the process died; what was so too often is laid aside."""
        suspects = [row for row in rows if self._risk.is_suspect(outbox.name_of(row))]
        others = [row for row in rows if row not in suspects]
        gone = await self._carry_together(road, others, carry) if others else True
        for row in suspects:
            if self._risk.is_over(outbox.name_of(row)):
                row.record.exceptions = quarantine.EXCEPTIONS_MAX - 1
                await self._note_exception(row, EndsTheProcess())
                await self._risk.forget(outbox.name_of(row))
                gone = False
            else:
                gone &= await self._carry_together(road, [row], carry)
        return gone

    async def _carry_together(self, road: Road, rows: list[Row], carry: Carry) -> bool:
        try:
            return await self._attempt(road, rows, carry)
        except Exception as bug:
            if len(rows) == 1:
                self._on_bug(bug)
                await self._note_exception(rows[0], bug)
                return False
        return all([await self._carry_together(road, [row], carry) for row in rows])

    async def _attempt(self, road: Road, rows: list[Row], carry: Carry) -> bool:
        """Do as `_carry`, for exceptions that are faults."""
        assert road.call is not None
        read = await self._load(rows)
        if read is None:
            return False
        (loaded, unfit), started_ms = read, self._ports.clock.now_ms()
        names = {one.row.packet_id for one in loaded}
        try:
            heard = await carry(road, loaded) if loaded else Heard([], [])
            if heard.answered:
                await self._peer_health.succeeded(road.call.node_id)
        except Fault as fault:
            if fault.was_sent:
                self._unanswered |= names
            await self._peer_health.failed(road.call.node_id, fault.reason, started_ms)
            return False
        except Exception:
            self._unanswered |= names
            raise
        # Until what was answered is noted in its row.
        self._unanswered |= names
        all_gone = await self._settle(road, Heard(heard.answered, [*unfit, *heard.unfit]))
        return all_gone and len(heard.answered) == len(rows)

    async def _load(self, rows: list[Row]) -> tuple[list[Loaded], list[Unfit]] | None:
        try:
            return await self._transfer.load(rows)
        except Fault as fault:
            await self._ports.clock.sleep(max(1.0, fault.retry_after_ms / 1000))
            return None

    async def _settle(self, road: Road, heard: Heard) -> bool:
        try:
            all_gone = await self._transfer.settle(road, heard)
        except Fault as fault:
            # Our own store takes nothing now (full disk), which is no fault of the road. Nothing else is sent meanwhile, and these rows
            # stay in flight, so that they are not sent again at once; afterwards the peer gives the same answers again (law 3).
            pause_s = min(OWN_PAUSE_MAX_S, 2.0 ** min(self._troubles, 10))
            self._troubles += 1
            await self._ports.clock.sleep(max(pause_s, fault.retry_after_ms / 1000))
            return False
        self._troubles = 0
        # Their rows say from here on that they were tried.
        self._unanswered -= {one.row.packet_id for one, _ in heard.answered}
        self._unanswered -= {one.row.packet_id for one in heard.unfit}
        return all_gone

    async def _note_exception(self, row: Row, bug: Exception) -> None:
        try:
            await self._transfer.met_exception(row, bug, BUG_PAUSE_MS)
        except Fault as fault:
            # Our store takes nothing now: the exception is not counted, and the row comes again after the pause.
            await self._ports.clock.sleep(max(1.0, fault.retry_after_ms / 1000))
        except Exception as worse:
            self._on_bug(worse)
            await self._ports.clock.sleep(BUG_PAUSE_MS / 1000)

    def _look_from(self, key: bytes) -> None:
        self._look_no += 1
        lower(self._cursor, key)
        lane = Lane(keys.parse_outbox_row(key)[1])
        if lane in self._beyond:
            self._beyond[lane] = self._beyond[lane].lowered(key)

    def _remember(self, found: Mapping[Lane, Beyond], *, keeps_reach: bool) -> None:
        """Remember what a look has found of lanes; if rows came back while the store was asked, what it passed over is read again."""
        for lane, beyond in found.items():
            before = self._beyond.get(lane, NOTHING)
            self._beyond[lane] = beyond if keeps_reach else replace(beyond, ahead=before.ahead)

    def _look_from_the_beginning_now_and_then(self, now_ms: int) -> None:
        # Rows may have come in below the cursor (a clock that was set back, a write that had to wait). Not at every look: sent rows
        # leave tombstones there, which cost a scan as much as rows do.
        if abs(now_ms - self._looked_ms) >= plans.IDLE_S * 1000:
            self._looked_ms = now_ms
            self._cursor.clear()

    async def _breathe(self, sent: list[Row]) -> None:
        """Wait for a free place in the window, or after a small push a moment, so that what comes meanwhile shares the next push."""
        policy, sent_bytes = self._policy, sum(row.record.body_bytes for row in sent)
        if len(self._sending) >= policy.push_window:
            await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
        elif len(sent) < policy.push_items_max // 2 and sent_bytes < policy.push_bytes_max // 2:
            await self._ports.clock.sleep(LINGER_S)
