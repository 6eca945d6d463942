"""What an office's software and its node say to each other, between model.office and office_service.proto.

Requests are judged here as far as form goes (Rejected(REQUEST_INVALID)); what they mean is judged by the node. Answers are
read by the client of the same release, so one that cannot be understood is an error too, never a guess.
"""

from collections.abc import Sequence

from node.errors import Rejected
from node.model.delivery import State
from node.model.envelope import PacketKind
from node.model.lane import Lane
from node.model.office import (
    DeliveryView,
    FoundUnit,
    InboxEntry,
    RefusedRecipient,
    Submission,
    SubmitResult,
    TrackView,
)
from node.model.reason import Reason
from node.model.status import StatusEvent
from node.wire.receipt import reason_of, reason_to_proto, signed_receipt_from_bytes, signed_receipt_to_bytes
from node.wire.truc.v1 import envelope_pb2, status_pb2
from node.wire.truc.v1 import office_service_pb2 as pb

SUBMISSION_ID_CHARACTERS_MAX = 128

_KINDS = {int(kind): kind for kind in PacketKind}
_LANES = {int(lane): lane for lane in Lane}
_STATES = {int(state): state for state in State}


def submission_to_proto(submission: Submission) -> pb.SubmitBegin:
    """Translate how a packet is handed in."""
    return pb.SubmitBegin(
        submission_id=submission.submission_id,
        packet_bytes=submission.packet_bytes,
        all_or_nothing=submission.all_or_nothing,
        expire_at_ms=submission.expire_at_ms,
    )


def submission_from_proto(message: pb.SubmitBegin) -> Submission:
    """Translate how a packet is handed in. Raises Rejected(REQUEST_INVALID)."""
    if not 0 < len(message.submission_id) <= SUBMISSION_ID_CHARACTERS_MAX or not message.submission_id.isprintable():
        raise _invalid("submission_id must be 1 to 128 printable characters")
    if message.packet_bytes < 0 or message.expire_at_ms < 0:
        raise _invalid("packet_bytes and expire_at_ms must not be negative")
    return Submission(message.submission_id, message.packet_bytes, message.all_or_nothing, message.expire_at_ms)


def submit_result_to_proto(result: SubmitResult) -> pb.SubmitResult:
    """Translate what became of a packet."""
    return pb.SubmitResult(
        submission_id=result.submission_id,
        packet_id=result.packet_id,
        reason=reason_to_proto(result.reason),
        detail=result.detail,
        refused=[
            pb.RecipientResult(code=r.code, reason=reason_to_proto(r.reason), detail=r.detail) for r in result.refused
        ],
        packet_sha256=result.packet_sha256,
        recipients_served=result.recipients_served,
    )


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
    )


def inbox_entry_to_proto(entry: InboxEntry) -> pb.InboxEntry:
    """Translate one packet that waits."""
    return pb.InboxEntry(
        packet_id=entry.packet_id,
        unit=entry.unit,
        sender_unit=entry.sender_unit,
        kind=envelope_pb2.PacketKind.ValueType(entry.kind),
        lane=envelope_pb2.Lane.ValueType(entry.lane),
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
    )


def inbox_entry_from_proto(message: pb.InboxEntry) -> InboxEntry:
    """Translate one packet that waits. Raises Rejected(REQUEST_INVALID) for a kind or lane of a newer version."""
    kind = _KINDS.get(message.kind)
    if kind is None:
        raise _invalid(f"packet kind {message.kind} is unknown here")
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
    )


def lane_from_proto(number: int) -> Lane:
    """Translate a lane. Raises Rejected(REQUEST_INVALID) for one of a newer version."""
    lane = _LANES.get(number)
    if lane is None:
        raise _invalid(f"lane {number} is unknown here")
    return lane


def track_to_proto(view: TrackView) -> pb.TrackResponse:
    """Translate a packet as its sender sees it."""
    return pb.TrackResponse(
        packet_id=view.packet_id,
        submission_id=view.submission_id,
        document_id=view.document_id,
        sender_unit=view.sender_unit,
        create_time_ms=view.create_time_ms,
        expire_at_ms=view.expire_at_ms,
        deliveries=[_delivery_to_proto(delivery) for delivery in view.deliveries],
        subject=view.subject,
        document_code=view.document_code,
    )


def track_from_proto(message: pb.TrackResponse) -> TrackView:
    """Translate a packet as its sender sees it. Raises Rejected(REQUEST_INVALID), Denied(RECEIPT_INVALID)."""
    return TrackView(
        message.packet_id,
        message.submission_id,
        message.document_id,
        message.document_code,
        message.subject,
        message.sender_unit,
        message.create_time_ms,
        message.expire_at_ms,
        tuple([_delivery_from_proto(delivery) for delivery in message.deliveries]),
    )


def _delivery_to_proto(view: DeliveryView) -> pb.DeliveryView:
    return pb.DeliveryView(
        unit=view.unit,
        node_id=view.node_id,
        state=pb.DeliveryState.ValueType(view.state),
        reason=reason_to_proto(view.reason),
        next_attempt_ms=view.next_attempt_ms,
        end_time_ms=view.end_time_ms,
        custody_node=view.custody_node,
        status_code=view.status_code,
        statuses=[_status_to_proto(status) for status in view.statuses],
        signed_receipt=signed_receipt_to_bytes(view.signed_receipt) if view.signed_receipt else b"",
        attempts=view.attempts,
        unit_name=view.unit_name,
        relay_node=view.relay_node,
    )


def _delivery_from_proto(message: pb.DeliveryView) -> DeliveryView:
    state = _STATES.get(message.state)
    if state is None:
        raise _invalid(f"delivery state {message.state} is unknown here")
    return DeliveryView(
        message.unit,
        message.node_id,
        state,
        reason_of(message.reason),
        message.next_attempt_ms,
        message.end_time_ms,
        message.custody_node,
        message.status_code,
        tuple([_status_from_proto(status) for status in message.statuses]),
        signed_receipt_from_bytes(message.signed_receipt) if message.signed_receipt else None,
        message.attempts,
        message.unit_name,
        message.relay_node,
    )


def _status_to_proto(event: StatusEvent) -> status_pb2.StatusEvent:
    return status_pb2.StatusEvent(
        code=event.code,
        unit=event.unit,
        description=event.description,
        timestamp_text=event.timestamp_text,
        accept_time_ms=event.accept_time_ms,
        packet_id=event.packet_id,
    )


def _status_from_proto(message: status_pb2.StatusEvent) -> StatusEvent:
    return StatusEvent(
        message.code,
        message.unit,
        message.description,
        message.timestamp_text,
        message.accept_time_ms,
        message.packet_id,
    )


def found_units_to_proto(units: Sequence[FoundUnit]) -> pb.SearchUnitsResponse:
    """Translate what a search found."""
    return pb.SearchUnitsResponse(
        units=[pb.FoundUnit(code=u.code, old_code=u.old_code, name=u.name, node_id=u.node_id) for u in units]
    )


def found_units_from_proto(message: pb.SearchUnitsResponse) -> list[FoundUnit]:
    """Translate what a search found."""
    return [FoundUnit(unit.code, unit.old_code, unit.name, unit.node_id) for unit in message.units]


def _invalid(detail: str) -> Rejected:
    return Rejected(Reason.REQUEST_INVALID, detail)
