"""Track: what a sender sees of its packet; and what an operator sees of the outbox and the roads."""

from dataclasses import replace

import pytest

from node.errors import Rejected
from node.flow.send import outbox, receipts, relay
from node.flow.views import track
from node.model.delivery import State
from node.model.envelope import PacketKind
from node.model.lane import Lane
from node.model.mesh import Answer
from node.model.office import OutboxView, System
from node.model.reason import Reason
from node.model.receipt import Level, Outcome
from node.rows import keys
from node.rows.access import load, save
from node.rows.records import PacketRecord, PeerRecord
from node.wire import codec
from tests.clocks import NOW
from tests.flow.acts import update
from tests.flow.support import Place, place, push_of, receipt_for, run
from tests.papers import document, status_about


async def sent(*recipients: str) -> Place:
    here = place("g14")
    await here.submit(document(*(recipients or ("H49.22",)), subject="V/v theo dõi"))
    return here


def test_a_packet_is_found_by_each_of_its_three_names() -> None:
    async def story() -> None:
        here = await sent()
        by_submission = await here.track()
        by_packet = await here.node.track(here.system, packet_id=by_submission.packet_id)
        by_document = await here.node.track(here.system, document_id=" G14,2026/11/22,123/BM-VP ")
        assert by_submission == by_packet == by_document
        assert (by_packet.subject, by_packet.document_code) == ("V/v theo dõi", "123/BM-VP")
        assert (by_packet.sender_unit, by_packet.submission_id) == ("G14", "1")
        assert (by_packet.create_time_ms, by_packet.expire_at_ms) == (NOW, NOW + here.node.policy.expire_after_ms)
        assert by_packet.deliveries[0].unit_name == "Sở mẫu"

    run(story())


@pytest.mark.parametrize(
    "name", [{"submission_id": "2"}, {"packet_id": b"x" * 16}, {"document_id": "G14,2026/11/22,999/BM-VP"}]
)
def test_what_was_never_submitted_is_not_found(name: dict[str, object]) -> None:
    async def story() -> None:
        here = await sent()
        with pytest.raises(Rejected) as refused:
            await here.node.track(here.system, **name)  # type: ignore[arg-type]
        assert refused.value.reason is Reason.NOT_FOUND

    run(story())


def test_a_question_without_any_name_is_refused() -> None:
    async def story() -> None:
        here = place("g14")
        with pytest.raises(Rejected) as refused:
            await here.node.track(here.system)
        assert refused.value.reason is Reason.REQUEST_INVALID

    run(story())


def test_nobody_tracks_the_packets_of_units_that_are_not_his() -> None:
    async def story() -> None:
        here = await sent()
        packet_id = (await here.track()).packet_id
        other = System("other", frozenset({"G14.01"}))
        for name in ({"packet_id": packet_id}, {"submission_id": "1"}, {"document_id": "G14,2026/11/22,123/BM-VP"}):
            with pytest.raises(Rejected) as refused:
                await here.node.track(other, **name)  # type: ignore[arg-type]
            assert refused.value.reason is Reason.NOT_FOUND

    run(story())


def test_a_packet_that_was_received_and_not_submitted_here_cannot_be_tracked_here() -> None:
    async def story() -> None:
        here, item = place("h49"), push_of()
        await here.push(item)
        packet_id = codec.decode_envelope(item.parcel.signed_envelope.envelope).packet_id
        with pytest.raises(Rejected) as refused:
            await here.node.track(System("x", frozenset({"G14"})), packet_id=packet_id)
        assert refused.value.reason is Reason.NOT_FOUND

    run(story())


def test_what_waits_in_the_queue_says_so() -> None:
    async def story() -> None:
        here = await sent()
        [view] = (await here.track()).deliveries
        assert (view.state, view.reason, view.next_attempt_ms) == (State.WAITING, Reason.QUEUED, 0)
        assert (view.node_id, view.attempts, view.custody_node, view.signed_receipt) == ("h49", 0, "", None)

    run(story())


def test_what_waits_for_a_road_says_what_is_wrong_with_it_and_when_it_is_tried_again() -> None:
    async def story() -> None:
        here = await sent()
        record = PeerRecord(
            failures=2, reason=Reason.PEER_TLS_FAILED, first_failure_ms=NOW, next_attempt_ms=NOW + 4_000
        )
        await here.do(lambda tx: save(tx, keys.peer("h49"), record))
        [view] = (await here.track()).deliveries
        assert (view.reason, view.next_attempt_ms) == (Reason.PEER_TLS_FAILED, NOW + 4_000)

    run(story())


def test_what_was_put_off_says_why_and_until_when() -> None:
    async def story() -> None:
        here = await sent()
        here.peers.answers = lambda peer, items: [Answer(None, Reason.DISK_FULL, retry_after_ms=9_000)]
        await here.carry()
        [view] = (await here.track()).deliveries
        assert (view.reason, view.next_attempt_ms, view.attempts) == (Reason.DISK_FULL, NOW + 9_000, 1)

    run(story())


def test_what_waits_for_a_held_peer_says_that_it_is_held() -> None:
    async def story() -> None:
        here = await sent()
        await here.node.hold_peer("h49")
        [view] = (await here.track()).deliveries
        assert (view.reason, view.next_attempt_ms) == (Reason.HELD, 0)
        await here.node.release_peer("h49")
        [view] = (await here.track()).deliveries
        assert view.reason is Reason.QUEUED

    run(story())


def test_deliveries_come_in_order_of_code_each_with_its_own_node() -> None:
    async def story() -> None:
        here = await sent("H49.22", "H37", "G14.01", "H49")
        found = [(view.unit, view.node_id, view.state) for view in (await here.track()).deliveries]
        assert found == [
            ("G14.01", "g14", State.DELIVERED),
            ("H37", "h37", State.WAITING),
            ("H49", "h49", State.WAITING),
            ("H49.22", "h49", State.WAITING),
        ]

    run(story())


def test_a_recipient_of_this_very_node_is_delivered_with_our_own_receipt() -> None:
    async def story() -> None:
        here = await sent("G14.01")
        [view] = (await here.track()).deliveries
        assert view.signed_receipt is not None
        said = codec.decode_receipt(view.signed_receipt.receipt)
        assert (said.signer_node, said.level) == ("g14", Level.DELIVERED)
        assert here.tables() & {"o", "q"} == set()

    run(story())


# --- the operator's view ---------------------------------------------------------------------------------------------------


async def busy_outbox() -> Place:
    """g14 with: two packets for h49 (one put off), one for h37, and a receipt to bring to h37."""
    here = await sent("H49.22", "H37")
    await here.submit(status_about("5", "03", sender="G14", author="H49.22"), "2")
    here.peers.answers = lambda peer, items: [Answer(None, Reason.DISK_FULL)] * len(items)
    await here.carry("h49")
    await here.submit(document("H49", number="9"), "3")
    item = push_of(packet_nonce=b"r" * 16)
    envelope = replace(codec.decode_envelope(item.parcel.signed_envelope.envelope), origin_node="h37")
    signed = receipt_for(item.parcel.signed_envelope.envelope, envelope.packet_id)
    believed = receipts.Believed(codec.decode_receipt(signed.receipt), signed)
    await here.do(lambda tx: relay.send_home(tx, believed, envelope, NOW))
    return here


def test_the_outbox_lists_what_is_ready_and_what_was_put_off_node_by_node() -> None:
    async def story() -> None:
        here = await busy_outbox()
        views, more = await here.node.list_outbox("", 0)
        assert not more
        assert [(view.node_id, view.kind, view.lane, view.reason) for view in views] == [
            ("h37", "receipt", Lane.CONTROL, Reason.QUEUED),
            ("h37", "packet", Lane.NORMAL, Reason.QUEUED),
            ("h49", "packet", Lane.NORMAL, Reason.QUEUED),
            ("h49", "packet", Lane.CONTROL, Reason.DISK_FULL),
            ("h49", "packet", Lane.NORMAL, Reason.DISK_FULL),
        ]
        assert [view.attempts for view in views] == [0, 0, 0, 1, 1]
        assert views[0].body_bytes == 0
        assert all(view.body_bytes > 0 for view in views[1:])
        assert {view.next_attempt_ms for view in views[3:]} == {NOW + here.node.policy.item_retry_ms}

    run(story())


def test_the_outbox_of_one_peer_and_its_limit() -> None:
    async def story() -> None:
        here = await busy_outbox()
        of_h49, _ = await here.node.list_outbox("h49", 0)
        assert {view.node_id for view in of_h49} == {"h49"}
        assert len(of_h49) == 3
        first, more = await here.node.list_outbox("", 4)
        assert (len(first), more) == (4, True)
        exactly, more = await here.node.list_outbox("", 5)
        assert (len(exactly), more) == (5, False)
        with pytest.raises(Rejected, match="no node 'h4'"):
            await here.node.list_outbox("h4", 0)

    run(story())


def test_a_receipt_in_the_outbox_is_named_by_its_packet() -> None:
    async def story() -> None:
        here = await busy_outbox()
        views, _ = await here.node.list_outbox("h37", 0)
        [brought] = [view for view in views if view.kind == "receipt"]
        expected = codec.decode_envelope(push_of(packet_nonce=b"r" * 16).parcel.signed_envelope.envelope).packet_id
        assert brought.packet_id == expected

    run(story())


def test_what_is_carried_for_others_is_told_apart() -> None:
    async def story() -> None:
        centre = place("centre")
        await centre.push(push_of())
        [view], _ = await centre.node.list_outbox("", 0)
        assert isinstance(view, OutboxView)
        assert (view.kind, view.node_id) == ("relay", "h49")

    run(story())


def test_the_roads_are_shown_with_their_state() -> None:
    async def story() -> None:
        here = await busy_outbox()
        roads = {
            "centre": PeerRecord(last_success_ms=NOW - 5),
            "h49": PeerRecord(
                failures=3,
                reason=Reason.PEER_UNREACHABLE,
                first_failure_ms=NOW - 40_000,
                next_attempt_ms=NOW + 7,
                last_success_ms=NOW - 50_000,
            ),
        }
        for node_id, record in roads.items():
            await here.do(lambda tx, n=node_id, r=record: save(tx, keys.peer(n), r))  # type: ignore[misc]
        views = {view.node_id: view for view in await here.node.list_peers()}
        assert sorted(views) == ["centre", "h37", "h49"]
        assert {name: view.road for name, view in views.items()} == {
            "centre": "open",
            "h49": "relayed",
            "h37": "unknown",
        }
        assert (views["h49"].relay_node, views["h49"].failures, views["h49"].waiting) == ("centre", 3, 3)
        assert views["h49"].prefixes == ("H49",)

    run(story())


def test_a_road_in_back_off_says_until_when() -> None:
    async def story() -> None:
        here = place("g14")
        record = PeerRecord(failures=1, reason=Reason.PEER_BUSY, first_failure_ms=NOW, next_attempt_ms=NOW + 9)
        await here.do(lambda tx: save(tx, keys.peer("h49"), record))
        view = next(view for view in await here.node.list_peers() if view.node_id == "h49")
        assert (view.road, view.reason, view.next_attempt_ms) == ("backoff", Reason.PEER_BUSY, NOW + 9)

    run(story())


def test_holding_and_releasing_wakes_the_sending_and_only_known_peers_can_be_held() -> None:
    async def story() -> None:
        here = place("g14")
        woken: list[set[str]] = []
        here.node.signals.outbox.connect(woken.append)
        await here.node.hold_peer("h49")
        view = next(view for view in await here.node.list_peers() if view.node_id == "h49")
        assert (view.road, view.reason) == ("held", Reason.HELD)
        await here.node.release_peer("h49")
        assert woken == [{"h49"}]
        for verb in (here.node.hold_peer, here.node.release_peer):
            with pytest.raises(Rejected) as refused:
                await verb("nobody")
            assert refused.value.reason is Reason.NOT_FOUND
            with pytest.raises(Rejected, match="g14 is this node itself") as own:
                await verb("g14")
            assert own.value.reason is Reason.REQUEST_INVALID
        with pytest.raises(Rejected) as unknown:
            await here.node.list_outbox("nobody", 10)
        assert unknown.value.reason is Reason.NOT_FOUND
        assert await here.node.list_outbox("h49", 10) == ([], False)

    run(story())


def test_the_nodes_waited_for_are_found_by_leaping() -> None:
    async def story() -> None:
        here = await busy_outbox()
        assert await here.do(outbox.nodes_waited_for) == {"h37", "h49"}

    run(story())


# --- many recipients --------------------------------------------------------------------------------------------------


PARTIES = ("H49", "H49.22", "H49.22.05", "H49.22.06", "H37", "H37.10", "G14.01")


async def with_history() -> Place:
    """A document of which one node has signed, one expired, one still waits, and two units have reported; and an update of it."""
    here = await sent(*PARTIES)
    packet_id = (await here.track()).packet_id
    envelope = (await here.do(lambda tx: load(tx, keys.packet(packet_id), PacketRecord))).envelope  # type: ignore[union-attr]
    outcomes = tuple(Outcome(unit, Reason.NONE) for unit in PARTIES if unit.startswith("H49"))
    signed = receipt_for(envelope, packet_id, outcomes=outcomes)
    believed = receipts.Believed(codec.decode_receipt(signed.receipt), signed)
    await here.do(lambda tx: receipts.apply_final(tx, believed, NOW))
    for number, unit in enumerate(("H49.22", "H49.22.05", "H49.22")):
        about = status_about("123", "03", sender=unit)
        await here.push(
            push_of(
                about,
                target="g14",
                origin="h49",
                sender_unit=unit,
                recipient_units=("G14",),
                kind=PacketKind.STATUS,
                lane=Lane.CONTROL,
                packet_nonce=bytes([number]) * 16,
            ),
            by="h49",
        )
    await here.submit(update("H49.22", "H37"), "2")
    return here


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 1_000])
def test_pages_show_what_the_whole_shows(page_size: int) -> None:
    async def story() -> None:
        here = await with_history()
        whole, pages, token = await here.track(), [], ""
        assert {view.state for view in whole.deliveries} == {State.DELIVERED, State.WAITING}
        assert [len(view.statuses) for view in whole.deliveries if view.unit == "H49.22"] == [2]
        assert whole.next_page_token == ""
        while not pages or token:
            view = await here.node.track(here.system, submission_id="1", page_size=page_size, page_token=token)
            pages.append(view.deliveries)
            token = view.next_page_token
        assert all(len(page) == page_size for page in pages[:-1])
        assert tuple(one for page in pages for one in page) == whole.deliveries

    run(story())


def test_small_pages_within_come_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        here = await with_history()
        whole = await here.track()
        for name, size in (("PAGE_DELIVERIES", 2), ("PAGE_STATUSES", 1), ("PAGE_FACTS", 1)):
            monkeypatch.setattr(track, name, size)
            assert await here.track() == whole

    run(story())


def test_units_of_one_node_share_one_receipt_in_memory() -> None:
    async def story() -> None:
        view = await (await with_history()).track()
        assert len({id(one.signed_receipt) for one in view.deliveries if one.node_id == "h49"}) == 1

    run(story())


@pytest.mark.parametrize("token", ["x", "h49", "H49..22", "4834", "\0"])
def test_a_page_token_that_is_none_is_refused(token: str) -> None:
    async def story() -> None:
        here = await sent()
        with pytest.raises(Rejected) as refused:
            await here.node.track(here.system, submission_id="1", page_token=token)
        assert refused.value.reason is Reason.REQUEST_INVALID

    run(story())
