"""Resigning: a signature is made anew when the key that made it is good no more; what was signed stays octet for octet (decision 0014).

A key that has ended goes on proving what it signed in its time, so after an ordinary change of keys there is nothing to do. But a key
may have been revoked, or may never have been in the directory (a damaged key file), and then a packet that waits, or a receipt that is
kept, would be refused for ever. Signing is deterministic and costs microseconds, so it is done when the thing leaves.
"""

from collections.abc import Sequence

from node.flow.send.receipts import Believed, sign_receipts
from node.model.directory import Directory
from node.model.envelope import Signature, SignedEnvelope
from node.model.mesh import Answer
from node.model.reason import Reason
from node.model.receipt import SignedReceipt
from node.model.statement import times_of
from node.ports import Keys
from node.rows import keys as rows
from node.rows.records import OutboxRecord
from node.seal.public import signing_key_of
from node.seal.signature import ENVELOPE_LABEL
from node.wire import codec


def signed_for_sending(
    signed: SignedEnvelope, row: OutboxRecord, signer: Keys, directory: Directory, now_ms: int
) -> SignedEnvelope:
    """Return an envelope of our own with a signature that others can verify.

    Signed anew if the directory knows no key any more by which its signature is good, or if the peer has refused the signature: its
    directory may know only the key of today.
    """
    if row.kind != rows.OUTBOX_PACKET or signed.signature.key_id == signer.signing_key_id:
        return signed
    was_refused = row.reason == Reason.ENVELOPE_SIGNATURE_INVALID
    said_ms = codec.decode_envelope(signed.envelope).create_time_ms
    if not _better_by_now(signed.signature, said_ms, signer, directory, now_ms, doubted=was_refused):
        return signed
    return SignedEnvelope(signed.envelope, signer.sign(ENVELOPE_LABEL, [signed.envelope])[0])


def receipts_to_sign_anew(
    answers: Sequence[Answer], signer: Keys, directory: Directory, now_ms: int
) -> dict[bytes, Believed]:
    """Return new signatures for those receipts of our own among the answers that nobody could verify, by the receipts' octets."""
    stale = [
        one.receipt for one in answers if one.receipt is not None and _is_stale(one.receipt, signer, directory, now_ms)
    ]
    words = [codec.decode_receipt(one.receipt) for one in stale]
    fresh = sign_receipts(signer, words)
    # A receipt is its octets. Should another version have written them in another way, they are left as they are.
    pairs = zip(stale, words, fresh, strict=True)
    return {old.receipt: Believed(word, new) for old, word, new in pairs if old.receipt == new.receipt}


def _is_stale(signed: SignedReceipt, signer: Keys, directory: Directory, now_ms: int) -> bool:
    if signed.signature.key_id == signer.signing_key_id:
        return False
    receipt = codec.decode_receipt(signed.receipt)
    if receipt.signer_node != signer.node_id:
        return False
    return _better_by_now(signed.signature, receipt.create_time_ms, signer, directory, now_ms)


def _better_by_now(
    signature: Signature, said_ms: int, signer: Keys, directory: Directory, now_ms: int, *, doubted: bool = False
) -> bool:
    """Tell whether our key of today is in the directory, and the one that made a signature is not good (or is doubted)."""
    own = directory.nodes.get(signer.node_id)
    if own is None or signing_key_of(own, signer.signing_key_id, (now_ms,)) is None:
        return False
    return doubted or signing_key_of(own, signature.key_id, times_of(said_ms, now_ms)) is None
