"""Track: how a sent packet and a document's life are shown, between model.office, model.life and office_service.proto.

It stands apart from office.py because these are views: nothing here is asked of the node or decides anything.
"""

from collections.abc import Iterable

from node.model.delivery import State
from node.model.life import Dossier, DossierEntry, LifeAct, LifeState
from node.model.office import DeliveryView, TrackView
from node.model.policy import MIB
from node.model.receipt import SignedReceipt
from node.model.status import StatusEvent
from node.wire.office import deadlines_from_proto, deadlines_to_proto, finding_from_proto, finding_into, invalid
from node.wire.receipt import reason_of, reason_to_proto, signed_receipt_from_bytes, signed_receipt_to_bytes
from node.wire.truc.v1 import office_service_pb2 as pb
from node.wire.truc.v1 import status_pb2

_STATES = {int(state): state for state in State}
_LIVES = {int(life): life for life in LifeState}
_ACTS = {int(act): act for act in LifeAct}


OLD_RECEIPT_BYTES_MAX = 8 * MIB
"""Octets of receipts in an answer to a client that wants one with each delivery. Beyond that each receipt is given once."""


def track_to_proto(view: TrackView, *, receipts_apart: bool = False) -> pb.TrackResponse:
    """Translate a packet as its sender sees it."""
    answer = TrackAnswer(view, receipts_apart=receipts_apart)
    for delivery in view.deliveries:
        answer.add(delivery)
    return answer.message


class TrackAnswer:
    """The answer to Track, to which deliveries are added one by one, so that thousands of them need not be translated at once."""

    def __init__(self, view: TrackView, *, receipts_apart: bool) -> None:
        self.message = _packet_to_proto(view)
        self._apart = receipts_apart
        self._numbers: dict[SignedReceipt, int] = {}
        """Receipts, numbered from 1 in the order in which they come."""
        self._octets: dict[SignedReceipt, bytes] = {}
        self._repeats = receipts_apart or _receipt_bytes(view) <= OLD_RECEIPT_BYTES_MAX

    def add(self, view: DeliveryView) -> None:
        """Add the next delivery."""
        message = self.message.deliveries.add()
        _delivery_into(message, view)
        signed = view.signed_receipt
        if signed is None:
            return
        is_first = signed not in self._numbers
        if is_first:
            self._numbers[signed] = len(self._numbers) + 1
            self._octets[signed] = signed_receipt_to_bytes(signed)
        if self._apart:
            if is_first:
                self.message.receipts.append(self._octets[signed])
            message.receipt_number = self._numbers[signed]
        elif is_first or self._repeats:
            message.signed_receipt = self._octets[signed]
        else:
            self.message.receipts_left_out += 1


def _receipt_bytes(view: TrackView) -> int:
    """Return how many octets the receipts have if each delivery brings its own."""
    return sum(len(one.signed_receipt.receipt) for one in view.deliveries if one.signed_receipt is not None)


def _packet_to_proto(view: TrackView) -> pb.TrackResponse:
    message = pb.TrackResponse(
        packet_id=view.packet_id,
        submission_id=view.submission_id,
        document_id=view.document_id,
        sender_unit=view.sender_unit,
        create_time_ms=view.create_time_ms,
        expire_at_ms=view.expire_at_ms,
        subject=view.subject,
        document_code=view.document_code,
        promulgation_date=view.promulgation_date,
        due_date=view.due_date,
        deadlines=deadlines_to_proto(view.deadlines),
        business_type=view.business_type,
        document_type_name=view.document_type_name,
        next_page_token=view.next_page_token,
    )
    for finding in view.findings:
        finding_into(message.findings.add(), finding)
    return message


def track_from_proto(message: pb.TrackResponse) -> TrackView:
    """Translate a packet as its sender sees it, whole or one page. Raises Rejected(REQUEST_INVALID), Denied(RECEIPT_INVALID)."""
    return _packet_from_proto(message, _deliveries(message, {}), message.next_page_token)


class TrackReader:
    """Puts the pages of an answer together. Each receipt is kept once, whichever pages it is in."""

    def __init__(self) -> None:
        self._next_page_token = ""
        self._first: pb.TrackResponse | None = None
        self._deliveries: list[DeliveryView] = []
        self._receipts: dict[bytes, SignedReceipt] = {}

    def add(self, page: pb.TrackResponse) -> bool:
        """Take the next page; tell whether there is another. Raises as `track_from_proto`."""
        self._deliveries += _deliveries(page, self._receipts)
        self._next_page_token = page.next_page_token
        if self._first is None:
            self._first = page
        return bool(page.next_page_token)

    def next_request(self, *, page_size: int) -> pb.TrackRequest:
        """Return the question for the next page."""
        packet_id = self._first.packet_id if self._first is not None else b""
        return pb.TrackRequest(
            packet_id=packet_id, page_size=page_size, page_token=self._next_page_token, receipts_apart=True
        )

    def view(self) -> TrackView:
        """Return the whole."""
        assert self._first is not None, "there is no packet without a page"
        return _packet_from_proto(self._first, self._deliveries, self._next_page_token)


def _packet_from_proto(message: pb.TrackResponse, deliveries: Iterable[DeliveryView], following: str) -> TrackView:
    return TrackView(
        message.packet_id,
        message.submission_id,
        message.document_id,
        message.document_code,
        message.subject,
        message.sender_unit,
        message.create_time_ms,
        message.expire_at_ms,
        tuple(deliveries),
        message.promulgation_date,
        message.due_date,
        deadlines_from_proto(message.deadlines),
        tuple([finding_from_proto(finding) for finding in message.findings]),
        message.business_type,
        message.document_type_name,
        following,
    )


def _deliveries(message: pb.TrackResponse, known: dict[bytes, SignedReceipt]) -> list[DeliveryView]:
    """Translate deliveries. `known` has the receipts that were read before, by their octets, and gets those that were not."""
    apart = [_receipt_of(octets, known) for octets in message.receipts]
    found = []
    for one in message.deliveries:
        if one.receipt_number > len(apart) or one.receipt_number < 0:
            raise invalid(f"receipt {one.receipt_number} of {len(apart)}")
        signed = apart[one.receipt_number - 1] if one.receipt_number else _receipt_of(one.signed_receipt, known)
        found.append(_delivery_from_proto(one, signed))
    return found


def _receipt_of(octets: bytes, known: dict[bytes, SignedReceipt]) -> SignedReceipt | None:
    if octets and octets not in known:
        known[octets] = signed_receipt_from_bytes(octets)
    return known.get(octets)


def _delivery_into(message: pb.DeliveryView, view: DeliveryView) -> None:
    """Translate a delivery, without its receipt."""
    message.unit = view.unit
    message.node_id = view.node_id
    message.state = pb.DeliveryState.ValueType(view.state)
    message.reason = reason_to_proto(view.reason)
    message.next_attempt_ms = view.next_attempt_ms
    message.end_time_ms = view.end_time_ms
    message.custody_node = view.custody_node
    message.status_code = view.status_code
    for status in view.statuses:
        _status_into(message.statuses.add(), status)
    message.attempts = view.attempts
    message.unit_name = view.unit_name
    message.relay_node = view.relay_node
    message.life = pb.LifeState.ValueType(view.life)
    message.life_packet_id = view.life_packet_id
    message.deadlines.extend(deadlines_to_proto(view.deadlines))


def _delivery_from_proto(message: pb.DeliveryView, signed: SignedReceipt | None) -> DeliveryView:
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
        signed,
        message.attempts,
        message.unit_name,
        message.relay_node,
        _LIVES.get(message.life, LifeState.UNKNOWN),
        message.life_packet_id,
        deadlines_from_proto(message.deadlines),
    )


def _status_into(message: status_pb2.StatusEvent, event: StatusEvent) -> None:
    message.code = event.code
    message.unit = event.unit
    message.description = event.description
    message.timestamp_text = event.timestamp_text
    message.accept_time_ms = event.accept_time_ms
    message.packet_id = event.packet_id
    message.answers_packet_id = event.answers_packet_id


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
