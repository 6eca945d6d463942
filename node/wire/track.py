"""Track: how a sent packet and a document's life are shown, between model.office, model.life and office_service.proto.

It stands apart from office.py because these are views: nothing here is asked of the node or decides anything.
"""

from node.model.delivery import State
from node.model.life import Dossier, DossierEntry, LifeAct, LifeState
from node.model.office import DeliveryView, TrackView
from node.model.status import StatusEvent
from node.wire.office import deadlines_from_proto, deadlines_to_proto, finding_from_proto, finding_into, invalid
from node.wire.receipt import reason_of, reason_to_proto, signed_receipt_from_bytes, signed_receipt_to_bytes
from node.wire.truc.v1 import office_service_pb2 as pb
from node.wire.truc.v1 import status_pb2

_STATES = {int(state): state for state in State}
_LIVES = {int(life): life for life in LifeState}
_ACTS = {int(act): act for act in LifeAct}


def track_to_proto(view: TrackView) -> pb.TrackResponse:
    """Translate a packet as its sender sees it."""
    message = pb.TrackResponse(
        packet_id=view.packet_id,
        submission_id=view.submission_id,
        document_id=view.document_id,
        sender_unit=view.sender_unit,
        create_time_ms=view.create_time_ms,
        expire_at_ms=view.expire_at_ms,
        deliveries=[_delivery_to_proto(delivery) for delivery in view.deliveries],
        subject=view.subject,
        document_code=view.document_code,
        promulgation_date=view.promulgation_date,
        due_date=view.due_date,
        deadlines=deadlines_to_proto(view.deadlines),
        business_type=view.business_type,
        document_type_name=view.document_type_name,
    )
    for finding in view.findings:
        finding_into(message.findings.add(), finding)
    return message


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
        message.promulgation_date,
        message.due_date,
        deadlines_from_proto(message.deadlines),
        tuple([finding_from_proto(finding) for finding in message.findings]),
        message.business_type,
        message.document_type_name,
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
        life=pb.LifeState.ValueType(view.life),
        life_packet_id=view.life_packet_id,
        deadlines=deadlines_to_proto(view.deadlines),
    )


def _delivery_from_proto(message: pb.DeliveryView) -> DeliveryView:
    state = _STATES.get(message.state)
    if state is None:
        raise invalid(f"delivery state {message.state} is unknown here")
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
        _LIVES.get(message.life, LifeState.UNKNOWN),
        message.life_packet_id,
        deadlines_from_proto(message.deadlines),
    )


def _status_to_proto(event: StatusEvent) -> status_pb2.StatusEvent:
    return status_pb2.StatusEvent(
        code=event.code,
        unit=event.unit,
        description=event.description,
        timestamp_text=event.timestamp_text,
        accept_time_ms=event.accept_time_ms,
        packet_id=event.packet_id,
        answers_packet_id=event.answers_packet_id,
    )


def _status_from_proto(message: status_pb2.StatusEvent) -> StatusEvent:
    return StatusEvent(
        message.code,
        message.unit,
        message.description,
        message.timestamp_text,
        message.accept_time_ms,
        message.packet_id,
        message.answers_packet_id,
    )


def dossier_to_proto(dossier: Dossier) -> pb.DossierResponse:
    """Translate a document's life."""
    return pb.DossierResponse(
        unit=dossier.unit,
        author_unit=dossier.author_unit,
        document_id=dossier.document_id,
        document_code=dossier.document_code,
        subject=dossier.subject,
        life=pb.LifeState.ValueType(dossier.life),
        entries=[_dossier_entry_to_proto(entry) for entry in dossier.entries],
    )


def dossier_from_proto(message: pb.DossierResponse) -> Dossier:
    """Translate a document's life. Raises Rejected(REQUEST_INVALID) for an act of a newer version."""
    return Dossier(
        message.unit,
        message.author_unit,
        message.document_id,
        message.document_code,
        message.subject,
        _LIVES.get(message.life, LifeState.UNKNOWN),
        tuple([_dossier_entry_from_proto(entry) for entry in message.entries]),
    )


def _dossier_entry_to_proto(entry: DossierEntry) -> pb.DossierEntry:
    return pb.DossierEntry(
        packet_id=entry.packet_id,
        act=pb.LifeAct.ValueType(entry.act),
        sender_unit=entry.sender_unit,
        accept_time_ms=entry.accept_time_ms,
        status_code=entry.status_code,
        answers_packet_id=entry.answers_packet_id,
        note=entry.note,
        waits_for_document=entry.waits_for_document,
        by_node=entry.by_node,
    )


def _dossier_entry_from_proto(message: pb.DossierEntry) -> DossierEntry:
    act = _ACTS.get(message.act)
    if act is None:
        raise invalid(f"act {message.act} is unknown here")
    return DossierEntry(
        message.packet_id,
        act,
        message.sender_unit,
        message.accept_time_ms,
        message.status_code,
        message.answers_packet_id,
        message.note,
        message.waits_for_document,
        message.by_node,
    )
