"""Every message that a peer, a system or a stranger can send, with odd values and damaged octets: it is answered, and is no bug of ours.

TRUC_LONG=1 ./dev test tests/hostile/test_every_message.py      a million messages, an hour of a processor
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.directory.rules import check_node_file, check_zone_file
from node.errors import Broken, Fault
from node.model.code import parse_code
from node.model.mesh import Answer, PushItem, PushPacket
from node.net.errors import _fault_of_details
from node.net.guests import address_of
from node.wire import codec
from node.wire import office as office_wire
from node.wire.truc.v1 import (
    directory_pb2,
    envelope_pb2,
    mesh_service_pb2,
    office_service_pb2,
    receipt_pb2,
)
from tests.flow.support import NOW, Place, place, push_of
from tests.hostile.messages import messages, octets

LONG = bool(os.environ.get("TRUC_LONG"))
TARGETS = 16
FEW = settings(
    max_examples=1_000_000 // TARGETS if LONG else 100,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize=not LONG,
)


def fault_of(ask: Callable[[], object]) -> Fault | None:
    """Return the fault that comes out; anything else that comes out fails the test."""
    try:
        ask()
    except Fault as fault:
        return fault
    return None


READ: dict[str, tuple[type[Message], Callable[[bytes], object]]] = {
    "envelope": (envelope_pb2.Envelope, codec.decode_envelope),
    "receipt": (receipt_pb2.Receipt, codec.decode_receipt),
    "signed receipt": (receipt_pb2.SignedReceipt, codec.signed_receipt_from_bytes),
    "signature": (envelope_pb2.Signature, codec.signature_from_bytes),
    "key wrap": (envelope_pb2.KeyWrap, codec.key_wrap_from_bytes),
}


@pytest.mark.parametrize("what", READ)
def test_octets_are_read_or_refused(what: str) -> None:
    kind, read = READ[what]

    @FEW
    @given(octets(kind))
    def any_octets(data: bytes) -> None:
        assert not isinstance(fault_of(lambda: read(data)), Broken), "they say nothing about us"

    any_octets()


@pytest.mark.parametrize("what", ["node file", "zone file"])
def test_files_of_the_directory_are_read_or_refused(what: str) -> None:
    kind = directory_pb2.NodeFile if what == "node file" else directory_pb2.ZoneFile

    @FEW
    @given(octets(kind))
    def any_octets(data: bytes) -> None:
        fault = fault_of(
            lambda: (
                check_node_file(data, "evil")
                if what == "node file"
                else check_zone_file(data, parse_code("H49"), "h49")
            )
        )
        assert fault is None or fault.detail.isprintable()

    any_octets()


def serve(ask: Callable[[Place, Any], Awaitable[object]], message: Any) -> None:
    """Let a node answer a message; it must not meet a mistake of its own."""

    async def story() -> None:
        here, bugs = place("h49"), []

        def hear(bug: Exception) -> None:
            bugs.append(bug)

        here.node.signals.bug.connect(hear)
        [ended] = await asyncio.gather(ask(here, message), return_exceptions=True)
        if isinstance(ended, Broken) or (isinstance(ended, BaseException) and not isinstance(ended, Fault)):
            raise ended
        assert not bugs, bugs

    asyncio.run(story())


async def hello(here: Place, message: Any) -> object:
    return codec.hello_response_to_proto(
        await here.node.receive_hello("g14", codec.hello_request_from_proto(message, "g14"))
    )


async def push(here: Place, message: Any) -> object:
    read = codec.push_request_from_proto(message)
    items = [item for item in read if not isinstance(item, Answer)]
    return codec.push_response_to_proto(await here.node.receive_push("g14", items))


async def offer(here: Place, message: Any) -> object:
    return codec.offer_response_to_proto(await here.node.receive_offer("g14", codec.offer_request_from_proto(message)))


async def commit(here: Place, message: Any) -> object:
    return codec.commit_response_to_proto(
        await here.node.receive_commit("g14", codec.commit_request_from_proto(message))
    )


async def submit_begin(here: Place, message: Any) -> object:
    return await here.node.submit(here.system, office_wire.submission_from_proto(message), b"<edXML/>")


async def track(here: Place, message: Any) -> object:
    names = (message.packet_id[:16], message.submission_id, message.document_id)
    return await here.node.track(here.system, *names, page_size=5, page_token=message.page_token)


async def list_inbox(here: Place, message: Any) -> object:
    return await here.node.list_inbox(here.system, message.unit, 5, message.page_token)


async def dossier(here: Place, message: Any) -> object:
    return await here.node.dossier(
        here.system, message.unit, message.author_unit, message.document_id, message.packet_id[:16]
    )


async def search(here: Place, message: Any) -> object:
    return await here.node.search_units(message.query, 5)


SERVED: dict[str, tuple[type[Message], Callable[[Place, Any], Awaitable[object]]]] = {
    "Hello": (mesh_service_pb2.HelloRequest, hello),
    "Push": (mesh_service_pb2.PushRequest, push),
    "Offer": (mesh_service_pb2.OfferRequest, offer),
    "Commit": (mesh_service_pb2.CommitRequest, commit),
    "Submit": (office_service_pb2.SubmitBegin, submit_begin),
    "Track": (office_service_pb2.TrackRequest, track),
    "ListInbox": (office_service_pb2.ListInboxRequest, list_inbox),
    "Dossier": (office_service_pb2.DossierRequest, dossier),
    "SearchUnits": (office_service_pb2.SearchUnitsRequest, search),
}


@pytest.mark.parametrize("what", SERVED)
def test_a_message_is_answered_and_is_no_bug(what: str) -> None:
    kind, ask = SERVED[what]

    @FEW
    @given(messages(kind))
    def any_message(message: Any) -> None:
        serve(ask, message)

    any_message()


signed_fields = st.fixed_dictionaries(
    {},
    optional={
        "sender_unit": st.sampled_from(["G14", "G14.01", "H49"]),
        "recipient_units": st.lists(
            st.sampled_from(["H49", "H49.22", "H49.22.05", "H37", "Z99"]), min_size=1, max_size=4, unique=True
        ).map(tuple),
        "create_time_ms": st.sampled_from([0, NOW - 5, NOW, NOW + 10, 2**61]),
        "expire_at_ms": st.sampled_from([NOW + 1, NOW + 10**9, 2**62]),
        "answers_packet_id": st.sampled_from([b"", bytes(16)]),
        "packet_nonce": st.binary(min_size=16, max_size=16),
    },
)


@FEW
@given(signed_fields, st.binary(max_size=3), st.integers(0, 5_000))
def test_a_packet_truly_signed_with_odd_fields_and_a_damaged_body_is_answered(
    fields: dict[str, Any], other: bytes, at: int
) -> None:
    created_ms = fields.get("create_time_ms", NOW)
    made = push_of(**fields | {"expire_at_ms": max(created_ms + 1, fields.get("expire_at_ms", 0))})
    at = at % len(made.body)
    items: list[PushItem] = [made, PushPacket(made.parcel, made.body[:at] + other + made.body[at + len(other) :])]

    async def ask(here: Place, _: Any) -> object:
        answers = await here.node.receive_push("g14", items)
        return codec.push_response_to_proto(answers)

    serve(ask, None)


@FEW
@given(st.text(max_size=60) | st.from_regex(r"ipv[46]:.{0,30}", fullmatch=True), st.binary(max_size=100))
def test_names_of_peers_and_words_of_servers_are_read_or_passed_over(peer: str, data: bytes) -> None:
    found = address_of(peer)
    assert found is None or isinstance(found[1], int)
    try:
        _fault_of_details(data)
    except DecodeError as error:
        raise AssertionError("no message of ours") from error
