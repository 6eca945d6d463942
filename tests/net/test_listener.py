"""Listening: ports in use, addresses that are not ours, keys that are none, and health."""

import asyncio
import socket

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from node.errors import Broken
from node.model.reason import Reason
from node.net.listener import Listener
from node.net.tls import PinnedRoots, office_credentials, pinned_channel
from node.seal.tls import TlsIdentity
from tests.net.support import Source, fault_from, identity

B = identity("b")


def listener(address, credentials=None):
    return Listener(address, credentials or (lambda: office_credentials(B)), lambda server: None, calls_max=10)


def test_a_port_in_use_is_named():
    async def run():
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            address = f"127.0.0.1:{other.getsockname()[1]}"
            fault = await fault_from(listener(address).start())
            assert (type(fault), fault.reason) == (Broken, Reason.PORT_IN_USE)
            assert address in fault.detail

    asyncio.run(run())


def test_two_nodes_never_share_a_port():
    async def run():
        first = listener("127.0.0.1:0")
        port = await first.start()
        fault = await fault_from(listener(f"127.0.0.1:{port}").start())
        await first.stop(0)
        assert fault.reason is Reason.PORT_IN_USE

    asyncio.run(run())


@pytest.mark.parametrize("address", ["192.0.2.1:0", "no.such.host.invalid:1", "127.0.0.1:port", "127.0.0.1:99999"])
def test_an_address_that_is_not_ours_is_a_mistake_in_the_settings(address):
    fault = asyncio.run(fault_from(listener(address).start()))
    assert (type(fault), fault.reason) == (Broken, Reason.SETTINGS_INVALID)
    assert address in fault.detail


def test_a_key_that_is_none_is_told():
    bad = TlsIdentity(b"no key", B.certificate_pem)
    fault = asyncio.run(fault_from(listener("127.0.0.1:0", lambda: office_credentials(bad)).start()))
    assert (type(fault), fault.reason) == (Broken, Reason.KEY_UNUSABLE)


def test_health_says_not_serving_until_told_otherwise_and_stopping_twice_is_harmless():
    async def run():
        server = listener("127.0.0.1:0", PinnedRoots(B, Source().current).credentials)
        port = await server.start()
        channel = pinned_channel(f"127.0.0.1:{port}", (B.certificate_der,), B, [])
        health = health_pb2_grpc.HealthStub(channel)
        seen = [(await health.Check(health_pb2.HealthCheckRequest())).status]
        await server.set_serving(True)
        seen.append((await health.Check(health_pb2.HealthCheckRequest())).status)
        await channel.close()
        await server.stop(0)
        await server.stop(0)
        assert seen == [health_pb2.HealthCheckResponse.NOT_SERVING, health_pb2.HealthCheckResponse.SERVING]

    asyncio.run(run())


def test_a_channel_without_a_usable_certificate_is_not_opened():
    with pytest.raises(Broken) as caught:
        pinned_channel("127.0.0.1:1", (b"junk",), None, [])
    assert caught.value.reason is Reason.KEY_UNUSABLE
    assert grpc is not None
