"""The other calls of the office, the operator's door, credentials on the wire, and files fetched with resume."""

import asyncio
import itertools
from dataclasses import replace

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from node.access.credential import Credential
from node.access.systems import Systems
from node.errors import Broken, Deferred, Denied, Rejected
from node.model.deadline import Deadline, DeadlineKind
from node.model.delivery import State
from node.model.hold import HoldView
from node.model.lane import Lane
from node.model.office import (
    DeliveryView,
    OutboxView,
    PeerView,
    QuarantineView,
    RefusedRecipient,
    SubmitResult,
    TrackView,
)
from node.model.reason import Reason
from node.model.receipt import SignedReceipt
from node.model.status import StatusEvent
from node.net.admin_client import AdminClient
from node.net.admin_server import is_from_here
from node.net.client import OfficeClient
from node.net.tls import pinned_channel
from node.wire import office as wire
from node.wire import track
from node.wire.receipt import signed_receipt_to_bytes
from node.wire.truc.v1 import office_service_pb2 as pb
from tests.net.support import (
    FOUND,
    HEALTH,
    PACKET_ID,
    STATUSES,
    FakeNode,
    fault_from,
    identity,
    inbox_entry,
    office,
    parcel,
)

B = identity("b")


def with_office(tmp_path, story):
    """Run story(node, client, credential, systems, service)."""

    async def run():
        seconds = itertools.count()  # each look at the clock is a second later
        systems = Systems(tmp_path / "systems", tmp_path / "admin.token", monotonic_s=lambda: float(next(seconds)))
        node = FakeNode()
        secret = systems.create("qlvb", ["H49.22"])
        async with office(node, systems, B) as (address, service):
            credential = Credential(address, B.certificate_pem.decode(), "qlvb", secret)
            async with OfficeClient.connect(credential) as client:
                return await story(node, client, credential, systems, service)

    return asyncio.run(run())


def test_the_inbox_is_listed_page_by_page_within_bounds(tmp_path):
    async def story(node, client, credential, systems, service):
        entries, token = await client.list_inbox("H49.22", page_token="here")
        assert entries == [inbox_entry(node.inbox)]
        assert token == "next"
        await client.list_inbox(page_size=5_000)
        assert node.calls == [("list_inbox", "qlvb", "H49.22", 100, "here"), ("list_inbox", "qlvb", "", 1000, "")]
        assert (await fault_from(client.list_inbox(page_size=-1))).reason is Reason.REQUEST_INVALID

    with_office(tmp_path, story)


def test_a_packet_is_fetched_whole_and_checked(tmp_path):
    async def story(node, client, credential, systems, service):
        node.inbox = bytes(range(256)) * 5_000
        fetched = await client.fetch(PACKET_ID, "H49.22", lease_ms=9)
        assert fetched.packet == node.inbox
        assert fetched.entry == inbox_entry(node.inbox)
        assert node.calls == [("fetch", "qlvb", PACKET_ID, "H49.22", 0, 9)]

    with_office(tmp_path, story)


def test_a_client_is_an_instance_like_no_other_unless_it_is_given_a_name(tmp_path):
    async def story(node, client, credential, systems, service):
        node.inbox = b"x"
        await client.fetch(PACKET_ID)
        await client.fetch_to(PACKET_ID, tmp_path / "out.edxml")
        for name in ("", "máy chủ 1"):
            async with OfficeClient.connect(credential, name) as other:
                await other.fetch(PACKET_ID)
        own, again, others, named = node.instances
        assert own == again, "the same client is the same instance"
        assert len({own, others, "", "máy chủ 1"}) == 4
        assert named == "máy chủ 1"
        async with OfficeClient.connect(credential, "x" * 65) as wordy:
            assert (await fault_from(wordy.fetch(PACKET_ID))).reason is Reason.REQUEST_INVALID

    with_office(tmp_path, story)


def test_a_fetch_into_a_file_goes_on_where_it_broke_off(tmp_path):
    target = tmp_path / "out.edxml"

    async def story(node, client, credential, systems, service):
        node.inbox = bytes(range(256)) * 5_000
        node.faults["fetch half way"] = Deferred(Reason.SHUTTING_DOWN)
        assert (await fault_from(client.fetch_to(PACKET_ID, target))).reason is Reason.SHUTTING_DOWN
        assert not target.exists()
        del node.faults["fetch half way"]
        assert (await client.fetch_to(PACKET_ID, target)).packet_id == PACKET_ID
        assert target.read_bytes() == node.inbox
        assert [call[4] for call in node.calls] == [0, 640_000]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["out.edxml", "systems"]
        assert (await fault_from(client.fetch_to(PACKET_ID, target))).reason is Reason.ALREADY_EXISTS

    with_office(tmp_path, story)


def test_octets_that_are_not_the_packets_are_never_given_its_name(tmp_path):
    async def story(node, client, credential, systems, service):
        target = tmp_path / "out.edxml"
        (tmp_path / f"out.edxml.{PACKET_ID.hex()}.part").write_bytes(b"something else")
        node.inbox = bytes(1_000)
        fault = await fault_from(client.fetch_to(PACKET_ID, target))
        assert (type(fault), fault.reason) == (Denied, Reason.BODY_DIGEST_DIFFERS)
        assert not target.exists()
        await client.fetch_to(PACKET_ID, target)
        assert target.read_bytes() == node.inbox

    with_office(tmp_path, story)


def test_acknowledge_track_and_search_ask_the_node(tmp_path):
    async def story(node, client, credential, systems, service):
        assert await client.acknowledge([PACKET_ID, PACKET_ID], "H49.22") == 2
        assert (await client.track(submission_id="s-1")).document_code == "12/QĐ"
        assert await client.search_units("sở hai") == [FOUND]
        assert node.calls == [
            ("acknowledge", "qlvb", (PACKET_ID, PACKET_ID), "H49.22"),
            ("track", "qlvb", b"", "s-1", ""),
            ("search_units", "sở hai", 20),
        ]

    with_office(tmp_path, story)


def ended(number: int, receipt: SignedReceipt) -> DeliveryView:
    return DeliveryView(f"H49.{number:05d}", "b", State.DELIVERED, Reason.NONE, 0, 2, "", "", (), receipt, 0, "Xã", "")


def test_a_circular_to_ten_thousand_is_tracked_by_clients_old_and_new(tmp_path):
    """Three nodes signed for its recipients. The new client gets each receipt, in pages; the old one all in one answer that it can take."""
    signature = parcel().signed_envelope.signature
    receipts = [SignedReceipt(bytes([number]) * 50_000, signature) for number in range(3)]

    async def story(node, client, credential, systems, service):
        node.deliveries = [ended(number, receipts[number % 3]) for number in range(10_000)]
        view = await client.track(packet_id=PACKET_ID)
        assert view.deliveries == tuple(node.deliveries)
        assert len({id(one.signed_receipt) for one in view.deliveries}) == 3, "each is in memory once"
        assert len(node.calls) == 10
        old = await client._stub.Track(pb.TrackRequest(packet_id=PACKET_ID), metadata=client._metadata)
        assert [one.unit for one in old.deliveries] == [one.unit for one in node.deliveries]
        given = [one.signed_receipt for one in old.deliveries if one.signed_receipt]
        assert given == [signed_receipt_to_bytes(one) for one in receipts]
        assert old.receipts_left_out == 10_000 - 3
        assert old.ByteSize() < 2 * 1024 * 1024

    with_office(tmp_path, story)


def test_an_old_client_gets_each_delivery_with_its_receipt_as_long_as_there_is_room(tmp_path):
    receipt = SignedReceipt(b"r" * 1000, parcel().signed_envelope.signature)

    async def story(node, client, credential, systems, service):
        node.deliveries = [ended(number, receipt) for number in range(20)]
        old = await client._stub.Track(pb.TrackRequest(packet_id=PACKET_ID), metadata=client._metadata)
        assert [one.signed_receipt for one in old.deliveries] == [signed_receipt_to_bytes(receipt)] * 20
        assert (old.receipts_left_out, len(old.receipts), old.next_page_token) == (0, 0, "")

    with_office(tmp_path, story)


def test_a_new_client_understands_a_node_that_is_older_than_pages():
    receipt = SignedReceipt(b"r" * 1000, parcel().signed_envelope.signature)
    view = TrackView(PACKET_ID, "s", "id", "12", "V/v", "G01", 1, 2, (ended(1, receipt), ended(2, receipt)))
    reader = track.TrackReader()
    assert not reader.add(track.track_to_proto(view))
    assert reader.view() == view


def test_a_delivery_that_refers_to_a_receipt_which_is_not_there_is_refused():
    message = pb.TrackResponse(
        deliveries=[pb.DeliveryView(unit="H49", state=pb.DELIVERY_STATE_DELIVERED, receipt_number=1)]
    )
    with pytest.raises(Rejected, match="receipt 1 of 0"):
        track.track_from_proto(message)


def test_requests_of_a_bad_form_never_reach_the_node(tmp_path):
    async def story(node, client, credential, systems, service):
        for call in (
            client.track(),
            client.track(packet_id=PACKET_ID, submission_id="x"),
            client.track(packet_id=b"short"),
            client.acknowledge([b"short"]),
            client.acknowledge([PACKET_ID] * 1001),
            client.fetch(b"short"),
            client.fetch(PACKET_ID, lease_ms=-2),
            client.search_units("x", -1),
        ):
            fault = await fault_from(call)
            assert (type(fault), fault.reason) == (Rejected, Reason.REQUEST_INVALID)
        assert node.calls == []

    with_office(tmp_path, story)


def test_a_fault_travels_with_reason_kind_detail_and_time(tmp_path):
    async def story(node, client, credential, systems, service):
        for fault in (
            Rejected(Reason.NOT_FOUND, "no such packet"),
            Denied(Reason.UNIT_NOT_OWNED, "Đơn vị G01"),
            Deferred(Reason.LEASED, "till later", retry_after_ms=1234),
            Broken(Reason.STORE_CORRUPT, ""),
        ):
            for verb, call in (("track", client.track(document_id="d")), ("fetch", client.fetch(PACKET_ID))):
                node.faults[verb] = fault
                told = await fault_from(call)
                assert (type(told), told.reason, told.detail) == (type(fault), fault.reason, fault.detail)
                assert told.retry_after_ms == fault.retry_after_ms

    with_office(tmp_path, story)


def test_our_own_mistake_is_counted_and_tells_the_caller_only_a_reference(tmp_path):
    async def story(node, client, credential, systems, service):
        node.faults["track"] = AssertionError("inner secret")
        node.faults["fetch"] = KeyError("inner secret")
        for call in (client.track(document_id="d"), client.fetch(PACKET_ID)):
            fault = await fault_from(call)
            assert (type(fault), fault.reason) == (Broken, Reason.IO_FAILED)
            assert "inner secret" not in fault.detail
            assert "mã tra cứu" in fault.detail
        assert dict(service.tally.failed) == {"Track": 1, "Fetch": 1}

    with_office(tmp_path, story)


def test_a_call_without_a_right_credential_is_refused(tmp_path):
    async def story(node, client, credential, systems, service):
        for system, secret, reason in (
            ("qlvb", "wrong", Reason.CREDENTIAL_WRONG),
            ("other", credential.secret, Reason.CREDENTIAL_WRONG),
            ("../systems/qlvb", credential.secret, Reason.CREDENTIAL_WRONG),
        ):
            wrong = Credential(credential.address, credential.certificate_pem, system, secret)
            async with OfficeClient.connect(wrong) as other:
                for call in (other.list_inbox(), other.submit(b"x", "s"), other.fetch(PACKET_ID)):
                    fault = await fault_from(call)
                    assert (type(fault), fault.reason) == (Denied, reason)
        assert node.calls == []
        assert node.packets == {}

    with_office(tmp_path, story)


def test_a_system_added_or_revoked_while_the_node_runs_is_known_at_once(tmp_path):
    async def story(node, client, credential, systems, service):
        elsewhere = Systems(tmp_path / "systems")
        secret = elsewhere.create("later", ["000.00.22.H49"])
        later = Credential(credential.address, credential.certificate_pem, "later", secret)
        async with OfficeClient.connect(later) as other:
            await other.list_inbox()
            systems.revoke("later")
            assert (await fault_from(other.list_inbox())).reason is Reason.CREDENTIAL_WRONG

    with_office(tmp_path, story)


def test_a_node_with_another_certificate_is_not_trusted_and_one_that_is_down_is_unreachable(tmp_path):
    async def story(node, client, credential, systems, service):
        other = identity("b", serial=1).certificate_pem.decode()
        async with OfficeClient.connect(Credential(credential.address, other, "qlvb", credential.secret)) as mistaken:
            assert (await fault_from(mistaken.list_inbox())).reason is Reason.PEER_TLS_FAILED
        down = Credential("127.0.0.1:1", credential.certificate_pem, "qlvb", credential.secret)
        async with OfficeClient.connect(down) as alone:
            fault = await fault_from(alone.submit(b"x", "s"))
            assert (type(fault), fault.reason) == (Deferred, Reason.PEER_UNREACHABLE)
            assert (await fault_from(alone.submit(bytes(2_000_000), "s"))).reason is Reason.PEER_UNREACHABLE

    with_office(tmp_path, story)


def test_the_operator_sees_and_acts_with_his_token(tmp_path):
    async def story(node, client, credential, systems, service):
        token = systems.ensure_admin_token()
        async with AdminClient.connect(credential.address, B.certificate_pem, token) as admin:
            outbox = ([OutboxView("b", PACKET_ID, Lane.KHAN, "packet", 1, Reason.QUEUED, 2, 3, "c", 4)], True)
            assert await admin.list_outbox("b", 9_999) == outbox
            peer = PeerView("b", "Nút B", "b:1", "held", Reason.HELD, 1, 2, 3, "c", 4, ("H49",), 5, 6)
            assert await admin.list_peers() == [peer]
            aside = QuarantineView("ab", "l", "b", PACKET_ID, Reason.FAILED_INSIDE, "ValueError", 5, 6)
            assert await admin.list_quarantine(9_999) == ([aside], True)
            assert await admin.release_quarantined("ab") == "b"
            await admin.hold_peer("b")
            await admin.release_peer("b")
            assert await admin.health() == HEALTH
            assert await admin.refresh_directory() == 42
            assert await admin.count_statuses(1, 2, "ab") == ([STATUSES], "next")
            await admin.put_hold(PACKET_ID, " vụ việc 12 ")
            await admin.lift_hold(PACKET_ID)
            assert await admin.list_holds() == [HoldView(PACKET_ID, "vụ việc 12", 7)] * 2
            for wrong in (admin.put_hold(PACKET_ID, " "), admin.put_hold(b"short", "why"), admin.lift_hold(b"")):
                assert (await fault_from(wrong)).reason is Reason.REQUEST_INVALID
        assert node.calls == [("list_outbox", "b", 1000), ("list_peers",), ("list_quarantine", 1000),
                              ("release_quarantined", "ab"), ("hold_peer", "b"), ("release_peer", "b"),
                              ("count_statuses", 1, 2, "ab"), ("put_hold", PACKET_ID, "vụ việc 12"), ("lift_hold", PACKET_ID),
                              ("list_holds", ""), ("list_holds", "ab")]  # fmt: skip

    with_office(tmp_path, story)


def test_nobody_else_enters_the_operators_door(tmp_path):
    async def story(node, client, credential, systems, service):
        systems.ensure_admin_token()
        for token, reason in ((credential.token, Reason.ADMIN_ONLY), ("wrong", Reason.CREDENTIAL_WRONG)):
            async with AdminClient.connect(credential.address, B.certificate_pem, token) as admin:
                for call in (admin.list_outbox(), admin.list_quarantine(), admin.release_quarantined("ab"),
                             admin.list_peers(), admin.hold_peer("b"), admin.release_peer("b"),
                             admin.health(), admin.refresh_directory(), admin.count_statuses(),
                             admin.put_hold(PACKET_ID, "why"), admin.lift_hold(PACKET_ID), admin.list_holds()):  # fmt: skip
                    fault = await fault_from(call)
                    assert (type(fault), fault.reason) == (Denied, reason)
        assert node.calls == []

    with_office(tmp_path, story)


@pytest.mark.parametrize(
    ("peer", "here"),
    [("ipv4:127.0.0.1:4", True), ("ipv6:[::1]:4", True), ("ipv6:%5B::1%5D:4", True), ("ipv4:10.0.0.1:4", False),
     ("ipv6:[fe80::1]:4", False), ("ipv4:12.7.0.0:1", False), ("", False)],
)  # fmt: skip
def test_the_operators_door_opens_on_the_nodes_own_machine_only(peer, here):
    assert is_from_here(peer) is here


@pytest.mark.parametrize(
    ("peer", "own_host", "here"),
    [("ipv4:10.0.0.1:4", "10.0.0.1", True), ("ipv4:10.0.0.11:4", "10.0.0.1", False), ("ipv4:10.0.0.1:4", "0.0.0.0", False),
     ("ipv6:%5Bfd00::2%5D:4", "[fd00::2]", True), ("ipv6:[fd00::2]:4", "[fd00::2]", True), ("ipv6:%5Bfd00::3%5D:4", "[fd00::2]", False),
     ("ipv4:127.0.0.1:4", "10.0.0.1", True), ("", "", False)],
)  # fmt: skip
def test_a_door_on_one_address_takes_the_operators_calls_from_it(peer, own_host, here):
    assert is_from_here(peer, own_host) is here


def test_health_is_told_to_anybody_who_reaches_the_port(tmp_path):
    async def story(node, client, credential, systems, service):
        channel = pinned_channel(credential.address, (B.certificate_der,), None, [])
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        await channel.close()
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

    with_office(tmp_path, story)


def test_what_offices_are_told_survives_the_wire_word_for_word():
    status = StatusEvent("03", "H49.22", "đã nhận", "2026-11-22", 9, PACKET_ID)
    receipt = SignedReceipt(b"receipt", parcel().signed_envelope.signature)
    delivery = DeliveryView(
        "H49.22", "b", State.FAILED, Reason.EXPIRED, 1, 2, "c", "03", (status,), receipt, 3, "Sở Hai", "d"
    )
    view = TrackView(PACKET_ID, "s-1", "id-1", "12/QĐ", "Trích yếu", "G01", 1, 2, (delivery,))
    assert track.track_from_proto(track.track_to_proto(view)) == view
    refused = RefusedRecipient("X", Reason.CODE_MALFORMED, "sai")
    result = SubmitResult("s-1", PACKET_ID, Reason.NOT_ALL_SERVED, "chi tiết", (refused,), bytes(32), 4)
    assert wire.submit_result_from_proto(wire.submit_result_to_proto(result)) == result


def test_a_call_that_the_server_does_not_know_is_a_bad_request(tmp_path):
    from node.net.errors import faults

    async def story(node, client, credential, systems, service):
        channel = pinned_channel(credential.address, (B.certificate_der,), None, [])

        async def call():
            with faults():
                return await channel.unary_unary("/truc.v1.OfficeService/Later")(b"")

        assert (await fault_from(call())).reason is Reason.REQUEST_INVALID
        await channel.close()

    with_office(tmp_path, story)


def test_the_servers_limit_of_calls_is_a_busy_answer():
    from node.net.errors import fault_of

    error = grpc.aio.AioRpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, details="Concurrent RPC limit exceeded!")
    assert fault_of(error).reason is Reason.PEER_BUSY


def test_an_entry_of_the_inbox_survives_the_wire_word_for_word():
    receipt = SignedReceipt(b"receipt", parcel().signed_envelope.signature)
    duties = (Deadline(DeadlineKind.RECEIPT, 5, 4), Deadline(DeadlineKind.DUE, 9))
    entry = replace(inbox_entry(b"<edXML/>"), deadlines=duties, due_date="2026/12/01", signed_receipt=receipt)
    assert wire.inbox_entry_from_proto(wire.inbox_entry_to_proto(entry)) == entry
    assert wire.inbox_entry_from_proto(wire.inbox_entry_to_proto(inbox_entry(b"<edXML/>"))).signed_receipt is None
