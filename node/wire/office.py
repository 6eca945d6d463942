"""Office: what an office's software and its node say to each other, between model.office and office_service.proto.

This file judges the form of requests (Rejected(REQUEST_INVALID)); the node judges what they mean. Answers are read by the client of
the same release, so an answer that cannot be understood is an error too, never a guess.
"""

from collections.abc import Sequence

from node.errors import Rejected
from node.model.deadline import Deadline, DeadlineKind
from node.model.directory import Alias
from node.model.envelope import PacketKind
from node.model.finding import Finding, Severity
from node.model.lane import Lane
from node.model.office import (
    FoundUnit,
    InboxEntry,
    RefusedRecipient,
    Submission,
    SubmitResult,
)
from node.model.reason import Reason
from node.wire.lane import lane_of_numbers, lane_to_numbers
from node.wire.receipt import reason_of, reason_to_proto, signed_receipt_from_bytes, signed_receipt_to_bytes
from node.wire.truc.v1 import envelope_pb2
from node.wire.truc.v1 import office_service_pb2 as pb

SUBMISSION_ID_CHARACTERS_MAX = 128

_KINDS = {int(kind): kind for kind in PacketKind}
_DEADLINES = {int(kind): kind for kind in DeadlineKind}
_SEVERITY_NUMBERS = {Severity.ERROR: pb.SEVERITY_ERROR, Severity.WARNING: pb.SEVERITY_WARNING}


def submission_to_proto(submission: Submission) -> pb.SubmitBegin:
    """Translate the request that comes with a packet."""
    return pb.SubmitBegin(
        submission_id=submission.submission_id,
        packet_bytes=submission.packet_bytes,
        all_or_nothing=submission.all_or_nothing,
        expire_at_ms=submission.expire_at_ms,
    )


def submission_from_proto(message: pb.SubmitBegin) -> Submission:
    """Translate the request that comes with a packet. Raises Rejected(REQUEST_INVALID)."""
    if not 0 < len(message.submission_id) <= SUBMISSION_ID_CHARACTERS_MAX or not message.submission_id.isprintable():
        raise invalid("submission_id must be 1 to 128 printable characters")
    if message.packet_bytes < 0 or message.expire_at_ms < 0:
        raise invalid("packet_bytes and expire_at_ms must not be negative")
    return Submission(message.submission_id, message.packet_bytes, message.all_or_nothing, message.expire_at_ms)


def submit_result_to_proto(result: SubmitResult) -> pb.SubmitResult:
    """Translate what became of a packet."""
    message = pb.SubmitResult()
    submit_result_into(message, result)
    return message


def submit_result_into(message: pb.SubmitResult, result: SubmitResult) -> None:
    """Translate what became of a packet."""
    message.submission_id = result.submission_id
    message.packet_id = result.packet_id
    message.reason = reason_to_proto(result.reason)
    message.detail = result.detail
    for one in result.refused:
        message.refused.add(code=one.code, reason=reason_to_proto(one.reason), detail=one.detail)
    message.packet_sha256 = result.packet_sha256
    message.recipients_served = result.recipients_served
    for finding in result.findings:
        finding_into(message.findings.add(), finding)


def submit_result_from_proto(message: pb.SubmitResult) -> SubmitResult:
    """Translate what became of a packet."""
    return SubmitResult(
        message.submission_id,
        message.packet_id,
        reason_of(message.reason),
        message.detail,
        tuple([RefusedRecipient(r.code, reason_of(r.reason), r.detail) for r in message.refused]),
        message.packet_sha256,
        message.recipients_served,
        tuple([finding_from_proto(finding) for finding in message.findings]),
    )


def finding_into(message: pb.Finding, finding: Finding) -> None:
    """Translate what a rule found."""
    message.code = finding.code
    message.severity = _SEVERITY_NUMBERS[finding.severity]
    message.path = finding.path
    message.sentence = finding.sentence
    message.source = finding.source


def finding_from_proto(message: pb.Finding) -> Finding:
    """Translate what a rule found."""
    # A severity of a newer version is at least a warning.
    severity = Severity.ERROR if message.severity == pb.SEVERITY_ERROR else Severity.WARNING
    return Finding(message.code, severity, message.path, message.sentence, message.source)


def inbox_entry_to_proto(entry: InboxEntry) -> pb.InboxEntry:
    """Translate one packet that waits."""
    return pb.InboxEntry(
        packet_id=entry.packet_id,
        unit=entry.unit,
        sender_unit=entry.sender_unit,
        kind=envelope_pb2.PacketKind.ValueType(entry.kind),
        lane=lane_to_numbers(entry.lane)[0],
        accept_time_ms=entry.accept_time_ms,
        packet_bytes=entry.packet_bytes,
        packet_sha256=entry.packet_sha256,
        document_id=entry.document_id,
        document_code=entry.document_code,
        subject=entry.subject,
        status_code=entry.status_code,
        lease_until_ms=entry.lease_until_ms,
        fetch_count=entry.fetch_count,
        sender_name=entry.sender_name,
        business_type=entry.business_type,
        promulgation_date=entry.promulgation_date,
        due_date=entry.due_date,
        deadlines=deadlines_to_proto(entry.deadlines),
        signed_receipt=signed_receipt_to_bytes(entry.signed_receipt) if entry.signed_receipt else b"",
    )


def inbox_entry_from_proto(message: pb.InboxEntry) -> InboxEntry:
    """Translate one packet that waits. Raises Rejected(REQUEST_INVALID) for a kind or lane of a newer version, Denied(RECEIPT_INVALID)."""
    kind = _KINDS.get(message.kind)
    if kind is None:
        raise invalid(f"packet kind {message.kind} is unknown here")
    return InboxEntry(
        message.packet_id,
        message.unit,
        message.sender_unit,
        kind,
        lane_from_proto(message.lane),
        message.accept_time_ms,
        message.packet_bytes,
        message.packet_sha256,
        message.document_id,
        message.document_code,
        message.subject,
        message.status_code,
        message.lease_until_ms,
        message.fetch_count,
        message.sender_name,
        message.business_type,
        message.promulgation_date,
        message.due_date,
        deadlines_from_proto(message.deadlines),
        signed_receipt_from_bytes(message.signed_receipt) if message.signed_receipt else None,
    )


def lane_from_proto(number: int, urgency: int = 0) -> Lane:
    """Translate a lane. Raises Rejected(REQUEST_INVALID) for one of a newer version."""
    lane = lane_of_numbers(number, urgency)
    if lane is None:
        raise invalid(f"lane {number} is unknown here")
    return lane


def deadlines_to_proto(deadlines: Sequence[Deadline]) -> list[pb.Deadline]:
    """Translate deadlines."""
    return [
        pb.Deadline(kind=pb.DeadlineKind.ValueType(one.kind), due_at_ms=one.due_at_ms, met_at_ms=one.met_at_ms)
        for one in deadlines
    ]


def deadlines_from_proto(messages: Sequence[pb.Deadline]) -> tuple[Deadline, ...]:
    """Translate deadlines."""
    # A kind of a newer version means nothing here.
    known = [(_DEADLINES.get(message.kind), message) for message in messages]
    return tuple([Deadline(kind, message.due_at_ms, message.met_at_ms) for kind, message in known if kind])


def found_units_to_proto(units: Sequence[FoundUnit]) -> pb.SearchUnitsResponse:
    """Translate what a search found."""
    return pb.SearchUnitsResponse(units=[_found_unit_to_proto(unit) for unit in units])


def _found_unit_to_proto(unit: FoundUnit) -> pb.FoundUnit:
    aliases = [
        pb.UnitAlias(code=one.code, valid_from_ms=one.valid_from_ms, valid_to_ms=one.valid_to_ms)
        for one in unit.aliases
    ]
    return pb.FoundUnit(code=unit.code, old_code=unit.old_code, name=unit.name, node_id=unit.node_id, aliases=aliases)


def found_units_from_proto(message: pb.SearchUnitsResponse) -> list[FoundUnit]:
    """Translate what a search found."""
    return [_found_unit_from_proto(unit) for unit in message.units]


def _found_unit_from_proto(unit: pb.FoundUnit) -> FoundUnit:
    aliases = tuple(Alias(one.code, unit.code, one.valid_from_ms, one.valid_to_ms) for one in unit.aliases)
    return FoundUnit(unit.code, unit.old_code, unit.name, unit.node_id, aliases)


def invalid(detail: str) -> Rejected:
    """Make the fault for a message that has no meaning here."""
    return Rejected(Reason.REQUEST_INVALID, detail)
