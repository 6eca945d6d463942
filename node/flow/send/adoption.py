"""Adoption: an origin that has lost its disk is given back what it signed before.

The same submission has the same packet id, even after a lost disk; but its content key, body and times are new, so a recipient that has the
first envelope refuses the second (ENVELOPE_CONFLICT). It says which envelope it has, with its receipt. The origin adopts both, and calls
the delivery delivered by that receipt, if everything it can check is so (decision 0015):

    its own valid signature is under the first envelope           nobody can make it adopt what it did not sign
    packet id, sender, kind and recipients are those it sends     the same submission, to the same units
    the packet has the same size and SHA-256                      the latter by the word of the recipient, which alone can open it
    the receipt is the recipient's, DELIVERED, about that envelope
"""

from node.errors import Denied
from node.flow.send import receipts
from node.flow.send.receipts import Believed
from node.model.directory import Directory
from node.model.envelope import Envelope, SignedEnvelope
from node.model.mesh import First
from node.model.reason import Reason
from node.model.receipt import Level
from node.model.statement import times_of
from node.ports import Tx
from node.rows import keys
from node.rows.access import require, save
from node.rows.records import AdoptedEnvelope, PacketRecord
from node.seal.signature import ENVELOPE_LABEL, verify_by
from node.wire import codec


def believe(
    first: First, sent: Envelope, packet_sha256: bytes, peer_id: str, directory: Directory, now_ms: int
) -> Believed:
    """Verify what a recipient says it had before; return its receipt. Raises Denied with what is wrong."""
    signed = first.signed_envelope
    envelope = codec.decode_envelope(signed.envelope)
    own = directory.nodes.get(sent.origin_node)
    times_ms = times_of(envelope.create_time_ms, now_ms)
    if own is None or not verify_by(own, ENVELOPE_LABEL, signed.envelope, signed.signature, times_ms):
        raise Denied(Reason.ENVELOPE_SIGNATURE_INVALID, f"{peer_id} has an envelope that we did not sign")
    if _bound(envelope) != _bound(sent) or first.packet_sha256 != packet_sha256:
        raise Denied(Reason.ENVELOPE_CONFLICT, f"{peer_id} has something else of us under this id")
    believed = receipts.believe(first.receipt, directory, now_ms=now_ms)
    receipts.require_about(believed, sent.packet_id, signed.sha256, [peer_id])
    if believed.receipt.level is not Level.DELIVERED:
        raise Denied(Reason.RECEIPT_INVALID, "only a receipt for delivery can be adopted")
    return believed


def _bound(envelope: Envelope) -> tuple[object, ...]:
    """Return what two envelopes of one submission have in common."""
    return (
        envelope.packet_id,
        envelope.packet_nonce,
        envelope.origin_node,
        envelope.sender_unit,
        envelope.recipient_units,
        envelope.kind,
        envelope.body.packet_bytes,
    )


def keep(tx: Tx, packet_id: bytes, node_id: str, signed: SignedEnvelope) -> None:
    """Store an adopted envelope beside our own, since the receipt that is kept is about it."""
    packet = require(tx, keys.packet(packet_id), PacketRecord)
    if any(one.node_id == node_id for one in packet.adopted):
        return
    signature = codec.signature_to_bytes(signed.signature)
    packet.adopted.append(AdoptedEnvelope(node_id=node_id, envelope=signed.envelope, signature=signature))
    save(tx, keys.packet(packet_id), packet)
