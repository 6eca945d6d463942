"""The simulated network: what it may do to a call, and that nothing else comes out of it."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from node.errors import Broken, Deferred, Denied
from node.model.reason import Reason
from tests.sim.loop import Process, VirtualLoop, run_virtual
from tests.sim.machine import Trace
from tests.sim.network import Network


class Echo:
    """A machine whose node answers with what it was asked."""

    def __init__(self, name: str, loop: VirtualLoop) -> None:
        self.name = name
        self.process: Process | None = Process(name, loop)
        self.node: Any = self
        self.served: list[bytes] = []

    async def echo(self, request: bytes) -> bytes:
        self.served.append(request)
        return request


def with_network(play: Callable[[VirtualLoop, Network, Echo], Coroutine[Any, Any, None]]) -> None:
    async def main(loop: VirtualLoop) -> None:
        network = Network(loop, random.Random(1), Trace(loop))
        echo = Echo("b", loop)
        network.hosts = {"a": Echo("a", loop), "b": echo}
        await play(loop, network, echo)

    run_virtual(main)


def push(network: Network, request: bytes) -> Coroutine[Any, Any, bytes]:
    return network.call("a", "b", "push", request, lambda node: node.echo(request))


def test_a_call_over_a_good_road_is_answered_a_little_later() -> None:
    async def play(loop: VirtualLoop, network: Network, echo: Echo) -> None:
        assert await push(network, b"hello") == b"hello"
        assert 0 < loop.time() < 5

    with_network(play)


def test_a_lost_request_never_arrives_and_the_caller_waits_until_its_bound() -> None:
    async def play(loop: VirtualLoop, network: Network, echo: Echo) -> None:
        network.weather.lose_request = 1.0
        with pytest.raises(Deferred) as lost:
            await push(network, b"hello")
        assert lost.value.reason is Reason.PEER_UNREACHABLE
        assert loop.time() == pytest.approx(15)
        assert echo.served == []

    with_network(play)


def test_a_lost_reply_leaves_the_work_done_and_the_caller_in_the_dark() -> None:
    async def play(loop: VirtualLoop, network: Network, echo: Echo) -> None:
        network.weather.lose_reply = 1.0
        with pytest.raises(Deferred):
            await push(network, b"hello")
        assert echo.served == [b"hello"]
        assert loop.time() == pytest.approx(15)

    with_network(play)


def test_a_repeated_request_arrives_twice() -> None:
    async def play(loop: VirtualLoop, network: Network, echo: Echo) -> None:
        network.weather.repeat_request = 1.0
        assert await push(network, b"hello") == b"hello"
        await asyncio.sleep(60)
        assert echo.served == [b"hello", b"hello"]

    with_network(play)


def test_messages_overtake_each_other() -> None:
    async def play(loop: VirtualLoop, network: Network, echo: Echo) -> None:
        requests = [bytes([number]) for number in range(50)]
        await asyncio.gather(*(push(network, request) for request in requests))
        assert sorted(echo.served) == requests
        assert echo.served != requests

    with_network(play)


def test_a_road_cut_in_the_direction_of_the_answer_is_half_open() -> None:
    async def play(loop: VirtualLoop, network: Network, echo: Echo) -> None:
        network.cut("b", "a")
        with pytest.raises(Deferred):
            await push(network, b"hello")
        assert echo.served == [b"hello"]
        network.heal()
        assert await push(network, b"again") == b"again"

    with_network(play)


def test_a_peer_that_dies_while_it_answers_gives_no_answer() -> None:
    async def play(loop: VirtualLoop, network: Network, echo: Echo) -> None:
        async def slow(node: Any) -> bytes:
            await asyncio.sleep(10)
            return b"too late"

        assert echo.process is not None
        loop.call_later(5, echo.process.crash)
        with pytest.raises(Deferred, match="reset"):
            await network.call("a", "b", "push", b"", slow)

    with_network(play)


@pytest.mark.parametrize(
    ("fault", "heard"),
    [
        (Denied(Reason.PEER_UNKNOWN, "who are you"), Reason.PEER_UNKNOWN),
        (Deferred(Reason.DISK_FULL, "later"), Reason.DISK_FULL),
        (Broken(Reason.STORE_CORRUPT, "alas"), Reason.PEER_BUSY),
    ],
)
def test_a_fault_of_the_peer_is_told_and_its_own_breakage_is_only_time_for_others(
    fault: Exception, heard: Reason
) -> None:
    async def play(loop: VirtualLoop, network: Network, echo: Echo) -> None:
        async def refuse(node: Any) -> bytes:
            raise fault

        with pytest.raises((Denied, Deferred)) as told:
            await network.call("a", "b", "push", b"", refuse)
        assert told.value.reason is heard

    with_network(play)


def test_an_upload_arrives_whole_or_breaks_off_between_two_chunks() -> None:
    async def play(loop: VirtualLoop, network: Network, echo: Echo) -> None:
        arrived: list[bytes] = []

        async def chunks() -> AsyncIterator[bytes]:
            for number in range(100):
                yield bytes([number])

        async def take(node: Any, arriving: AsyncIterator[bytes]) -> bytes:
            async for chunk in arriving:
                arrived.append(chunk)
            return b"done"

        assert await network.upload("a", "b", chunks(), take) == b"done"
        assert arrived == [bytes([number]) for number in range(100)]
        arrived.clear()
        network.weather.break_upload = 0.1
        with pytest.raises(Deferred, match="broke off"):
            await network.upload("a", "b", chunks(), take)
        assert len(arrived) < 100

    with_network(play)
