"""Office server: connected systems submit, list, fetch, acknowledge, track and search here, and operators look after the node.

It is one TLS server; systems and the administrator prove themselves with a token on every call. Handlers only find out who calls,
check the form, call the node and translate.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Protocol

import grpc

from node.access.systems import Systems
from node.errors import Denied, Rejected
from node.model.life import Dossier
from node.model.office import NO_LEASE, FoundUnit, InboxEntry, Submission, SubmitResult, System, TrackView
from node.model.policy import KIB, Policy
from node.model.reason import Reason
from node.net.admin_server import AdminService
from node.net.errors import Context, Tally, answering, streaming
from node.net.gate import Gate, Shares, message_within
from node.net.guests import Guests, connections_max
from node.net.listener import Listener, Option
from node.net.reflection import Reflection, add_reflection
from node.net.submit_stream import PIECE_BYTES_MAX, SUBMIT_IDLE_S, Octets, Packet, SubmitCall
from node.net.tls import office_credentials
from node.net.tokens import REFUSAL_DELAY_S, authorization
from node.seal.tls import TlsIdentity
from node.wire import office as wire
from node.wire import track as views
from node.wire.truc.v1 import office_service_pb2 as pb
from node.wire.truc.v1.admin_service_pb2_grpc import add_AdminServiceServicer_to_server
from node.wire.truc.v1.office_service_pb2_grpc import OfficeServiceServicer, add_OfficeServiceServicer_to_server

CALLS_MAX, FREE_PER_CALL = 2_048, 1
"""Calls at once, from all systems together; a system may have one for each place that is free, which is half of them if it is alone."""
AT_THE_DOOR_MAX = 2 * CALLS_MAX
MESSAGE_BYTES_MAX = PIECE_BYTES_MAX + 256 * KIB
"""No message is larger but by mistake: a packet or a piece has 1 MiB."""
FETCH_PIECE_BYTES = 256 * KIB
INSTANCE_CHARACTERS_MAX = 64
PAGE_DEFAULT, PAGE_MAX = 100, 1_000
ACKNOWLEDGE_MAX = 1_000
DELIVERIES_AT_ONCE = 500
"""So many are translated before others have their turn."""
SEARCH_DEFAULT, SEARCH_MAX = 20, 200

OFFICE_OPTIONS: tuple[Option, ...] = (
    ("grpc.max_concurrent_streams", 1_024),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
)
"""Without probing of the line's width gRPC takes in 64 KiB of a call before we know who it is, and not megabytes: 400 strangers with
1.2 MB each cost 12 MiB instead of 135. Once a call is read, its messages come as wide as they are."""
_OFFICE, _ADMIN = "/truc.v1.OfficeService/", "/truc.v1.AdminService/"
_CHECK_HEALTH = "/grpc.health.v1.Health/Check"
OPERATOR = "@operator"
"""The operator's name among callers; no system's name has such a character."""


class OfficeNode(Protocol):
    """The node's verbs that an office calls."""

    async def submit(self, system: System, submission: Submission, packet: Packet) -> SubmitResult: ...
    async def list_inbox(
        self, system: System, unit: str, page_size: int, page_token: str
    ) -> tuple[list[InboxEntry], str]: ...
    async def fetch(
        self, system: System, packet_id: bytes, unit: str, offset_bytes: int = 0, lease_ms: int = 0, instance: str = ""
    ) -> tuple[InboxEntry, AsyncIterator[bytes]]: ...
    async def acknowledge(self, system: System, packet_ids: Sequence[bytes], unit: str) -> int: ...
    async def track(
        self,
        system: System,
        packet_id: bytes = b"",
        submission_id: str = "",
        document_id: str = "",
        *,
        page_size: int = 0,
        page_token: str = "",
    ) -> TrackView: ...
    async def dossier(
        self, system: System, unit: str = "", author_unit: str = "", document_id: str = "", packet_id: bytes = b""
    ) -> Dossier: ...
    async def search_units(self, query: str, limit: int) -> list[FoundUnit]: ...


class OfficeService(OfficeServiceServicer):
    """OfficeService over a node."""

    def __init__(
        self,
        node: OfficeNode,
        systems: Systems,
        policy: Policy,
        tally: Tally | None = None,
    ) -> None:
        self.tally = tally or Tally()
        self._node = node
        self._systems = systems
        self._policy = policy
        self._octets = Octets()

    @answering
    async def Submit(self, request_iterator: AsyncIterator[pb.SubmitRequest], context: Context) -> pb.SubmitResponse:
        """Hands in packets; see submit_stream.py."""
        system = self.authenticate(context)
        read = functools.partial(message_within, context, SUBMIT_IDLE_S)
        results = await SubmitCall(self._node.submit, system, self._policy, read, self._octets).run()
        response = pb.SubmitResponse()
        for result in results:
            wire.submit_result_into(response.results.add(), result)
        return response

    @answering
    async def SubmitOne(self, request: pb.SubmitWhole, context: Context) -> pb.SubmitResult:
        """Hands in one small packet."""
        system = self.authenticate(context)
        call = SubmitCall(self._node.submit, system, self._policy, context.read, self._octets)
        return wire.submit_result_to_proto(await call.submit_whole(request.begin, request.data))

    @answering
    async def ListInbox(self, request: pb.ListInboxRequest, context: Context) -> pb.ListInboxResponse:
        """Lists what waits."""
        system = self.authenticate(context)
        page_size = bounded(request.page_size, PAGE_DEFAULT, PAGE_MAX)
        entries, token = await self._node.list_inbox(system, request.unit, page_size, request.page_token)
        return pb.ListInboxResponse(entries=[wire.inbox_entry_to_proto(e) for e in entries], next_page_token=token)

    @streaming
    async def Fetch(self, request: pb.FetchRequest, context: Context) -> AsyncIterator[pb.FetchResponse]:
        """Streams a packet's octets in pieces of at most 256 KiB; the first message carries the entry."""
        system = self.authenticate(context)
        _check_packet_id(request.packet_id)
        if request.offset_bytes < 0 or request.lease_ms < NO_LEASE:
            raise Rejected(Reason.REQUEST_INVALID, "offset_bytes must not be negative, lease_ms not below -1")
        if len(request.instance) > INSTANCE_CHARACTERS_MAX:
            raise Rejected(Reason.REQUEST_INVALID, f"instance has more than {INSTANCE_CHARACTERS_MAX} characters")
        entry, chunks = await self._node.fetch(
            system, request.packet_id, request.unit, request.offset_bytes, request.lease_ms, request.instance
        )
        yield pb.FetchResponse(entry=wire.inbox_entry_to_proto(entry))
        async for chunk in chunks:
            for begin in range(0, len(chunk), FETCH_PIECE_BYTES):
                yield pb.FetchResponse(data=chunk[begin : begin + FETCH_PIECE_BYTES])

    @answering
    async def Acknowledge(self, request: pb.AcknowledgeRequest, context: Context) -> pb.AcknowledgeResponse:
        """Takes packets out of the inbox."""
        system = self.authenticate(context)
        if len(request.packet_ids) > ACKNOWLEDGE_MAX:
            raise Rejected(Reason.REQUEST_INVALID, f"more than {ACKNOWLEDGE_MAX} packets")
        for packet_id in request.packet_ids:
            _check_packet_id(packet_id)
        return pb.AcknowledgeResponse(
            acknowledged=await self._node.acknowledge(system, list(request.packet_ids), request.unit)
        )

    @answering
    async def Track(self, request: pb.TrackRequest, context: Context) -> pb.TrackResponse:
        """Shows deliveries and statuses, all or a page of them."""
        system = self.authenticate(context)
        names = (request.packet_id, request.submission_id, request.document_id)
        if sum(map(bool, names)) != 1:
            raise Rejected(Reason.REQUEST_INVALID, "name the packet by exactly one of its three names")
        if request.packet_id:
            _check_packet_id(request.packet_id)
        page_size = bounded(request.page_size, 0, PAGE_MAX)
        view = await self._node.track(system, *names, page_size=page_size, page_token=request.page_token)
        return await track_answer(view, receipts_apart=request.receipts_apart)

    @answering
    async def Dossier(self, request: pb.DossierRequest, context: Context) -> pb.DossierResponse:
        """Shows a document's life."""
        system = self.authenticate(context)
        if bool(request.document_id) == bool(request.packet_id):
            raise Rejected(Reason.REQUEST_INVALID, "name the document by document_id or by packet_id")
        if request.packet_id:
            _check_packet_id(request.packet_id)
        return views.dossier_to_proto(
            await self._node.dossier(system, request.unit, request.author_unit, request.document_id, request.packet_id)
        )

    @answering
    async def SearchUnits(self, request: pb.SearchUnitsRequest, context: Context) -> pb.SearchUnitsResponse:
        """Finds units."""
        self.authenticate(context)
        limit = bounded(request.limit, SEARCH_DEFAULT, SEARCH_MAX)
        return wire.found_units_to_proto(await self._node.search_units(request.query, limit))

    def authenticate(self, context: Context) -> System:
        """Return the calling system. Raises Denied, at once."""
        return self._systems.authenticate(authorization(context))


async def track_answer(view: TrackView, *, receipts_apart: bool) -> pb.TrackResponse:
    """Translate a tracked packet, some deliveries at a time: there may be thousands."""
    answer = views.TrackAnswer(view, receipts_apart=receipts_apart)
    for number, delivery in enumerate(view.deliveries, 1):
        answer.add(delivery)
        if not number % DELIVERIES_AT_ONCE:
            await asyncio.sleep(0)
    return answer.message


def bounded(asked: int, default: int, maximum: int) -> int:
    """Return a page size: the default for 0, at most the maximum. Raises Rejected(REQUEST_INVALID) below 0."""
    if asked < 0:
        raise Rejected(Reason.REQUEST_INVALID, "a limit must not be negative")
    return min(asked or default, maximum)


def _check_packet_id(packet_id: bytes) -> None:
    if len(packet_id) != 16:
        raise Rejected(Reason.REQUEST_INVALID, "packet_id must be 16 octets")


class OfficeDoor:
    """Tells who calls, before anything is read: a system, the operator, or nobody who is known, who may ask for the health and no more."""

    def __init__(self, office: OfficeService, admin: AdminService) -> None:
        self._office = office
        self._admin = admin

    def caller(self, method: str, context: Context) -> str:
        """Return the name of a caller. Raises Denied for a method that it may not call."""
        if method == _CHECK_HEALTH:
            return ""
        if method.startswith(_OFFICE):
            return self._office.authenticate(context).name
        if method.startswith(_ADMIN):
            self._admin.authenticate(context)
            return OPERATOR
        return self._either(context)

    def _either(self, context: Context) -> str:
        try:
            return self._office.authenticate(context).name
        except Denied:
            with suppress(Denied):
                self._admin.authenticate(context)
                return OPERATOR
            raise

    def tally(self, method: str) -> Tally:
        """Return where calls to a method are counted."""
        return self._admin.tally if method.startswith(_ADMIN) else self._office.tally


def office_listener(
    address: str,
    identity: TlsIdentity,
    office: OfficeService,
    admin: AdminService,
    *,
    refusal_delay_s: float = REFUSAL_DELAY_S,
) -> Listener:
    """Put the office's server together, with the operator's door and reflection in it; `start` it."""
    reflection = Reflection(office.authenticate, admin.authenticate, office.tally)
    door, guests = OfficeDoor(office, admin), Guests(connections_max())
    shares = Shares(CALLS_MAX, FREE_PER_CALL)

    def register(server: grpc.aio.Server) -> None:
        add_OfficeServiceServicer_to_server(office, server)
        add_AdminServiceServicer_to_server(admin, server)
        add_reflection(reflection, server)

    return Listener(
        address,
        lambda: office_credentials(identity),
        register,
        options=OFFICE_OPTIONS,
        calls_max=AT_THE_DOOR_MAX,
        interceptors=[Gate(door.caller, shares, door.tally, guests, refusal_delay_s=refusal_delay_s)],
        guests=guests,
    )
