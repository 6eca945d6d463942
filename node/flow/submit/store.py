"""Store: a packet that was handed in becomes a durable packet, its deliveries, and the outbox rows that carry it.

        octets -> read -> check -> seal -> [sign, with all that arrived together] -> one transaction -> answer

The packet id follows from the submitter's own id, so a repeat finds the first answer in the same transaction that would have
stored it, however the two race (law 3). The same transaction serves recipients on this very node: their receipt is our own, signed
before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from node.errors import Fault, Rejected
from node.flow.bodies import refs
from node.flow.bodies.summary import sealed_header
from node.flow.document import acts, dossier
from node.flow.duties.duty import NODE_SYSTEM
from node.flow.receive import arrival, slices
from node.flow.send import outbox, receipts
from node.flow.submit import duplicates
from node.flow.submit.check import Addressed
from node.model.delivery import State
from node.model.envelope import BodyRef, Envelope, KeyWrap, PacketKind, SignedEnvelope, packet_id_of, packet_nonce_of
from node.model.finding import Finding
from node.model.header import UPDATE, WITHDRAWAL, PacketHeader
from node.model.lane import Lane, bulk_lane, lane_of_priority
from node.model.office import Submission, SubmitResult, System
from node.model.policy import Policy
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt
from node.ports import Keys, Tx
from node.rows import document_keys, keys
from node.rows.access import load, save
from node.rows.records import DeliveryRecord, PacketRecord, SubmissionRecord
from node.seal.signature import ENVELOPE_LABEL
from node.seal.wrap import Wrapper
from node.wire import codec, office
from node.wire.truc.v1 import office_service_pb2


@dataclass(frozen=True, slots=True)
class Draft:
    """A packet that has been read, checked and encrypted, but not signed. `body` is None if it lies in a file.

    `create_after_ms`: the author's newest act about the same document, which this one has to follow. `routed_by`: digest of the map of
    prefixes by which it is addressed (send/reroute.py).
    """

    system: System
    submission: Submission
    header: PacketHeader
    addressed: Addressed
    packet_sha256: bytes
    content_key: bytes
    body: bytes | None
    body_ref: BodyRef
    findings: tuple[Finding, ...] = ()
    """Warnings of the rules."""
    answers_packet_id: bytes = b""
    create_after_ms: int = 0
    routed_by: bytes = b""

    @property
    def needs_request(self) -> bool:
        """True of a 15 or 16 that does not say yet what it answers."""
        return self.header.status_code in acts.ANSWER_CODES and not self.answers_packet_id


@dataclass(frozen=True, slots=True)
class TooEarly:
    """Not stored yet: by its create time the packet would not be the newest about its document; `newest_ms` is."""

    newest_ms: int


@dataclass(frozen=True, slots=True)
class Signed:
    """A draft with everything the transaction needs."""

    draft: Draft
    envelope: Envelope
    signed_envelope: SignedEnvelope
    own_wrap: KeyWrap
    own_receipt: receipts.Believed | None


def lane_of(header: PacketHeader, body_bytes: int, policy: Policy) -> Lane:
    """Choose the lane: statuses have one, documents go by urgency; bodies too large for a Push have lanes of their own."""
    urgency = Lane.CONTROL if header.kind is PacketKind.STATUS else lane_of_priority(header.priority)
    return bulk_lane(urgency) if body_bytes > policy.push_body_bytes_max else urgency


def envelope_of(draft: Draft, node_id: str, now_ms: int, policy: Policy) -> Envelope:
    """Write the envelope of a draft."""
    submission = draft.submission
    nonce = packet_nonce_of(draft.system.name, submission.submission_id)
    create_time_ms = max(now_ms, draft.create_after_ms + 1)
    expire_at_ms = submission.expire_at_ms or now_ms + policy.expire_after_ms
    return Envelope(
        packet_id=packet_id_of(node_id, nonce),
        packet_nonce=nonce,
        origin_node=node_id,
        sender_unit=draft.addressed.sender.text,
        recipient_units=tuple(draft.addressed.routes),
        kind=draft.header.kind,
        lane=lane_of(draft.header, draft.body_ref.body_bytes, policy),
        create_time_ms=create_time_ms,
        # Its time may have come, or the clock have jumped, since it was checked: then it expires at once, in sight, and is no mistake.
        expire_at_ms=max(expire_at_ms, create_time_ms + 1),
        body=draft.body_ref,
        answers_packet_id=draft.answers_packet_id,
        aliases=draft.addressed.aliases,
        sender_alias=draft.addressed.sender_alias,
    )


def sign_drafts(
    drafts: list[Draft], signer: Keys, wrapper: Wrapper, now_ms: int, policy: Policy, own_key: bytes
) -> list[Signed]:
    """Sign the envelopes of a group with one private-key operation, and the receipts of local recipients with another.

    `own_key` is our own public sealing key: the origin keeps the content key locked for itself.
    """
    envelopes = [envelope_of(draft, signer.node_id, now_ms, policy) for draft in drafts]
    statements = [codec.encode_envelope(envelope) for envelope in envelopes]
    signatures = signer.sign(ENVELOPE_LABEL, statements)
    sealed = [SignedEnvelope(s, signature) for s, signature in zip(statements, signatures, strict=True)]
    digests = [one.sha256 for one in sealed]
    local = [
        _local_receipt(d, e, h, signer.node_id, now_ms) for d, e, h in zip(drafts, envelopes, digests, strict=True)
    ]
    own = [one for one in local if one is not None]
    signed = iter(receipts.sign_receipts(signer, own))
    return [
        Signed(
            draft=draft,
            envelope=envelope,
            signed_envelope=one,
            own_wrap=wrapper.wrap(draft.content_key, signer.node_id, own_key, digest),
            own_receipt=receipts.Believed(mine, next(signed)) if mine is not None else None,
        )
        for draft, envelope, one, digest, mine in zip(drafts, envelopes, sealed, digests, local, strict=True)
    ]


def _local_receipt(draft: Draft, envelope: Envelope, digest: bytes, node_id: str, now_ms: int) -> Receipt | None:
    units = [unit for unit, node in draft.addressed.routes.items() if node == node_id]
    if not units:
        return None
    outcomes = tuple(Outcome(unit, Reason.NONE) for unit in units)
    return Receipt(envelope.packet_id, digest, node_id, Level.DELIVERED, outcomes, now_ms)


def repeat_of(tx: Tx, system: System, submission_id: str, packet_sha256: bytes | None) -> SubmitResult | None:
    """Return the first answer to this submission id, or None if it is new.

    Raises Rejected(ID_REUSED) if it was used for other bytes; without a digest the bytes are not compared.
    """
    record = load(tx, keys.submission(system.name, submission_id), SubmissionRecord)
    if record is None:
        return None
    if packet_sha256 is not None and record.packet_sha256 != packet_sha256:
        raise Rejected(Reason.ID_REUSED, f"submission id {submission_id!r} was used for a packet with other octets")
    return office.submit_result_from_proto(office_service_pb2.SubmitResult.FromString(record.result))


def requests_answered(tx: Tx, drafts: Sequence[Draft]) -> list[bytes]:
    """Return for each 15 or 16 which packet it answers (decision 0006): edXML has no field that says so."""
    return [
        dossier.answered(
            tx,
            one.addressed.sender.text,
            next(iter(one.addressed.routes)),
            one.header.subject_document_id,
            one.addressed.aliases,
        )
        for one in drafts
    ]


def store_group(
    tx: Tx, group: list[Signed], now_ms: int, policy: Policy, stored: list[Signed]
) -> list[SubmitResult | TooEarly | Exception]:
    """Store a group; each packet gets its own answer, and a fault of one leaves the others alone.

    `stored` gets those that were new: a repeat has an answer, too, its first.
    """
    return [_store_or_fault(tx, one, now_ms, policy, stored) for one in group]


def _store_or_fault(
    tx: Tx, signed: Signed, now_ms: int, policy: Policy, stored: list[Signed]
) -> SubmitResult | TooEarly | Exception:
    # Nothing has been written when `repeat_of` raises, so the fault of one packet cannot leave half a packet behind.
    try:
        first = repeat_of(tx, signed.draft.system, signed.draft.submission.submission_id, signed.draft.packet_sha256)
    except Fault as fault:
        return fault
    if first is not None:
        return first
    newest_ms = dossier.newest_ms(tx, signed.envelope, signed.draft.header)
    if newest_ms >= signed.envelope.create_time_ms:
        return TooEarly(newest_ms)
    stored.append(signed)
    return _store(tx, signed, now_ms, policy)


def _store(tx: Tx, signed: Signed, now_ms: int, policy: Policy) -> SubmitResult:
    draft, envelope = signed.draft, signed.envelope
    findings = (*draft.findings, *duplicates.findings(tx, envelope, draft.header))
    _put_packet(tx, signed, findings, now_ms)
    refs.hold(tx, envelope.body.body_sha256, envelope.packet_id)
    if draft.body is not None:
        tx.put(keys.body(envelope.body.body_sha256), draft.body)
    if envelope.kind is PacketKind.DOCUMENT:
        _name_document(tx, envelope, draft.header)
    _put_deliveries(tx, signed, now_ms)
    dossier.submitted(tx, envelope, draft.header, now_ms, by_node=draft.system.name == NODE_SYSTEM)
    tx.put(keys.due(envelope.expire_at_ms, keys.DUE_EXPIRE, envelope.packet_id), b"")
    tx.put(keys.sent_row(draft.system.name, now_ms, envelope.packet_id), b"")
    if signed.own_receipt is not None:
        if len(signed.own_receipt.receipt.outcomes) > policy.arrive_at_once:
            slices.begin(tx, signed.own_receipt)
        else:
            deliver_locally(tx, signed, now_ms, policy)
    result = SubmitResult(
        submission_id=draft.submission.submission_id,
        packet_id=envelope.packet_id,
        refused=draft.addressed.refused,
        packet_sha256=draft.packet_sha256,
        recipients_served=len(draft.addressed.routes),
        findings=findings,
    )
    key = keys.submission(draft.system.name, draft.submission.submission_id)
    stored = office.submit_result_to_proto(result).SerializeToString()
    save(tx, key, SubmissionRecord(packet_id=envelope.packet_id, packet_sha256=draft.packet_sha256, result=stored))
    return result


def _name_document(tx: Tx, envelope: Envelope, header: PacketHeader) -> None:
    """Let a packet be found by its document's DocumentId: one that brings it always, one that only changes it if none was found so far."""
    brings = header.business_type not in (WITHDRAWAL, UPDATE)
    for name in {header.document_id, header.subject_document_id} - {""}:
        key = document_keys.document(envelope.sender_unit, name)
        if brings or tx.get(key) is None:
            tx.put(key, envelope.packet_id)


def _put_packet(tx: Tx, signed: Signed, findings: tuple[Finding, ...], now_ms: int) -> None:
    draft = signed.draft
    record = PacketRecord(
        envelope=signed.signed_envelope.envelope,
        signature=codec.signature_to_bytes(signed.signed_envelope.signature),
        own_wrap=codec.key_wrap_to_bytes(signed.own_wrap),
        sealed_header=sealed_header(draft.content_key, draft.header, draft.packet_sha256, findings),
        accept_time_ms=now_ms,
        submission_id=draft.submission.submission_id,
        system=draft.system.name,
        document_sha256=dossier.digest_of(draft.header),
        other_documents_sha256=dossier.other_digests_of(draft.header),
        number_sha256=duplicates.number_sha256(signed.envelope, draft.header),
    )
    save(tx, keys.packet(signed.envelope.packet_id), record)


def _put_deliveries(tx: Tx, signed: Signed, now_ms: int) -> None:
    envelope, own_node = signed.envelope, signed.envelope.origin_node
    routes = signed.draft.addressed.routes
    units_by_node: dict[str, list[str]] = {}
    for unit, node in routes.items():
        units_by_node.setdefault(node, []).append(unit)
    waiting = {
        node: DeliveryRecord(state=State.WAITING, reason=Reason.QUEUED, node_id=node).SerializeToString()
        for node in units_by_node
    }
    for unit, node in routes.items():
        tx.put(keys.delivery(envelope.packet_id, unit), waiting[node])
    for node, units in units_by_node.items():
        if node == own_node:
            continue
        row = outbox.packet_row(envelope, keys.OUTBOX_PACKET, units, now_ms)
        outbox.enqueue(tx, node, envelope.lane, envelope.packet_id, keys.OUTBOX_PACKET, row)


def deliver_locally(tx: Tx, signed: Signed, now_ms: int, policy: Policy) -> None:
    """Serve the recipients that are units of this very node."""
    believed, envelope = signed.own_receipt, signed.envelope
    assert believed is not None
    receipts.apply_final(tx, believed, now_ms)
    units = [outcome.unit for outcome in believed.receipt.outcomes]
    arrival.deliver(tx, envelope, signed.draft.header, units, now_ms, policy)
