"""Courier: one sending loop per peer. What is due goes out, answers come in, and the road's health is kept.

    plan      one transaction: what of the outbox is ready, and by which road
    carry     Push (several at once in flight), or Offer, PutBody, Commit for one large body at a time
    settle    verify the receipts, then one transaction: rows out, deliveries final; or rows put off with a reason

The outbox is the only retry layer. Back-off is the peer's durable record, so a restart neither forgets nor hurries; the timer of
every waiting row is armed again from disk at start-up, and a peer that calls us is tried at once. Nothing is sent that is not
durable: rows are read in transactions, which return only what is.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from node.errors import Fault, Rejected
from node.flow.loop import rest
from node.flow.send import outbox
from node.flow.send.peer_health import PeerHealth
from node.flow.send.routing import Outlook, Road, choose_road
from node.flow.send.transfer import Heard, Loaded, Transfer
from node.model.lane import Lane
from node.model.policy import MINUTE_MS, Policy
from node.model.reason import Reason
from node.node import Node
from node.ports import Ports, Tx
from node.rows import keys

Carry = Callable[[Road, list[Loaded]], Awaitable[Heard]]

BUG_PAUSE_MS = 5 * MINUTE_MS
ALONE_EVERY = 4
"""Every fourth push may be one that was put off several times and travels alone."""
LINGER_S = 0.06
"""After a small push this long for others to join the next one (decision 0005). The first push after a rest never waits."""
IDLE_S = 30.0
"""Look at the outbox at least this often even if nobody says that something is there."""
SKIPPED_PAGES_MAX = 16
"""So many pages of rows that cannot go now are passed over in search of one that can."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do next: send these rows by this road, or wait.

    `reach`: where the next look at each lane begins once they are sent, if nothing has been found to lie before it meanwhile
    (`look_no`): between the look and the sending there is the wait for the disk.
    """

    road: Road
    wait_s: float
    loaded: list[Loaded] = field(default_factory=list)
    reach: dict[Lane, bytes] = field(default_factory=dict)
    look_no: int = 0


@dataclass(frozen=True, slots=True)
class Candidates:
    """The rows of one lane that can go now, and the first of those that cannot and so must be looked at again."""

    rows: list[outbox.Row]
    first_left: bytes | None


class Courier:
    """Sends everything that waits for one peer."""

    def __init__(
        self,
        peer_id: str,
        node: Node,
        ports: Ports,
        policy: Policy,
        peer_health: PeerHealth,
        on_bug: Callable[[Exception], None],
    ) -> None:
        self.peer_id = peer_id
        self._on_bug = on_bug
        self._ports = ports
        self._policy = policy
        self._peer_health = peer_health
        self._carrier = Transfer(peer_id, node, ports, policy)
        self._wake = asyncio.Event()
        self._in_flight: set[bytes] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self._bulk: asyncio.Task[None] | None = None
        self._cursor: dict[Lane, bytes] = {}
        """Where the next look at a lane begins: everything before is in flight or gone."""
        self._look_no = 0
        """Rises whenever a row is found to lie before a cursor, or may."""
        self._turn = 0
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
                plan = await self._plan()
                if plan.loaded:
                    self._dispatch(plan)
                    await self._breathe(plan.loaded)
                else:
                    await self._rest(plan.wait_s)
        finally:
            for task in [*self._sending, *([self._bulk] if self._bulk else [])]:
                task.cancel()

    # --- plan ------------------------------------------------------------------------------------------------

    async def _plan(self) -> Plan:
        try:
            return await self._ports.store.transact(self._read_plan)
        except Fault as fault:
            # The store takes nothing now (full disk, fenced): the outbox stays as it is.
            return Plan(Road(None, reason=fault.reason), wait_s=max(1.0, fault.retry_after_ms / 1000))

    def _read_plan(self, tx: Tx) -> Plan:
        now_ms, directory = self._ports.clock.now_ms(), self._ports.directory.current()
        self._look_from_the_beginning_now_and_then(now_ms)
        # Most peers have nothing waiting most of the time. Not while there are cursors: this look begins before them, among the
        # tombstones of what has been sent.
        if not self._cursor and outbox.is_empty(tx, self.peer_id):
            return Plan(Road(None), wait_s=IDLE_S)
        for key in outbox.promote(tx, self.peer_id, now_ms, limit=256):
            self._look_from(key)
        peer = directory.nodes.get(self.peer_id)
        if peer is None:
            return Plan(Road(None, reason=Reason.NO_ROUTE), wait_s=IDLE_S)
        outlook = Outlook(self._ports.keys.node_id, directory, now_ms, self._policy)
        road = choose_road(peer, outlook, lambda name: self._peer_health.record(tx, name))
        if road.call is None:
            wait_ms = road.wait_until_ms - now_ms if road.wait_until_ms else IDLE_S * 1000
            return Plan(road, wait_s=min(IDLE_S, max(0.01, wait_ms / 1000)))
        lanes = {lane: self._lane(tx, lane, road) for lane in self._lanes_with_room()}
        chosen = self._choose(lanes)
        reach = {lane: _reach(found, chosen, self.peer_id, now_ms) for lane, found in lanes.items() if found.rows}
        return Plan(road, self._until_due(tx, now_ms), self._carrier.load(tx, chosen), reach, self._look_no)

    def _lanes_with_room(self) -> list[Lane]:
        fast = outbox.FAST_LANES if len(self._sending) < self._policy.push_window else ()
        return [*fast, *([Lane.BULK] if self._bulk is None else [])]

    def _choose(self, lanes: dict[Lane, Candidates]) -> list[outbox.Row]:
        self._turn += 1
        fast = [found.rows for lane, found in lanes.items() if lane is not Lane.BULK]
        chosen = outbox.mix(fast, self._policy, alone_first=self._turn % ALONE_EVERY == 0)
        return chosen + (lanes[Lane.BULK].rows[:1] if Lane.BULK in lanes else [])

    def _lane(self, tx: Tx, lane: Lane, road: Road) -> Candidates:
        start, limit = self._cursor.get(lane, b""), self._policy.push_items_max
        rows: list[outbox.Row] = []
        first_left: bytes | None = None
        for _ in range(SKIPPED_PAGES_MAX):
            page = outbox.ready(tx, self.peer_id, lane, start, limit)
            for row in page:
                if row.key in self._in_flight:
                    continue
                if road.is_relay and row.kind != keys.OUTBOX_PACKET:
                    # Only the origin asks a relay; what a relay carries goes directly to its target.
                    first_left = first_left or row.key
                else:
                    rows.append(row)
            if rows or len(page) < limit:
                break
            start = page[-1].key + b"\0"
        return Candidates(rows, first_left)

    def _until_due(self, tx: Tx, now_ms: int) -> float:
        due_ms = outbox.next_due_ms(tx, self.peer_id)
        return IDLE_S if due_ms is None else min(IDLE_S, max(0.01, (due_ms - now_ms) / 1000))

    # --- carry -----------------------------------------------------------------------------------------------

    def _dispatch(self, plan: Plan) -> None:
        road = plan.road
        fast = [one for one in plan.loaded if one.row.lane is not Lane.BULK]
        bulk = [one for one in plan.loaded if one.row.lane is Lane.BULK]
        self._in_flight.update(one.row.key for one in plan.loaded)
        if plan.look_no == self._look_no:
            self._cursor.update(plan.reach)
        if fast:
            task = asyncio.ensure_future(self._send(road, fast, self._carrier.push))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        if bulk:
            self._bulk = asyncio.ensure_future(self._send(road, bulk, self._carrier.carry_large))
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
            # The peer is there and refuses the call as a whole: something in it is the cause, not the road.
            await self._put_off(loaded, fault.reason, self._policy.item_retry_ms)
        except Fault as fault:
            await self._peer_health.failed(road.call.node_id, fault.reason, started_ms)
        except Exception as bug:
            # A mistake of ours with one packet must not stop the others: report it loudly, let these rows wait.
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
            return await self._carrier.settle(road, heard)
        except Fault as fault:
            # Our own store takes nothing now (full disk), which is no fault of the road. The rows stay as they are, in flight, so
            # that they are not sent again at once; the peer will give the same answers again.
            await self._ports.clock.sleep(max(1.0, fault.retry_after_ms / 1000))
            return False

    async def _put_off(self, loaded: list[Loaded], reason: Reason, pause_ms: int) -> None:
        try:
            await self._carrier.put_off(loaded, reason, pause_ms)
        except Fault as fault:
            self._on_bug(fault)

    def _look_from(self, key: bytes) -> None:
        """Let the next look at a row's lane begin no later than at that row."""
        lane = Lane(keys.parse_outbox_row(key)[1])
        self._look_no += 1
        if key < self._cursor.get(lane, b""):
            self._cursor[lane] = key

    def _look_from_the_beginning_now_and_then(self, now_ms: int) -> None:
        # Rows may have come in below the cursor (a clock that was set back, a write that had to wait). Not with each look: what
        # has been sent leaves tombstones there, which cost a scan as much as rows.
        if abs(now_ms - self._looked_ms) >= IDLE_S * 1000:
            self._looked_ms = now_ms
            self._cursor.clear()

    async def _breathe(self, sent: list[Loaded]) -> None:
        """Wait for a free place in the window; after a small push also a moment, so that what comes meanwhile shares the next."""
        policy, sent_bytes = self._policy, sum(one.row.record.body_bytes for one in sent)
        if len(self._sending) >= policy.push_window:
            await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
        elif len(sent) < policy.push_items_max // 2 and sent_bytes < policy.push_bytes_max // 2:
            await self._ports.clock.sleep(LINGER_S)

    async def _rest(self, wait_s: float) -> None:
        await rest(self._ports.clock, self._wake, wait_s)


def _reach(found: Candidates, chosen: list[outbox.Row], peer_id: str, now_ms: int) -> bytes:
    """Return where the next look at a lane begins: at the first row that stays, and never later than this very moment.

    Rows are written in the order of their times, but those of one millisecond in any order.
    """
    going = {row.key for row in chosen}
    left = next((row.key for row in found.rows if row.key not in going), found.rows[-1].key + b"\0")
    begins = [left, keys.outbox_moment(peer_id, found.rows[0].lane, now_ms)]
    return min([*begins, found.first_left] if found.first_left else begins)
