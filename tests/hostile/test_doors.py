"""Strangers and thieves at the doors of a real node, and what everybody else sees meanwhile."""

import asyncio
import os
from collections import Counter
from contextlib import AsyncExitStack

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from node.access.credential import Credential
from node.access.systems import Systems
from node.config.home import Homestead
from node.model.policy import MIB
from node.net.client import OfficeClient
from tests.hostile.evil import Stranger, office_channel, raw_call
from tests.hostile.others import Others, until
from tests.mesh.support import run
from tests.real_mesh import RealMesh

OFFICE = "/truc.v1.OfficeService/"
ELSEWHERE = "127.0.0.2"
"""The strangers' address; honest offices and nodes come from another."""
HELD_MAX = 64
MEMORY_MAX_BYTES = 64 * MIB
HELLO_OF_TLS = bytes.fromhex("16030100f8010000f40303") + bytes(32)
"""The beginning of a handshake, which is never gone on with."""


async def attack_ended(others: Others, *, memory_max_bytes: int = MEMORY_MAX_BYTES) -> None:
    """After an attack: all was delivered and read, and memory stayed within its bound."""
    await others.some(3)
    assert not others.account.refused
    assert others.account.memory_bytes < memory_max_bytes, str(others.account)


@pytest.mark.parametrize(
    ("door", "said", "count"),
    [("mesh", b"", 1_500), ("office", b"", 1_500), ("office", HELLO_OF_TLS, 800), ("mesh", b"GET / HTTP/1.1\r\n", 300)],
    ids=["silent at the mesh", "silent at the office", "half a handshake", "no TLS"],
)
def test_connections_that_say_nothing_are_ended_and_nobody_notices(
    mesh: RealMesh, door: str, said: bytes, count: int
) -> None:
    async def story() -> None:
        victim = mesh["h49"]
        port = victim.mesh_port if door == "mesh" else victim.office_port
        async with Others(mesh, "g14", "h49") as others:
            with Stranger(port, ELSEWHERE) as stranger:
                await asyncio.to_thread(stranger.connect, count, say=said)
                await until(lambda: stranger.open_still() <= HELD_MAX, 20)
                await attack_ended(others)

    run(story())


def test_connections_with_tls_and_no_calls_are_ended_too(mesh: RealMesh) -> None:
    async def story() -> None:
        async with Others(mesh, "g14", "h49") as others:
            with Stranger(mesh["h49"].office_port, ELSEWHERE) as stranger:
                assert await asyncio.to_thread(stranger.greet, 300) > HELD_MAX
                await until(lambda: stranger.open_still() <= HELD_MAX, 20)
                await attack_ended(others)

    run(story())


@pytest.mark.parametrize("method", ["Submit", "SubmitOne", "Nothing"])
def test_who_has_no_credential_is_refused_before_a_message_is_read(mesh: RealMesh, method: str) -> None:
    async def story() -> None:
        async with Others(mesh, "g14", "h49") as others, AsyncExitStack() as stack:
            channels = [await stack.enter_async_context(office_channel(mesh["h49"])) for _ in range(8)]
            octets = b"\x12" + b"\x80\x80\x40" + bytes(1 * MIB)
            calls = [raw_call(channels[number % 8], OFFICE + method, octets) for number in range(200)]
            told = set(await asyncio.gather(*calls))
            assert told == {grpc.StatusCode.UNIMPLEMENTED if method == "Nothing" else grpc.StatusCode.PERMISSION_DENIED}
            await attack_ended(others)

    run(story())


def test_a_stranger_may_ask_for_the_health_and_may_not_watch_it(mesh: RealMesh) -> None:
    async def story() -> None:
        async with Others(mesh, "g14", "h49") as others, AsyncExitStack() as stack:
            channels = [await stack.enter_async_context(office_channel(mesh["h49"])) for _ in range(3)]
            stubs = [health_pb2_grpc.HealthStub(channel) for channel in channels]
            health = await stubs[0].Check(health_pb2.HealthCheckRequest())
            assert health.status == health_pb2.HealthCheckResponse.SERVING
            watches = [stubs[number % 3].Watch(health_pb2.HealthCheckRequest()) for number in range(600)]
            codes = await asyncio.gather(*(watch.code() for watch in watches))
            assert set(codes) == {grpc.StatusCode.PERMISSION_DENIED}
            await attack_ended(others)

    run(story())


def stolen(mesh: RealMesh) -> Credential:
    """The credential of one system, in the hands of a thief."""
    place, name = Homestead(mesh["h49"].home), f"thief-{os.urandom(4).hex()}"
    secret = Systems(place.systems_folder, place.admin_token).create(name, ["H49.22.05"])
    return Credential(mesh["h49"].credential.address, mesh["h49"].credential.certificate_pem, name, secret)


@pytest.mark.parametrize("method", ["Submit", "SubmitOne", "ListInbox"])
def test_a_thief_who_is_silent_in_all_the_calls_he_can_make_has_his_share_of_the_places(
    mesh: RealMesh, method: str
) -> None:
    async def story() -> None:
        token = stolen(mesh).token
        async with Others(mesh, "g14", "h49") as others, AsyncExitStack() as stack:
            channels = [await stack.enter_async_context(office_channel(mesh["h49"])) for _ in range(3)]
            calls = [
                asyncio.ensure_future(raw_call(channels[number % 3], OFFICE + method, None, token))
                for number in range(1_200)
            ]
            # Of 2,048 places he has half; fewer as far as others have theirs at that moment.
            await until(lambda: sum(call.done() for call in calls) >= 1_200 - 1_024, 30)
            told = Counter(call.result() for call in calls if call.done())
            # A refusal of a call that is still open is now and then heard as its reset alone.
            assert set(told) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
            assert told[grpc.StatusCode.UNAVAILABLE] > 100, told
            await attack_ended(others)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        async with OfficeClient.connect(mesh["h49"].credential) as office:
            await office.list_inbox()

    run(story())


def test_a_thief_who_hands_in_as_much_as_he_can_fills_his_share_of_the_memory(mesh: RealMesh) -> None:
    async def story() -> None:
        token = stolen(mesh).token
        async with Others(mesh, "g14", "h49") as others, AsyncExitStack() as stack:
            channels = [await stack.enter_async_context(office_channel(mesh["h49"])) for _ in range(4)]
            octets = b"\x12" + b"\x80\x80\x3c" + bytes(960 << 10)
            calls = [raw_call(channels[number % 4], OFFICE + "SubmitOne", octets, token) for number in range(150)]
            told = Counter(await asyncio.gather(*calls))
            assert set(told) <= {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}, told
            # 32 of a megabyte are read at once, and each is here twice while it is handed on.
            await attack_ended(others, memory_max_bytes=128 * MIB)

    run(story())
