"""Asked: what a node answers to whoever asks what it has decided about recipients of a packet (decision 0019).

An origin asks the node to which it may have sent a packet, when the unit has moved away from it or the packet's time is over. The answer
is that node's receipt, which speaks of every unit asked about:

    decided before             what was decided, as it was
    its time is over           EXPIRED: not taken, and never will be
    served by another node     WRONG_NODE: not taken, and will not be, unless it is sent again by a newer directory
    ours, and there is time    nothing: the body is wanted, as with any offer

It is written down before it is said, so a copy of the packet that is still on the road finds it (send/supplement.py). By a directory older
than the asker's nothing is said. A relay hands the question on, and the answer back, as it does with packets: it knows nothing itself.
"""

from collections.abc import Sequence
from dataclasses import replace

from node.errors import Denied
from node.flow.receive import accept
from node.flow.receive.older import not_yet
from node.flow.send import outbox, receipts
from node.flow.send.supplement import open_units
from node.model.code import parse_code
from node.model.directory import Directory
from node.model.envelope import Envelope
from node.model.mesh import Answer, Parcel
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt
from node.ports import Tx
from node.rows import keys
from node.rows.access import load, save
from node.rows.records import OutboxRecord, PacketRecord
from node.wire import codec

EVERY_VERSION = 1 << 62
"""Newer than any directory: against a packet whose time is over no WRONG_NODE stands, since there is a word that is final."""


def require_meant(parcel: Parcel, envelope: Envelope) -> None:
    """Raise Denied(ENVELOPE_MALFORMED) if a question names others than recipients of the packet, or one twice."""
    asked = set(parcel.asked_units)
    if len(asked) != len(parcel.asked_units) or not asked <= set(envelope.recipient_units):
        raise Denied(Reason.ENVELOPE_MALFORMED, "a question about units that are no recipients")


def as_judged(parcel: Parcel, *, is_late: bool) -> Parcel:
    """Return a question by the directory by which it is judged what stands against it."""
    return replace(parcel, addressed_version=EVERY_VERSION) if is_late else parcel


def unsaid(tx: Tx, parcel: Parcel, packet_id: bytes, node_id: str) -> Answer | list[str]:
    """Return our receipt if it speaks of all that is asked about, else the units of which it does not."""
    before = accept.decided(tx, packet_id, parcel, node_id, parcel.asked_units)
    if before is not None:
        return before
    first = receipts.kept(tx, packet_id, Level.DELIVERED, node_id)
    said = codec.decode_receipt(first.receipt) if first is not None else None
    asked = parcel.asked_units
    return list(asked) if said is None else open_units(said, asked, parcel.addressed_version)


def word_about(
    parcel: Parcel, envelope: Envelope, units: Sequence[str], directory: Directory, node_id: str, now_ms: int
) -> Receipt | None:
    """Return what is to be said of units that are not decided about; None: nothing, all of them may be sent to us.

    Raises Deferred(DIRECTORY_OLDER) if the asker knows more than we.
    """
    if envelope.expire_at_ms <= now_ms:
        outcomes = [Outcome(unit, Reason.EXPIRED) for unit in units]
    elif parcel.directory_version > directory.version:
        raise not_yet(parcel, directory, "what has moved since is not known here")
    else:
        others = [unit for unit in units if not _is_ours(unit, directory, node_id)]
        outcomes = [Outcome(unit, Reason.WRONG_NODE, directory.version) for unit in others]
    if not outcomes:
        return None
    digest = parcel.signed_envelope.sha256
    return Receipt(envelope.packet_id, digest, node_id, Level.DELIVERED, tuple(outcomes), now_ms)


def _is_ours(unit: str, directory: Directory, node_id: str) -> bool:
    zone = directory.zone_of(parse_code(unit))
    return zone is not None and zone.node_id == node_id


def hand_on(tx: Tx, parcel: Parcel, envelope: Envelope, now_ms: int) -> Answer:
    """Answer at a relay with the target's receipt, if it is here and says what is asked; else let the target be asked.

    Raises Denied(ENVELOPE_CONFLICT).
    """
    packet_id, target, signed = envelope.packet_id, parcel.target_node, parcel.signed_envelope
    packet = load(tx, keys.packet(packet_id), PacketRecord)
    if packet is not None and packet.envelope != signed.envelope:
        raise Denied(Reason.ENVELOPE_CONFLICT, f"another envelope was accepted as {packet_id.hex()}")
    final = receipts.kept(tx, packet_id, Level.DELIVERED, target)
    said = codec.decode_receipt(final.receipt) if final is not None else None
    if said is not None and not open_units(said, parcel.asked_units, parcel.addressed_version):
        return Answer(final)
    if packet is None:
        signature = codec.signature_to_bytes(signed.signature)
        packet = PacketRecord(envelope=signed.envelope, signature=signature, accept_time_ms=now_ms, body_forgotten=True)
        save(tx, keys.packet(packet_id), packet)
        tx.put(keys.due(max(now_ms, envelope.expire_at_ms), keys.DUE_EXPIRE, packet_id), b"")
    else:
        accept.renew_signature(tx, packet_id, signed)
    _enqueue(tx, parcel, envelope, now_ms)
    return Answer(None, Reason.IN_CUSTODY)


def _enqueue(tx: Tx, parcel: Parcel, envelope: Envelope, now_ms: int) -> None:
    def alter(record: OutboxRecord) -> None:
        record.key_wrap = codec.key_wrap_to_bytes(parcel.key_wrap)
        record.directory_version = parcel.directory_version
        record.asked_units[:] = parcel.asked_units
        record.units[:] = parcel.for_units

    row = outbox.packet_row(envelope, keys.OUTBOX_RELAY, parcel.asked_units, now_ms)
    alter(row)
    packet_id, target = envelope.packet_id, parcel.target_node
    if not outbox.enqueue(tx, target, envelope.lane, packet_id, keys.OUTBOX_RELAY, row):
        outbox.change(tx, target, packet_id, keys.OUTBOX_RELAY, now_ms, alter)
