"""The port `Peers` over the simulated network: each verb's words become octets, travel, and become words again."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from node.model.directory import NodeEntry
from node.model.mesh import Answer, Hello, Parcel, PushItem, Want
from node.wire import codec
from node.wire.truc.v1 import mesh_service_pb2 as pb
from tests.sim.loop import Process
from tests.sim.network import Network, unreachable


class SimPeers:
    """The other nodes, as one process of one node sees them."""

    def __init__(self, network: Network, process: Process) -> None:
        self._network = network
        self._process = process
        self._me = process.name

    async def hello(self, peer: NodeEntry, hello: Hello) -> Hello:
        """Introduce ourselves."""
        request = codec.hello_request_to_proto(hello).SerializeToString()

        async def serve(node: Any) -> bytes:
            heard = codec.hello_request_from_proto(pb.HelloRequest.FromString(request), self._me)
            return codec.hello_response_to_proto(await node.receive_hello(self._me, heard)).SerializeToString()

        reply = await self._call(peer, "hello", request, serve)
        return codec.hello_response_from_proto(pb.HelloResponse.FromString(reply))

    async def push(self, peer: NodeEntry, items: Sequence[PushItem]) -> list[Answer]:
        """Hand over items."""
        request = codec.push_request_to_bytes(items)
        assert len(items) <= 64, "more than a Push may carry"
        assert len(request) <= 4 << 20, "larger than a message may be"

        async def serve(node: Any) -> bytes:
            heard = codec.push_request_from_proto(pb.PushRequest.FromString(request))
            understood = [item for item in heard if not isinstance(item, Answer)]
            answers = iter(await node.receive_push(self._me, understood))
            merged = [item if isinstance(item, Answer) else next(answers) for item in heard]
            assert next(answers, None) is None, "more answers than items"
            return codec.push_response_to_proto(merged).SerializeToString()

        reply = await self._call(peer, "push", request, serve)
        return codec.push_response_from_proto(pb.PushResponse.FromString(reply), len(items))

    async def offer(self, peer: NodeEntry, parcel: Parcel) -> Answer | Want:
        """Announce a large packet."""
        request = codec.offer_request_to_proto(parcel).SerializeToString()

        async def serve(node: Any) -> bytes:
            heard = codec.offer_request_from_proto(pb.OfferRequest.FromString(request))
            return codec.offer_response_to_proto(await node.receive_offer(self._me, heard)).SerializeToString()

        reply = await self._call(peer, "offer", request, serve)
        return codec.offer_response_from_proto(pb.OfferResponse.FromString(reply))

    async def put_body(self, peer: NodeEntry, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]) -> int:
        """Upload from an offset on."""
        self._process.check_alive()
        self._dial(peer)

        async def serve(node: Any, arriving: AsyncIterator[bytes]) -> bytes:
            durable = await node.receive_body(self._me, token, offset_bytes, arriving)
            return pb.PutBodyResponse(offset_bytes=durable).SerializeToString()

        reply = await self._network.upload(self._me, peer.node_id, chunks, serve)
        self._process.check_alive()
        return pb.PutBodyResponse.FromString(reply).offset_bytes

    async def commit(self, peer: NodeEntry, parcel: Parcel) -> Answer:
        """Say that the upload is complete."""
        request = codec.commit_request_to_proto(parcel).SerializeToString()

        async def serve(node: Any) -> bytes:
            heard = codec.commit_request_from_proto(pb.CommitRequest.FromString(request))
            return codec.commit_response_to_proto(await node.receive_commit(self._me, heard)).SerializeToString()

        reply = await self._call(peer, "commit", request, serve)
        return codec.commit_response_from_proto(pb.CommitResponse.FromString(reply))

    async def fetch_body(
        self, peer: NodeEntry, packet_id: bytes, body_sha256: bytes, offset_bytes: int
    ) -> AsyncGenerator[bytes, None]:
        """Yield the octets of a body."""
        asked = pb.FetchBodyRequest(packet_id=packet_id, body_sha256=body_sha256, offset_bytes=offset_bytes)
        request = asked.SerializeToString()

        async def serve(node: Any) -> bytes:
            heard = pb.FetchBodyRequest.FromString(request)
            given = await node.give_body(self._me, heard.packet_id, heard.body_sha256, heard.offset_bytes)
            async with aclosing(given) as pieces:
                data = b"".join([piece async for piece in pieces])
            return pb.FetchBodyResponse(data=data).SerializeToString()

        yield pb.FetchBodyResponse.FromString(await self._call(peer, "fetch_body", request, serve)).data

    async def _call(self, peer: NodeEntry, verb: str, request: bytes, serve: Any) -> bytes:
        self._process.check_alive()
        self._dial(peer)
        reply = await self._network.call(self._me, peer.node_id, verb, request, serve)
        self._process.check_alive()
        return reply

    def _dial(self, peer: NodeEntry) -> None:
        if not peer.mesh_address:
            raise unreachable(f"{peer.node_id} has no address")
