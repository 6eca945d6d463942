"""The wire codec: what is encoded comes back, and what is malformed is refused by name."""

import dataclasses
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from node.errors import Deferred, Denied, Fault, kind_of
from node.model.envelope import BodyRef, Envelope, KeyWrap, PacketKind, Signature, SignedEnvelope, packet_id_of
from node.model.lane import Lane
from node.model.mesh import Answer, Hello, Parcel, PushPacket, PushReceipt, Want
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt, SignedReceipt
from node.wire import codec
from node.wire.truc.v1 import envelope_pb2, mesh_service_pb2, receipt_pb2

NONCE = b"n" * 16
BODY = BodyRef(b"d" * 32, 50_000 + 16, 50_000, 256 * 1024, 1, b"t" * 32)
ENVELOPE = Envelope(
    packet_id_of("bo-noi-vu", NONCE),
    NONCE,
    "bo-noi-vu",
    "G09",
    ("H49.22.05", "H49.22"),
    PacketKind.DOCUMENT,
    Lane.KHAN,
    1_000,
    2_000,
    BODY,
)
OUTCOMES = (Outcome("H49.22", Reason.NONE), Outcome("H49.22.05", Reason.RECIPIENT_UNKNOWN))
RECEIPT = Receipt(ENVELOPE.packet_id, b"e" * 32, "tinh-h49", Level.DELIVERED, OUTCOMES, 1_500)
SIGNATURE = Signature(b"k" * 32, b"s" * 64, 1, 3, (b"a" * 32, b"b" * 32))
WRAP = KeyWrap("tinh-h49", b"k" * 32, b"c" * 80, b"w" * 60)
SIGNED_RECEIPT = SignedReceipt(codec.encode_receipt(RECEIPT), SIGNATURE)
PARCEL = Parcel(SignedEnvelope(codec.encode_envelope(ENVELOPE), SIGNATURE), WRAP, "tinh-h49", 7)
HELLO = Hello("tinh-h49", 1, 2, 1_700_000_000_000, 7, ("drain",), "truc 0.1.0", 2)


M = TypeVar("M", bound=Message)
Edit = Callable[[envelope_pb2.Envelope], object]


def carried(message: M) -> M:
    """Return what the other side parses out of the octets."""
    return type(message).FromString(message.SerializeToString())


def altered_envelope(edit: Edit) -> bytes:
    message = envelope_pb2.Envelope.FromString(codec.encode_envelope(ENVELOPE))
    edit(message)
    return message.SerializeToString()


def altered_receipt(edit: Callable[[receipt_pb2.Receipt], object]) -> bytes:
    message = receipt_pb2.Receipt.FromString(codec.encode_receipt(RECEIPT))
    edit(message)
    return message.SerializeToString()


def set_field(name: str, value: object) -> Callable[[Message], object]:
    return lambda message: setattr(message, name, value)


def set_body(name: str, value: object) -> Edit:
    return lambda message: setattr(message.body, name, value)


def come_from(origin_node: str) -> Edit:
    """Another origin whose packet id fits: only its form can be wrong."""

    def edit(message: envelope_pb2.Envelope) -> None:
        message.origin_node = origin_node
        message.packet_id = packet_id_of(origin_node, message.packet_nonce)

    return edit


def name_recipients(*units: str) -> Edit:
    def edit(message: envelope_pb2.Envelope) -> None:
        del message.recipient_units[:]
        message.recipient_units.extend(units)

    return edit


def move_to_another_origin(message: envelope_pb2.Envelope) -> None:
    message.origin_node = "tinh-h50"


def test_an_envelope_comes_back_as_it_was_and_its_bytes_are_always_the_same() -> None:
    octets = codec.encode_envelope(ENVELOPE)
    assert codec.decode_envelope(octets) == ENVELOPE
    assert codec.encode_envelope(codec.decode_envelope(octets)) == octets


@pytest.mark.parametrize("lane", Lane)
def test_every_lane_of_an_envelope_comes_back_and_what_is_large_is_bulk_to_older_nodes(lane: Lane) -> None:
    kind = PacketKind.STATUS if lane is Lane.CONTROL else PacketKind.DOCUMENT
    octets = codec.encode_envelope(dataclasses.replace(ENVELOPE, lane=lane, kind=kind))
    assert codec.decode_envelope(octets).lane is lane
    number = envelope_pb2.Envelope.FromString(octets).lane
    assert number == (envelope_pb2.LANE_BULK if lane.is_bulk else lane)


@pytest.mark.parametrize("urgency", [0, 1, 5, 6, 77])
def test_what_is_large_and_names_no_urgency_that_there_is_is_not_urgent(urgency: int) -> None:
    def edit(message: envelope_pb2.Envelope) -> None:
        message.lane, message.urgency = envelope_pb2.LANE_BULK, urgency  # type: ignore[assignment]

    assert codec.decode_envelope(altered_envelope(edit)).lane is Lane.BULK


@pytest.mark.parametrize("number", [7, 8, 9])
def test_a_number_of_the_outbox_is_no_lane_between_nodes(number: int) -> None:
    def edit(message: envelope_pb2.Envelope) -> None:
        message.lane = number  # type: ignore[assignment]

    with pytest.raises(Denied):
        codec.decode_envelope(altered_envelope(edit))


def test_an_envelope_says_by_which_aliases_its_packet_names_units() -> None:
    named = dataclasses.replace(ENVELOPE, aliases=(("H37.9", "H49.22"), ("K09", "G09")), sender_alias="K09")
    octets = codec.encode_envelope(named)
    assert codec.decode_envelope(octets) == named
    assert named.units_by_alias == {"H37.9": "H49.22", "K09": "G09"}
    assert octets.startswith(codec.encode_envelope(ENVELOPE)), "and without aliases its bytes are what they were before"


MALFORMED: dict[str, Edit] = {
    "version 0": set_field("version", 0),
    "version 2": set_field("version", 2),
    "a sender's alias that is not listed": set_field("sender_alias", "K09"),
    "short packet id": set_field("packet_id", b"x" * 15),
    "another packet id": set_field("packet_id", b"x" * 16),
    "short nonce": set_field("packet_nonce", b"n" * 15),
    "another nonce": set_field("packet_nonce", b"m" * 16),
    "another origin under the same packet id": move_to_another_origin,
    "origin with capitals": come_from("Bo-noi-vu"),
    "origin with a line end": come_from("bo-noi-vu\n"),
    "no origin": come_from(""),
    "origin of 65 characters": come_from("a" * 65),
    "no recipients": name_recipients(),
    "a recipient twice": name_recipients("H49", "H50", "H49"),
    "too many recipients": name_recipients(*(f"H49.{number}" for number in range(10_001))),
    "a recipient in the older form": name_recipients("000.05.22.H49"),
    "a recipient in small letters": name_recipients("h49.22"),
    "a recipient that is no code": name_recipients("H49\0.22"),
    "no sender": set_field("sender_unit", ""),
    "kind 0": set_field("kind", 0),
    "kind 3": set_field("kind", 3),
    "lane 0": set_field("lane", 0),
    "lane 7": set_field("lane", 7),
    "a document in the lane of statuses": set_field("lane", int(Lane.CONTROL)),
    "made before 1970": set_field("create_time_ms", -1),
    "expired when made": set_field("expire_at_ms", 1_000),
    "no body": lambda message: message.ClearField("body"),
    "short body digest": set_body("body_sha256", b"d" * 31),
    "short content tag": set_body("content_tag", b"t" * 33),
    "suite 0": set_body("suite", 0),
    "suite 2": set_body("suite", 2),
    "an empty packet": set_body("packet_bytes", 0),
    "a packet of negative size": set_body("packet_bytes", -50_000),
    "a body of no size": set_body("body_bytes", 0),
    "a body shorter than its packet": set_body("body_bytes", 49_999),
    "a body without room for the tag": set_body("body_bytes", 50_000),
    "a body with room for two tags": set_body("body_bytes", 50_032),
    "segments below 4 KiB": set_body("segment_bytes", 4_095),
    "segments above 1 MiB": set_body("segment_bytes", 1024 * 1024 + 1),
    "no segments": set_body("segment_bytes", 0),
    "another number of segments": set_body("segment_bytes", 4_096),
    "more segments than can be counted": lambda message: message.body.MergeFrom(
        envelope_pb2.BodyRef(packet_bytes=4096 * 2**32, segment_bytes=4096, body_bytes=4096 * 2**32 + 16 * 2**32)
    ),
}


@pytest.mark.parametrize("edit", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_envelope_is_refused(edit: Edit) -> None:
    octets = altered_envelope(edit)
    with pytest.raises(Denied) as denied:
        codec.decode_envelope(octets)
    assert denied.value.reason is Reason.ENVELOPE_MALFORMED
    assert denied.value.detail


@pytest.mark.parametrize("octets", [b"", b"\xff", b"<edXML/>", codec.encode_envelope(ENVELOPE)[:-1]])
def test_octets_that_are_no_envelope_are_refused(octets: bytes) -> None:
    with pytest.raises(Denied) as denied:
        codec.decode_envelope(octets)
    assert denied.value.reason is Reason.ENVELOPE_MALFORMED


def test_fields_of_a_newer_minor_version_are_let_pass() -> None:
    unknown_field = b"\xfa\x06\x03new"  # number 111, three octets
    assert codec.decode_envelope(codec.encode_envelope(ENVELOPE) + unknown_field) == ENVELOPE


@given(st.binary(max_size=400))
def test_whatever_octets_come_nothing_but_a_denial_is_raised(octets: bytes) -> None:
    for decode in (codec.decode_envelope, codec.decode_receipt, codec.signed_receipt_from_bytes):
        with suppress(Denied):
            decode(octets)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_an_envelope_with_one_octet_changed_is_either_refused_or_another_one(place: int, value: int) -> None:
    octets = bytearray(codec.encode_envelope(ENVELOPE))
    octets[place % len(octets)] = value
    read: Envelope | Reason
    try:
        read = codec.decode_envelope(bytes(octets))
    except Denied as denied:
        read = denied.reason
    if bytes(octets) == codec.encode_envelope(ENVELOPE):
        assert read == ENVELOPE
    else:
        assert read is Reason.ENVELOPE_MALFORMED or (isinstance(read, Envelope) and read != ENVELOPE)


def test_to_encode_a_malformed_envelope_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        codec.encode_envelope(dataclasses.replace(ENVELOPE, packet_id=b"x" * 16))


def test_a_receipt_comes_back_as_it_was_and_its_bytes_are_always_the_same() -> None:
    octets = codec.encode_receipt(RECEIPT)
    assert codec.decode_receipt(octets) == RECEIPT
    assert codec.encode_receipt(codec.decode_receipt(octets)) == octets


def test_a_node_that_says_no_says_by_which_directory() -> None:
    said = dataclasses.replace(RECEIPT, outcomes=(Outcome("H49", Reason.NONE), Outcome("H37", Reason.WRONG_NODE, 12)))
    assert codec.decode_receipt(codec.encode_receipt(said)) == said
    octets = altered_receipt(lambda message: message.outcomes.add(unit="G22", reason=75, directory_version=-5))
    assert codec.decode_receipt(octets).outcomes[-1] == Outcome("G22", Reason.WRONG_NODE, 0)


def test_a_question_and_for_whom_a_packet_is_come_over() -> None:
    signed = SignedEnvelope(b"e", Signature(b"k" * 8, b"s", 0, 1, ()))
    plain = Parcel(signed, KeyWrap("h49", b"k" * 8, b"e", b"w"), "h49", 7)
    asks = dataclasses.replace(plain, addressed_version=5, asked_units=("H49", "H49.22"), for_units=("H49.22",))
    for parcel in (plain, asks):
        assert codec.offer_request_from_proto(codec.offer_request_to_proto(parcel)) == parcel
    for name in ("asked_units", "for_units"):
        message = codec.offer_request_to_proto(plain)
        getattr(message.parcel, name).extend(["H49"] * 20_001)
        message.parcel.addressed_version = -1
        with pytest.raises(Denied) as denied:
            codec.offer_request_from_proto(message)
        assert denied.value.reason is Reason.ENVELOPE_MALFORMED
        getattr(message.parcel, name)[:] = []
        assert codec.offer_request_from_proto(message).addressed_version == 0


INVALID: dict[str, Callable[[receipt_pb2.Receipt], object]] = {
    "version 2": set_field("version", 2),
    "level 0": set_field("level", 0),
    "level 4": set_field("level", 4),
    "short packet id": set_field("packet_id", b"x"),
    "short digest": set_field("envelope_sha256", b"x"),
    "no signer": set_field("signer_node", ""),
    "made before 1970": set_field("create_time_ms", -1),
    "no outcomes": lambda message: message.ClearField("outcomes"),
    "a unit twice": lambda message: message.outcomes.append(message.outcomes[0]),
    "a unit that is no code": lambda message: message.outcomes.add(unit="H49\0"),
    "custody with a reason": set_field("level", 1),
    "failed without a reason": set_field("level", 3),
}


@pytest.mark.parametrize("edit", INVALID.values(), ids=INVALID.keys())
def test_a_malformed_receipt_is_refused(edit: Callable[[receipt_pb2.Receipt], object]) -> None:
    octets = altered_receipt(edit)
    with pytest.raises(Denied) as denied:
        codec.decode_receipt(octets)
    assert denied.value.reason is Reason.RECEIPT_INVALID


def test_a_reason_that_only_a_newer_peer_knows_keeps_its_kind() -> None:
    assert [codec.reason_of(number) for number in (39, 69, 99, 129, 5_000, -1)] == [
        Reason.REQUEST_INVALID,
        Reason.ENVELOPE_MALFORMED,
        Reason.PEER_BUSY,
        Reason.IO_FAILED,
        Reason.IO_FAILED,
        Reason.IO_FAILED,
    ]
    octets = altered_receipt(lambda message: setattr(message.outcomes[1], "reason", 38))
    assert codec.decode_receipt(octets).outcomes[1].reason is Reason.REQUEST_INVALID


@given(st.integers(1, 129))
def test_every_number_leads_to_a_reason_that_the_same_person_must_act_on(number: int) -> None:
    reason = codec.reason_of(number)
    assert reason is Reason(number) if number in set(Reason) else reason is not Reason.NONE
    assert any(
        low <= number < high and low <= reason < high for low, high in ((1, 40), (40, 70), (70, 100), (100, 130))
    )
    assert issubclass(kind_of(reason), Fault)


def test_what_is_stored_as_bytes_comes_back() -> None:
    assert codec.signature_from_bytes(codec.signature_to_bytes(SIGNATURE)) == SIGNATURE
    assert codec.key_wrap_from_bytes(codec.key_wrap_to_bytes(WRAP)) == WRAP
    assert codec.signed_receipt_from_bytes(codec.signed_receipt_to_bytes(SIGNED_RECEIPT)) == SIGNED_RECEIPT


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (codec.signature_from_bytes, Reason.ENVELOPE_SIGNATURE_INVALID),
        (codec.key_wrap_from_bytes, Reason.BODY_UNREADABLE),
        (codec.signed_receipt_from_bytes, Reason.RECEIPT_INVALID),
    ],
)
def test_stored_bytes_that_cannot_be_read_are_a_fault(read: Callable[[bytes], object], reason: Reason) -> None:
    with pytest.raises(Denied) as denied:
        read(b"\xff\xff")
    assert denied.value.reason is reason


def test_an_introduction_comes_over_and_the_caller_is_who_its_certificate_says() -> None:
    request = carried(codec.hello_request_to_proto(HELLO))
    assert codec.hello_request_from_proto(request, "tinh-h50") == dataclasses.replace(HELLO, node_id="tinh-h50")
    assert codec.hello_response_from_proto(carried(codec.hello_response_to_proto(HELLO))) == HELLO


def test_a_batch_comes_over_in_order() -> None:
    items = [PushPacket(PARCEL, b"body"), PushReceipt(SIGNED_RECEIPT), PushPacket(PARCEL, b"")]
    assert (
        codec.push_request_from_proto(mesh_service_pb2.PushRequest.FromString(codec.push_request_to_bytes(items)))
        == items
    )


def test_the_octets_of_a_batch_are_those_of_its_message() -> None:
    items = [PushPacket(PARCEL, bytes(100_000)), PushReceipt(SIGNED_RECEIPT), PushPacket(PARCEL, b"body")]
    message = mesh_service_pb2.PushRequest()
    for item in items:
        codec.push_item_into(message.items.add(), item)
    assert codec.push_request_to_bytes(items) == message.SerializeToString()
    assert codec.push_request_to_bytes([]) == b""


def test_an_item_that_cannot_be_understood_gets_its_own_answer_and_its_neighbours_are_served() -> None:
    octets = codec.push_request_to_bytes([PushReceipt(SIGNED_RECEIPT), PushPacket(PARCEL, b"body")])
    request = mesh_service_pb2.PushRequest.FromString(octets)
    request.items.add()
    request.items[1].packet.parcel.target_node = "../etc"
    receipt, wrong_target, unknown = codec.push_request_from_proto(carried(request))
    assert receipt == PushReceipt(SIGNED_RECEIPT)
    for refusal in (wrong_target, unknown):
        assert isinstance(refusal, Answer)
        assert refusal.reason is Reason.ENVELOPE_MALFORMED


def test_a_key_wrapped_for_another_node_than_the_target_is_refused() -> None:
    message = mesh_service_pb2.Parcel()
    codec.parcel_into(message, dataclasses.replace(PARCEL, target_node="tinh-h50"))
    with pytest.raises(Denied) as denied:
        codec.parcel_from_proto(message)
    assert denied.value.reason is Reason.ENVELOPE_MALFORMED


def test_answers_come_over_with_and_without_a_receipt() -> None:
    answers = [Answer(SIGNED_RECEIPT), Answer(), Answer(None, Reason.DISK_FULL, 5_000, "no room")]
    assert codec.push_response_from_proto(carried(codec.push_response_to_proto(answers)), 3) == answers


@pytest.mark.parametrize("items", [2, 4])
def test_more_or_fewer_answers_than_items_are_no_answer_at_all(items: int) -> None:
    response = codec.push_response_to_proto([Answer()] * 3)
    with pytest.raises(Deferred) as deferred:
        codec.push_response_from_proto(response, items)
    assert deferred.value.reason is Reason.PEER_UNREACHABLE


def test_a_peers_words_are_cut_and_its_pause_is_never_negative() -> None:
    message = mesh_service_pb2.ItemAnswer(detail="x" * 10_000, retry_after_ms=-5)
    answer = codec.answer_from_proto(message)
    assert len(answer.detail) == 300
    assert answer.retry_after_ms == 0


@pytest.mark.parametrize("step", [Want(b"w" * 16, 8 << 20), Answer(SIGNED_RECEIPT), Answer(reason=Reason.EXPIRED)])
def test_an_offer_and_its_answer_come_over(step: Answer | Want) -> None:
    assert codec.offer_request_from_proto(carried(codec.offer_request_to_proto(PARCEL))) == PARCEL
    assert codec.offer_response_from_proto(carried(codec.offer_response_to_proto(step))) == step


@pytest.mark.parametrize(
    "message",
    [
        mesh_service_pb2.OfferResponse(),
        mesh_service_pb2.OfferResponse(want=mesh_service_pb2.Want(token=b"short")),
        mesh_service_pb2.OfferResponse(want=mesh_service_pb2.Want(token=b"w" * 16, offset_bytes=-1)),
    ],
)
def test_an_offers_answer_that_says_nothing_is_tried_again(message: mesh_service_pb2.OfferResponse) -> None:
    with pytest.raises(Deferred):
        codec.offer_response_from_proto(message)


def test_a_commit_and_its_answer_come_over() -> None:
    assert codec.commit_request_from_proto(carried(codec.commit_request_to_proto(PARCEL))) == PARCEL
    answer = Answer(SIGNED_RECEIPT)
    assert codec.commit_response_from_proto(carried(codec.commit_response_to_proto(answer))) == answer
    with pytest.raises(Deferred):
        codec.commit_response_from_proto(mesh_service_pb2.CommitResponse())
