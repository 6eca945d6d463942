"""Accept: from a verdict to a durable packet, and from there to a receipt.

The receipt was made and signed before; this transaction only finds out whether it is the first. If the packet was decided about
before, the stored receipt is given again, byte for byte, and nothing is written (law 3). If it was not, packet, body, inbox
entries and receipt become durable together, and the answer leaves after that (law 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from node.errors import Denied, Fault
from node.flow.bodies import refs
from node.flow.document import dossier
from node.flow.receive import arrival, slices
from node.flow.receive.verify import Verdict
from node.flow.send import outbox, receipts, relay
from node.flow.send.reroute import Word, reroute
from node.flow.send.supplement import open_units, supplemented
from node.model.directory import Directory
from node.model.envelope import SignedEnvelope, envelope_sha256_of
from node.model.header import PacketHeader
from node.model.mesh import Answer, Parcel
from node.model.policy import Policy
from node.model.reason import Reason
from node.model.receipt import Level, Receipt, SignedReceipt
from node.ports import Tx
from node.rows import keys
from node.rows.access import load, save
from node.rows.records import PacketRecord
from node.wire import codec

UNFINISHED_RETRY_MS = 1_000


@dataclass(frozen=True, slots=True)
class Begun:
    """A packet that has been taken and is still to arrive at its units (slices.py); the answer is its receipt, and has to wait for that."""

    packet_id: bytes
    header: PacketHeader


@dataclass(frozen=True, slots=True)
class Open:
    """A packet about which the target has given its receipt, `first`, which is silent about some of the units that it is brought for."""

    first: SignedReceipt


Step = Answer | Begun | Open
"""What a transaction has found or done about one packet."""


def refusal(fault: Fault) -> Answer:
    """Turn a fault into the answer for one item."""
    return Answer(None, fault.reason, fault.retry_after_ms, fault.detail)


def decided(tx: Tx, packet_id: bytes, parcel: Parcel, node_id: str, units: Sequence[str]) -> Answer | None:
    """Return the answer that was given before about this packet, brought for these units of its target; None if any of it is new.

    Raises Denied(ENVELOPE_CONFLICT) if the same packet id came before with other envelope bytes.
    """
    target_node = parcel.target_node
    packet = load(tx, keys.packet(packet_id), PacketRecord)
    if packet is None:
        return None
    if packet.envelope != parcel.signed_envelope.envelope:
        raise Denied(Reason.ENVELOPE_CONFLICT, f"another envelope was accepted as {packet_id.hex()}")
    final = receipts.kept(tx, packet_id, Level.DELIVERED, target_node)
    if final is not None and target_node == node_id and slices.is_unfinished(tx, packet_id):
        return Answer(None, Reason.PEER_BUSY, UNFINISHED_RETRY_MS, "the packet is arriving at its units")
    if final is not None and not open_units(codec.decode_receipt(final.receipt), units, parcel.addressed_version):
        return Answer(final)
    if target_node == node_id:
        return None
    custody = receipts.kept(tx, packet_id, Level.CUSTODY, node_id)
    carried = outbox.row_of(tx, target_node, packet_id, keys.OUTBOX_RELAY)
    return Answer(custody) if custody is not None and carried is not None else None


def renew_signature(tx: Tx, packet_id: bytes, signed: SignedEnvelope) -> None:
    """Carry a packet on under the signature with which its origin has brought it again: the first may be good no more."""
    packet, signature = load(tx, keys.packet(packet_id), PacketRecord), codec.signature_to_bytes(signed.signature)
    if packet is not None and packet.signature != signature and not packet.system:
        packet.signature = signature
        save(tx, keys.packet(packet_id), packet)


def first_of(tx: Tx, packet_id: bytes, node_id: str) -> tuple[PacketRecord, SignedReceipt] | None:
    """Return what was accepted first under a packet id for our own units, with our receipt; None if nothing of it was."""
    packet = load(tx, keys.packet(packet_id), PacketRecord)
    receipt = receipts.kept(tx, packet_id, Level.DELIVERED, node_id)
    return None if packet is None or receipt is None or not packet.own_wrap else (packet, receipt)


def store_all(
    tx: Tx, verdicts: list[tuple[Verdict, SignedReceipt]], node_id: str, now_ms: int, policy: Policy
) -> list[Step]:
    """Write what is new of several verdicts and return an answer for each, in order; or that it is only begun, or needs another receipt."""
    ids = [verdict.envelope.packet_id for verdict, _ in verdicts]
    new = {one for one, value in zip(ids, tx.get_many([keys.packet(one) for one in ids]), strict=True) if value is None}
    answers: list[Step] = []
    for packet_id, (verdict, signed) in zip(ids, verdicts, strict=True):
        # Nearly all are new, and nothing need be looked up about them; but one may be in the group twice.
        is_new = packet_id in new
        new.discard(packet_id)
        answers.append(_store_one(tx, verdict, signed, node_id, now_ms, policy, is_new=is_new))
    return answers


def _store_one(
    tx: Tx, verdict: Verdict, signed: SignedReceipt, node_id: str, now_ms: int, policy: Policy, *, is_new: bool
) -> Step:
    envelope, parcel = verdict.envelope, verdict.parcel
    units = [one.unit for one in verdict.receipt.outcomes]
    try:
        before = None if is_new else decided(tx, envelope.packet_id, parcel, node_id, units)
    except Fault as fault:
        return refusal(fault)
    if before is not None:
        helps = verdict.header is not None and slices.is_unfinished(tx, envelope.packet_id)
        if helps and verdict.header is not None:
            return Begun(envelope.packet_id, verdict.header)
        if parcel.target_node != node_id:
            renew_signature(tx, envelope.packet_id, parcel.signed_envelope)
        return before
    if not is_new and verdict.receipt.level is Level.DELIVERED:
        first = receipts.kept(tx, envelope.packet_id, Level.DELIVERED, node_id)
        if first is not None:
            return Open(first)
    _put_packet(tx, verdict, now_ms, is_new=is_new)
    if verdict.receipt.level is Level.DELIVERED:
        if verdict.header is not None and len(verdict.accepted_units) > policy.arrive_at_once:
            slices.begin(tx, receipts.Believed(verdict.receipt, signed))
            return Begun(envelope.packet_id, verdict.header)
        if verdict.header is not None:
            arrival.deliver(tx, envelope, verdict.header, verdict.accepted_units, now_ms, policy)
        else:
            # Refused for good: nothing arrives, but that it was refused must be forgotten one day, too.
            tx.put(keys.due(now_ms + policy.keep_body_after_ms, keys.DUE_FORGET, envelope.packet_id), b"")
        receipts.keep(tx, receipts.Believed(verdict.receipt, signed))
        return Answer(signed)
    return Answer(_take_custody(tx, verdict, signed, node_id, now_ms))


def further(verdict: Verdict, first: SignedReceipt) -> tuple[Verdict, Receipt]:
    """Return the part of a verdict that our first receipt is silent about, and the receipt that says both."""
    before = codec.decode_receipt(first.receipt)
    units = set(open_units(before, (one.unit for one in verdict.receipt.outcomes), verdict.parcel.addressed_version))
    added = replace(verdict.receipt, outcomes=tuple(one for one in verdict.receipt.outcomes if one.unit in units))
    return replace(verdict, receipt=added), supplemented(before, added)


def store_further(
    tx: Tx, verdict: Verdict, first: SignedReceipt, believed: receipts.Believed, now_ms: int, policy: Policy
) -> Step:
    """Take a packet for further units, those of the verdict; `believed` is the receipt that shall take the place of the first.

    If that has been followed by another meanwhile, nothing is written: the supplement has to be made anew.
    """
    receipt, packet_id = believed.receipt, verdict.envelope.packet_id
    kept = receipts.kept(tx, packet_id, Level.DELIVERED, receipt.signer_node)
    if kept is None or slices.is_unfinished(tx, packet_id):
        return Answer(None, Reason.PEER_BUSY, UNFINISHED_RETRY_MS, "the packet is arriving, or has just been forgotten")
    if kept.receipt != first.receipt:
        return Open(kept)
    _put_packet(tx, verdict, now_ms, is_new=False)
    receipts.replace_kept(tx, believed)
    new = verdict.accepted_units
    if verdict.header is None or not new:
        return Answer(believed.signed)
    if len(new) > policy.arrive_at_once:
        slices.go_on(tx, receipt, len(new))
        return Begun(packet_id, verdict.header)
    arrival.deliver(tx, verdict.envelope, verdict.header, new, now_ms, policy)
    return Answer(believed.signed)


def _put_packet(tx: Tx, verdict: Verdict, now_ms: int, *, is_new: bool) -> None:
    envelope, parcel = verdict.envelope, verdict.parcel
    key = keys.packet(envelope.packet_id)
    known = None if is_new else load(tx, key, PacketRecord)
    record = known or PacketRecord(
        envelope=parcel.signed_envelope.envelope,
        signature=codec.signature_to_bytes(parcel.signed_envelope.signature),
        accept_time_ms=now_ms,
        body_forgotten=True,
    )
    if verdict.sealed_header and not record.own_wrap:
        record.own_wrap = codec.key_wrap_to_bytes(parcel.key_wrap)
        record.sealed_header = verdict.sealed_header
        record.document_sha256 = dossier.digest_of(verdict.header)
        record.other_documents_sha256[:] = dossier.other_digests_of(verdict.header)
    if verdict.needs_body:
        record.body_forgotten = False
    save(tx, key, record)
    if verdict.needs_body:
        refs.hold(tx, envelope.body.body_sha256, envelope.packet_id)
        if verdict.body is not None:
            tx.put(keys.body(envelope.body.body_sha256), verdict.body)


def _take_custody(tx: Tx, verdict: Verdict, signed: SignedReceipt, node_id: str, now_ms: int) -> SignedReceipt:
    envelope = verdict.envelope
    row = outbox.packet_row(envelope, keys.OUTBOX_RELAY, verdict.parcel.for_units, now_ms)
    row.key_wrap = codec.key_wrap_to_bytes(verdict.parcel.key_wrap)
    row.directory_version = verdict.parcel.directory_version
    target = verdict.parcel.target_node
    if not outbox.enqueue(tx, target, envelope.lane, envelope.packet_id, keys.OUTBOX_RELAY, row):
        # It was to ask; now there is a body, too, and the target finds out by itself what is new to it.
        relay.carry_again(tx, envelope.packet_id, target, row, now_ms)
    tx.put(keys.due(envelope.expire_at_ms, keys.DUE_EXPIRE, envelope.packet_id), b"")
    receipts.keep(tx, receipts.Believed(verdict.receipt, signed))
    first = receipts.kept(tx, envelope.packet_id, Level.CUSTODY, node_id)
    assert first is not None
    return first


def take_receipt(
    tx: Tx,
    believed: receipts.Believed,
    peer_id: str,
    directory: Directory,
    now_ms: int,
    ended: list[Reason],
    nodes: set[str],
) -> Answer:
    """Take a recipient's receipt that a relay has brought, at the origin. Returns an answer without a reason if it is taken.

    `ended` gets the reason of each delivery that becomes final by it, `nodes` those to which a delivery goes on.
    """
    statement = believed.receipt
    packet = load(tx, keys.packet(statement.packet_id), PacketRecord)
    if packet is None or not packet.system:
        return Answer(None, Reason.NOT_FOUND, detail="no such packet was submitted here")
    known = {envelope_sha256_of(octets) for octets in (packet.envelope, *(one.envelope for one in packet.adopted))}
    if statement.envelope_sha256 not in known or statement.level is not Level.DELIVERED:
        return Answer(None, Reason.RECEIPT_INVALID, detail="the receipt is not about this packet")
    signer = statement.signer_node
    ended += receipts.apply_final(tx, believed, now_ms, relay_node=peer_id if peer_id != signer else "")
    if not all(one.decides for one in statement.outcomes):
        nodes |= reroute(tx, signer, statement.packet_id, directory, now_ms, Word(receipt=statement))
    return Answer()
