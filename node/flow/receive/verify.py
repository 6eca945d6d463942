"""Verify: is a pushed packet what it says, before anything is written? Pure: words in, a verdict out.

The TLS certificate proves who the peer is; all that the peer brings must prove itself:
  1. the envelope is signed by its origin, and the origin may speak for the sending unit, under the name it uses (speaker.py);
  2. the peer is the origin itself, or a relay;
  3. the body is the one that the envelope names;
  4. for our own units: the body opens with the key that came along, and holds the packet that the envelope speaks of.
A packet that fails 1 to 3, or cannot be opened, is refused without a receipt: it may be a mistake on the road, and the origin tries
again. A packet that opens and turns out wrong is refused for good, with our signature under it: nothing else would ever end the
delivery.
"""

from dataclasses import dataclass
from hashlib import sha256

from node.errors import Deferred, Denied, Rejected
from node.flow.document.acts import is_report
from node.model.code import parse_code
from node.model.directory import Directory, Role
from node.model.envelope import Envelope
from node.model.header import PacketHeader
from node.model.mesh import Parcel
from node.model.policy import Policy
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt
from node.model.statement import LIFE_MAX_MS, is_possible, times_of
from node.seal.signature import ENVELOPE_LABEL, verify_by
from node.wire import codec


@dataclass(frozen=True, slots=True)
class Verdict:
    """A parcel that will be answered with a receipt. `sealed_header` and `header` are set if it goes into our inboxes."""

    parcel: Parcel
    envelope: Envelope
    receipt: Receipt
    body: bytes | None
    header: PacketHeader | None = None
    sealed_header: bytes = b""

    @property
    def accepted_units(self) -> list[str]:
        """Units whose inbox gets the packet."""
        if self.receipt.level is not Level.DELIVERED:
            return []
        return [outcome.unit for outcome in self.receipt.outcomes if outcome.reason is Reason.NONE]

    @property
    def needs_body(self) -> bool:
        """True if the body is to be kept: for a unit of ours, or to be carried on."""
        return self.receipt.level is Level.CUSTODY or bool(self.accepted_units)


@dataclass(frozen=True, slots=True)
class Opened:
    """The content of a body: its header, or why it is refused; and the header encrypted for our own lists."""

    header: PacketHeader | None
    sealed_header: bytes
    refusal: Reason = Reason.NONE


def check_parcel(parcel: Parcel, peer_id: str, directory: Directory, now_ms: int) -> Envelope:
    """Read and verify an envelope (points 1 and 2). Raises Denied with the reason."""
    envelope = codec.decode_envelope(parcel.signed_envelope.envelope)
    origin = directory.nodes.get(envelope.origin_node)
    if origin is None:
        raise Denied(Reason.PEER_UNKNOWN, f"origin {envelope.origin_node} is not in the directory")
    if not is_possible(envelope.create_time_ms) or not is_possible(envelope.expire_at_ms):
        raise Denied(Reason.ENVELOPE_MALFORMED, f"it says {envelope.create_time_ms} to {envelope.expire_at_ms} ms")
    signed = parcel.signed_envelope
    times_ms = times_of(envelope.create_time_ms, now_ms)
    if not verify_by(origin, ENVELOPE_LABEL, signed.envelope, signed.signature, times_ms):
        raise Denied(Reason.ENVELOPE_SIGNATURE_INVALID, f"signature of {envelope.origin_node} does not verify")
    peer = directory.nodes.get(peer_id)
    if peer_id != envelope.origin_node and (peer is None or Role.RELAY not in peer.roles):
        raise Denied(
            Reason.PEER_SPEAKS_FOR_OTHERS, f"{peer_id} is not a relay, the envelope is {envelope.origin_node}'s"
        )
    return envelope


def require_body(envelope: Envelope, body: bytes) -> None:
    """Check that a body which we cannot open is the one that the envelope names. Raises Denied(BODY_DIGEST_DIFFERS)."""
    if len(body) != envelope.body.body_bytes or sha256(body).digest() != envelope.body.body_sha256:
        raise Denied(Reason.BODY_DIGEST_DIFFERS, f"a body of {len(body)} octets")


def units_served_by(envelope: Envelope, parcel: Parcel, directory: Directory) -> list[str]:
    """Return the recipients for whom a parcel is sent and whom its target serves. Raises Deferred(WRONG_NODE) if there are none.

    Others whom it serves by our directory may be on their way to another node by the sender's.
    """
    units, node_id, meant = [], parcel.target_node, set(parcel.for_units)
    for unit in envelope.recipient_units:
        if meant and unit not in meant:
            continue
        zone = directory.zone_of(parse_code(unit))
        if zone is not None and zone.node_id == node_id:
            units.append(unit)
    if not units:
        raise Deferred(Reason.WRONG_NODE, f"{node_id} serves none of the recipients by directory {directory.version}")
    return units


def outcome_for(unit: str, directory: Directory, envelope: Envelope, opened: Opened, now_ms: int) -> Outcome:
    """Decide about one unit of ours: it must exist, or have existed when the packet was made; or ever, to be answered (decision 0017).

    Raises Deferred(UNIT_NOT_YET) if it is yet to begin, but before the packet expires.
    """
    if opened.refusal is not Reason.NONE:
        return Outcome(unit, opened.refusal)
    if envelope.expire_at_ms <= now_ms:
        return Outcome(unit, Reason.EXPIRED)
    entry = directory.unit(parse_code(unit))
    if entry is None:
        return Outcome(unit, Reason.RECIPIENT_UNKNOWN)
    if any(entry.holds_at(at_ms) for at_ms in times_of(envelope.create_time_ms, now_ms)):
        return Outcome(unit, Reason.NONE)
    if opened.header is not None and is_report(opened.header) and entry.has_begun(now_ms):
        return Outcome(unit, Reason.NONE)
    if now_ms < entry.valid_from_ms < envelope.expire_at_ms:
        wait_ms = entry.valid_from_ms - now_ms
        raise Deferred(Reason.UNIT_NOT_YET, f"{unit} begins in {wait_ms} ms", retry_after_ms=wait_ms)
    return Outcome(unit, Reason.RECIPIENT_UNKNOWN)


def contradiction(envelope: Envelope, header: PacketHeader) -> Reason:
    """Return why an opened packet is not what its envelope says, or NONE. The sender may be called by an alias (decision 0010)."""
    try:
        sender = parse_code(header.sender).text
    except Rejected as fault:
        return fault.reason
    if sender != (envelope.sender_alias or envelope.sender_unit) or header.kind is not envelope.kind:
        return Reason.PEER_SPEAKS_FOR_OTHERS
    return Reason.NONE


def delivered_verdict(
    parcel: Parcel,
    envelope: Envelope,
    opened: Opened,
    body: bytes | None,
    node_id: str,
    directory: Directory,
    now_ms: int,
) -> Verdict:
    """Put the verdict for our own units together.

    Raises Deferred: WRONG_NODE if none of the recipients is ours, UNIT_NOT_YET if one of them is yet to begin.
    """
    units = units_served_by(envelope, parcel, directory)
    outcomes = tuple(outcome_for(unit, directory, envelope, opened, now_ms) for unit in units)
    receipt = Receipt(envelope.packet_id, parcel.signed_envelope.sha256, node_id, Level.DELIVERED, outcomes, now_ms)
    return Verdict(parcel, envelope, receipt, body, opened.header, opened.sealed_header)


def require_relay(
    parcel: Parcel, envelope: Envelope, node_id: str, directory: Directory, policy: Policy, now_ms: int
) -> None:
    """Raise Denied(RELAY_NOT_ALLOWED) unless we carry this for others, Deferred(WRONG_NODE) if we do not know the target."""
    own = directory.nodes.get(node_id)
    if not policy.relay_for_others or own is None or Role.RELAY not in own.roles:
        raise Denied(Reason.RELAY_NOT_ALLOWED, f"{node_id} carries nothing for {parcel.target_node}")
    if parcel.target_node not in directory.nodes:
        raise Deferred(Reason.WRONG_NODE, f"no node {parcel.target_node} in directory {directory.version}")
    if envelope.expire_at_ms > now_ms + LIFE_MAX_MS:
        raise Denied(
            Reason.RELAY_NOT_ALLOWED, f"{node_id} carries nothing that would wait until {envelope.expire_at_ms} ms"
        )


def custody_verdict(
    parcel: Parcel,
    envelope: Envelope,
    body: bytes | None,
    node_id: str,
    directory: Directory,
    policy: Policy,
    now_ms: int,
) -> Verdict:
    """Decide to carry a packet for another node. Raises Denied(RELAY_NOT_ALLOWED), Deferred(WRONG_NODE) or Rejected(EXPIRED)."""
    require_relay(parcel, envelope, node_id, directory, policy, now_ms)
    if envelope.expire_at_ms <= now_ms:
        raise Rejected(Reason.EXPIRED, "the packet has expired")
    units = units_served_by(envelope, parcel, directory)
    outcomes = tuple(Outcome(unit, Reason.NONE) for unit in units)
    receipt = Receipt(envelope.packet_id, parcel.signed_envelope.sha256, node_id, Level.CUSTODY, outcomes, now_ms)
    return Verdict(parcel, envelope, receipt, body)
