"""A peer answers with octets that are no answer, or with numbers that cannot be: a fault like any other, and the loops go on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from node.errors import Fault
from node.flow.send.hello import Greeter
from node.flow.send.peer_health import PeerHealth
from node.model.directory import NodeEntry
from node.model.mesh import Hello, PushPacket
from node.model.policy import DAY_MS
from node.model.reason import Reason
from node.net.listener import Listener
from node.net.peers import GrpcPeers
from node.net.tls import PinnedRoots, pinned_channel
from node.wire import codec
from node.wire.truc.v1 import mesh_service_pb2 as pb
from node.wire.truc.v1.mesh_service_pb2_grpc import MeshServiceStub
from tests.flow.support import place
from tests.net.support import FakeNode, Source, entry, fault_from, identity, mesh, parcel

A, B = identity("a"), identity("b")
HELLO = Hello("a", 1, 1, 5, 2)
GOOD = pb.HelloResponse(node_id="b", protocol_min=1, protocol_max=1).SerializeToString()


def numbers(**fields: int) -> bytes:
    return GOOD + pb.HelloResponse(**fields).SerializeToString()  # type: ignore[arg-type]


GARBAGE = {
    "no message": b"\xff" * 50,
    "broken UTF-8": GOOD + b"\x32\x02\xff\xfe",
    "cut short": GOOD + b"\x32\x7f",
    "a number without end": GOOD + b"\x20" + b"\xff" * 11,
    "a wrong wire type": GOOD + b"\x27",
    "the last time there is": numbers(wall_time_ms=2**63 - 1),
    "the first time there is": numbers(wall_time_ms=-(2**63)),
    "a directory beyond all": numbers(directory_version=2**63 - 1),
    "a negative directory": numbers(directory_version=-1),
}


@asynccontextmanager
async def answering(data: bytes) -> AsyncIterator[tuple[GrpcPeers, NodeEntry]]:
    """A peer b that answers every call with these octets, and who calls it."""

    async def answer(request: object, context: object) -> bytes:
        return data

    async def stream(request: object, context: object) -> AsyncIterator[bytes]:
        yield data

    async def upload(requests: AsyncIterator[object], context: object) -> bytes:
        async for _ in requests:
            pass
        return data

    methods = {name: grpc.unary_unary_rpc_method_handler(answer) for name in ("Hello", "Push", "Offer", "Commit")}
    methods["FetchDirectory"] = grpc.unary_stream_rpc_method_handler(stream)
    methods["PutBody"] = grpc.stream_unary_rpc_method_handler(upload)
    generic = grpc.method_handlers_generic_handler("truc.v1.MeshService", methods)
    roots = PinnedRoots(B, Source(entry("a", "", A)).current)
    listener = Listener(
        "127.0.0.1:0", roots.credentials, lambda server: server.add_generic_rpc_handlers((generic,)), calls_max=9
    )
    port = await listener.start()
    peers = GrpcPeers(A)
    try:
        yield peers, entry("b", f"127.0.0.1:{port}", B)
    finally:
        await peers.close()
        await listener.stop(0)


@pytest.mark.parametrize("what", GARBAGE)
def test_a_garbage_hello_is_no_answer(what: str) -> None:
    async def run() -> None:
        async with answering(GARBAGE[what]) as (peers, b):
            assert (await fault_from(peers.hello(b, HELLO))).reason is Reason.PEER_UNREACHABLE
            assert peers.tally.calls["b", "hello", "PEER_UNREACHABLE"] == 1

    asyncio.run(run())


async def nothing() -> AsyncIterator[bytes]:
    yield b"x"


@pytest.mark.parametrize("method", ["push", "offer", "put_body", "commit", "fetch_directory"])
def test_so_is_a_garbage_answer_to_any_other_call(method: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with answering(b"\xff" * 50) as (peers, b):
            calls: dict[str, Callable[[], Awaitable[object]]] = {
                "push": lambda: peers.push(b, [PushPacket(parcel(), b"")]),
                "offer": lambda: peers.offer(b, parcel()),
                "put_body": lambda: peers.put_body(b, b"t" * 16, 0, nothing()),
                "commit": lambda: peers.commit(b, parcel()),
                "fetch_directory": lambda: peers.fetch_directory(b, {"x": 9}, {}, tmp_path, strays=False),
            }
            assert isinstance(await fault_from(calls[method]()), Fault)

    asyncio.run(run())


def test_long_words_in_a_hello_are_cut_and_a_peer_does_not_put_us_off_for_ever() -> None:
    message = pb.HelloResponse(node_id="b", features=["x" * 9_000] * 900, software="y" * 100_000)
    hello = codec.hello_response_from_proto(message)
    assert (len(hello.features), len(hello.features[0]), len(hello.software)) == (64, 200, 200)
    assert codec.answer_from_proto(pb.ItemAnswer(retry_after_ms=2**63 - 1)).retry_after_ms == DAY_MS


@pytest.mark.parametrize("fields", [{"wall_time_ms": 2**63 - 1}, {"wall_time_ms": -1}, {"directory_version": -(2**63)}])
def test_a_caller_with_such_numbers_is_refused(fields: dict[str, int]) -> None:
    async def run() -> None:
        node = FakeNode()
        async with mesh(node, Source(entry("a", "", A)), B) as (address, service):
            channel = pinned_channel(address, (B.certificate_der,), A, [])
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await MeshServiceStub(channel).Hello(pb.HelloRequest(**fields))  # type: ignore[arg-type]
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert (node.calls, dict(service.tally.failed)) == ([], {})
            await channel.close()

    asyncio.run(run())


def test_the_greeting_goes_on_whatever_came_of_one() -> None:
    """Two exceptions that no code of ours should raise, then an answer: it is heard, the newer directory is told."""

    async def run() -> None:
        home = place("h49")
        answers: list[Exception | Hello] = [
            AttributeError("none"),
            OverflowError("more than 64 bits"),
            Hello("g14", 1, 1, 5, 99),
        ]
        bugs: list[Exception] = []
        heard = asyncio.Event()

        async def hello(peer: NodeEntry, hello: Hello) -> Hello:
            if not answers:
                await asyncio.Event().wait()
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        async def no_time(seconds: float) -> None:
            await asyncio.sleep(0)

        home.peers.hello = hello  # type: ignore[attr-defined]
        home.clock.sleep = no_time  # type: ignore[method-assign]
        signals = home.node.signals
        signals.bug.connect(bugs.append)
        signals.newer_directory.connect(lambda news: heard.set())
        health = PeerHealth(home.ports, home.node.policy)
        node = home.node
        greeter = Greeter(home.ports, node.policy, signals, health, node.peers_seen, node.agreed_time, node.hello)
        greeting = asyncio.ensure_future(greeter.greet("g14"))
        await asyncio.wait_for(heard.wait(), 10)
        greeting.cancel()
        assert [type(bug) for bug in bugs] == [AttributeError, OverflowError]

    asyncio.run(run())
