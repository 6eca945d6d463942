"""Receipts between words and octets, and reasons between numbers and words.

Like an envelope a receipt is serialised once, by its signer, and only its bytes count. A newer peer may give a reason
that this version does not know: its number still tells who must act, so it becomes the plainest reason of that range.
"""

from google.protobuf.message import DecodeError

from node.errors import Denied
from node.model.calendar import bounded_ms
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt, SignedReceipt
from node.wire.envelope import (
    RECIPIENTS_MAX,
    is_canonical_code,
    is_node_id,
    signature_from_proto,
    signature_into,
)
from node.wire.truc.v1 import reason_pb2
from node.wire.truc.v1 import receipt_pb2 as pb

VERSION = 1

_LEVELS = {int(level): level for level in Level}
_REASONS = {int(reason): reason for reason in Reason}
_PLAINEST = ((40, Reason.REQUEST_INVALID), (70, Reason.ENVELOPE_MALFORMED), (100, Reason.PEER_BUSY))


def reason_of(number: int) -> Reason:
    """Return the reason of a number; for one that only a newer version knows, the plainest of its range."""
    known = _REASONS.get(number)
    if known is not None:
        return known
    return next((reason for end, reason in _PLAINEST if 0 < number < end), Reason.IO_FAILED)


def reason_to_proto(reason: Reason) -> reason_pb2.Reason.ValueType:
    """Translate a reason."""
    return reason_pb2.Reason.ValueType(reason)


def encode_receipt(receipt: Receipt) -> bytes:
    """Serialise a receipt, once and for all. A malformed one is our own mistake: no peer would ever accept it."""
    flaw = _flaw(receipt)
    assert not flaw, flaw
    message = pb.Receipt(
        version=VERSION,
        packet_id=receipt.packet_id,
        envelope_sha256=receipt.envelope_sha256,
        signer_node=receipt.signer_node,
        level=pb.Level.ValueType(receipt.level),
        create_time_ms=receipt.create_time_ms,
    )
    for outcome in receipt.outcomes:
        message.outcomes.add(
            unit=outcome.unit, reason=reason_to_proto(outcome.reason), directory_version=outcome.directory_version
        )
    return message.SerializeToString(deterministic=True)


def decode_receipt(octets: bytes) -> Receipt:
    """Read a receipt's exact bytes. Raises Denied(RECEIPT_INVALID), naming what is wrong."""
    try:
        message = pb.Receipt.FromString(octets)
    except DecodeError as error:
        raise _invalid("not a truc.v1.Receipt") from error
    level = _LEVELS.get(message.level)
    if message.version != VERSION or level is None:
        raise _invalid(f"version {message.version}, level {message.level}")
    receipt = Receipt(
        message.packet_id,
        message.envelope_sha256,
        message.signer_node,
        level,
        tuple([Outcome(one.unit, reason_of(one.reason), max(0, one.directory_version)) for one in message.outcomes]),
        message.create_time_ms,
    )
    flaw = _flaw(receipt)
    if flaw:
        raise _invalid(flaw)
    return receipt


def receipt_time_ms(octets: bytes) -> int:
    """Return when a stored receipt was made, without reading what it says of each unit. Raises Denied(RECEIPT_INVALID).

    One that was kept before such times were refused may say any year.
    """
    try:
        return bounded_ms(pb.Receipt.FromString(octets).create_time_ms)
    except DecodeError as error:
        raise _invalid("not a truc.v1.Receipt") from error


def signed_receipt_into(message: pb.SignedReceipt, signed: SignedReceipt) -> None:
    """Translate a signed receipt; the receipt's bytes stay as they are."""
    message.receipt = signed.receipt
    signature_into(message.signature, signed.signature)


def signed_receipt_from_proto(message: pb.SignedReceipt) -> SignedReceipt:
    """Translate a signed receipt; neither its bytes nor its signature are judged."""
    return SignedReceipt(message.receipt, signature_from_proto(message.signature))


def signed_receipt_to_bytes(signed: SignedReceipt) -> bytes:
    """Serialise a signed receipt for the store and for Track."""
    message = pb.SignedReceipt()
    signed_receipt_into(message, signed)
    return message.SerializeToString(deterministic=True)


def signed_receipt_from_bytes(octets: bytes) -> SignedReceipt:
    """Read a serialised signed receipt. Raises Denied(RECEIPT_INVALID)."""
    try:
        return signed_receipt_from_proto(pb.SignedReceipt.FromString(octets))
    except DecodeError as error:
        raise _invalid("not a truc.v1.SignedReceipt") from error


def _flaw(receipt: Receipt) -> str:
    """Say what is wrong with a receipt, or "" if nothing is."""
    if len(receipt.packet_id) != 16 or len(receipt.envelope_sha256) != 32:
        return "packet_id is not 16 octets or envelope_sha256 not 32"
    if not is_node_id(receipt.signer_node):
        return "signer_node is not an id"
    if receipt.create_time_ms < 0:
        return "create_time_ms is negative"
    return _flaw_of_outcomes(receipt)


def _flaw_of_outcomes(receipt: Receipt) -> str:
    outcomes = receipt.outcomes
    if not 0 < len(outcomes) <= RECIPIENTS_MAX:
        return f"{len(outcomes)} outcomes"
    if len(outcomes) > 1 and len({outcome.unit for outcome in outcomes}) != len(outcomes):
        return "a unit is named twice"
    if not all(is_canonical_code(outcome.unit) for outcome in outcomes):
        return "a code is not in canonical form"
    if receipt.level is Level.CUSTODY and any(outcome.reason is not Reason.NONE for outcome in outcomes):
        return "custody with a reason"
    if receipt.level is Level.FAILED and any(outcome.reason is Reason.NONE for outcome in outcomes):
        return "failed without a reason"
    return ""


def _invalid(detail: str) -> Denied:
    return Denied(Reason.RECEIPT_INVALID, detail)
