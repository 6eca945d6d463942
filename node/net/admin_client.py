"""Admin client: the operator's side of the door, for the command line on the node's own machine."""

from types import TracebackType
from typing import Self

from node.model.completeness import UnitReport
from node.model.hold import HoldView
from node.model.office import HealthView, OutboxView, PeerView, QuarantineView
from node.model.webhook import HookView
from node.net.client import CLIENT_OPTIONS
from node.net.errors import faults
from node.net.tls import der_of, pinned_channel
from node.net.tokens import bearer
from node.wire import admin as wire
from node.wire.truc.v1 import admin_service_pb2 as pb
from node.wire.truc.v1.admin_service_pb2_grpc import AdminServiceStub

CALL_S = 30.0
REFRESH_S = 330.0
"""Long enough for the node to fetch the directory from several peers."""


class AdminClient:
    """One connection to the running node. Every method raises a Fault: Deferred(PEER_UNREACHABLE) if it does not run."""

    def __init__(self, address: str, certificate_pem: bytes, token: str) -> None:
        self._channel = pinned_channel(address, (der_of(certificate_pem),), None, CLIENT_OPTIONS)
        self._stub = AdminServiceStub(self._channel)
        self._metadata = bearer(token)

    @classmethod
    def connect(cls, address: str, certificate_pem: bytes, token: str) -> Self:
        """Make a client; the connection itself is made by the first call."""
        return cls(address, certificate_pem, token)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    async def list_outbox(self, node_id: str = "", limit: int = 0) -> tuple[list[OutboxView], bool]:
        """Return what waits (for one peer, or all) and whether there is more; 0: 100 of them."""
        request = pb.ListOutboxRequest(node_id=node_id, limit=limit)
        with faults():
            return wire.outbox_from_proto(await self._stub.ListOutbox(request, metadata=self._metadata, timeout=CALL_S))

    async def list_quarantine(self, limit: int = 0) -> tuple[list[QuarantineView], bool]:
        """Return what was laid aside and whether there is more; 0: 100 of it."""
        request = pb.ListQuarantineRequest(limit=limit)
        with faults():
            return wire.quarantine_from_proto(
                await self._stub.ListQuarantine(request, metadata=self._metadata, timeout=CALL_S)
            )

    async def release_quarantined(self, name: str) -> str:
        """Let something that was laid aside go on; return the peer that it waits for, if any."""
        request = pb.ReleaseQuarantinedRequest(name=name)
        with faults():
            response = await self._stub.ReleaseQuarantined(request, metadata=self._metadata, timeout=CALL_S)
        return response.node_id

    async def list_peers(self) -> list[PeerView]:
        """Return the roads to all peers."""
        with faults():
            return wire.peers_from_proto(
                await self._stub.ListPeers(pb.ListPeersRequest(), metadata=self._metadata, timeout=CALL_S)
            )

    async def list_hooks(self) -> list[HookView]:
        """Return how the telling of systems goes."""
        with faults():
            return wire.hooks_from_proto(
                await self._stub.ListHooks(pb.ListHooksRequest(), metadata=self._metadata, timeout=CALL_S)
            )

    async def hold_peer(self, node_id: str) -> None:
        """Stop sending to a peer until released."""
        with faults():
            await self._stub.HoldPeer(pb.HoldPeerRequest(node_id=node_id), metadata=self._metadata, timeout=CALL_S)

    async def release_peer(self, node_id: str) -> None:
        """Go on sending to a peer, at once."""
        request = pb.ReleasePeerRequest(node_id=node_id)
        with faults():
            await self._stub.ReleasePeer(request, metadata=self._metadata, timeout=CALL_S)

    async def put_hold(self, packet_id: bytes, reason: str) -> None:
        """Put a legal hold on a packet: nothing of it is forgotten until it is lifted."""
        request = pb.PutHoldRequest(packet_id=packet_id, reason=reason)
        with faults():
            await self._stub.PutHold(request, metadata=self._metadata, timeout=CALL_S)

    async def lift_hold(self, packet_id: bytes) -> None:
        """Lift a legal hold."""
        with faults():
            await self._stub.LiftHold(pb.LiftHoldRequest(packet_id=packet_id), metadata=self._metadata, timeout=CALL_S)

    async def list_holds(self) -> list[HoldView]:
        """Return all legal holds, in order of packet id."""
        held: list[HoldView] = []
        token = ""
        while True:
            request = pb.ListHoldsRequest(page_token=token)
            with faults():
                answer = await self._stub.ListHolds(request, metadata=self._metadata, timeout=CALL_S)
            page, token = wire.holds_from_proto(answer)
            held += page
            if not token:
                return held

    async def health(self) -> HealthView:
        """Return how the node is."""
        with faults():
            return wire.health_from_proto(
                await self._stub.GetHealth(pb.GetHealthRequest(), metadata=self._metadata, timeout=CALL_S)
            )

    async def count_statuses(
        self, from_ms: int = 0, to_ms: int = 0, page_token: str = ""
    ) -> tuple[list[UnitReport], str]:
        """Return how completely recipients report on one page of deliveries, and the next page's token; see model.completeness.merged."""
        request = pb.CountStatusesRequest(from_ms=from_ms, to_ms=to_ms, page_token=page_token)
        with faults():
            return wire.statuses_from_proto(
                await self._stub.CountStatuses(request, metadata=self._metadata, timeout=CALL_S)
            )

    async def refresh_directory(self) -> int:
        """Have the node ask for the directory now; return the version it trusts then."""
        request = pb.RefreshDirectoryRequest()
        with faults():
            response = await self._stub.RefreshDirectory(request, metadata=self._metadata, timeout=REFRESH_S)
        return response.directory_version
