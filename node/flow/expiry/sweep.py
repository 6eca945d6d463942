"""Sweep: what is due, and what is done about it. Deliveries expire, bodies that nobody needs are forgotten, then all the rest is erased.

        submitted or carried: EXPIRE at the envelope's expiry --> FORGET `keep_body_after_ms` later --> ERASE when nobody needs it
        arrived: ------------------------------------------------'                                      (retention.py)

One table holds everything due in order of time, so a sweep looks only at what is due and never at the whole store (law 5). Time is
agreed time (flow/agreed_time.py): a clock that errs ends nothing.

A packet that nobody has delivered in time fails with our own signed FAILED receipt: the sender sees it, and can prove it. But its node
may have it and the receipt be lost, so that node is asked for a while, and what it signs supersedes our word (model/delivery.py).
"""

from dataclasses import dataclass

from node.flow.bodies import refs
from node.flow.expiry import retention
from node.flow.inbox import inbox
from node.flow.receive import slices
from node.flow.send import questions, receipts
from node.model.delivery import State
from node.model.envelope import envelope_sha256_of
from node.model.policy import DAY_MS, Policy
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt
from node.model.statement import AHEAD_MAX_MS
from node.ports import Tx
from node.rows import keys
from node.rows.access import load
from node.rows.records import DeliveryRecord, PacketRecord

FAILURES_MAX = 2**16 - 1


@dataclass(frozen=True, slots=True)
class Due:
    """One thing whose time has come. `failures`: how often it was put aside before."""

    key: bytes
    kind: int
    packet_id: bytes
    failures: int = 0


def due(tx: Tx, now_ms: int, limit: int, start: bytes = b"") -> list[Due]:
    """Return what is due from a key on, the oldest first."""
    found = []
    for key, value in tx.scan(keys.DUE, start=start, limit=limit):
        at_ms, kind, packet_id = keys.parse_due(key)
        if at_ms > now_ms:
            break
        found.append(Due(key, kind, packet_id, int.from_bytes(value, "big")))
    return found


def put_aside(tx: Tx, item: Due, now_ms: int) -> None:
    """Put off by a day what cannot be done because of a mistake of ours or a damaged row, and count it: the others go on."""
    tx.delete(item.key)
    failures = min(item.failures + 1, FAILURES_MAX)
    tx.put(keys.due(now_ms + DAY_MS, item.kind, item.packet_id), failures.to_bytes(2, "big"))


@dataclass(frozen=True, slots=True)
class Stated:
    """A due thing, with what there is to state about it before it is done: only expiry states something, and not always."""

    due: Due
    statement: Receipt | None = None


def stated(tx: Tx, found: list[Due], node_id: str, now_ms: int, units_max: int) -> list[Stated]:
    """Return the first of these due things with their statements: as many as name `units_max` recipients together, at least one."""
    items: list[Stated] = []
    units = 0
    for one in found:
        statement = expired_receipt(tx, one.packet_id, node_id, now_ms) if one.kind == keys.DUE_EXPIRE else None
        units += len(statement.outcomes) if statement is not None else 0
        if items and units > units_max:
            break
        items.append(Stated(one, statement))
    return items


def expired_receipt(tx: Tx, packet_id: bytes, node_id: str, now_ms: int) -> Receipt | None:
    """Return our statement that the time of the deliveries still waiting is over, or None if there are none."""
    packet = load(tx, keys.packet(packet_id), PacketRecord)
    if packet is None:
        return None
    waiting = [
        keys.unit_after_id(key)
        for key, value in receipts.deliveries(tx, packet_id)
        if State(DeliveryRecord.FromString(value).state) is State.WAITING
    ]
    if not waiting:
        return None
    outcomes = tuple(Outcome(unit, Reason.EXPIRED_UNCONFIRMED) for unit in waiting)
    return Receipt(packet_id, envelope_sha256_of(packet.envelope), node_id, Level.FAILED, outcomes, now_ms)


def expire(tx: Tx, item: Due, believed: receipts.Believed | None, now_ms: int, policy: Policy) -> int:
    """Let deliveries fail by our own receipt, let their nodes be asked, and plan the end of the asking and the forgetting.

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
    questions.only_ask(tx, item.packet_id, now_ms)
    tx.put(keys.due(now_ms + policy.ask_after_expiry_ms, keys.DUE_ASK_NO_MORE, item.packet_id), b"")
    tx.put(keys.due(now_ms + policy.keep_body_after_ms, keys.DUE_FORGET, item.packet_id), b"")
    return failed


def ask_no_more(tx: Tx, item: Due) -> None:
    """Take the questions about a packet out of the outboxes. Its deliveries stay unconfirmed until a receipt comes by itself."""
    tx.delete(item.key)
    questions.drop_questions(tx, item.packet_id)


def forget(tx: Tx, item: Due, now_ms: int, policy: Policy) -> bytes | None:
    """Let a packet go of its body if nobody waits for it, else look again in a day; then plan when to erase the rest (retention.py).

    Returns the body's digest if no other packet names it either: the caller then removes its file, if it is one.
    """
    tx.delete(item.key)
    if slices.is_unfinished(tx, item.packet_id):
        tx.put(keys.due(now_ms + DAY_MS, keys.DUE_FORGET, item.packet_id), b"")
        return None
    subject = retention.subject_of(tx, item.packet_id)
    if subject is None:
        return None
    packet = subject.packet
    if packet.body_forgotten:
        if not packet.erase_time_ms:
            retention.plan(tx, subject, now_ms, policy)
        return None
    kept_until_ms = retention.taken_ms(subject, now_ms) + policy.keep_body_after_ms
    if _body_is_needed(tx, item.packet_id):
        tx.put(keys.due(now_ms + DAY_MS, keys.DUE_FORGET, item.packet_id), b"")
        return None
    if now_ms < kept_until_ms <= now_ms + policy.keep_body_after_ms + AHEAD_MAX_MS:
        # A clock that was behind dated this row, and would have the body go before its time.
        tx.put(keys.due(kept_until_ms, keys.DUE_FORGET, item.packet_id), b"")
        return None
    body_sha256 = subject.envelope.body.body_sha256
    packet.body_forgotten = True
    retention.plan(tx, subject, now_ms, policy)
    return body_sha256 if refs.let_go(tx, body_sha256, item.packet_id) else None


def _body_is_needed(tx: Tx, packet_id: bytes) -> bool:
    waits = questions.needs_body(tx, packet_id)
    return waits or not inbox.all_let_go(tx, packet_id) or retention.is_held(tx, packet_id)


def erase(tx: Tx, item: Due, now_ms: int, policy: Policy) -> bool:
    """Erase what is known of a packet if nobody needs it any more, else ask again when they may not. Returns True if all of it went."""
    tx.delete(item.key)
    subject = retention.subject_of(tx, item.packet_id)
    if subject is None:
        return False
    until_ms = retention.needed_until(tx, subject, now_ms, policy)
    if until_ms:
        tx.put(keys.due(until_ms, keys.DUE_ERASE, item.packet_id), b"")
        return False
    if not retention.erase(tx, subject):
        # A circular to thousands: the next slice goes on.
        tx.put(keys.due(now_ms, keys.DUE_ERASE, item.packet_id), b"")
        return False
    return True
