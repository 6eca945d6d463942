"""The inbox of a unit: packets are leased while one fetches, gone when acknowledged, never there twice."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import Deferred, Denied, Rejected
from node.flow.inbox import inbox
from node.model.code import parse_code
from node.model.envelope import Envelope, PacketKind
from node.model.lane import Lane
from node.model.mesh import PushPacket
from node.model.office import NO_LEASE, System
from node.model.policy import Policy
from node.model.reason import Reason
from node.model.receipt import Level
from node.ports import Tx
from node.rows import keys
from node.rows.access import require, save
from node.rows.records import InboxRecord, PacketRecord
from node.store.embedded.overlay import OverlayTx
from node.store.memory.store import InstantDisk, MemoryEngine
from node.wire import codec
from tests.clocks import NOW
from tests.flow.support import Place, envelope_for, parcel_for, place, push_of, run
from tests.papers import document, status_about

LEASE_MS = Policy().lease_ms


async def with_packets(
    count: int = 1, units: tuple[str, ...] = ("H49.22",), lane: Lane = Lane.NORMAL
) -> tuple[Place, list[bytes]]:
    """A place whose units have packets, one millisecond apart; and their ids."""
    here, ids = place("h49"), []
    for number in range(count):
        ids.append(await bring(here, number, units, lane))
        here.clock.at_ms += 1
    here.clock.at_ms = NOW
    return here, ids


async def bring(here: Place, number: int, units: tuple[str, ...], lane: Lane = Lane.NORMAL) -> bytes:
    is_status = lane is Lane.CONTROL
    packet = (
        status_about(str(number), "03", sender="G14", author=units[0])
        if is_status
        else document(*units, number=str(number))
    )
    kind = PacketKind.STATUS if is_status else PacketKind.DOCUMENT
    envelope, body = envelope_for(
        packet, packet_nonce=(number + 1).to_bytes(16, "big"), recipient_units=units, lane=lane, kind=kind
    )
    [answer] = await here.push(PushPacket(parcel_for(envelope), body))
    assert answer.receipt is not None
    return envelope.packet_id


# --- lease --------------------------------------------------------------------------------------------------------------


def test_fetching_leases_the_packet_so_that_another_instance_does_not_take_it() -> None:
    async def story() -> None:
        here, [packet_id] = await with_packets()
        assert await here.fetch(packet_id) == document("H49.22", number="0")
        with pytest.raises(Deferred) as refused:
            await here.fetch(packet_id)
        assert (refused.value.reason, refused.value.retry_after_ms) == (Reason.LEASED, LEASE_MS)
        [entry] = await here.inbox()
        assert (entry.lease_until_ms, entry.fetch_count) == (NOW + LEASE_MS, 1)

    run(story())


def test_an_instance_whose_answer_was_lost_fetches_again_at_once() -> None:
    """Seen between hosts: a node was killed between the lease and the answer, and its reader waited five minutes for itself."""

    async def story() -> None:
        here, [packet_id] = await with_packets()
        packet = await here.fetch(packet_id, instance="máy 1")
        here.clock.at_ms += 1_000
        assert await here.fetch(packet_id, instance="máy 1") == packet
        [entry] = await here.inbox()
        assert (entry.lease_until_ms, entry.fetch_count) == (NOW + 1_000 + LEASE_MS, 2), "the lease begins anew"
        for other in ("máy 2", ""):
            with pytest.raises(Deferred) as refused:
                await here.fetch(packet_id, instance=other)
            assert refused.value.reason is Reason.LEASED
        here.clock.at_ms += LEASE_MS
        await here.fetch(packet_id, instance="máy 2")
        with pytest.raises(Deferred):
            await here.fetch(packet_id, instance="máy 1")

    run(story())


def test_who_does_not_say_which_instance_it_is_is_like_no_other() -> None:
    async def story() -> None:
        here, [packet_id] = await with_packets()
        await here.fetch(packet_id, instance="máy 1")
        here.clock.at_ms += LEASE_MS
        await here.fetch(packet_id)
        for other in ("", "máy 1"):
            with pytest.raises(Deferred):
                await here.fetch(packet_id, instance=other)

    run(story())


def test_a_lease_runs_out_and_the_packet_may_be_fetched_again() -> None:
    async def story() -> None:
        here, [packet_id] = await with_packets()
        await here.fetch(packet_id, lease_ms=1_000)
        here.clock.at_ms += 999
        with pytest.raises(Deferred) as refused:
            await here.fetch(packet_id)
        assert refused.value.retry_after_ms == 1
        here.clock.at_ms += 1
        await here.fetch(packet_id)
        assert (await here.inbox())[0].fetch_count == 2

    run(story())


def test_a_lease_lasts_no_longer_than_allowed() -> None:
    async def story() -> None:
        here, [packet_id] = await with_packets()
        await here.fetch(packet_id, lease_ms=10**12)
        assert (await here.inbox())[0].lease_until_ms == NOW + here.node.policy.lease_ms_max

    run(story())


def test_going_on_after_a_break_needs_no_new_lease_and_reading_without_one_takes_none() -> None:
    async def story() -> None:
        here, [packet_id] = await with_packets()
        packet = document("H49.22", number="0")
        await here.fetch(packet_id)
        assert await here.fetch(packet_id, offset_bytes=100) == packet[100:]
        assert await here.fetch(packet_id, offset_bytes=len(packet)) == b""
        assert await here.fetch(packet_id, lease_ms=inbox.NO_LEASE) == packet
        assert (await here.inbox())[0].fetch_count == 1

    run(story())


@pytest.mark.parametrize("offset_bytes", [-1, 10**9])
def test_an_offset_outside_the_packet_is_refused(offset_bytes: int) -> None:
    async def story() -> None:
        here, [packet_id] = await with_packets()
        with pytest.raises(Rejected) as refused:
            await here.fetch(packet_id, offset_bytes=offset_bytes)
        assert refused.value.reason is Reason.REQUEST_INVALID

    run(story())


def test_each_unit_has_its_own_lease_and_its_own_acknowledgement() -> None:
    async def story() -> None:
        here, [packet_id] = await with_packets(units=("H49", "H49.22"))
        await here.fetch(packet_id, "H49")
        await here.fetch(packet_id, "H49.22")
        assert await here.node.acknowledge(here.system, [packet_id], "H49") == 1
        assert [entry.unit for entry in await here.inbox()] == ["H49.22"]

    run(story())


# --- acknowledge --------------------------------------------------------------------------------------------------------


def test_acknowledging_twice_counts_once_and_is_harmless() -> None:
    async def story() -> None:
        here, ids = await with_packets(3)
        assert await here.node.acknowledge(here.system, ids[:2], "H49.22") == 2
        assert await here.node.acknowledge(here.system, ids, "000.00.22.H49") == 1
        assert await here.node.acknowledge(here.system, [*ids, b"x" * 16], "") == 0
        assert await here.inbox() == []

    run(story())


def test_acknowledging_without_a_unit_takes_it_out_for_every_unit_of_the_system() -> None:
    async def story() -> None:
        here, [packet_id] = await with_packets(units=("H49", "H49.22", "H49.22.05"))
        assert await here.node.acknowledge(here.system, [packet_id], "") == 3

    run(story())


def test_a_late_copy_after_the_acknowledgement_does_not_revive_the_packet() -> None:
    async def story() -> None:
        here, [packet_id] = await with_packets()
        await here.node.acknowledge(here.system, [packet_id], "")
        assert await bring(here, 0, ("H49.22",)) == packet_id
        assert await here.inbox() == []

        def put_again(tx: object) -> None:
            envelope, _ = envelope_for(document("H49.22"), packet_nonce=(1).to_bytes(16, "big"))
            inbox.put(tx, envelope, "H49.22", NOW + 99)  # type: ignore[arg-type]

        await here.do(put_again)
        assert await here.inbox() == []

    run(story())


def test_what_was_acknowledged_can_still_be_fetched_while_its_body_is_kept() -> None:
    async def story() -> None:
        here, [packet_id] = await with_packets()
        await here.node.acknowledge(here.system, [packet_id], "")
        assert await here.fetch(packet_id) == document("H49.22", number="0")
        assert await here.fetch(packet_id) == document("H49.22", number="0")
        assert await here.inbox() == []

    run(story())


# --- whose it is --------------------------------------------------------------------------------------------------------


def test_a_system_sees_fetches_and_acknowledges_only_for_its_own_units() -> None:
    async def story() -> None:
        here, [packet_id] = await with_packets()
        other = System("other", frozenset({"H49"}))
        assert (await here.node.list_inbox(other, "", 10, ""))[0] == []
        for verb in (
            lambda: here.node.list_inbox(other, "H49.22", 10, ""),
            lambda: here.node.fetch(other, packet_id, "H49.22"),
            lambda: here.node.acknowledge(other, [packet_id], "H49.22"),
        ):
            with pytest.raises(Denied) as refused:
                await verb()
            assert refused.value.reason is Reason.UNIT_NOT_OWNED
        with pytest.raises(Rejected) as unknown:
            await here.node.fetch(other, packet_id, "")
        assert unknown.value.reason is Reason.NOT_FOUND
        assert await here.node.acknowledge(other, [packet_id], "") == 0
        assert len(await here.inbox()) == 1

    run(story())


@pytest.mark.parametrize("unit", ["Sở mẫu", "H49..1"])
def test_a_unit_that_is_no_code_is_refused(unit: str) -> None:
    async def story() -> None:
        here = place("h49")
        with pytest.raises(Rejected) as refused:
            await here.node.list_inbox(here.system, unit, 10, "")
        assert refused.value.reason is Reason.CODE_MALFORMED

    run(story())


# --- order and pages ----------------------------------------------------------------------------------------------------


def test_the_most_urgent_come_first_then_the_oldest() -> None:
    async def story() -> None:
        here = place("h49")
        for number, lane in enumerate((Lane.NORMAL, Lane.HOA_TOC, Lane.NORMAL, Lane.CONTROL, Lane.HOA_TOC)):
            await bring(here, number, ("H49.22",), lane)
            here.clock.at_ms += 1
        assert [entry.document_code for entry in await here.inbox()] == [f"{n}/BM-VP" for n in (3, 1, 4, 0, 2)]

    run(story())


def test_what_is_large_and_urgent_lies_among_the_urgent() -> None:
    async def story() -> None:
        here = place("h49")
        for number, lane in enumerate((Lane.BULK, Lane.NORMAL, Lane.KHAN, Lane.BULK_KHAN, Lane.BULK_HOA_TOC)):
            await bring(here, number, ("H49.22",), lane)
            here.clock.at_ms += 1
        entries = await here.inbox()
        assert [entry.document_code for entry in entries] == [f"{n}/BM-VP" for n in (4, 2, 3, 1, 0)]
        assert [entry.lane for entry in entries] == [Lane.HOA_TOC, Lane.KHAN, Lane.KHAN, Lane.NORMAL, Lane.BULK]

    run(story())


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 100])
def test_pages_over_many_units_show_every_entry_once(page_size: int) -> None:
    async def story() -> None:
        here = place("h49")
        expected = []
        for number, units in enumerate(
            (("H49",), ("H49", "H49.22"), ("H49.22.05",), ("H49.22", "H49.22.05"), ("H49.22.06",))
        ):
            packet_id = await bring(here, number, units)
            expected += [(unit, packet_id) for unit in units]
            here.clock.at_ms += 1
        found, token, pages = [], "", 0
        while True:
            entries, token = await here.node.list_inbox(here.system, "", page_size, token)
            assert len(entries) <= page_size
            found += [(entry.unit, entry.packet_id) for entry in entries]
            pages += 1
            if not token:
                break
        assert sorted(found) == sorted(expected)
        assert pages == -(-len(expected) // page_size)

    run(story())


def test_a_page_token_survives_that_its_row_is_acknowledged_meanwhile() -> None:
    async def story() -> None:
        here, ids = await with_packets(4)
        entries, token = await here.node.list_inbox(here.system, "H49.22", 2, "")
        await here.node.acknowledge(here.system, ids[:3], "")
        entries, token = await here.node.list_inbox(here.system, "H49.22", 2, token)
        assert ([entry.packet_id for entry in entries], token) == (ids[3:], "")

    run(story())


@pytest.mark.parametrize("token", ["no hex", "0"])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    async def story() -> None:
        here = place("h49")
        with pytest.raises(Rejected) as refused:
            await here.node.list_inbox(here.system, "", 10, token)
        assert refused.value.reason is Reason.REQUEST_INVALID

    run(story())


@pytest.mark.parametrize("token", ["ff" * 400, keys.inbox("H37").hex(), b"d".hex(), "00"])
def test_a_token_that_was_never_given_shows_nothing_of_others(token: str) -> None:
    async def story() -> None:
        here, [packet_id] = await with_packets()
        entries, _ = await here.node.list_inbox(here.system, "", 10, token)
        assert [entry.packet_id for entry in entries] in ([], [packet_id])

    run(story())


def test_a_page_holds_a_hundred_by_default_and_a_thousand_at_most() -> None:
    async def story() -> None:
        here = place("h49")
        envelope, body = envelope_for(document("H49.22"))
        await here.push(PushPacket(parcel_for(envelope), body))
        await here.do(lambda tx: fill(tx, envelope))
        assert len((await here.node.list_inbox(here.system, "H49.22", 0, ""))[0]) == 100
        assert len((await here.node.list_inbox(here.system, "H49.22", 10**6, ""))[0]) == 1000

    run(story())


def fill(tx: object, envelope: Envelope) -> None:
    """1,100 more rows of the one packet, at other times: only the listing is of interest."""
    unit = parse_code("H49.22").text
    for number in range(1_100):
        tx.put(keys.inbox_row(unit, Lane.NORMAL, NOW + 1 + number, envelope.packet_id), b"")  # type: ignore[attr-defined]


# --- what our own units sent ----------------------------------------------------------------------------------------------


def test_a_unit_gets_the_octets_of_what_it_sent_without_a_lease_or_any_change() -> None:
    async def story() -> None:
        here = place("g14")
        packet = document("H49.22")
        packet_id = (await here.submit(packet)).packet_id
        before = here.rows()
        for _ in range(2):
            entry, chunks = await here.node.fetch(here.system, packet_id, "")
            assert b"".join([chunk async for chunk in chunks]) == packet
        assert (entry.unit, entry.sender_unit, entry.lease_until_ms, entry.fetch_count) == ("G14", "G14", 0, 0)
        assert entry.signed_receipt is None
        assert await here.fetch(packet_id, offset_bytes=10) == packet[10:]
        assert here.rows() == before
        assert await here.inbox() == []

    run(story())


def test_nobody_gets_what_the_units_of_others_sent() -> None:
    async def story() -> None:
        here = place("g14")
        packet_id = (await here.submit(document("H49.22"))).packet_id
        for unit in ("", "G14.01"):
            with pytest.raises(Rejected) as refused:
                await here.node.fetch(System("other", frozenset({"G14.01"})), packet_id, unit)
            assert refused.value.reason is Reason.NOT_FOUND

    run(story())


def test_a_packet_that_is_only_carried_for_others_is_given_to_nobody() -> None:
    async def story() -> None:
        centre, item = place("centre"), push_of()
        await centre.push(item)
        packet_id = codec.decode_envelope(item.parcel.signed_envelope.envelope).packet_id
        with pytest.raises(Rejected) as refused:
            await centre.node.fetch(System("x", frozenset({"G14", "H49.22"})), packet_id, "")
        assert refused.value.reason is Reason.NOT_FOUND

    run(story())


def test_a_unit_that_writes_to_itself_fetches_from_its_inbox() -> None:
    async def story() -> None:
        here = place("g14")
        packet_id = (await here.submit(document("G14"))).packet_id
        entry, _ = await here.node.fetch(here.system, packet_id, "G14")
        assert entry.lease_until_ms == NOW + LEASE_MS

    run(story())


def test_what_is_fetched_from_the_inbox_comes_with_the_receipt_that_this_node_gave() -> None:
    async def story() -> None:
        here, [packet_id] = await with_packets()
        entry, _ = await here.node.fetch(here.system, packet_id, "", lease_ms=NO_LEASE)
        assert entry.signed_receipt is not None
        said = codec.decode_receipt(entry.signed_receipt.receipt)
        assert (said.packet_id, said.signer_node, said.level) == (packet_id, "h49", Level.DELIVERED)

    run(story())


def test_of_what_was_sent_and_is_no_longer_kept_the_octets_are_refused() -> None:
    async def story() -> None:
        here = place("g14")
        packet_id = (await here.submit(document("H49.22"))).packet_id

        def forget(tx: Tx) -> None:
            record = require(tx, keys.packet(packet_id), PacketRecord)
            record.body_forgotten = True
            save(tx, keys.packet(packet_id), record)

        await here.do(forget)
        _, chunks = await here.node.fetch(here.system, packet_id, "")
        with pytest.raises(Rejected) as refused:
            await anext(aiter(chunks))
        assert refused.value.reason is Reason.NOT_FOUND

    run(story())


ALL_UNITS = [f"H49.{number:03d}" for number in range(300)]


def entries(packet_id: bytes, units: list[str]) -> OverlayTx:
    """A book in which these units have a packet, and a stranger before and behind each of them."""
    tx = OverlayTx(MemoryEngine(InstantDisk(), {}))
    for unit in {one for each in units for one in (each, each + ".0", each[:-1])}:
        save(tx, keys.inbox_entry(packet_id, unit), InboxRecord(accept_time_ms=NOW, lane=5))
        tx.put(keys.inbox_row(unit, 5, NOW, packet_id), b"")
    return tx


@given(
    st.sets(st.sampled_from(ALL_UNITS), max_size=200),
    st.sets(st.sampled_from(ALL_UNITS), min_size=1, max_size=200),
    st.sampled_from([1, 7, 1_000]),
)
@settings(max_examples=60, deadline=None)
def test_an_acknowledgement_in_slices_takes_out_each_entry_of_the_units_that_ask_and_no_other(
    having: set[str], asking: set[str], limit: int
) -> None:
    ids, units = [b"p" * 16, b"q" * 16], sorted(asking)
    tx = entries(ids[1], sorted(having))
    taken, step = 0, inbox.Place()
    while step is not None:
        count, step = inbox.acknowledge(tx, ids, units, NOW, step, limit)
        taken += count
    assert taken == len(having & asking)
    left = {key for key, value in tx.writes.items() if key[:1] == b"i" and value is not None}
    every = {one for each in having for one in (each, each + ".0", each[:-1])}
    assert left == {keys.inbox_row(unit, 5, NOW, ids[1]) for unit in every - asking}


def test_looking_for_a_packet_costs_by_who_has_it_not_by_who_asks() -> None:
    tx = entries(b"p" * 16, ["H49.299"])
    assert inbox.acknowledge(tx, [b"p" * 16, *(bytes([n]) * 16 for n in range(50))], ALL_UNITS, NOW, inbox.Place()) == (
        1,
        None,
    )
    assert len(tx.scans) + len(tx.keys_read) < 60
