"""Slices: a packet for thousands of units of this node arrives at some hundred of them at a time, and the loop is free in between.

One transaction for all would hold the loop for seconds. So the one that takes the packet decides everything: packet, body and our receipt
become durable, with a row that says how many of the receipt's units have been served: none. Each slice then serves the next units and
moves that row, in one transaction; the last slice removes it. As long as it is there

    the receipt is not given to anybody (accept.py): it says that the packet is in all these inboxes (law 2);
    the packet does not expire, and its body is not forgotten (expiry/sweep.py).

Nothing is lost or done twice by a crash between two slices: what is to be done stands in the receipt, how far it has come stands in the
row, and the sweeper goes on with it, reading the packet's words from its body. Whoever brings the packet again meanwhile lends a hand: two
that serve slices of one packet share the work. What comes about the same document between two slices finds it at some units and not yet
at others, which is what it may find anyway (document/life.py: facts have no order of arrival).
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from functools import partial

from node.edxml.reader import HeaderReader
from node.errors import Fault
from node.flow.bodies.reading import PacketReader
from node.flow.document.acts import may_oblige
from node.flow.receive import arrival
from node.flow.receive.speaker import with_known_aliases
from node.flow.risk import Risk
from node.flow.send import receipts
from node.flow.signals import Signals
from node.model.envelope import Envelope
from node.model.header import PacketHeader
from node.model.policy import Policy
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt, SignedReceipt
from node.ports import Ports, Tx
from node.rows import keys
from node.rows.access import load, require, save
from node.rows.records import ArrivingRecord, PacketRecord
from node.wire import codec

UNFINISHED_MAX = 100
"""So many unfinished packets are gone on with in one sweep."""
DECODED_AS_BYTES = 20
"""Weight of an octet of an envelope or receipt that has to be read, for the workers."""


def begin(tx: Tx, believed: receipts.Believed) -> None:
    """Let a packet, which has been stored, arrive in slices at the units that our receipt accepts."""
    receipts.keep(tx, believed)
    save(tx, keys.arriving(believed.receipt.packet_id), ArrivingRecord())


def go_on(tx: Tx, receipt: Receipt, new: int) -> None:
    """Let a packet arrive in slices at the last `new` units that a supplementary receipt accepts; it has arrived at all others."""
    accepted = sum(one.reason is Reason.NONE for one in receipt.outcomes)
    save(tx, keys.arriving(receipt.packet_id), ArrivingRecord(served=accepted - new))


def is_unfinished(tx: Tx, packet_id: bytes) -> bool:
    """Tell whether a packet is still to arrive at some units of this node."""
    return tx.get(keys.arriving(packet_id)) is not None


@dataclass(frozen=True, slots=True)
class Arrival:
    """What slices need to know of a packet; nothing in it changes from one to the next. `accepted` are the units to serve, in order."""

    envelope: Envelope
    header: PacketHeader
    receipt: Receipt
    accepted: tuple[Outcome, ...]


def serve_next(tx: Tx, whole: Arrival, now_ms: int, policy: Policy) -> bool:
    """Serve the next units; tell whether that was the last slice."""
    key = keys.arriving(whole.receipt.packet_id)
    record = load(tx, key, ArrivingRecord)
    if record is None:
        return True
    end = record.served + policy.arrive_at_once
    outcomes = whole.accepted[record.served : end]
    if whole.envelope.origin_node == whole.receipt.signer_node:
        receipts.apply_outcomes(tx, whole.receipt, outcomes, now_ms)
    arrival.serve(tx, whole.envelope, whole.header, [one.unit for one in outcomes], now_ms, policy)
    if end < len(whole.accepted):
        record.served = end
        save(tx, key, record)
        return False
    tx.delete(key)
    arrival.plan_forgetting(tx, whole.envelope, now_ms, policy)
    return True


class Slices:
    """Lets packets arrive that have been begun."""

    def __init__(self, ports: Ports, policy: Policy, signals: Signals, reader: PacketReader, risk: Risk) -> None:
        self._ports = ports
        self._policy = policy
        self._signals = signals
        self._reader = reader
        self._risk = risk
        self._at_work: Counter[bytes] = Counter()
        """Packets at which somebody is at work in this process, and how many."""
        self._seen: set[bytes] | None = None
        """What was unfinished when the sweeper looked last; None: it has not looked since the start."""

    async def finish(self, packet_id: bytes, header: PacketHeader) -> SignedReceipt | None:
        """Serve all units that are left, and return our receipt, which may be given now; None if we have signed none.

        Raises Deferred; the rest stays to be done.
        """
        self._at_work[packet_id] += 1
        try:
            return await self._finish(packet_id, header)
        finally:
            self._at_work[packet_id] -= 1
            self._at_work += Counter()  # forgets those at which nobody is any more

    async def _finish(self, packet_id: bytes, header: PacketHeader) -> SignedReceipt | None:
        found = await self._ports.store.transact(partial(_found, packet_id=packet_id, node_id=self._node_id))
        if found.packet is None or found.signed is None:
            return found.signed
        record, signed = found.packet, found.signed
        weight = (len(record.envelope) + len(signed.receipt)) * DECODED_AS_BYTES
        whole = await self._ports.workers.run(weight, lambda: self._whole(record, signed, header))
        is_last = False
        while not is_last:
            is_last = await self._ports.store.transact(self._slice(whole))
            await asyncio.sleep(0)
        self._signals.notice.send(None)
        if may_oblige(header):
            self._signals.duty.send(None)
        return signed

    def _slice(self, whole: Arrival) -> "partial[bool]":
        return partial(serve_next, whole=whole, now_ms=self._ports.clock.now_ms(), policy=self._policy)

    @property
    def _node_id(self) -> str:
        return self._ports.keys.node_id

    def _whole(self, record: PacketRecord, signed: SignedReceipt, header: PacketHeader) -> Arrival:
        envelope, receipt = codec.decode_envelope(record.envelope), codec.decode_receipt(signed.receipt)
        if envelope.origin_node != self._node_id:
            now_ms = self._ports.clock.now_ms()
            envelope = with_known_aliases(envelope, self._ports.directory.current(), now_ms)
        accepted = tuple(one for one in receipt.outcomes if one.reason is Reason.NONE)
        return Arrival(envelope, header, receipt, accepted)

    async def finish_all(self) -> int:
        """Go on with what a crash, or a caller that went away, has left; return how many packets that were."""
        rows = await self._ports.store.transact(lambda tx: tx.scan(keys.ARRIVING, limit=UNFINISHED_MAX))
        unfinished = [keys.packet_of_arriving(key) for key, _ in rows]
        # Whoever has just taken a packet is about to go on with it himself, and knows its words: only what lies for longer is left over.
        left, self._seen = [one for one in unfinished if self._seen is None or one in self._seen], {*unfinished}
        finished = 0
        for packet_id in left:
            name = keys.arriving(packet_id)
            if self._at_work[packet_id] or name in self._risk.banned:
                continue
            try:
                if self._risk.is_over(name):
                    await self._risk.ban(name, f"packet {packet_id.hex()}, which arrives in slices")
                    continue
                async with self._risk.step([name]):
                    await self.finish(packet_id, await self._header_of(packet_id))
                finished += 1
            except Fault:
                # A body that cannot be read now, or no space: the row stays, and the others have their turn.
                continue
            except Exception as bug:
                # So it does after a mistake of ours; were it raised, nothing at all would expire any more.
                self._signals.bug.send(bug)
        return finished

    async def _header_of(self, packet_id: bytes) -> PacketHeader:
        """Read a packet's words from its body. Raises Broken(STORE_CORRUPT) and what reading raises."""
        record = await self._ports.store.transact(lambda tx: require(tx, keys.packet(packet_id), PacketRecord))
        reader = HeaderReader()
        async for piece in self._reader.packet(record, 0):
            await self._ports.workers.run(len(piece), partial(reader.feed, piece))
            await asyncio.sleep(0)
        return reader.finish()


@dataclass(frozen=True, slots=True)
class _Found:
    """Our receipt for a packet, None if there is none; and the packet, if it is still arriving."""

    signed: SignedReceipt | None
    packet: PacketRecord | None


def _found(tx: Tx, packet_id: bytes, node_id: str) -> _Found:
    signed = receipts.kept(tx, packet_id, Level.DELIVERED, node_id)
    packet = require(tx, keys.packet(packet_id), PacketRecord) if is_unfinished(tx, packet_id) else None
    return _Found(signed, packet)
