"""Mesh: what nodes say to each other, between model.mesh and mesh_service.proto.

Whatever a peer writes, nothing but a Fault is raised. A request that cannot be understood is the peer's mistake (Denied);
an item of a batch that cannot be understood becomes its own answer and does not harm its neighbours. A *response* that
cannot be understood is as good as none: Deferred(PEER_UNREACHABLE), and the outbox tries again.
"""

from collections.abc import Sequence

from node.errors import Deferred, Denied, Rejected
from node.model.mesh import Answer, First, Hello, Parcel, PushItem, PushPacket, PushReceipt, Want
from node.model.policy import DAY_MS
from node.model.reason import Reason
from node.wire.envelope import (
    RECIPIENTS_MAX,
    is_node_id,
    key_wrap_from_proto,
    key_wrap_into,
    signed_envelope_from_proto,
    signed_envelope_into,
)
from node.wire.receipt import reason_of, reason_to_proto, signed_receipt_from_proto, signed_receipt_into
from node.wire.truc.v1 import mesh_service_pb2 as pb

DETAIL_CHARACTERS_MAX = 300
"""At most so much of a peer's words reaches our log."""


FEATURES_MAX, WORD_CHARACTERS_MAX = 64, 200
WALL_TIME_MS_MAX = 253_402_300_799_999
"""The end of the year 9999: later times cannot be shown, and sums with them leave 64 bits."""
NUMBER_MAX = 1 << 53
RETRY_AFTER_MS_MAX = DAY_MS


def hello_request_to_proto(hello: Hello) -> pb.HelloRequest:
    """Translate our introduction; our certificate tells who we are."""
    return pb.HelloRequest(
        protocol_min=hello.protocol_min,
        protocol_max=hello.protocol_max,
        wall_time_ms=hello.wall_time_ms,
        directory_version=hello.directory_version,
        features=hello.features,
        software=hello.software,
        admission_step=hello.admission_step,
    )


def hello_request_from_proto(message: pb.HelloRequest, node_id: str) -> Hello:
    """Translate a caller's introduction; `node_id` is whose certificate it presented. Raises Rejected(REQUEST_INVALID)."""
    if (odd := _what_is_odd(message)) is not None:
        raise Rejected(Reason.REQUEST_INVALID, odd)
    return _hello(message, node_id)


def hello_response_to_proto(hello: Hello) -> pb.HelloResponse:
    """Translate our answer to an introduction."""
    return pb.HelloResponse(
        protocol_min=hello.protocol_min,
        protocol_max=hello.protocol_max,
        wall_time_ms=hello.wall_time_ms,
        directory_version=hello.directory_version,
        features=hello.features,
        software=hello.software,
        admission_step=hello.admission_step,
        node_id=hello.node_id,
    )


def hello_response_from_proto(message: pb.HelloResponse) -> Hello:
    """Translate a peer's answer; the caller compares `node_id` with whom it meant to call.

    Raises Deferred(PEER_UNREACHABLE) if its numbers cannot be.
    """
    if (odd := _what_is_odd(message)) is not None:
        raise _no_answer(odd)
    return _hello(message, message.node_id)


def parcel_into(message: pb.Parcel, parcel: Parcel) -> None:
    """Translate a parcel."""
    signed_envelope_into(message.signed_envelope, parcel.signed_envelope)
    key_wrap_into(message.key_wrap, parcel.key_wrap)
    message.target_node = parcel.target_node
    message.directory_version = parcel.directory_version
    message.addressed_version = parcel.addressed_version
    message.asked_units.extend(parcel.asked_units)
    message.for_units.extend(parcel.for_units)


def parcel_from_proto(message: pb.Parcel) -> Parcel:
    """Translate a parcel. Raises Denied(ENVELOPE_MALFORMED) if the target cannot be a node or is not the wrap's."""
    if not is_node_id(message.target_node):
        raise Denied(Reason.ENVELOPE_MALFORMED, "target_node is not an id")
    if message.key_wrap.node_id != message.target_node:
        raise Denied(Reason.ENVELOPE_MALFORMED, "the key is wrapped for another node than the target")
    if max(len(message.asked_units), len(message.for_units)) > RECIPIENTS_MAX:
        raise Denied(Reason.ENVELOPE_MALFORMED, "more units are named than a packet can have recipients")
    return Parcel(
        signed_envelope_from_proto(message.signed_envelope),
        key_wrap_from_proto(message.key_wrap),
        message.target_node,
        max(0, message.directory_version),
        max(0, message.addressed_version),
        tuple(message.asked_units),
        tuple(message.for_units),
    )


def push_item_into(message: pb.PushItem, item: PushItem) -> None:
    """Translate one thing to push."""
    if isinstance(item, PushPacket):
        parcel_into(message.packet.parcel, item.parcel)
        message.packet.body = item.body
    else:
        signed_receipt_into(message.receipt, item.signed_receipt)


def push_item_from_proto(message: pb.PushItem) -> PushItem:
    """Translate one pushed thing. Raises Denied(ENVELOPE_MALFORMED) for a malformed one or a kind we do not know."""
    kind = message.WhichOneof("kind")
    if kind == "packet":
        return PushPacket(parcel_from_proto(message.packet.parcel), message.packet.body)
    if kind == "receipt":
        return PushReceipt(signed_receipt_from_proto(message.receipt))
    raise Denied(Reason.ENVELOPE_MALFORMED, "an item of unknown kind")


def push_request_to_bytes(items: Sequence[PushItem]) -> bytes:
    """Return the octets of a PushRequest with a batch.

    Each item is serialised in a request of its own and these are joined, which is a request with all of them (Protocol Buffers merges
    encodings that follow one another, and appends the elements of repeated fields). Serialised as one, requests of some hundred
    kilobytes take five times as long, because the buffer is moved again and again while it grows.
    """
    return b"".join(map(_one_item, items))


def _one_item(item: PushItem) -> bytes:
    message = pb.PushRequest()
    push_item_into(message.items.add(), item)
    return message.SerializeToString()


def push_request_from_proto(message: pb.PushRequest) -> list[PushItem | Answer]:
    """Translate a batch, in order. An item that cannot be understood is replaced by the answer it gets."""
    return [_item_or_answer(item) for item in message.items]


def push_response_to_proto(answers: Sequence[Answer]) -> pb.PushResponse:
    """Translate the answers to a batch."""
    message = pb.PushResponse()
    for answer in answers:
        answer_into(message.answers.add(), answer)
    return message


def push_response_from_proto(message: pb.PushResponse, items: int) -> list[Answer]:
    """Translate the answers to `items` items. Raises Deferred(PEER_UNREACHABLE) if there are more or fewer."""
    if len(message.answers) != items:
        raise _no_answer(f"{len(message.answers)} answers to {items} items")
    return [answer_from_proto(answer) for answer in message.answers]


def answer_into(message: pb.ItemAnswer, answer: Answer) -> None:
    """Translate an answer."""
    # An answer without a word in it (a receipt was taken) must still be there for the reader.
    message.SetInParent()
    if answer.receipt:
        signed_receipt_into(message.receipt, answer.receipt)
    message.reason = reason_to_proto(answer.reason)
    message.retry_after_ms = answer.retry_after_ms
    message.detail = answer.detail[:DETAIL_CHARACTERS_MAX]
    if answer.first:
        signed_envelope_into(message.first_envelope, answer.first.signed_envelope)
        signed_receipt_into(message.first_receipt, answer.first.receipt)
        message.first_packet_sha256 = answer.first.packet_sha256


def answer_from_proto(message: pb.ItemAnswer) -> Answer:
    """Translate an answer; the receipt is not verified."""
    receipt = signed_receipt_from_proto(message.receipt) if message.HasField("receipt") else None
    detail = message.detail[:DETAIL_CHARACTERS_MAX]
    retry_after_ms = _bounded(message.retry_after_ms)
    return Answer(receipt, reason_of(message.reason), retry_after_ms, detail, _first_from_proto(message))


def _first_from_proto(message: pb.ItemAnswer) -> First | None:
    if not message.HasField("first_envelope"):
        return None
    try:
        envelope = signed_envelope_from_proto(message.first_envelope)
        return First(envelope, signed_receipt_from_proto(message.first_receipt), message.first_packet_sha256)
    except Denied:
        # It only helps: without it the answer is what it was in older versions.
        return None


def offer_request_to_proto(parcel: Parcel) -> pb.OfferRequest:
    """Translate the announcement of a large packet."""
    message = pb.OfferRequest()
    parcel_into(message.parcel, parcel)
    return message


def offer_request_from_proto(message: pb.OfferRequest) -> Parcel:
    """Translate an announcement. Raises Denied(ENVELOPE_MALFORMED)."""
    return parcel_from_proto(message.parcel)


def offer_response_to_proto(next_step: Answer | Want) -> pb.OfferResponse:
    """Translate what is to be done with an offered packet."""
    message = pb.OfferResponse()
    if isinstance(next_step, Want):
        message.want.token = next_step.token
        message.want.offset_bytes = next_step.offset_bytes
    else:
        answer_into(message.answer, next_step)
    return message


def offer_response_from_proto(message: pb.OfferResponse) -> Answer | Want:
    """Translate what the peer wants. Raises Deferred(PEER_UNREACHABLE) if it said nothing that can be understood."""
    step = message.WhichOneof("next")
    if step == "answer":
        return answer_from_proto(message.answer)
    if step != "want" or len(message.want.token) != 16 or message.want.offset_bytes < 0:
        raise _no_answer("an offer's answer that is none")
    return Want(message.want.token, message.want.offset_bytes)


def commit_request_to_proto(parcel: Parcel) -> pb.CommitRequest:
    """Translate the end of an upload."""
    message = pb.CommitRequest()
    parcel_into(message.parcel, parcel)
    return message


def commit_request_from_proto(message: pb.CommitRequest) -> Parcel:
    """Translate the end of an upload. Raises Denied(ENVELOPE_MALFORMED)."""
    return parcel_from_proto(message.parcel)


def commit_response_to_proto(answer: Answer) -> pb.CommitResponse:
    """Translate the decision about an uploaded packet."""
    message = pb.CommitResponse()
    answer_into(message.answer, answer)
    return message


def commit_response_from_proto(message: pb.CommitResponse) -> Answer:
    """Translate a peer's decision. Raises Deferred(PEER_UNREACHABLE) if there is none."""
    if not message.HasField("answer"):
        raise _no_answer("a commit without an answer")
    return answer_from_proto(message.answer)


def _item_or_answer(message: pb.PushItem) -> PushItem | Answer:
    try:
        return push_item_from_proto(message)
    except Denied as denied:
        return Answer(reason=denied.reason, detail=denied.detail)


def _what_is_odd(message: pb.HelloRequest | pb.HelloResponse) -> str | None:
    """Say which number of an introduction cannot be meant; None: all can."""
    if not 0 <= message.wall_time_ms <= WALL_TIME_MS_MAX:
        return f"wall_time_ms {message.wall_time_ms}"
    if not 0 <= message.directory_version <= NUMBER_MAX:
        return f"directory_version {message.directory_version}"
    return None


def _hello(message: pb.HelloRequest | pb.HelloResponse, node_id: str) -> Hello:
    return Hello(
        node_id,
        message.protocol_min,
        message.protocol_max,
        message.wall_time_ms,
        message.directory_version,
        tuple(feature[:WORD_CHARACTERS_MAX] for feature in message.features[:FEATURES_MAX]),
        message.software[:WORD_CHARACTERS_MAX],
        message.admission_step if message.HasField("admission_step") else None,
    )


def _bounded(retry_after_ms: int) -> int:
    """Return when a peer wants us to come again, as far as we let it decide."""
    return min(max(0, retry_after_ms), RETRY_AFTER_MS_MAX)


def _no_answer(detail: str) -> Deferred:
    return Deferred(Reason.PEER_UNREACHABLE, detail)
