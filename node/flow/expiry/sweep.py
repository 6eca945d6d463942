"""Sweep: what is due, and what is done about it. Deliveries expire, bodies that nobody needs any more are forgotten.

One table holds everything due in order of time, so a sweep looks only at what is due and never at the whole store (law 5).
A packet that nobody could deliver fails for good with our own signed FAILED receipt: the sender sees it, and can prove it.
"""

from dataclasses import dataclass

from node.flow.bodies import refs
from node.flow.inbox import inbox
from node.flow.receive import slices
from node.flow.send import receipts
from node.model.delivery import State
from node.model.envelope import envelope_sha256_of
from node.model.policy import DAY_MS, Policy
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt
from node.ports import Tx
from node.rows import keys
from node.rows.access import load, save
from node.rows.records import DeliveryRecord, PacketRecord
from node.wire import codec


@dataclass(frozen=True, slots=True)
class Due:
    """One thing whose time has come."""

    key: bytes
    kind: int
    packet_id: bytes


def due(tx: Tx, now_ms: int, limit: int) -> list[Due]:
    """Return what is due, the oldest first."""
    found = []
    for key, _ in tx.scan(keys.DUE, limit=limit):
        at_ms, kind, packet_id = keys.parse_due(key)
        if at_ms > now_ms:
            break
        found.append(Due(key, kind, packet_id))
    return found


def expired_receipt(tx: Tx, packet_id: bytes, node_id: str, now_ms: int) -> Receipt | None:
    """Return the statement that the deliveries still waiting have expired, or None if there are none."""
    packet = load(tx, keys.packet(packet_id), PacketRecord)
    if packet is None:
        return None
    waiting = [
        keys.unit_after_id(key)
        for key, value in receipts.deliveries(tx, packet_id)
        if not State(DeliveryRecord.FromString(value).state).is_final
    ]
    if not waiting:
        return None
    outcomes = tuple(Outcome(unit, Reason.EXPIRED) for unit in waiting)
    return Receipt(packet_id, envelope_sha256_of(packet.envelope), node_id, Level.FAILED, outcomes, now_ms)


def expire(tx: Tx, item: Due, believed: receipts.Believed | None, now_ms: int, policy: Policy) -> int:
    """Let deliveries fail by our own receipt, take every row of the packet out of the outboxes, and plan the forgetting.

    Returns how many deliveries failed. A packet that is still arriving at units of this node, in slices, stays due until it has.
    """
    if slices.is_unfinished(tx, item.packet_id):
        return 0
    failed = 0
    tx.delete(item.key)
    if believed is not None:
        receipts.keep(tx, believed)
        # A receipt may have come in since the statement was made: a final state stays.
        failed = len(receipts.apply_outcomes(tx, believed.receipt, believed.receipt.outcomes, now_ms, is_our_end=True))
    for index, row_key in tx.scan(keys.outbox_index_of(item.packet_id), limit=20_000):
        tx.delete(row_key)
        tx.delete(index)
    tx.put(keys.due(now_ms + policy.keep_body_after_ms, keys.DUE_FORGET, item.packet_id), b"")
    return failed


def forget(tx: Tx, item: Due, now_ms: int) -> bytes | None:
    """Let a packet go of its body if nobody waits for it, else look again in a day.

    Returns the body's digest if no other packet names it either: the caller then removes its file, if it is one.
    """
    tx.delete(item.key)
    if slices.is_unfinished(tx, item.packet_id):
        tx.put(keys.due(now_ms + DAY_MS, keys.DUE_FORGET, item.packet_id), b"")
        return None
    packet = load(tx, keys.packet(item.packet_id), PacketRecord)
    if packet is None or packet.body_forgotten:
        return None
    if tx.scan(keys.outbox_index_of(item.packet_id), limit=1) or not inbox.all_let_go(tx, item.packet_id):
        tx.put(keys.due(now_ms + DAY_MS, keys.DUE_FORGET, item.packet_id), b"")
        return None
    body_sha256 = codec.decode_envelope(packet.envelope).body.body_sha256
    packet.body_forgotten = True
    save(tx, keys.packet(item.packet_id), packet)
    return body_sha256 if refs.let_go(tx, body_sha256, item.packet_id) else None
