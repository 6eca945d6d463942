"""Peer health: the health of the road to each peer, kept as durable records and written when it changes.

A road fails when nobody answers, and is open again after the first success. A call from the peer is a sign of life: the next
attempt is due at once (except for a short pause after the last one). The count of failures stays until an attempt succeeds, since
the road may be open in one direction only.
"""

import asyncio
from collections.abc import Callable

from node.errors import Fault
from node.flow import backoff
from node.flow.send import routing
from node.model.policy import Policy
from node.model.reason import Reason
from node.ports import Ports, Tx
from node.rows import keys
from node.rows.access import save
from node.rows.records import PeerRecord

CONTACT_PAUSE_MS = 5_000
NO_ANSWER = (Reason.PEER_UNREACHABLE, Reason.PEER_TLS_FAILED)


class PeerHealth:
    """The health of the roads to all peers: durable records, written when they change."""

    def __init__(self, ports: Ports, policy: Policy) -> None:
        self._ports = ports
        self._policy = policy
        self._failing: set[str] = set()
        self._last_failure_ms: dict[str, int] = {}
        self._last_success_ms: dict[str, int] = {}
        self._heard_since: dict[str, int] = {}
        """The last failure after which a peer has called us already."""
        self._unwritten: dict[str, PeerRecord] = {}
        """Records that the store could not take; written with the next change."""
        self._turn: dict[str, asyncio.Lock] = {}
        self.on_change: Callable[[str], None] = lambda node_id: None
        """Called when a road has opened or failed."""

    def is_failing(self, node_id: str) -> bool:
        """Tell whether the road has failed since its last success (as far as this process knows)."""
        return node_id in self._failing

    def record(self, tx: Tx, node_id: str) -> PeerRecord:
        """Return what is known of the road to one peer."""
        return self._known(node_id, routing.peer_record(tx, node_id))

    def _known(self, node_id: str, durable: PeerRecord) -> PeerRecord:
        """Return the unwritten record if there is one, else the durable one; whether the peer is held is always read from disk."""
        unwritten = self._unwritten.get(node_id)
        if unwritten is None:
            return durable
        known = PeerRecord()
        known.CopyFrom(unwritten)
        # Holding is an operator's word, and only ever written to the disk.
        known.held = durable.held
        return known

    async def arm(self) -> None:
        """At start-up: learn from disk which roads were failing."""
        self._failing = set(await self._ports.store.transact(routing.failing_peers))

    async def succeeded(self, node_id: str) -> None:
        """Note a success: at once if the road was failing, else at most once a minute."""
        now_ms = self._ports.clock.now_ms()
        recent = now_ms - self._last_success_ms.get(node_id, 0) < self._policy.hello_every_ms
        if recent and node_id not in self._failing:
            return
        was_failing = node_id in self._failing
        await self._change(node_id, lambda record: backoff.after_success(record, now_ms))
        self._last_success_ms[node_id] = now_ms
        if was_failing:
            self.on_change(node_id)

    async def failed(self, node_id: str, reason: Reason, started_ms: int) -> None:
        """Note a failure of something that began at `started_ms`; things that were under way together count once."""
        now_ms = self._ports.clock.now_ms()
        # A last failure that lies in the future was noted before the clock was set back, and tells nothing.
        if started_ms < self._last_failure_ms.get(node_id, 0) <= now_ms:
            return
        self._last_failure_ms[node_id] = now_ms
        jitter = self._ports.entropy.jitter()
        await self._change(node_id, lambda record: backoff.after_failure(record, reason, now_ms, jitter, self._policy))
        self.on_change(node_id)

    async def contacted(self, node_id: str) -> None:
        """Note that the peer has called us and may be up: the next attempt is due soon. The count of failures stays until one succeeds.

        A call changes something only if the peer gave no answer before, once after each failure, and no sooner than CONTACT_PAUSE_MS
        after it: two nodes that can call but not serve each other (a full disk) would otherwise hurry each other on for ever.
        """
        now_ms, failed_ms = self._ports.clock.now_ms(), self._last_failure_ms.get(node_id, 0)
        if self._heard_since.get(node_id) == failed_ms:
            return
        self._heard_since[node_id] = failed_ms
        due_ms = now_ms if failed_ms > now_ms else max(now_ms, failed_ms + CONTACT_PAUSE_MS)

        def hurry(record: PeerRecord) -> PeerRecord:
            if record.reason in NO_ANSWER:
                record.next_attempt_ms = min(record.next_attempt_ms, due_ms)
            return record

        await self._change(node_id, hurry)
        self.on_change(node_id)

    async def _change(self, node_id: str, change: Callable[[PeerRecord], PeerRecord]) -> None:
        """Change one road's record; changes take turns, so that memory never contradicts the disk about which came last."""

        def write(tx: Tx) -> PeerRecord:
            record = change(self.record(tx, node_id))
            save(tx, keys.peer(node_id), record)
            return record

        async with self._turn.setdefault(node_id, asyncio.Lock()):
            try:
                record = await self._ports.store.transact(write)
            except Fault:
                # A full or fenced store cannot note it. Kept in memory it still makes the loops wait instead of spin.
                record = self._unwritten[node_id] = change(await self._readable(node_id))
            else:
                self._unwritten.pop(node_id, None)
            if record.failures:
                self._failing.add(node_id)
            else:
                self._failing.discard(node_id)

    async def _readable(self, node_id: str) -> PeerRecord:
        """Return what is known of a road while nothing can be written: what is on the disk goes on from there, it does not begin anew."""
        try:
            return await self._ports.store.transact(lambda tx: self.record(tx, node_id))
        except Fault:
            return self._unwritten.get(node_id, PeerRecord())
