"""Channels to peers: for each a fast line and a bulk line, on connections of their own, so that bulk never delays the rest.

By default gRPC joins channels of equal arguments on one connection (mesh.md F8) and goes on dialling a dead address for
ever. Here only the outbox retries: a line that failed to connect is closed, and the next attempt, whenever the outbox
makes it, dials anew. A line is also rebuilt when the directory gives its peer another address or certificate.
"""

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import grpc

from node.errors import Deferred
from node.model.directory import NodeEntry
from node.model.reason import Reason
from node.net.listener import MESSAGE_BYTES_MAX, Option
from node.net.tls import all_names, pinned_channel
from node.seal.tls import TlsIdentity
from node.wire.truc.v1 import mesh_service_pb2 as pb
from node.wire.truc.v1.mesh_service_pb2_grpc import MeshServiceStub

if TYPE_CHECKING:
    from node.wire.truc.v1.mesh_service_pb2_grpc import MeshServiceAsyncStub

    Push = grpc.aio.UnaryUnaryMultiCallable[bytes, pb.PushResponse]

PUSH = f"/{pb.DESCRIPTOR.services_by_name['MeshService'].full_name}/Push"
CLOSE_GRACE_S = 30.0
"""Calls in flight on a line that is being replaced have so long to end."""

CHANNEL_OPTIONS: list[Option] = [
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
]
"""The figures are those of mesh.md 1.19; tls.py says how a line is tried again."""


class Kind(Enum):
    """One of a peer's two connections."""

    FAST = "fast"
    BULK = "bulk"


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One channel as it was built, and from what."""

    node_id: str
    kind: Kind
    address: str
    certificates: tuple[bytes, ...]
    channel: grpc.aio.Channel
    stub: "MeshServiceAsyncStub"
    push: "Push"
    """The stub's Push for a request that is serialised already."""


class Channels:
    """All lines of one node. Used on the loop only."""

    def __init__(self, identity: TlsIdentity) -> None:
        self._identity = identity
        self._lines: dict[tuple[str, Kind], Line] = {}
        self._name_index: dict[str, int] = {}
        self._address_index: dict[str, int] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    def line(self, peer: NodeEntry, kind: Kind) -> Line:
        """Return the line to a peer as the directory describes it now.

        Raises Deferred(PEER_UNREACHABLE) if it has no address, Deferred(SHUTTING_DOWN) after `close`.
        """
        line = self._lines.get((peer.node_id, kind))
        if line is not None:
            if line.address in peer.addresses and line.certificates == peer.tls_certificates:
                return line
            self._let_go(line)
        return self._open(peer, kind)

    def drop(self, line: Line, *, refused_by_tls: bool = False) -> None:
        """Let go of a line that failed; the next call opens another, to the peer's next address.

        `refused_by_tls`: the next line expects the next name of the peer's certificates, and after the last goes to the next address.
        """
        if self._lines.get((line.node_id, line.kind)) is not line:
            return
        if refused_by_tls:
            self._name_index[line.node_id] = self._name_index.get(line.node_id, 0) + 1
        if not refused_by_tls or self._name_index[line.node_id] % len(all_names(line.certificates)) == 0:
            self._address_index[line.node_id] = self._address_index.get(line.node_id, 0) + 1
        self._let_go(line)

    def _let_go(self, line: Line) -> None:
        del self._lines[line.node_id, line.kind]
        task = asyncio.get_running_loop().create_task(line.channel.close(CLOSE_GRACE_S))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """End all calls and close all lines."""
        self._closed = True
        lines = [line.channel.close(None) for line in self._lines.values()]
        self._lines.clear()
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*lines, *self._closing, return_exceptions=True)

    def _open(self, peer: NodeEntry, kind: Kind) -> Line:
        if self._closed:
            raise Deferred(Reason.SHUTTING_DOWN)
        if not peer.mesh_address:
            raise Deferred(Reason.PEER_UNREACHABLE, f"{peer.node_id} has no address in the directory")
        if not all_names(peer.tls_certificates):
            raise Deferred(Reason.PEER_TLS_FAILED, f"{peer.node_id} has no usable certificate in the directory")
        index = self._name_index.get(peer.node_id, 0)
        address = peer.addresses[self._address_index.get(peer.node_id, 0) % len(peer.addresses)]
        channel = pinned_channel(address, peer.tls_certificates, self._identity, CHANNEL_OPTIONS, name_index=index)
        push: Push = channel.unary_unary(PUSH, None, pb.PushResponse.FromString)
        line = Line(peer.node_id, kind, address, peer.tls_certificates, channel, MeshServiceStub(channel), push)
        self._lines[peer.node_id, kind] = line
        return line
