"""Relay: carrying for two nodes that cannot reach each other.

A relay holds the envelope, the body and the key wrapped for the target; it can open neither body nor key. It owes the origin one
thing, the target's own receipt. That travels home as an outbox row of its own, and the relay forgets the body, a day later the rest.

        origin --push--> relay --push--> target
        origin <--receipt-- relay <--receipt-- target
"""

from hashlib import sha256

from node.flow.bodies import refs
from node.flow.send import outbox, receipts
from node.model.envelope import Envelope
from node.model.lane import Lane
from node.model.policy import KEEP_CARRIED_MS
from node.model.reason import Reason
from node.ports import Tx
from node.rows import keys
from node.rows.access import require, save
from node.rows.records import OutboxRecord, PacketRecord
from node.wire import codec


def carried_home(tx: Tx, believed: receipts.Believed, envelope: Envelope, now_ms: int) -> bool:
    """Send the target's receipt home and let go of the packet, at the relay. Returns True if the packet was carried.

    The body may go once no other target waits for it and no unit of our own holds it; the caller sees to a body file.
    """
    packet_id, target = believed.receipt.packet_id, believed.receipt.signer_node
    receipts.keep(tx, believed)
    if not outbox.settle(tx, target, packet_id, keys.OUTBOX_RELAY):
        return False
    send_home(tx, believed, envelope, now_ms)
    release_body(tx, packet_id, envelope)
    tx.put(keys.due(now_ms + KEEP_CARRIED_MS, keys.DUE_ERASE, packet_id), b"")
    return True


def send_home(tx: Tx, believed: receipts.Believed, envelope: Envelope, now_ms: int) -> None:
    """Put a receipt into the outbox of the packet's origin."""
    row = OutboxRecord(
        kind=keys.OUTBOX_RECEIPT,
        signed_receipt=codec.signed_receipt_to_bytes(believed.signed),
        since_ms=now_ms,
        reason=Reason.QUEUED,
        # It takes the turn of the unit that waits for it.
        sender_unit=envelope.sender_unit,
    )
    name = receipt_row_id(believed.signed.receipt)
    outbox.enqueue(tx, envelope.origin_node, Lane.CONTROL, name, keys.OUTBOX_RECEIPT, row)


def receipt_row_id(receipt_bytes: bytes) -> bytes:
    """Return the 16 octets that stand for a receipt in outbox keys: one packet may have several receipts on their way."""
    return sha256(receipt_bytes).digest()[:16]


def release_body(tx: Tx, packet_id: bytes, envelope: Envelope) -> bool:
    """Let a carried packet go of its body if the packet needs it for nothing else; returns True if it has let go."""
    packet = require(tx, keys.packet(packet_id), PacketRecord)
    if packet.own_wrap or tx.scan(keys.outbox_index_of(packet_id), limit=1):
        return False
    packet.body_forgotten = True
    save(tx, keys.packet(packet_id), packet)
    refs.let_go(tx, envelope.body.body_sha256, packet_id)
    return True


def carry_again(tx: Tx, packet_id: bytes, target_node: str, fresh: OutboxRecord, now_ms: int) -> None:
    """Let a row for a target that was a question carry the packet."""

    def alter(record: OutboxRecord) -> None:
        del record.asked_units[:]
        record.key_wrap, record.directory_version = fresh.key_wrap, fresh.directory_version
        record.units[:] = fresh.units

    outbox.change(tx, target_node, packet_id, keys.OUTBOX_RELAY, now_ms, alter)


def is_carried(tx: Tx, packet_id: bytes, target_node: str) -> bool:
    """Tell whether we carry this packet for that node."""
    return outbox.row_of(tx, target_node, packet_id, keys.OUTBOX_RELAY) is not None
