"""Dates: what a row's date is worth if the clock that wrote it may have erred, and rows due years from now brought back into bounds.

A clock that was years ahead for twenty minutes dates what it accepts years ahead: it would be kept for years, and shown in no list till
then. One that was years behind dates it years back: it would be forgotten at once. Only the envelope says something else, and it never
changes. Hence:

    behind     a packet was not accepted before it was made: whichever is later counts (retention.taken_ms), if that is not in the future
    ahead      a packet that was accepted in the future was accepted now (`date_again`)
    due        nothing is due later than its own rule can make it now (`bring_back`): it is asked again when the rule says so
    expiry     an envelope made in the future ends, for our own acts, as long after it was taken as it was to live (retention.ends_ms)

All of it goes by a time that a peer's clock confirms (AgreedTime.confirmed_ms): whether ours has erred is not for ours to say. Too late
is the direction in which it may err: nothing is forgotten sooner because of a date that was changed.
"""

from node.flow.expiry import retention
from node.model.policy import KEEP_CARRIED_MS, Policy
from node.model.thresholds import CLOCK_SKEW_MS_MAX
from node.ports import Tx
from node.rows import keys
from node.rows.access import save
from node.rows.records import BridgeOrderRecord, PacketRecord


def date_packet_again(tx: Tx, key: bytes, value: bytes, now_ms: int, policy: Policy) -> bool:
    """Look at a packet of the walk (`date_again`)."""
    if PacketRecord.FromString(value).accept_time_ms <= now_ms + CLOCK_SKEW_MS_MAX:
        return False
    # Read again: the walk may have planned its erasing a moment ago.
    subject = retention.subject_of(tx, key[1:])
    return subject is not None and date_again(tx, subject, now_ms)


def date_order_again(tx: Tx, key: bytes, value: bytes, now_ms: int, policy: Policy) -> bool:
    """Date an order of the bridge by now if it says that it was carried out later than that. Returns whether it did."""
    if BridgeOrderRecord.FromString(value).time_ms <= now_ms + CLOCK_SKEW_MS_MAX:
        return False
    save(tx, key, BridgeOrderRecord(time_ms=now_ms))
    return True


def date_again(tx: Tx, subject: retention.Subject, now_ms: int) -> bool:
    """Date a packet by now if it says that it was accepted later than that. Returns whether it did."""
    packet = subject.packet
    if packet.accept_time_ms <= now_ms + CLOCK_SKEW_MS_MAX:
        return False
    if packet.system:
        sent = keys.sent_row(packet.system, packet.accept_time_ms, subject.packet_id)
        if tx.get(sent) is not None:
            tx.delete(sent)
            tx.put(keys.sent_row(packet.system, now_ms, subject.packet_id), b"")
    packet.accept_time_ms = now_ms
    save(tx, keys.packet(subject.packet_id), packet)
    return True


def bring_back(tx: Tx, key: bytes, value: bytes, now_ms: int, policy: Policy) -> bool:
    """Bring a due row back that is due later than its own rule can have meant. Returns whether it was."""
    at_ms, kind, packet_id = keys.parse_due(key)
    # Most rows are within what their rule may say today; only of the others more is looked at.
    if at_ms <= now_ms + _longest_ms(kind, policy) + CLOCK_SKEW_MS_MAX:
        return False
    latest_ms = _latest_ms(tx, kind, packet_id, now_ms, policy)
    if at_ms <= latest_ms:
        return False
    tx.delete(key)
    tx.put(keys.due(latest_ms, kind, packet_id), value)
    return True


def _longest_ms(kind: int, policy: Policy) -> int:
    """Return how long from now a row of a kind is due at most, unless its envelope says more."""
    if kind == keys.DUE_FORGET:
        return max(policy.keep_body_after_ms, retention.LOOK_AGAIN_MS)
    if kind == keys.DUE_ASK_NO_MORE:
        return policy.ask_after_expiry_ms
    if kind == keys.DUE_ERASE:
        return max(policy.keep_records_ms, KEEP_CARRIED_MS, retention.LOOK_AGAIN_MS)
    return policy.expire_after_ms


def _latest_ms(tx: Tx, kind: int, packet_id: bytes, now_ms: int, policy: Policy) -> int:
    """Return until when a row may be put off, by the packet's own record; one that asks too soon is put off again when it is asked."""
    latest_ms = now_ms + _longest_ms(kind, policy)
    if kind not in (keys.DUE_EXPIRE, keys.DUE_ERASE):
        return latest_ms
    subject = retention.subject_of(tx, packet_id)
    if subject is None:
        return now_ms
    date_again(tx, subject, now_ms)
    if kind == keys.DUE_EXPIRE:
        return max(now_ms, retention.ends_ms(subject, policy))
    return max(now_ms, retention.needed_until(tx, subject, now_ms, policy))
