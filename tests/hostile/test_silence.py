"""A peer opens calls and is silent, or does not listen: it costs its own share of the door, for a time, and nobody else anything."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from node.errors import Deferred
from node.model.mesh import Answer, Hello, Want
from node.model.policy import KIB
from node.model.reason import Reason
from node.net.directory_files import Arrivals
from node.net.errors import fault_of
from node.net.gate import CALLS_MAX, Shares
from node.net.mesh_server import MeshService
from node.net.peers import GrpcPeers
from node.net.tls import pinned_channel
from node.wire.truc.v1 import mesh_service_pb2 as pb
from node.wire.truc.v1.mesh_service_pb2_grpc import MeshServiceStub
from tests.flow.large_support import POLICY, large
from tests.flow.support import place
from tests.net.support import FakeNode, Source, entry, fault_from, identity, mesh

A, B, EVIL = identity("a"), identity("b"), identity("evil")
HELLO = Hello("a", 1, 1, 5, 2)
SHORT_S = 0.05
SHARE = 32
"""Of a peer that is alone at the door."""
METHOD = "/truc.v1.MeshService/"


@asynccontextmanager
async def door(**limits_s: float) -> AsyncIterator[tuple[str, MeshService, FakeNode]]:
    """The door of node b, which knows a and evil."""
    node = FakeNode()
    known = Source(entry("a", "", A), entry("evil", "", EVIL))
    async with mesh(node, known, B, files={"x": bytes(16 << 20)}, limits_s=limits_s) as (address, service):
        yield address, service, node


@asynccontextmanager
async def lines(address: str, count: int) -> AsyncIterator[list[grpc.aio.Channel]]:
    """Connections of evil; the door takes 64 calls on each."""
    async with AsyncExitStack() as stack:
        channels = [pinned_channel(address, (B.certificate_der,), EVIL, []) for _ in range(count)]
        for channel in channels:
            await stack.enter_async_context(channel)
        yield channels


async def until(condition: Callable[[], bool], limit_s: float = 20) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.005)


async def ending(call: Awaitable[object]) -> Reason:
    """Return the reason that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call, 20)  # type: ignore[arg-type]
    return fault_of(caught.value).reason


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


@pytest.mark.parametrize("method", ["PutBody", "Push", "Hello"])
def test_silent_calls_of_one_peer_leave_the_door_open_for_others(method: str) -> None:
    async def story() -> None:
        async with door() as (address, service, _), lines(address, 5) as channels:
            refused = 300 - SHARE
            calls = [channels[number % 5].stream_unary(METHOD + method)() for number in range(300)]
            ended = [asyncio.ensure_future(ending(call)) for call in calls]
            await until(lambda: sum(one.done() for one in ended) >= refused)
            told = [one.result() for one in ended if one.done()]
            assert told == [Reason.PEER_BUSY] * refused
            assert service.tally.refused == {Reason.PEER_BUSY: refused}
            peers = GrpcPeers(A)
            await peers.hello(entry("b", address, B), HELLO)
            await peers.close()
            for call in calls:
                call.cancel()
            await asyncio.gather(*ended, return_exceptions=True)
            await until(lambda: service.shares.taken == 0)

    run(story())


def test_watching_the_health_counts_too() -> None:
    async def story() -> None:
        async with door() as (address, service, _), lines(address, 1) as (channel,):
            stub = health_pb2_grpc.HealthStub(channel)
            watches = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(SHARE)]
            for watch in watches:
                await watch.read()
            assert service.shares.taken == SHARE
            assert await ending(stub.Check(health_pb2.HealthCheckRequest())) is Reason.PEER_BUSY
            for watch in watches:
                watch.cancel()
            await until(lambda: service.shares.taken == 0)
            await stub.Check(health_pb2.HealthCheckRequest())

    run(story())


@pytest.mark.parametrize("said", [[], [pb.PutBodyRequest(token=b"t" * 16, data=b"x")]], ids=["nothing", "a beginning"])
def test_an_upload_in_which_nothing_comes_ends(said: list[pb.PutBodyRequest]) -> None:
    async def story() -> None:
        async with door(body_idle_s=SHORT_S) as (address, service, _), lines(address, 1) as (channel,):
            call = MeshServiceStub(channel).PutBody()
            for message in said:
                await call.write(message)
            assert await ending(call) is Reason.PEER_BUSY
            assert service.tally.calls["PutBody", "PEER_BUSY"] == 1
            await until(lambda: service.shares.taken == 0)

    run(story())


@pytest.mark.parametrize("method", ["Hello", "Push", "Offer", "Commit"])
def test_a_call_whose_request_does_not_come_ends(method: str) -> None:
    async def story() -> None:
        async with door(request_s=SHORT_S) as (address, service, node), lines(address, 1) as (channel,):
            assert await ending(channel.stream_unary(METHOD + method)()) is Reason.PEER_BUSY
            assert (service.tally.calls[method, "PEER_BUSY"], node.calls) == (1, [])
            await until(lambda: service.shares.taken == 0)

    run(story())


@pytest.mark.parametrize("request_", [[], [b"\xff" * 50]], ids=["none", "octets that are none"])
def test_a_call_without_a_request_is_refused(request_: list[bytes]) -> None:
    async def story() -> None:
        async with door() as (address, service, _), lines(address, 1) as (channel,):
            call = channel.stream_unary(METHOD + "Hello")(iter(request_))
            assert await ending(call) is Reason.REQUEST_INVALID
            assert not service.tally.failed

    run(story())


def test_a_directory_that_is_not_read_is_not_sent_for_ever() -> None:
    async def story() -> None:
        async with door(send_idle_s=SHORT_S) as (address, service, _), lines(address, 1) as (channel,):
            call = MeshServiceStub(channel).FetchDirectory(pb.FetchDirectoryRequest())
            await until(lambda: service.tally.calls["FetchDirectory", "CANCELLED"] == 1)
            await until(lambda: service.shares.taken == 0)
            assert not service._served
            call.cancel()

    run(story())


def test_an_upload_that_stalls_is_resumed_where_it_was_durable() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        _, body, parcel = large()
        cut = 300_000

        async def stalling() -> AsyncIterator[bytes]:
            yield body[:cut]
            await until(lambda: service.tally.calls["PutBody", "PEER_BUSY"] == 1)
            yield body[cut:]

        async def rest(at: int) -> AsyncIterator[bytes]:
            for begin in range(at, len(body), 100_000):
                yield body[begin : begin + 100_000]

        known = Source(entry("g14", "", identity("g14")))
        async with mesh(here.node, known, identity("h49"), limits_s={"body_idle_s": 0.2}) as (address, service):  # type: ignore[arg-type]
            peers, h49 = GrpcPeers(identity("g14")), entry("h49", address, identity("h49"))
            wanted = await peers.offer(h49, parcel)
            assert isinstance(wanted, Want)
            fault = await asyncio.wait_for(fault_from(peers.put_body(h49, wanted.token, 0, stalling())), 20)
            assert (type(fault), fault.reason) == (Deferred, Reason.PEER_BUSY)
            again = await peers.offer(h49, parcel)
            assert again == Want(wanted.token, cut)
            assert await peers.put_body(h49, again.token, cut, rest(cut)) == len(body)
            answer = await peers.commit(h49, parcel)
            assert isinstance(answer, Answer)
            assert answer.receipt is not None
            await peers.close()

    run(story())


def take_all(shares: Shares, who: str) -> int:
    taken = 0
    try:
        while True:
            shares.take(who)
            taken += 1
    except Deferred:
        return taken


@pytest.mark.parametrize(("takers", "each"), [(1, 32), (8, 17), (25, 8), (78, 3)])
def test_many_that_take_all_they_can_leave_room_for_one_more(takers: int, each: int) -> None:
    """Five calls at once are what an honest newcomer makes: pushes and a Hello, while 25 conspire."""
    shares = Shares()
    for _ in range(CALLS_MAX):
        for number in range(takers):
            try:
                shares.take(f"evil-{number}")
            except Deferred:
                continue
    assert shares.taken / takers == pytest.approx(each, abs=1)
    assert take_all(shares, "honest") >= min(5, each)


def test_what_is_given_back_may_be_taken_again() -> None:
    shares = Shares()
    assert take_all(shares, "a") == SHARE
    with pytest.raises(Deferred) as busy:
        shares.take("a")
    assert (busy.value.reason, busy.value.retry_after_ms > 0) == (Reason.PEER_BUSY, True)
    for _ in range(SHARE):
        shares.give_back("a")
    assert (shares.taken, take_all(shares, "a")) == (0, SHARE)


async def trickle(pause_s: float) -> AsyncIterator[pb.FetchDirectoryResponse]:
    """Whole files of 64 octets, which is 3 KiB/s with a pause of 20 ms."""
    for number in range(10_000):
        await asyncio.sleep(pause_s)
        yield pb.FetchDirectoryResponse(path=f"x{number}", data=bytes(64), last=True)


@pytest.mark.parametrize(
    ("idle_s", "first_s", "pause_s"),
    [(SHORT_S, 20, 30), (20, SHORT_S, 30), (20, SHORT_S, 0.02)],
    ids=["nothing", "nothing at first", "a little now and then"],
)
def test_a_fetch_that_makes_no_progress_ends(idle_s: float, first_s: float, pause_s: float, tmp_path: Path) -> None:
    async def story() -> None:
        arrivals = Arrivals(tmp_path, {}, strays=True, idle_s=idle_s, first_s=first_s)
        fault = await asyncio.wait_for(fault_from(arrivals.take(trickle(pause_s))), 10)
        assert (type(fault), fault.reason) == (Deferred, Reason.PEER_UNREACHABLE)

    run(story())


def test_a_peer_that_sends_no_directory_is_left_soon(tmp_path: Path) -> None:
    gate = threading.Event()

    def nothing(have: dict[str, bytes], paths: frozenset[str]) -> Iterator[tuple[str, bytes]]:
        assert gate.wait(20)
        yield from ()

    async def story() -> None:
        async with door() as (address, service, _):
            service._directory_files = nothing
            peers = GrpcPeers(A, fetch_idle_s=SHORT_S)
            try:
                call = peers.fetch_directory(entry("b", address, B), {"x": 9}, {}, tmp_path, strays=False)
                fault = await asyncio.wait_for(fault_from(call), 10)
            finally:
                gate.set()
                await peers.close()
            assert (type(fault), fault.reason) == (Deferred, Reason.PEER_UNREACHABLE)
            await until(lambda: service.shares.taken == 0 and not service._served)

    run(story())


def test_who_sends_steadily_is_not_cut_off(tmp_path: Path) -> None:
    async def story() -> None:
        async def steady() -> AsyncIterator[pb.FetchDirectoryResponse]:
            for number in range(20):
                await asyncio.sleep(0.01)
                yield pb.FetchDirectoryResponse(path="x", data=bytes(64 * KIB), last=number == 19)

        await Arrivals(tmp_path, {"x": 2 << 20}, strays=False, idle_s=5, first_s=0.1).take(steady())
        assert (tmp_path / "x").stat().st_size == 20 * 64 * KIB

    run(story())
