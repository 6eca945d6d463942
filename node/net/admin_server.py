"""Admin server: the operator's door, open to this machine only, and only with the administrator's token."""

from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import unquote

from node.access.systems import Systems
from node.errors import Denied, Rejected
from node.model.completeness import UnitReport
from node.model.hold import HoldView
from node.model.office import HealthView, OutboxView, PeerView, QuarantineView
from node.model.reason import Reason
from node.model.webhook import HookView
from node.net.errors import Context, Tally, answering
from node.net.tokens import authorization
from node.wire import admin as wire
from node.wire.truc.v1 import admin_service_pb2 as pb
from node.wire.truc.v1.admin_service_pb2_grpc import AdminServiceServicer

OUTBOX_DEFAULT, OUTBOX_MAX = 100, 1_000
HOLD_REASON_CHARACTERS_MAX = 500
PACKET_ID_BYTES = 16

_LOOPBACK = ("ipv4:127.", "ipv6:[::1]", "ipv6:%5B::1%5D", "ipv6:[::ffff:127.", "ipv6:%5B::ffff:127.", "unix:")


class AdminNode(Protocol):
    """The node's verbs that an operator calls."""

    async def list_outbox(self, node_id: str, limit: int) -> tuple[list[OutboxView], bool]: ...
    async def list_quarantine(self, limit: int) -> tuple[list[QuarantineView], bool]: ...
    async def release_quarantined(self, name: str) -> str: ...
    async def list_peers(self) -> list[PeerView]: ...
    async def list_hooks(self) -> list[HookView]: ...
    async def hold_peer(self, node_id: str) -> None: ...
    async def release_peer(self, node_id: str) -> None: ...
    async def count_statuses(self, from_ms: int, to_ms: int, page_token: str) -> tuple[list[UnitReport], str]: ...
    async def put_hold(self, packet_id: bytes, reason: str) -> None: ...
    async def lift_hold(self, packet_id: bytes) -> None: ...
    async def list_holds(self, page_token: str) -> tuple[list[HoldView], str]: ...


class AdminService(AdminServiceServicer):
    """AdminService over a node; health and the directory come from assembly."""

    def __init__(
        self,
        node: AdminNode,
        systems: Systems,
        health: Callable[[], Awaitable[HealthView]],
        refresh_directory: Callable[[], Awaitable[int]],
        tally: Tally | None = None,
        *,
        listens_on: str = "",
    ) -> None:
        """Make the service. `listens_on` is the door's "host:port"; if it is one address only, commands call from that address."""
        self.tally = tally or Tally()
        self._own_host = listens_on.rpartition(":")[0]
        self._node = node
        self._systems = systems
        self._health = health
        self._refresh_directory = refresh_directory

    @answering
    async def ListOutbox(self, request: pb.ListOutboxRequest, context: Context) -> pb.ListOutboxResponse:
        """Lists what waits to leave."""
        self.authenticate(context)
        if request.limit < 0:
            raise Rejected(Reason.REQUEST_INVALID, "a limit must not be negative")
        limit = min(request.limit or OUTBOX_DEFAULT, OUTBOX_MAX)
        return wire.outbox_to_proto(*await self._node.list_outbox(request.node_id, limit))

    @answering
    async def ListQuarantine(self, request: pb.ListQuarantineRequest, context: Context) -> pb.ListQuarantineResponse:
        """Lists what was laid aside."""
        self.authenticate(context)
        if request.limit < 0:
            raise Rejected(Reason.REQUEST_INVALID, "a limit must not be negative")
        limit = min(request.limit or OUTBOX_DEFAULT, OUTBOX_MAX)
        return wire.quarantine_to_proto(*await self._node.list_quarantine(limit))

    @answering
    async def ReleaseQuarantined(
        self, request: pb.ReleaseQuarantinedRequest, context: Context
    ) -> pb.ReleaseQuarantinedResponse:
        """Lets something that was laid aside go on."""
        self.authenticate(context)
        return pb.ReleaseQuarantinedResponse(node_id=await self._node.release_quarantined(request.name))

    @answering
    async def ListPeers(self, request: pb.ListPeersRequest, context: Context) -> pb.ListPeersResponse:
        """Lists the roads to all peers."""
        self.authenticate(context)
        return wire.peers_to_proto(await self._node.list_peers())

    @answering
    async def ListHooks(self, request: pb.ListHooksRequest, context: Context) -> pb.ListHooksResponse:
        """Lists the systems that want to be told of events."""
        self.authenticate(context)
        return wire.hooks_to_proto(await self._node.list_hooks())

    @answering
    async def HoldPeer(self, request: pb.HoldPeerRequest, context: Context) -> pb.HoldPeerResponse:
        """Stops sending to a peer."""
        self.authenticate(context)
        await self._node.hold_peer(request.node_id)
        return pb.HoldPeerResponse()

    @answering
    async def ReleasePeer(self, request: pb.ReleasePeerRequest, context: Context) -> pb.ReleasePeerResponse:
        """Goes on sending to a peer."""
        self.authenticate(context)
        await self._node.release_peer(request.node_id)
        return pb.ReleasePeerResponse()

    @answering
    async def GetHealth(self, request: pb.GetHealthRequest, context: Context) -> pb.GetHealthResponse:
        """Says how the node is."""
        self.authenticate(context)
        return wire.health_to_proto(await self._health())

    @answering
    async def RefreshDirectory(
        self, request: pb.RefreshDirectoryRequest, context: Context
    ) -> pb.RefreshDirectoryResponse:
        """Asks for the directory again, now."""
        self.authenticate(context)
        return pb.RefreshDirectoryResponse(directory_version=await self._refresh_directory())

    @answering
    async def CountStatuses(self, request: pb.CountStatusesRequest, context: Context) -> pb.CountStatusesResponse:
        """Counts a page of deliveries by how completely their recipients report."""
        self.authenticate(context)
        if request.from_ms < 0 or request.to_ms < 0:
            raise Rejected(Reason.REQUEST_INVALID, "a time must not be negative")
        page = await self._node.count_statuses(request.from_ms, request.to_ms, request.page_token)
        return wire.statuses_to_proto(*page)

    @answering
    async def PutHold(self, request: pb.PutHoldRequest, context: Context) -> pb.PutHoldResponse:
        """Puts a legal hold on a packet."""
        self.authenticate(context)
        reason = request.reason.strip()
        if not 1 <= len(reason) <= HOLD_REASON_CHARACTERS_MAX:
            raise Rejected(Reason.REQUEST_INVALID, f"reason must be 1 to {HOLD_REASON_CHARACTERS_MAX} characters")
        await self._node.put_hold(_packet_id(request.packet_id), reason)
        return pb.PutHoldResponse()

    @answering
    async def LiftHold(self, request: pb.LiftHoldRequest, context: Context) -> pb.LiftHoldResponse:
        """Lifts a legal hold."""
        self.authenticate(context)
        await self._node.lift_hold(_packet_id(request.packet_id))
        return pb.LiftHoldResponse()

    @answering
    async def ListHolds(self, request: pb.ListHoldsRequest, context: Context) -> pb.ListHoldsResponse:
        """Lists a page of legal holds."""
        self.authenticate(context)
        return wire.holds_to_proto(*await self._node.list_holds(request.page_token))

    def authenticate(self, context: Context) -> None:
        """Raises Denied, at once, unless the call comes from this machine with the administrator's token."""
        if not is_from_here(context.peer(), self._own_host):
            raise Denied(Reason.ADMIN_ONLY, "the operator's door opens on the node's own machine only")
        self._systems.authenticate_admin(authorization(context))


def _packet_id(octets: bytes) -> bytes:
    if len(octets) != PACKET_ID_BYTES:
        raise Rejected(Reason.REQUEST_INVALID, f"a packet_id has {PACKET_ID_BYTES} octets")
    return octets


def is_from_here(peer: str, own_host: str = "") -> bool:
    """Tell whether gRPC's name of a peer ("ipv4:127.0.0.1:50412") is on this machine.

    A peer with the very address that we listen on is, too: no kernel takes a packet from outside that claims to be from itself.
    """
    _, _, address = unquote(peer).partition(":")
    return peer.startswith(_LOOPBACK) or bool(own_host and address.rpartition(":")[0] == own_host)
