"""Handing packets in over the wire: whole and in pieces, one and many, in order and out of order, small and too large."""

import asyncio
import hashlib

import grpc
import pytest

from node.access.credential import Credential
from node.access.systems import Systems
from node.errors import Broken, Deferred, Denied, Rejected
from node.model.finding import Finding, RulesBroken, Severity
from node.model.policy import MIB, Policy
from node.model.reason import Reason
from node.net.client import OfficeClient
from node.net.submit_stream import SubmitCall
from node.net.tls import der_of, pinned_channel
from node.net.tokens import bearer
from node.wire.office import submit_result_from_proto
from node.wire.truc.v1 import office_service_pb2 as pb
from node.wire.truc.v1.office_service_pb2_grpc import OfficeServiceStub
from tests.net.support import FakeNode, fault_from, identity, office

B = identity("b")


def with_office(tmp_path, story, policy=None):
    """Run story(node, client, credential) against an office server; the client is the system "qlvb" of unit H49.22."""

    async def run():
        node, systems = FakeNode(), Systems(tmp_path / "systems")
        secret = systems.create("qlvb", ["H49.22"])
        async with office(node, systems, B, policy=policy) as (address, _):
            credential = Credential(address, B.certificate_pem.decode(), "qlvb", secret)
            async with OfficeClient.connect(credential) as client:
                return await story(node, client, credential)

    return asyncio.run(run())


async def send(credential, *messages):
    """Call Submit with exactly these messages; return the results."""
    certificate = der_of(credential.certificate_pem.encode())
    channel = pinned_channel(credential.address, (certificate,), None, [])
    try:
        call = OfficeServiceStub(channel).Submit(iter(messages), metadata=bearer(credential.token))
        return list((await call).results)
    finally:
        await channel.close()


def begin(name, packet_bytes=0):
    return pb.SubmitRequest(begin=pb.SubmitBegin(submission_id=name, packet_bytes=packet_bytes))


def data(octets):
    return pb.SubmitRequest(data=octets)


def end(digest=b""):
    return pb.SubmitRequest(end=pb.SubmitEnd(packet_sha256=digest))


def whole(name, octets, only=False):
    return pb.SubmitRequest(whole=pb.SubmitWhole(begin=pb.SubmitBegin(submission_id=name), data=octets, only=only))


def reasons(results):
    return [Reason(result.reason) for result in results]


def test_a_small_packet_goes_whole_and_comes_back_with_its_digest(tmp_path):
    async def story(node, client, credential):
        result = await client.submit(b"<edXML/>", "s-1")
        assert result.packet_sha256 == hashlib.sha256(b"<edXML/>").digest()
        assert (result.submission_id, result.reason, result.recipients_served) == ("s-1", Reason.NONE, 1)
        assert node.packets == {"s-1": b"<edXML/>"}

    with_office(tmp_path, story)


def test_a_large_file_goes_in_pieces_and_tells_its_progress(tmp_path):
    packet = bytes(range(256)) * 12_000
    (tmp_path / "large.edxml").write_bytes(packet)
    seen = []

    async def story(node, client, credential):
        result = await client.submit(
            tmp_path / "large.edxml", "s-1", progress=lambda done, all_: seen.append((done, all_))
        )
        assert result.reason is Reason.NONE
        assert node.packets["s-1"] == packet
        assert max(node.piece_bytes) <= MIB
        assert seen[-1] == (len(packet), len(packet))
        assert len(seen) > 5

    with_office(tmp_path, story)


def test_a_small_file_and_a_missing_one(tmp_path):
    (tmp_path / "small.edxml").write_bytes(b"<x/>")

    async def story(node, client, credential):
        assert (await client.submit(tmp_path / "small.edxml", "s-1")).reason is Reason.NONE
        fault = await fault_from(client.submit(tmp_path / "none.edxml", "s-2"))
        assert (type(fault), fault.reason) == (Rejected, Reason.REQUEST_INVALID)
        assert "none.edxml" in fault.detail

    with_office(tmp_path, story)


async def until_running(node, count):
    async with asyncio.timeout(30):
        while node.running < count:
            await asyncio.sleep(0.001)


def test_many_packets_in_one_call_are_submitted_together_and_answered_in_order(tmp_path):
    packets = [(f"s-{index}", b"%d" % index) for index in range(300)]

    async def story(node, client, credential):
        node.hold = asyncio.Event()
        running = asyncio.create_task(client.submit_many(packets))
        await until_running(node, Policy().submit_group_max)
        node.hold.set()
        results = await running
        assert [r.submission_id for r in results] == [name for name, _ in packets]
        assert node.packets == dict(packets)
        assert node.running_most == Policy().submit_group_max

    with_office(tmp_path, story)


def test_octets_in_flight_are_bounded_too(tmp_path, monkeypatch):
    packets, waits = [(f"s-{index}", bytes(MIB)) for index in range(40)], asyncio.Event()
    wait_for_oldest = SubmitCall._wait_for_oldest

    async def told(stream):
        waits.set()
        await wait_for_oldest(stream)

    monkeypatch.setattr(SubmitCall, "_wait_for_oldest", told)

    async def story(node, client, credential):
        node.hold = asyncio.Event()
        running = asyncio.create_task(client.submit_many(packets))
        await until_running(node, 16)
        async with asyncio.timeout(30):
            await waits.wait()  # the next one is there, and is not let in
        assert node.running == 16
        node.hold.set()
        assert len(await running) == 40
        assert node.running_most == 16, "nobody came in beside them, then or later"

    with_office(tmp_path, story)


def test_a_refused_packet_does_not_harm_its_neighbours(tmp_path):
    async def story(node, client, credential):
        node.faults["s-1"] = Rejected(Reason.PACKET_NOT_XML, "line 1")
        node.faults["s-3"] = Denied(Reason.UNIT_NOT_OWNED, "G01")
        results = await client.submit_many([(f"s-{index}", b"x") for index in range(5)])
        assert [r.reason for r in results] == [
            Reason.NONE, Reason.PACKET_NOT_XML, Reason.NONE, Reason.UNIT_NOT_OWNED, Reason.NONE,
        ]  # fmt: skip
        assert "line 1" in results[1].detail
        assert results[1].packet_id == b""
        assert (await client.submit(b"x", "s-1")).reason is Reason.PACKET_NOT_XML

    with_office(tmp_path, story)


@pytest.mark.parametrize("fault", [Deferred(Reason.DISK_FULL, retry_after_ms=50), Broken(Reason.STORE_CORRUPT, "x")])
def test_what_the_node_cannot_decide_ends_the_call(tmp_path, fault):
    async def story(node, client, credential):
        node.faults["s-1"] = fault
        for call in (client.submit(b"x", "s-1"), client.submit_many([("s-0", b"x"), ("s-1", b"x"), ("s-2", b"x")])):
            ended = await fault_from(call)
            assert (type(ended), ended.reason) == (type(fault), fault.reason)
            assert ended.retry_after_ms == fault.retry_after_ms
        assert node.running == 0

    with_office(tmp_path, story)


def test_who_says_that_no_other_packet_follows_is_answered_before_the_stream_ends(tmp_path):
    async def story(node, client, credential):
        assert reasons(await send(credential, whole("s-1", b"<a/>", only=True))) == [Reason.NONE]
        assert node.packets == {"s-1": b"<a/>"}

    with_office(tmp_path, story)


def test_one_packet_in_a_unary_call_obeys_the_same_limits(tmp_path):
    async def story(node, client, credential):
        for name, octets, expected in (
            ("s-1", b"x" * (MIB + 1), Reason.REQUEST_INVALID),
            ("", b"<a/>", Reason.REQUEST_INVALID),
            ("s-2", b"x" * 1_001, Reason.PACKET_TOO_LARGE),
            ("s-3", b"<a/>", Reason.NONE),
        ):
            result = await client._stub.SubmitOne(whole(name, octets).whole, metadata=bearer(credential.token))
            assert (result.submission_id, Reason(result.reason)) == (name, expected)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client._stub.SubmitOne(whole("s-4", b"<a/>").whole, metadata=bearer("qlvb.wrong"))
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED

    with_office(tmp_path, story, Policy(packet_bytes_max=1_000))


def test_whole_and_streamed_packets_mix_in_one_call(tmp_path):
    async def story(node, client, credential):
        results = await send(
            credential, whole("a", b"1"), begin("b"), data(b"2"), data(b"3"), end(), whole("c", b"4"),
            begin("d", 2), data(b"5"), data(b"6"), end(hashlib.sha256(b"56").digest()), begin("e"), end(),
        )  # fmt: skip
        assert [r.submission_id for r in results] == list("abcde")
        assert node.packets == {"a": b"1", "b": b"23", "c": b"4", "d": b"56", "e": b""}

    with_office(tmp_path, story)


def test_the_next_packet_is_read_while_the_one_before_is_made_durable(tmp_path):
    async def story(node, client, credential):
        node.hold = asyncio.Event()
        call = asyncio.create_task(send(credential, begin("a"), data(b"1"), end(), begin("b"), data(b"2"), end()))
        await until_running(node, 2)
        node.hold.set()
        assert len(await call) == 2

    with_office(tmp_path, story)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([begin("a"), data(b"1")], [Reason.SUBMISSION_INCOMPLETE]),
        ([begin("a", 5), data(b"1")], [Reason.SUBMISSION_INCOMPLETE]),
        ([begin("a"), data(b"1"), begin("b"), end()], [Reason.REQUEST_INVALID]),
        ([begin("a"), data(b"1"), whole("b", b"2")], [Reason.REQUEST_INVALID]),
        ([begin("a", 3), data(b"1"), end(), whole("b", b"2")], [Reason.REQUEST_INVALID, Reason.NONE]),
        ([begin("a", 1), data(b"12"), end(), whole("b", b"2")], [Reason.REQUEST_INVALID]),
        ([begin("a"), data(b"1"), end(b"wrong"), whole("b", b"2")], [Reason.REQUEST_INVALID, Reason.NONE]),
        ([whole("z", b"0"), begin("a"), data(bytes(MIB + 1)), end()], [Reason.NONE, Reason.REQUEST_INVALID]),
        ([whole("", b"1"), whole("b", b"2")], [Reason.REQUEST_INVALID, Reason.NONE]),
        ([whole("x" * 129, b"1"), whole("b", b"2")], [Reason.REQUEST_INVALID, Reason.NONE]),
        ([whole("a\n", b"1")], [Reason.REQUEST_INVALID]),
        ([begin("a", -1), data(b"1"), end()], [Reason.REQUEST_INVALID]),
        ([whole("a", bytes(MIB + 1)), whole("b", b"2")], [Reason.REQUEST_INVALID, Reason.NONE]),
        ([], []),
    ],
)
def test_a_stream_out_of_order_is_told_packet_by_packet(tmp_path, messages, expected):
    async def story(node, client, credential):
        results = await send(credential, *messages)
        assert reasons(results) == expected
        stored = {r.submission_id for r in results if not r.reason}
        assert set(node.packets) == stored

    with_office(tmp_path, story)


@pytest.mark.parametrize("messages", [[data(b"1")], [end()], [pb.SubmitRequest()], [whole("a", b"1"), data(b"2")]])
def test_a_stream_that_does_not_open_a_packet_is_refused_as_a_call(tmp_path, messages):
    import grpc

    async def story(node, client, credential):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await send(credential, *messages)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    with_office(tmp_path, story)


def test_an_oversize_packet_is_refused_before_it_is_read(tmp_path):
    async def story(node, client, credential):
        sent = []
        packet = bytes(40 * MIB)
        result = await client.submit(packet, "s-1", progress=lambda done, _: sent.append(done))
        assert result.reason is Reason.PACKET_TOO_LARGE
        assert node.piece_bytes == []
        assert node.packets == {}

    with_office(tmp_path, story, Policy(packet_bytes_max=2 * MIB))


def test_a_packet_that_grows_beyond_the_limit_without_having_said_so_is_stopped(tmp_path):
    async def story(node, client, credential):
        results = await send(credential, whole("a", b"1"), begin("b"), *[data(bytes(MIB))] * 5, end())
        assert reasons(results) == [Reason.NONE, Reason.PACKET_TOO_LARGE]
        assert sum(node.piece_bytes) <= 2 * MIB
        assert reasons(await send(credential, whole("c", bytes(MIB)))) == [Reason.NONE]

    with_office(tmp_path, story, Policy(packet_bytes_max=2 * MIB))


def test_a_packet_refused_while_it_is_coming_ends_the_call_with_the_results_so_far(tmp_path):
    async def story(node, client, credential):
        node.refuse_at_bytes = MIB
        node.faults["refused while coming"] = Rejected(Reason.PACKET_HAS_DTD)
        results = await client.submit_many([("a", b"1"), ("b", bytes(30 * MIB)), ("c", b"3")])
        assert [(r.submission_id, r.reason) for r in results] == [
            ("a", Reason.NONE), ("b", Reason.PACKET_HAS_DTD), ("c", Reason.NONE),
        ]  # fmt: skip
        assert sum(node.piece_bytes) < 2 * MIB

    with_office(tmp_path, story)


def test_a_caller_that_goes_away_leaves_nothing_running(tmp_path):
    async def story(node, client, credential):
        node.hold = asyncio.Event()
        call = asyncio.create_task(client.submit_many([(f"s-{index}", b"x") for index in range(10)]))
        await until_running(node, 10)
        call.cancel()
        async with asyncio.timeout(5):
            while node.running:
                await asyncio.sleep(0.001)
        assert node.packets == {}

    with_office(tmp_path, story)


def test_what_the_rules_found_reaches_the_caller_whichever_way_the_packet_came(tmp_path):
    broken = RulesBroken(
        [
            Finding("EDXML-002", Severity.ERROR, "MessageHeader/Subject", "Có dấu độ mật.", "QĐ 28/2018"),
            Finding("EDXML-080", Severity.WARNING, "edXMLHeader/Signature", "Không có chữ ký số.", "NĐ 30/2020"),
        ]
    )

    async def story(node, client, credential):
        node.faults |= {"one": broken, "many": broken, "stream": broken, "whole": broken}
        channel = pinned_channel(credential.address, (der_of(B.certificate_pem),), None, [])
        try:
            request = pb.SubmitWhole(begin=pb.SubmitBegin(submission_id="one"), data=b"x")
            unary = await OfficeServiceStub(channel).SubmitOne(request, metadata=bearer(credential.token))
        finally:
            await channel.close()
        [streamed] = await send(credential, begin("stream"), data(b"x"), end())
        [many] = await client.submit_many([("many", b"x")])
        whole = await client.submit(b"x", "whole")
        for result in (submit_result_from_proto(unary), submit_result_from_proto(streamed), many, whole):
            assert (result.reason, result.packet_id) == (Reason.PACKET_BREAKS_RULES, b"")
            assert result.findings == broken.findings
            assert "EDXML-002 MessageHeader/Subject" in result.detail

    with_office(tmp_path, story)
