"""Mesh server: peers call here. Handlers find out who calls, translate, ask the node, and translate back.

The certificate alone decides who calls; it is compared with the directory as it is at that moment, on every call. Nothing that the
caller writes about itself counts.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Protocol

import grpc

from node.errors import Deferred, Denied, Rejected
from node.model.mesh import Answer, Hello, Parcel, PushItem, Want
from node.model.policy import KIB, MIB, Policy
from node.model.reason import Reason
from node.net.errors import Context, Tally, answering, streaming
from node.net.gate import (
    AT_THE_DOOR_MAX,
    READING_OF_PEER_MAX,
    REQUEST_S,
    SEND_IDLE_S,
    WORKING_MAX,
    Gate,
    Shares,
    message_within,
)
from node.net.guests import Guests, connections_max
from node.net.listener import Listener, Option
from node.net.tls import PinnedRoots, der_of
from node.ports import DirectorySource
from node.seal.tls import TlsIdentity
from node.wire import codec
from node.wire.truc.v1 import mesh_service_pb2 as pb
from node.wire.truc.v1.mesh_service_pb2_grpc import MeshServiceServicer, add_MeshServiceServicer_to_server

BODY_IDLE_S = 30.0
"""An upload in which nothing comes for so long ends. A piece has 256 KiB, for which the slowest line takes 4 s; who sent it resumes."""
PUT_BODY_S = 90.0
"""An upload lasts so long at most, however it drips: who sends it ends it after 60 s (peers.py) and goes on with a new one."""
PIECE_BYTES_MAX = 1 * MIB
FETCH_BODY_BYTES_MAX = 256 * MIB
DIRECTORY_PIECE_BYTES = 64 * KIB
"""A slow line must bring a piece in less than FETCH_IDLE_S (directory_files.py)."""

MESH_OPTIONS: tuple[Option, ...] = (
    ("grpc.max_concurrent_streams", 64),
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 90_000),
)
"""An upload closes itself after 60 s (peers.py), well inside the grace. gRPC spreads the age by 10 % itself."""

DirectoryFiles = Callable[[dict[str, bytes], frozenset[str]], Iterable[tuple[str, bytes]]]
"""Given the SHA-256 of what the caller has, by path, and the only paths that it wants (none: all): yields (path, content) of what it
lacks. May read from disk."""


class MeshNode(Protocol):
    """The node's verbs that peers call. `peer_id` is the node whose certificate was presented."""

    async def receive_hello(self, peer_id: str, hello: Hello) -> Hello: ...
    async def receive_push(self, peer_id: str, items: Sequence[PushItem]) -> list[Answer]: ...
    async def receive_offer(self, peer_id: str, parcel: Parcel) -> Answer | Want: ...
    async def receive_body(
        self, peer_id: str, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]
    ) -> int: ...
    async def receive_commit(self, peer_id: str, parcel: Parcel) -> Answer: ...
    async def give_body(
        self, peer_id: str, packet_id: bytes, body_sha256: bytes, offset_bytes: int
    ) -> AsyncGenerator[bytes, None]: ...


class MeshService(MeshServiceServicer):
    """MeshService over a node."""

    def __init__(
        self,
        node: MeshNode,
        directory: DirectorySource,
        directory_files: DirectoryFiles,
        policy: Policy,
        tally: Tally | None = None,
        *,
        body_idle_s: float = BODY_IDLE_S,
    ) -> None:
        self.tally = tally or Tally()
        self.shares = Shares()
        self._body_idle_s = body_idle_s
        self._node = node
        self._directory = directory
        self._directory_files = directory_files
        self._policy = policy
        self._served: set[str] = set()
        """Peers to whom the directory is being sent."""
        self._given: set[str] = set()
        """Peers to whom a body is being sent."""

    @answering
    async def Hello(self, request: pb.HelloRequest, context: Context) -> pb.HelloResponse:
        """Exchanges versions, clock and directory."""
        peer_id = self._caller(context)
        hello = await self._node.receive_hello(peer_id, codec.hello_request_from_proto(request, peer_id))
        return codec.hello_response_to_proto(hello)

    @answering
    async def Push(self, request: pb.PushRequest, context: Context) -> pb.PushResponse:
        """Hands over a batch. An item that cannot be understood gets its answer here, the rest from the node."""
        peer_id = self._caller(context)
        if len(request.items) > self._policy.push_items_max:
            raise Rejected(Reason.REQUEST_INVALID, f"{len(request.items)} items in one push")
        read = codec.push_request_from_proto(request)
        items = [item for item in read if not isinstance(item, Answer)]
        answers = iter(await self._node.receive_push(peer_id, items) if items else ())
        return codec.push_response_to_proto([item if isinstance(item, Answer) else next(answers) for item in read])

    @answering
    async def Offer(self, request: pb.OfferRequest, context: Context) -> pb.OfferResponse:
        """Announces a large packet."""
        peer_id = self._caller(context)
        return codec.offer_response_to_proto(
            await self._node.receive_offer(peer_id, codec.offer_request_from_proto(request))
        )

    @answering
    async def PutBody(self, request_iterator: AsyncIterator[pb.PutBodyRequest], context: Context) -> pb.PutBodyResponse:
        """Uploads a body from an offset on; ends where the caller ends."""
        peer_id = self._caller(context)
        first = await message_within(context, self._body_idle_s)
        if first is grpc.aio.EOF or len(first.token) != 16 or first.offset_bytes < 0:
            raise Rejected(Reason.REQUEST_INVALID, "an upload begins with a token of 16 octets and an offset")
        chunks = _chunks(first, context, self._body_idle_s)
        durable_bytes = await self._node.receive_body(peer_id, first.token, first.offset_bytes, chunks)
        return pb.PutBodyResponse(offset_bytes=durable_bytes)

    @answering
    async def Commit(self, request: pb.CommitRequest, context: Context) -> pb.CommitResponse:
        """Says that an upload is complete."""
        peer_id = self._caller(context)
        answer = await self._node.receive_commit(peer_id, codec.commit_request_from_proto(request))
        return codec.commit_response_to_proto(answer)

    @streaming
    async def FetchDirectory(
        self, request: pb.FetchDirectoryRequest, context: Context
    ) -> AsyncIterator[pb.FetchDirectoryResponse]:
        """Streams the directory's files that the caller lacks. Reading them from disk is done beside the loop.

        Once at a time for each peer: each holds a whole file in memory, and files may be long.
        """
        peer_id = self._caller(context)
        if peer_id in self._served:
            raise Deferred(Reason.PEER_BUSY, "the directory is being sent to this node already")
        self._served.add(peer_id)
        try:
            async for piece in self._pieces(request):
                yield piece
        finally:
            self._served.discard(peer_id)

    @streaming
    async def FetchBody(self, request: pb.FetchBodyRequest, context: Context) -> AsyncIterator[pb.FetchBodyResponse]:
        """Streams a body to another node of its packet, at most FETCH_BODY_BYTES_MAX of it. Once at a time for each peer."""
        peer_id = self._caller(context)
        if len(request.packet_id) != 16 or len(request.body_sha256) != 32 or request.offset_bytes < 0:
            raise Rejected(Reason.REQUEST_INVALID, "a body is asked for by 16 octets, 32 octets and an offset")
        if peer_id in self._given:
            raise Deferred(Reason.PEER_BUSY, "a body is being sent to this node already")
        self._given.add(peer_id)
        try:
            left_bytes = FETCH_BODY_BYTES_MAX
            asked = (peer_id, request.packet_id, request.body_sha256, request.offset_bytes)
            async with aclosing(await self._node.give_body(*asked)) as pieces:
                async for data in pieces:
                    yield pb.FetchBodyResponse(data=data)
                    left_bytes -= len(data)
                    if left_bytes <= 0:
                        break
        finally:
            self._given.discard(peer_id)

    async def _pieces(self, request: pb.FetchDirectoryRequest) -> AsyncIterator[pb.FetchDirectoryResponse]:
        files = iter(self._directory_files(dict(request.have_sha256), frozenset(request.paths)))
        while (file := await asyncio.to_thread(next, files, None)) is not None:
            path, content = file
            for begin in range(0, max(1, len(content)), DIRECTORY_PIECE_BYTES):
                end = begin + DIRECTORY_PIECE_BYTES
                yield pb.FetchDirectoryResponse(path=path, data=content[begin:end], last=end >= len(content))

    def _caller(self, context: Context) -> str:
        """Return the id of the calling peer. Raises Denied(PEER_UNKNOWN)."""
        peer_id = self.caller_or_none(context)
        if not peer_id:
            raise Denied(Reason.PEER_UNKNOWN, "the directory names no node with this certificate")
        return peer_id

    def caller_or_none(self, context: Context) -> str:
        """Return the id of the calling peer; "": the directory names none with its certificate."""
        for pem in context.auth_context().get("x509_pem_cert", ()):
            peer_id = self._directory.current().certificates.get(der_of(pem))
            if peer_id is not None:
                return peer_id
        return ""


async def _chunks(
    first: pb.PutBodyRequest, context: Context, idle_s: float, lasts_s: float = PUT_BODY_S
) -> AsyncIterator[bytes]:
    """Yield the octets of an upload, each piece checked to follow the one before. It ends after a time; more comes in a new one."""
    position = first.offset_bytes
    message: Any = first
    loop = asyncio.get_running_loop()
    until_s = loop.time() + lasts_s
    while message is not grpc.aio.EOF and loop.time() < until_s:
        if message is not first and not message.data:
            raise Rejected(Reason.REQUEST_INVALID, "a piece without octets")
        if message.offset_bytes != position or len(message.data) > PIECE_BYTES_MAX:
            raise Rejected(Reason.REQUEST_INVALID, f"a piece at {message.offset_bytes} where {position} was due")
        position += len(message.data)
        if message.data:
            yield message.data
        message = await message_within(context, idle_s)


def mesh_listener(
    address: str,
    identity: TlsIdentity,
    directory: DirectorySource,
    service: MeshService,
    *,
    request_s: float = REQUEST_S,
    send_idle_s: float = SEND_IDLE_S,
) -> Listener:
    """Put the mesh's server together; `start` it. Peers' certificates follow the directory without a restart."""
    roots = PinnedRoots(identity, directory.current)
    guests = Guests(connections_max())
    gate = Gate(
        lambda _, context: service.caller_or_none(context),
        service.shares,
        lambda _: service.tally,
        guests,
        request_s=request_s,
        send_idle_s=send_idle_s,
        reading_max=READING_OF_PEER_MAX,
        working_max=WORKING_MAX,
    )
    return Listener(
        address,
        roots.credentials,
        lambda server: add_MeshServiceServicer_to_server(service, server),
        options=MESH_OPTIONS,
        calls_max=AT_THE_DOOR_MAX,
        interceptors=[gate],
        guests=guests,
    )
