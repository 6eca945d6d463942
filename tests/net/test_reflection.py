"""Reflection over real gRPC and TLS: who is told what may be called, who is told nothing, and what one call may cost."""

import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection_pb2 as pb
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from node.access.systems import Systems
from node.errors import ADVICE, Deferred, Denied, Rejected
from node.model.reason import Reason
from node.net import reflection
from node.net.errors import fault_of, faults
from node.net.tls import pinned_channel
from node.net.tokens import bearer
from node.wire.truc.v1.office_service_pb2 import SearchUnitsResponse
from tests.net.support import FakeNode, Source, entry, fault_from, identity, mesh, office

A, B = identity("a"), identity("b")
SERVICES = {
    "truc.v1.OfficeService",
    "truc.v1.AdminService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1alpha.ServerReflection",
}
LIST = pb.ServerReflectionRequest(list_services="")


def about(symbol):
    return pb.ServerReflectionRequest(file_containing_symbol=symbol)


@asynccontextmanager
async def channel_to(address, own=None):
    channel = pinned_channel(address, (B.certificate_der,), own, [])
    try:
        yield channel
    finally:
        await channel.close()


def with_office(tmp_path, story):
    """Run story(stub, systems, secret, address, node, service) against an office's door with one system, qlvb."""

    async def run():
        systems, node = Systems(tmp_path / "systems", tmp_path / "admin.token"), FakeNode()
        secret = systems.create("qlvb", ["H49.22"])
        async with office(node, systems, B) as (address, service), channel_to(address) as channel:
            return await story(ServerReflectionStub(channel), systems, secret, address, node, service)

    return asyncio.run(run())


async def ask(stub, token, *questions):
    """Return the answers to a call's questions."""
    metadata = bearer(token) if token else None
    with faults():
        return [answer async for answer in stub.ServerReflectionInfo(iter(questions), metadata=metadata)]


def names(answer):
    return {service.name for service in answer.list_services_response.service}


def test_a_system_and_the_operator_are_told_what_may_be_called(tmp_path):
    async def story(stub, systems, secret, address, node, service):
        for token in (f"qlvb.{secret}", systems.ensure_admin_token()):
            (answer,) = await ask(stub, token, LIST)
            assert names(answer) == SERVICES
        assert service.tally.calls["ServerReflectionInfo", "OK"] == 2

    with_office(tmp_path, story)


def test_a_caller_without_proof_is_refused_with_advice_before_anything_is_read(tmp_path):
    async def story(stub, systems, secret, address, node, service):
        systems.ensure_admin_token()
        for token, reason in (
            ("", Reason.CREDENTIAL_MISSING),
            ("qlvb.wrong", Reason.CREDENTIAL_WRONG),
            ("wrong", Reason.CREDENTIAL_WRONG),
        ):
            for questions in ((LIST,), (about("truc.v1.OfficeService"),), (about("x" * 5_000),), ()):
                fault = await fault_from(ask(stub, token, *questions))
                assert (type(fault), fault.reason) == (Denied, reason)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            [answer async for answer in stub.ServerReflectionInfo(iter([LIST]))]
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED, "as any call here without a credential"
        assert ADVICE[Reason.CREDENTIAL_MISSING] in refused.value.details()

    with_office(tmp_path, story)


def test_a_revoked_system_is_told_nothing_more(tmp_path):
    async def story(stub, systems, secret, address, node, service):
        await ask(stub, f"qlvb.{secret}", LIST)
        systems.revoke("qlvb")
        assert (await fault_from(ask(stub, f"qlvb.{secret}", LIST))).reason is Reason.CREDENTIAL_WRONG

    with_office(tmp_path, story)


def test_the_operators_token_counts_on_his_own_machine_only(tmp_path, monkeypatch):
    monkeypatch.setattr("node.net.admin_server._LOOPBACK", ("unix:",))

    async def story(stub, systems, secret, address, node, service):
        fault = await fault_from(ask(stub, systems.ensure_admin_token(), LIST))
        assert (type(fault), fault.reason) == (Denied, Reason.CREDENTIAL_WRONG)
        assert await ask(stub, f"qlvb.{secret}", LIST)

    with_office(tmp_path, story)


def test_a_tool_makes_calls_of_what_it_is_told(tmp_path):
    """The library's own client is asked for the types; the call is made with them, as grpcurl does it."""

    async def story(stub, systems, secret, address, node, service):
        metadata = bearer(f"qlvb.{secret}")

        def described():
            credentials = grpc.ssl_channel_credentials(root_certificates=B.certificate_pem)
            options = [("grpc.ssl_target_name_override", "localhost")]
            with grpc.secure_channel(address, credentials, options) as plain:
                known = grpc.intercept_channel(plain, Bearing(metadata))
                database = ProtoReflectionDescriptorDatabase(known)
                assert set(database.get_services()) == SERVICES
                pool = DescriptorPool(database)
                method = pool.FindServiceByName("truc.v1.OfficeService").methods_by_name["SearchUnits"]
                assert pool.FindMessageTypeByName("google.rpc.ErrorInfo").fields_by_name["reason"]
                request = GetMessageClass(method.input_type)(query="sở hai", limit=5)
                call = plain.unary_unary(
                    "/truc.v1.OfficeService/SearchUnits",
                    request_serializer=lambda made: made.SerializeToString(),
                    response_deserializer=GetMessageClass(method.output_type).FromString,
                )
                return call(request, metadata=metadata).SerializeToString()

        answer = SearchUnitsResponse.FromString(await asyncio.to_thread(described))
        assert [unit.code for unit in answer.units] == ["H49.22"]
        assert node.calls == [("search_units", "sở hai", 5)]

    with_office(tmp_path, story)


class Bearing(grpc.StreamStreamClientInterceptor):
    """Puts a credential on every call of a channel."""

    def __init__(self, metadata):
        self._metadata = metadata

    def intercept_stream_stream(self, continuation, client_call_details, request_iterator):
        return continuation(client_call_details._replace(metadata=self._metadata), request_iterator)


@pytest.mark.parametrize("symbol", ["truc.v1.MeshService", "truc.store.v1.InboxRecord", "truc.v1.ZoneFile", "nothing"])
def test_what_offices_have_no_use_for_is_not_in_the_pool(tmp_path, symbol):
    async def story(stub, systems, secret, address, node, service):
        (answer,) = await ask(stub, f"qlvb.{secret}", about(symbol))
        assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]

    with_office(tmp_path, story)


def test_a_call_costs_no_more_than_its_bounds(tmp_path, monkeypatch):
    monkeypatch.setattr(reflection, "QUESTIONS_MAX", 3)

    async def story(stub, systems, secret, address, node, service):
        token = f"qlvb.{secret}"
        for questions, words in (
            ([about("x" * 1_100)], "more than 1024 octets"),
            ([LIST] * 4, "more than 3 questions"),
        ):
            fault = await fault_from(ask(stub, token, *questions))
            assert (type(fault), fault.reason) == (Rejected, Reason.REQUEST_INVALID)
            assert words in fault.detail
        assert len(await ask(stub, token, *[about("truc.v1.OfficeService")] * 3)) == 3

    with_office(tmp_path, story)


def test_a_call_in_which_nothing_is_asked_ends_in_order_and_gives_its_place_back(tmp_path, monkeypatch):
    monkeypatch.setattr(reflection, "SILENCE_S", 0.2)
    monkeypatch.setattr(reflection, "CALLS_MAX", 1)

    async def story(stub, systems, secret, address, node, service):
        metadata = bearer(f"qlvb.{secret}")
        silent = stub.ServerReflectionInfo(metadata=metadata)
        await silent.write(LIST)
        assert names(await silent.read()) == SERVICES
        fault = await fault_from(ask(stub, f"qlvb.{secret}", LIST))
        assert (type(fault), fault.reason, fault.retry_after_ms) == (Deferred, Reason.PEER_BUSY, 1_000)
        assert await silent.read() is grpc.aio.EOF
        assert await silent.code() is grpc.StatusCode.OK
        assert await ask(stub, f"qlvb.{secret}", LIST)

    with_office(tmp_path, story)


@pytest.mark.parametrize("questions", [1, 200], ids=["while it is silent", "while it does not read its answers"])
def test_a_caller_who_goes_away_gives_its_place_back(tmp_path, monkeypatch, questions):
    monkeypatch.setattr(reflection, "CALLS_MAX", 1)

    async def story(stub, systems, secret, address, node, service):
        for _ in range(5):
            gone = stub.ServerReflectionInfo(metadata=bearer(f"qlvb.{secret}"))
            for _ in range(questions):
                await gone.write(about("truc.v1.OfficeService"))
            await gone.read()
            gone.cancel()
            async with asyncio.timeout(10):
                while await answered_or_busy(stub, secret) is Reason.PEER_BUSY:
                    await asyncio.sleep(0.01)

    with_office(tmp_path, story)


async def answered_or_busy(stub, secret):
    """Return NONE if the list of services is told, else why not."""
    try:
        await ask(stub, f"qlvb.{secret}", LIST)
    except Deferred as busy:
        return busy.reason
    return Reason.NONE


def test_the_mesh_does_not_serve_reflection():
    async def story():
        async with (
            mesh(FakeNode(), Source(entry("a", "", A)), B) as (address, _),
            channel_to(address, A) as channel,
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                [answer async for answer in ServerReflectionStub(channel).ServerReflectionInfo(iter([LIST]))]
            assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
            assert fault_of(refused.value).reason is Reason.REQUEST_INVALID

    asyncio.run(story())
