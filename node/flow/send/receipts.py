"""Receipts: making them, believing them, and what follows from them.

A receipt is believed if it is about what we asked, and its signature was made by a signing key that the directory names for its
signer and the time of the receipt (model/statement.py). Its outcomes are then written together with the receipt itself, in one
transaction: a state never changes without the proof beside it (law 2), and the first receipt stays, but for what is added to it later
(supplement.py; law 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from node.errors import Denied
from node.flow.send import outbox
from node.flow.send.supplement import agreed, supplements
from node.flow.webhooks import notices
from node.model.delivery import State, after_receipt, decides, is_settled
from node.model.directory import Directory
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt, SignedReceipt
from node.model.statement import is_possible, times_of
from node.model.webhook import NoticeKind
from node.ports import Keys, Tx
from node.rows import keys
from node.rows.access import ROWS_OF_PACKET_MAX
from node.rows.records import DeliveryRecord
from node.seal.signature import RECEIPT_LABEL, verify_by
from node.wire import codec


def sign_receipts(signer: Keys, receipts: Sequence[Receipt]) -> list[SignedReceipt]:
    """Serialise receipts and sign them together."""
    if not receipts:
        return []
    statements = [codec.encode_receipt(receipt) for receipt in receipts]
    signatures = signer.sign(RECEIPT_LABEL, statements)
    return [SignedReceipt(statement, signature) for statement, signature in zip(statements, signatures, strict=True)]


@dataclass(frozen=True, slots=True)
class Believed:
    """A receipt whose signature has been verified."""

    receipt: Receipt
    signed: SignedReceipt


def believe(signed: SignedReceipt, directory: Directory, *, now_ms: int) -> Believed:
    """Verify a receipt against the directory. Raises Denied(RECEIPT_INVALID) with what is wrong."""
    receipt = codec.decode_receipt(signed.receipt)
    signer = directory.nodes.get(receipt.signer_node)
    if signer is None:
        raise Denied(Reason.RECEIPT_INVALID, f"signer {receipt.signer_node!r} is not in the directory")
    if not is_possible(receipt.create_time_ms):
        raise Denied(Reason.RECEIPT_INVALID, f"made at {receipt.create_time_ms} ms, which nobody can have meant")
    times_ms = times_of(receipt.create_time_ms, now_ms)
    if not verify_by(signer, RECEIPT_LABEL, signed.receipt, signed.signature, times_ms):
        raise Denied(Reason.RECEIPT_INVALID, f"signature of {receipt.signer_node} does not verify")
    return Believed(receipt, signed)


def require_about(believed: Believed, packet_id: bytes, envelope_sha256: bytes, signers: Sequence[str]) -> None:
    """Refuse a true receipt that is about something else. Raises Denied(RECEIPT_INVALID)."""
    receipt = believed.receipt
    if receipt.packet_id != packet_id or receipt.envelope_sha256 != envelope_sha256:
        raise Denied(Reason.RECEIPT_INVALID, "the receipt is about another packet")
    if receipt.signer_node not in signers:
        raise Denied(Reason.RECEIPT_INVALID, f"signed by {receipt.signer_node}, expected {' or '.join(signers)}")


def keep(tx: Tx, believed: Believed) -> Receipt:
    """Store a receipt, and return the one that is kept: the first of its kind, unless this one supplements it (supplement.py)."""
    receipt = believed.receipt
    key = keys.receipt(receipt.packet_id, receipt.level, receipt.signer_node)
    value = tx.get(key)
    if value is not None:
        before = codec.signed_receipt_from_bytes(value)
        if before.receipt == believed.signed.receipt:
            return receipt
        first = codec.decode_receipt(before.receipt)
        if receipt.level is not Level.DELIVERED or not supplements(first, receipt):
            return first
    tx.put(key, codec.signed_receipt_to_bytes(believed.signed))
    return receipt


def replace_kept(tx: Tx, believed: Believed) -> None:
    """Put a supplementary receipt of our own in the place of the first."""
    receipt = believed.receipt
    key = keys.receipt(receipt.packet_id, receipt.level, receipt.signer_node)
    tx.put(key, codec.signed_receipt_to_bytes(believed.signed))


def sign_again(tx: Tx, believed: Believed) -> None:
    """Put a new signature in the place of one that nobody can verify; the receipt stays what it was."""
    receipt = believed.receipt
    before = kept(tx, receipt.packet_id, receipt.level, receipt.signer_node)
    if before is not None and before.receipt == believed.signed.receipt:
        key = keys.receipt(receipt.packet_id, receipt.level, receipt.signer_node)
        tx.put(key, codec.signed_receipt_to_bytes(believed.signed))


def kept(tx: Tx, packet_id: bytes, level: Level, node_id: str) -> SignedReceipt | None:
    """Return a stored receipt."""
    value = tx.get(keys.receipt(packet_id, level, node_id))
    return None if value is None else codec.signed_receipt_from_bytes(value)


def apply_final(tx: Tx, believed: Believed, now_ms: int, *, relay_node: str = "") -> list[Reason]:
    """Let a DELIVERED receipt change the deliveries it names, at the origin. Returns the reason of each that became final.

    The outbox row goes when no unit that the signer serves waits any more. What contradicts the receipt that is kept changes nothing: a
    state has its proof beside it.
    """
    kept_one = keep(tx, believed)
    outcomes = believed.receipt.outcomes if kept_one is believed.receipt else agreed(kept_one, believed.receipt)
    ended = apply_outcomes(tx, believed.receipt, outcomes, now_ms, relay_node=relay_node)
    _settle_row(tx, believed, len(ended))
    return ended


def apply_outcomes(
    tx: Tx,
    receipt: Receipt,
    outcomes: Sequence[Outcome],
    now_ms: int,
    *,
    relay_node: str = "",
    is_our_end: bool = False,
) -> list[Reason]:
    """Let some outcomes of a receipt that is kept change their deliveries; return the reason of each that became final.

    A node speaks for the units it serves: for the delivery that was routed to it, and for no other. Only our own statement that we have
    given up (`is_our_end`) speaks for all.
    """
    changed: list[str] = []
    ended: list[Reason] = []
    # Thousands of deliveries that wait for one node are the same octets, and become the same.
    becomes: dict[tuple[bytes, Reason], bytes | None] = {}
    where = [keys.delivery(receipt.packet_id, outcome.unit) for outcome in outcomes]
    for outcome, key, value in zip(outcomes, where, tx.get_many(where), strict=True):
        if value is None:
            continue
        case = value, outcome.reason
        if case not in becomes:
            record = DeliveryRecord.FromString(value)
            waits = State(record.state) is State.WAITING
            is_meant = waits if is_our_end else record.node_id == receipt.signer_node
            becomes[case] = _after(record, receipt, outcome.reason, now_ms, relay_node) if is_meant else None
        after = becomes[case]
        if after is not None:
            tx.put(key, after)
            changed.append(outcome.unit)
            ended.append(outcome.reason)
    if changed:
        notices.happened_to(tx, receipt.packet_id, NoticeKind.ENDED, changed, now_ms)
    return ended


def _after(record: DeliveryRecord, receipt: Receipt, reason: Reason, now_ms: int, relay_node: str) -> bytes | None:
    """Return a delivery as an outcome of a receipt leaves it, serialised; None: as it was, since a final state stays."""
    if is_over(record) or not decides(reason):
        return None
    record.state = after_receipt(State(record.state), receipt.level, reason, Reason(record.reason))
    record.reason = reason
    record.end_time_ms = now_ms
    record.receipt_node = receipt.signer_node
    record.relay_node = relay_node
    return record.SerializeToString()


def _settle_row(tx: Tx, believed: Believed, changed: int) -> None:
    node_id, packet_id = believed.receipt.signer_node, believed.receipt.packet_id
    found = outbox.row_of(tx, node_id, packet_id, keys.OUTBOX_PACKET)
    if found is None:
        return
    # The count saves reading all deliveries of the packet in the usual case, in which one receipt answers for all units of the row.
    if 0 < found[1].unit_count <= changed or not _is_awaited(tx, packet_id, node_id):
        outbox.settle(tx, node_id, packet_id, keys.OUTBOX_PACKET)


def waiting_units(tx: Tx, packet_id: bytes, node_id: str) -> list[str]:
    """Return the units of a packet that still wait for that node."""
    rows = ((keys.unit_after_id(key), DeliveryRecord.FromString(value)) for key, value in deliveries(tx, packet_id))
    return [unit for unit, record in rows if record.node_id == node_id and State(record.state) is State.WAITING]


def awaited_units(tx: Tx, packet_id: bytes, node_id: str) -> list[str]:
    """Return the units of a packet whose deliveries a receipt of that node can still change."""
    rows = ((keys.unit_after_id(key), DeliveryRecord.FromString(value)) for key, value in deliveries(tx, packet_id))
    return [unit for unit, record in rows if record.node_id == node_id and not is_over(record)]


def _is_awaited(tx: Tx, packet_id: bytes, node_id: str) -> bool:
    """Tell whether a receipt of that node can still change a delivery of the packet."""
    return bool(awaited_units(tx, packet_id, node_id))


def is_over(record: DeliveryRecord) -> bool:
    """Tell whether nothing can change a delivery any more."""
    return is_settled(State(record.state), Reason(record.reason))


def deliveries(tx: Tx, packet_id: bytes) -> list[tuple[bytes, bytes]]:
    """Return all delivery rows of a packet, in order of unit."""
    return tx.scan(keys.delivery(packet_id), limit=ROWS_OF_PACKET_MAX)


def apply_custody(tx: Tx, believed: Believed, node_id: str, until_ms: int) -> None:
    """Note at the origin that a relay holds the packet for `node_id`. The row stays and is tried again later (law 2)."""
    keep(tx, believed)
    packet_id, relay = believed.receipt.packet_id, believed.receipt.signer_node
    outbox.put_off(tx, node_id, packet_id, keys.OUTBOX_PACKET, until_ms, Reason.IN_CUSTODY, relay=relay)
