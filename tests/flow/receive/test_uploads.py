"""Large bodies as they come in: announced, uploaded in pieces that may break off anywhere, committed. Durable pieces stay."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from node.errors import Deferred, Denied, Rejected
from node.flow.receive.uploads import token_of
from node.model.lane import Lane
from node.model.mesh import Answer, Want
from node.model.policy import MIB, Policy
from node.model.reason import Reason
from node.model.receipt import Level
from node.wire import codec
from tests.flow.large_support import PACKET, POLICY, large, pieces, upload, want, whole
from tests.flow.support import parcel_for, place, run


def test_offer_upload_commit_delivers_octet_for_octet() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        envelope, body, parcel = large()
        wanted = await want(here, parcel)
        assert wanted.offset_bytes == 0
        assert await upload(here, wanted.token, body) == len(body)
        answer = await here.node.receive_commit("g14", parcel)
        assert answer.receipt is not None
        assert codec.decode_receipt(answer.receipt.receipt).level is Level.DELIVERED
        assert await here.fetch(envelope.packet_id) == PACKET
        assert "u" not in here.tables(), "the upload is forgotten"

    run(story())


def test_after_the_decision_offer_and_commit_answer_with_the_first_receipt() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        _, body, parcel = large()
        first = await whole(here, parcel, body)
        rows = here.rows()
        assert await here.node.receive_offer("g14", parcel) == first
        assert await here.node.receive_commit("g14", parcel) == first
        assert await here.node.receive_offer("centre", parcel) == first
        assert here.rows() == rows

    run(story())


@pytest.mark.parametrize("broken_at", [0, 1, 100_000, 777_777])
def test_an_upload_that_broke_off_goes_on_where_it_was_durable(broken_at: int) -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        _, body, parcel = large()
        first = await want(here, parcel)

        async def breaking() -> AsyncIterator[bytes]:
            yield body[:broken_at]
            raise Deferred(Reason.PEER_UNREACHABLE, "the line broke")

        with pytest.raises(Deferred):
            await here.node.receive_body("g14", first.token, 0, breaking())
        again = await want(here, parcel)
        assert again == Want(first.token, broken_at)
        assert await upload(here, again.token, body, broken_at) == len(body)
        assert (await here.node.receive_commit("g14", parcel)).receipt is not None

    run(story())


def test_after_a_crash_of_the_receiver_only_what_was_durable_counts() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        _, body, parcel = large()
        wanted = await want(here, parcel)
        await upload(here, wanted.token, body[:200_000])
        part = await here.bodies.open_part(wanted.token)
        await part.write(body[200_000:300_000])
        after = here.bodies.crash()
        part = await after.open_part(wanted.token)
        assert (part.durable_bytes, part.size_bytes) == (200_000, 200_000)

    run(story())


def test_a_piece_that_does_not_begin_where_the_part_ends_is_not_appended() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        _, body, parcel = large()
        wanted = await want(here, parcel)
        await upload(here, wanted.token, body[:1_000])
        for wrong in (0, 999, 1_001, 10**9):
            assert await here.node.receive_body("g14", wanted.token, wrong, pieces(b"x" * 50)) == 1_000
        await upload(here, wanted.token, body, 1_000)
        assert (await here.node.receive_commit("g14", parcel)).receipt is not None

    run(story())


def test_more_octets_than_announced_are_refused() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        _, body, parcel = large()
        wanted = await want(here, parcel)
        with pytest.raises(Denied) as refused:
            await upload(here, wanted.token, body + b"x" * 200_000)
        assert refused.value.reason is Reason.BODY_DIGEST_DIFFERS
        again = await want(here, parcel)
        assert again.offset_bytes <= len(body)
        await upload(here, again.token, body, again.offset_bytes)
        assert (await here.node.receive_commit("g14", parcel)).receipt is not None, "the true body is still taken"

    run(story())


def test_a_body_whose_digest_differs_is_refused_thrown_away_and_may_come_again() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        envelope, body, parcel = large()
        wanted = await want(here, parcel)
        await upload(here, wanted.token, bytes([body[0] ^ 1]) + body[1:])
        answer = await here.node.receive_commit("g14", parcel)
        assert (answer.receipt, answer.reason) == (None, Reason.BODY_DIGEST_DIFFERS)
        assert not await here.bodies.has(envelope.body.body_sha256)
        assert (await want(here, parcel)).offset_bytes == 0
        assert (await whole(here, parcel, body)).receipt is not None

    run(story())


def test_a_commit_before_the_last_octet_is_put_off() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        _, body, parcel = large()
        assert (await here.node.receive_commit("g14", parcel)).reason is Reason.PEER_BUSY, "nothing was offered"
        wanted = await want(here, parcel)
        await upload(here, wanted.token, body[:-1])
        answer = await here.node.receive_commit("g14", parcel)
        assert (answer.receipt, answer.reason) == (None, Reason.PEER_BUSY)
        await upload(here, wanted.token, body, len(body) - 1)
        assert (await here.node.receive_commit("g14", parcel)).receipt is not None

    run(story())


def test_the_token_of_another_peer_opens_nothing() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        envelope, body, parcel = large()
        wanted = await want(here, parcel)
        assert wanted.token == token_of("g14", envelope)
        for by, token in (("h37", wanted.token), ("centre", wanted.token), ("g14", b"t" * 16)):
            with pytest.raises(Rejected) as refused:
                await here.node.receive_body(by, token, 0, pieces(body))
            assert refused.value.reason is Reason.NOT_FOUND
        assert (await want(here, parcel)).offset_bytes == 0

    run(story())


def test_a_body_under_way_cannot_be_offered_again_as_a_larger_one() -> None:
    """Room was made for the first size only: 270 such offers closed a node that had 77 GB to spare."""

    async def story() -> None:
        here = place("h49", POLICY)
        envelope, _, parcel = large()
        await want(here, parcel)
        promised_bytes = here.node.admission.promised_bytes
        packet_bytes = envelope.body.packet_bytes + 100 * MIB
        body_bytes = packet_bytes + 16 * -(-packet_bytes // envelope.body.segment_bytes)
        larger = replace(envelope, body=replace(envelope.body, packet_bytes=packet_bytes, body_bytes=body_bytes))
        answer = await here.node.receive_offer("g14", parcel_for(larger))
        assert isinstance(answer, Answer)
        assert answer.reason is Reason.BODY_DIGEST_DIFFERS
        assert here.node.admission.promised_bytes == promised_bytes
        assert (await want(here, parcel)).offset_bytes == 0, "the first goes on"

    run(story())


def test_two_uploads_of_the_same_part_at_once_do_not_mix() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        _, body, parcel = large()
        wanted, begun, go_on = await want(here, parcel), asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield body[:100_000]
            begun.set()
            await go_on.wait()
            yield body[100_000:]

        first = asyncio.ensure_future(here.node.receive_body("g14", wanted.token, 0, slow()))
        await asyncio.wait_for(begun.wait(), 5)
        with pytest.raises(Deferred) as refused:
            await upload(here, wanted.token, body)
        assert refused.value.reason is Reason.PEER_BUSY
        busy = await here.node.receive_offer("g14", parcel)
        assert isinstance(busy, Answer)
        assert busy.reason is Reason.PEER_BUSY
        go_on.set()
        assert await first == len(body)
        assert (await here.node.receive_commit("g14", parcel)).receipt is not None

    run(story())


def test_the_origin_and_a_relay_uploading_the_same_body_at_once_make_one_packet() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        envelope, body, parcel = large()
        direct, relayed = await asyncio.gather(whole(here, parcel, body), whole(here, parcel, body, by="centre"))
        assert direct == relayed
        assert direct.receipt is not None
        assert len(await here.inbox()) == 1
        assert await here.fetch(envelope.packet_id) == PACKET
        assert not here.bodies._spool, "no part is left behind"

    run(story())


def test_a_body_that_is_here_already_need_not_be_uploaded_again() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        envelope, body, parcel = large()
        await here.bodies.put(envelope.body.body_sha256, body)
        assert (await want(here, parcel)).offset_bytes == len(body)
        assert (await here.node.receive_commit("g14", parcel)).receipt is not None

    run(story())


def test_a_packet_over_our_limit_is_refused_for_good_before_a_single_octet_is_uploaded() -> None:
    async def story() -> None:
        here = place("h49", Policy(packet_bytes_max=1_000_000))
        _, _, parcel = large()
        answer = await here.node.receive_offer("g14", parcel)
        assert isinstance(answer, Answer)
        assert answer.receipt is not None
        [outcome] = codec.decode_receipt(answer.receipt.receipt).outcomes
        assert outcome.reason is Reason.PACKET_TOO_LARGE

    run(story())


@pytest.mark.parametrize(
    ("packet", "reason"), [(b"no XML at all" * 100_000, Reason.PACKET_NOT_XML), (PACKET[:-50], Reason.PACKET_TRUNCATED)]
)
def test_a_large_body_that_is_no_packet_is_refused_for_good_and_not_kept(packet: bytes, reason: Reason) -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        envelope, body, parcel = large(packet)
        answer = await whole(here, parcel, body)
        assert answer.receipt is not None
        [outcome] = codec.decode_receipt(answer.receipt.receipt).outcomes
        assert outcome.reason is reason
        assert await here.inbox() == []
        assert not await here.bodies.has(envelope.body.body_sha256), "a body that nobody will ever fetch"

    run(story())


@pytest.mark.parametrize("by", ["h37", "stranger"])
def test_who_may_not_bring_the_packet_may_not_upload_it_either(by: str) -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        _, _, parcel = large()
        for answer in (await here.node.receive_offer(by, parcel), await here.node.receive_commit(by, parcel)):
            assert isinstance(answer, Answer)
            assert (answer.receipt, answer.reason) == (None, Reason.PEER_SPEAKS_FOR_OTHERS)
        assert here.tables() == set()

    run(story())


def test_who_is_no_relay_says_so_before_the_upload() -> None:
    async def story() -> None:
        here = place("h37", POLICY)
        _, _, parcel = large()
        answer = await here.node.receive_offer("g14", parcel)
        assert isinstance(answer, Answer)
        assert (answer.receipt, answer.reason) == (None, Reason.RELAY_NOT_ALLOWED)
        assert here.tables() == set()

    run(story())


def test_a_relay_whose_limit_is_smaller_says_so_without_a_receipt() -> None:
    async def story() -> None:
        centre = place("centre", Policy(packet_bytes_max=1_000_000))
        _, _, parcel = large()
        answer = await centre.node.receive_offer("g14", parcel)
        assert isinstance(answer, Answer)
        assert (answer.receipt, answer.reason) == (None, Reason.PACKET_TOO_LARGE)

    run(story())


def test_a_relay_takes_a_large_body_into_custody_without_opening_it() -> None:
    async def story() -> None:
        centre = place("centre", POLICY)
        envelope, body, parcel = large()
        answer = await whole(centre, parcel, body)
        assert answer.receipt is not None
        assert codec.decode_receipt(answer.receipt.receipt).level is Level.CUSTODY
        assert await centre.bodies.has(envelope.body.body_sha256)
        [view], _ = await centre.node.list_outbox("", 0)
        assert (view.kind, view.lane, view.body_bytes) == ("relay", Lane.BULK, len(body))

    run(story())
