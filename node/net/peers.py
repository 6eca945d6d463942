"""Peers over gRPC, the port of that name: what we say to other nodes. One attempt per call, with a deadline; the outbox retries.

Small calls go over a peer's fast line, uploads and the directory over its bulk line. An upload ends by itself after a
minute or 256 MiB, so that it never outlives the grace of a server that renews its connections; the answer says how far the
peer has it durably, and the courier goes on from there with a new call.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import grpc

from node.errors import Deferred, Fault
from node.model.directory import NodeEntry
from node.model.mesh import Answer, Hello, Parcel, PushItem, PushPacket, Want
from node.model.policy import KIB, MIB
from node.model.reason import Reason
from node.net.channels import Channels, Kind, Line
from node.net.directory_files import FETCH_IDLE_S, Arrivals
from node.net.errors import OK, faults, peer_fault_of
from node.net.upload import conduct
from node.seal.tls import TlsIdentity
from node.wire import codec
from node.wire.truc.v1 import mesh_service_pb2 as pb

HELLO_S, OFFER_S, PUSH_S, COMMIT_S = 5.0, 10.0, 15.0, 60.0
PUSH_BYTES_PER_S = 64 * KIB
"""A push gets this much more time for its size: 3 MiB over a slow line."""
PUT_BODY_S = 60.0
PUT_BODY_ANSWER_S = 30.0
"""Time for the peer's last fsync and its answer."""
PUT_BODY_BYTES_MAX = 256 * MIB
FETCH_BODY_S, FETCH_BODY_IDLE_S = 50.0, 20.0
"""A body is fetched for so long at a time, and the next piece of it is waited for so long."""
FETCH_PIECE_BYTES_MIN = 4 * KIB
DIRECTORY_S, DIRECTORY_FIRST_S = 300.0, 60.0
"""The longest that a peer may send files of the directory, and the shortest; between them their size decides. A peer that sends none is
left much sooner (directory_files.py)."""


R = TypeVar("R")


@dataclass(slots=True)
class PeerTally:
    """Calls to peers since the start, and how they ended. Peers are those of the directory, so it stays small."""

    calls: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Calls by peer, method and outcome: OK or the name of a reason."""
    uploads: int = 0
    """Bodies that flow out just now."""


class GrpcPeers:
    """Calls to peers over pinned TLS. `close` it."""

    def __init__(
        self,
        identity: TlsIdentity,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        fetch_idle_s: float = FETCH_IDLE_S,
    ) -> None:
        self.tally = PeerTally()
        self._channels = Channels(identity)
        self._monotonic_s = monotonic_s
        self._fetch_idle_s = fetch_idle_s

    async def close(self) -> None:
        """End all calls and close all connections."""
        await self._channels.close()

    async def hello(self, peer: NodeEntry, hello: Hello) -> Hello:
        """Introduce ourselves. Raises Deferred(PEER_TLS_FAILED) if another node than the one meant answers."""
        with self._call(peer, Kind.FAST, "hello") as line:
            response = await line.stub.Hello(codec.hello_request_to_proto(hello), timeout=HELLO_S)
            answer = codec.hello_response_from_proto(_understood(response))
        if answer.node_id != peer.node_id:
            raise Deferred(Reason.PEER_TLS_FAILED, f"{peer.node_id} was called, {answer.node_id[:64]!r} answers")
        return answer

    async def push(self, peer: NodeEntry, items: Sequence[PushItem]) -> list[Answer]:
        """Hand over up to 64 items; as many answers, in order."""
        request = codec.push_request_to_bytes(items)
        timeout_s = PUSH_S + sum(map(_body_bytes, items)) / PUSH_BYTES_PER_S
        with self._call(peer, Kind.FAST, "push") as line:
            response = await line.push(request, timeout=timeout_s)
            return codec.push_response_from_proto(_understood(response), len(items))

    async def offer(self, peer: NodeEntry, parcel: Parcel) -> Answer | Want:
        """Announce a large packet."""
        with self._call(peer, Kind.FAST, "offer") as line:
            response = await line.stub.Offer(codec.offer_request_to_proto(parcel), timeout=OFFER_S)
            return codec.offer_response_from_proto(_understood(response))

    async def put_body(self, peer: NodeEntry, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]) -> int:
        """Upload from an offset on for at most a minute or 256 MiB; return how many octets are durable at the peer.

        That may be less than the body; go on from there with a new call. After a Deferred ask `offer` how far it got.
        """
        with self._call(peer, Kind.BULK, "put_body") as line:
            call = line.stub.PutBody(timeout=PUT_BODY_S + PUT_BODY_ANSWER_S)
            self.tally.uploads += 1
            try:
                response = await conduct(call, self._upload(call, token, offset_bytes, chunks))
            finally:
                self.tally.uploads -= 1
            return _understood(response).offset_bytes

    async def commit(self, peer: NodeEntry, parcel: Parcel) -> Answer:
        """Say that the upload is complete."""
        with self._call(peer, Kind.FAST, "commit") as line:
            response = await line.stub.Commit(codec.commit_request_to_proto(parcel), timeout=COMMIT_S)
            return codec.commit_response_from_proto(_understood(response))

    async def fetch_body(
        self, peer: NodeEntry, packet_id: bytes, body_sha256: bytes, offset_bytes: int
    ) -> AsyncGenerator[bytes, None]:
        """Yield octets of a body from an offset on, for less than a minute; go on from there with a new call."""
        request = pb.FetchBodyRequest(packet_id=packet_id, body_sha256=body_sha256, offset_bytes=offset_bytes)
        with self._call(peer, Kind.BULK, "fetch_body") as line:
            call = line.stub.FetchBody(request, timeout=FETCH_BODY_S + FETCH_BODY_IDLE_S)
            until_s = self._monotonic_s() + FETCH_BODY_S
            try:
                while self._monotonic_s() < until_s and (data := await _next_piece(call)):
                    yield data
                    if len(data) < FETCH_PIECE_BYTES_MIN:
                        # The last one, or somebody who wants to busy us with crumbs.
                        break
            finally:
                call.cancel()

    async def fetch_directory(
        self, peer: NodeEntry, wanted: Mapping[str, int], have_sha256: Mapping[str, bytes], into: Path, *, strays: bool
    ) -> None:
        """Ask for files of the directory that differ from those we have, and write what comes into a folder; nothing is verified yet.

        `wanted`: the most octets of each file, by path; `strays`: also take what was not asked for, from a peer of an older version.
        Raises Broken(DIRECTORY_INVALID) for a path that could leave its folder, and for more than was asked for.
        """
        request = pb.FetchDirectoryRequest(have_sha256=have_sha256, paths=sorted(wanted))
        timeout_s = min(DIRECTORY_S, DIRECTORY_FIRST_S + sum(wanted.values()) / PUSH_BYTES_PER_S)
        with self._call(peer, Kind.BULK, "fetch_directory") as line:
            call = line.stub.FetchDirectory(request, timeout=timeout_s)
            arrivals = Arrivals(into, wanted, strays=strays, idle_s=self._fetch_idle_s)
            try:
                await arrivals.take(aiter(call))
            finally:
                call.cancel()

    async def _upload(
        self,
        call: "grpc.aio.StreamUnaryCall[pb.PutBodyRequest, pb.PutBodyResponse]",
        token: bytes,
        offset_bytes: int,
        chunks: AsyncIterator[bytes],
    ) -> None:
        position, until_s = offset_bytes, self._monotonic_s() + PUT_BODY_S
        try:
            await call.write(pb.PutBodyRequest(token=token, offset_bytes=offset_bytes))
            async for chunk in chunks:
                await call.write(pb.PutBodyRequest(offset_bytes=position, data=chunk))
                position += len(chunk)
                if position - offset_bytes >= PUT_BODY_BYTES_MAX or self._monotonic_s() >= until_s:
                    break
            await call.done_writing()
        finally:
            await _finish(chunks)

    @contextmanager
    def _call(self, peer: NodeEntry, kind: Kind, method: str) -> "Iterator[Line]":
        """Within: one call, counted. Its failure is raised as a Fault; a line that could not connect is dropped."""
        line = self._channels.line(peer, kind)
        try:
            with faults(peer_fault_of):
                yield line
        except Fault as fault:
            self.tally.calls[peer.node_id, method, fault.reason.name] += 1
            if isinstance(fault, Deferred):
                self._note(line, fault)
            raise
        self.tally.calls[peer.node_id, method, OK] += 1

    def _note(self, line: Line, deferred: Deferred) -> None:
        lost = isinstance(deferred.__cause__, grpc.aio.AioRpcError) and (
            deferred.__cause__.code() is grpc.StatusCode.UNAVAILABLE
        )
        if lost and deferred.reason in (Reason.PEER_UNREACHABLE, Reason.PEER_TLS_FAILED):
            self._channels.drop(line, refused_by_tls=deferred.reason is Reason.PEER_TLS_FAILED)


def _understood(response: R | None) -> R:
    """Return an answer. Raises Deferred(PEER_UNREACHABLE) for octets that are none: grpc.aio logs them and gives None."""
    if response is None:
        raise Deferred(Reason.PEER_UNREACHABLE, "the peer's answer cannot be read")
    return response


async def _next_piece(call: "grpc.aio.UnaryStreamCall[pb.FetchBodyRequest, pb.FetchBodyResponse]") -> bytes:
    """Return the next octets of a body, or b"" at the end. Raises Deferred(PEER_UNREACHABLE) if none come."""
    try:
        async with asyncio.timeout(FETCH_BODY_IDLE_S):
            piece = await call.read()
    except TimeoutError as error:
        raise Deferred(Reason.PEER_UNREACHABLE, f"no octets of the body for {FETCH_BODY_IDLE_S:.0f} s") from error
    return _understood(piece).data if isinstance(piece, pb.FetchBodyResponse | None) else b""


async def _finish(chunks: AsyncIterator[bytes]) -> None:
    """Close a generator that was not read to its end, so that it lets go of what it holds open."""
    if isinstance(chunks, AsyncGenerator):
        await chunks.aclose()


def _body_bytes(item: PushItem) -> int:
    return len(item.body) if isinstance(item, PushPacket) else 0
