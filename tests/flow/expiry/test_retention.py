"""Retention: everything about a packet is kept as long as anybody needs it, and goes when nobody does (node/flow/expiry/retention.py)."""

from dataclasses import replace

import pytest

from node.errors import Rejected
from node.flow.expiry import holds, retention, walk
from node.flow.inbox import vxp_inbox
from node.model.directory import EMPTY
from node.model.mesh import Answer, PushReceipt
from node.model.policy import DAY_MS, KEEP_CARRIED_MS, Policy
from node.model.reason import Reason
from node.model.receipt import Outcome
from node.rows import keys
from node.rows.access import load, require, save
from node.rows.records import BridgeOrderRecord, PacketRecord
from node.wire import codec
from tests.clocks import NOW
from tests.flow.acts import UNIT, Pair, id_in, replacement, update, withdrawal
from tests.flow.support import Place, directory, place, push_of, receipt_for, run
from tests.papers import document, status_about

SHORT = Policy(
    arrival=False,
    expire_after_ms=2 * DAY_MS,
    ask_after_expiry_ms=DAY_MS,
    keep_body_after_ms=DAY_MS,
    keep_records_ms=10 * DAY_MS,
    keep_memory_ms=3 * DAY_MS,
)
LATER = 60 * DAY_MS


def pair(policy: Policy = SHORT) -> Pair:
    return Pair(place("g14", policy), place("h49", policy))


async def sweep(here: Place, at_ms: int) -> None:
    """Let a node live on until a time, a sweep a day."""
    sweeper = here.sweeper()
    while here.clock.at_ms < at_ms:
        here.clock.at_ms = min(here.clock.at_ms + DAY_MS, at_ms)
        await sweeper.sweep_once()


def left(here: Place) -> dict[str, int]:
    """How many rows each table has, but for what the store knows of itself."""
    found: dict[str, int] = {}
    for key in here.rows():
        if key[:1] != b"m":
            found[chr(key[0])] = found.get(chr(key[0]), 0) + 1
    return found


async def known(here: Place, packet_id: bytes) -> bool:
    return await here.do(lambda tx: tx.get(keys.packet(packet_id)) is not None)


async def acknowledged(both: Pair) -> None:
    for here in (both.ministry, both.province):
        await here.node.acknowledge(here.system, [one.packet_id for one in await here.inbox()], "")


# --- all of it goes -----------------------------------------------------------------------------------------------------


def test_of_a_document_and_its_statuses_nothing_is_left_at_either_end() -> None:
    async def story() -> None:
        both = pair()
        sent = await both.send(document(UNIT), "1")
        await both.read(sent)
        for code in ("03", "06"):
            await both.answer(code)
        await both.province.do(lambda tx: vxp_inbox.report(tx, vxp_inbox.docket_of(sent, UNIT), [UNIT], "fail", NOW))
        await acknowledged(both)
        assert set(left(both.ministry)) >= set("cdgkrstxyz")
        assert set(left(both.province)) >= set("knryvz")
        for here in (both.ministry, both.province):
            await sweep(here, NOW + LATER)
            assert left(here) == {}
            assert here.node.counters.erased == 3

    run(story())


@pytest.mark.parametrize(
    "acts",
    [
        [update(UNIT)],
        [withdrawal(UNIT, own_id="G14,2026/11/23,TH/BM-VP")],
        [update(UNIT, "H49", added=["H49"], own_id="G14,2026/11/23,CN/BM-VP"), withdrawal(UNIT, "H49")],
        [update(UNIT, dropped=[UNIT])],
        [replacement(UNIT, number="124", had_gone_to=["H49"])],
    ],
    ids=["update", "withdrawal", "added", "dropped", "replaced"],
)
def test_of_a_documents_whole_life_nothing_is_left(acts: list[bytes]) -> None:
    async def story() -> None:
        both = pair()
        await both.send(document(UNIT, "H49"), "1")
        for number, packet in enumerate(acts):
            await both.send(packet, f"act-{number}")
            await both.work()
        await acknowledged(both)
        for here in (both.ministry, both.province):
            await sweep(here, NOW + LATER)
            assert left(here) == {}

    run(story())


def test_what_expired_and_what_was_refused_goes_as_well() -> None:
    async def story() -> None:
        here = place("g14", SHORT)
        await here.submit(document("H49.22"))
        await sweep(here, NOW + LATER)
        assert left(here) == {}
        there = place("h49", SHORT)
        [answer] = await there.push(push_of(document("H49.22", sender="G99")))
        assert answer.receipt is not None
        await sweep(there, NOW + LATER)
        assert left(there) == {}

    run(story())


def test_a_circular_goes_in_several_transactions_and_is_found_by_nobody_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        units = ["H49", "H49.22", "H49.22.05", "H49.22.06"]
        both = pair()
        sent = await both.send(document(*units), "1")
        await acknowledged(both)
        both.ministry.clock.at_ms = both.province.clock.at_ms = NOW + LATER
        monkeypatch.setattr(retention, "ROWS_MAX", 2)
        monkeypatch.setattr(retention, "UNITS_MAX", 2)

        def once(tx):  # type: ignore[no-untyped-def]
            subject = retention.subject_of(tx, sent)
            assert subject is not None
            return retention.erase(tx, subject)

        assert not await both.ministry.do(once)
        with pytest.raises(Rejected):
            await both.ministry.track("1")
        assert not await both.province.do(once)
        assert await both.province.do(lambda tx: tx.get(keys.receipt(sent, 2, "h49"))), "a copy is known to the end"
        for here in (both.ministry, both.province):
            await sweep(here, NOW + 2 * LATER)
            assert left(here) == {}

    run(story())


# --- as long as somebody needs it ---------------------------------------------------------------------------------------


def test_records_are_kept_for_their_time_after_the_last_act_about_the_document() -> None:
    async def story() -> None:
        both = pair()
        first = await both.send(document(UNIT), "1")
        await both.read(first)
        await acknowledged(both)
        for here in (both.ministry, both.province):
            await sweep(here, NOW + 8 * DAY_MS)
        await both.send(update(UNIT), "2")
        await acknowledged(both)
        for here in (both.ministry, both.province):
            await sweep(here, NOW + 17 * DAY_MS)
            assert await known(here, first), "a hồ sơ is kept as a whole"
            await sweep(here, NOW + 20 * DAY_MS)
            assert left(here) == {}

    run(story())


def test_the_memory_of_duplicates_outlives_the_records() -> None:
    async def story() -> None:
        here = place("g14", replace(SHORT, keep_records_ms=0))
        first = await here.submit(document("H49.22"))
        await sweep(here, NOW + 5 * DAY_MS - 1)
        assert await here.submit(document("H49.22")) == first
        await sweep(here, NOW + 6 * DAY_MS)
        assert left(here) == {}

    run(story())


def test_what_a_unit_has_not_read_is_kept_however_long_that_takes() -> None:
    async def story() -> None:
        here, item = place("h49", SHORT), push_of()
        await here.push(item)
        await sweep(here, NOW + 400 * DAY_MS)
        assert len(await here.inbox()) == 1
        await here.node.acknowledge(here.system, [id_in(item)], "")
        await sweep(here, NOW + 402 * DAY_MS)
        assert left(here) == {}

    run(story())


def test_an_open_delivery_and_the_outbox_keep_what_has_passed_every_time() -> None:
    async def story() -> None:
        here = place("g14", SHORT)
        packet_id = (await here.submit(document("H49.22"))).packet_id

        def asked(tx):  # type: ignore[no-untyped-def]
            subject = retention.subject_of(tx, packet_id)
            assert subject is not None
            return retention.needed_until(tx, subject, NOW + LATER, SHORT)

        assert await here.do(asked)
        await here.do(lambda tx: [tx.delete(key) for key, _ in tx.scan(keys.outbox_index_of(packet_id), limit=10)])
        assert await here.do(asked), "the delivery is still open"

    run(story())


def test_a_legal_hold_keeps_the_body_too_until_it_is_lifted() -> None:
    async def story() -> None:
        here = place("g14", SHORT)
        packet_id = (await here.submit(document("H49.22"))).packet_id
        await here.node.put_hold(packet_id, "vụ việc 12")
        await sweep(here, NOW + LATER)
        assert b"".join([chunk async for chunk in (await here.node.fetch(here.system, packet_id, ""))[1]])
        assert [(one.packet_id, one.reason) for one in (await here.node.list_holds(""))[0]] == [
            (packet_id, "vụ việc 12")
        ]
        await here.node.lift_hold(packet_id)
        await sweep(here, NOW + LATER + 3 * DAY_MS)
        assert left(here) == {}
        for refused in (here.node.put_hold(packet_id, "quá muộn"), here.node.lift_hold(packet_id)):
            with pytest.raises(Rejected) as told:
                await refused
            assert told.value.reason is Reason.NOT_FOUND

    run(story())


def test_holds_are_listed_a_page_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        monkeypatch.setattr(holds, "PAGE", 2)
        here = place("g14", SHORT)
        names = [(await here.submit(document("H49.22", number=str(n)), str(n))).packet_id for n in range(3)]
        for name in names:
            await here.node.put_hold(name, "lý do")
        first, token = await here.node.list_holds("")
        rest, end = await here.node.list_holds(token)
        assert ([one.packet_id for one in first + rest], end) == (sorted(names), "")

    run(story())


# --- at a relay ---------------------------------------------------------------------------------------------------------


def test_a_relay_forgets_a_packet_a_day_after_the_receipt_went_home_and_not_before_it_arrived() -> None:
    async def story() -> None:
        centre, item = place("centre", SHORT), push_of(expire_at_ms=NOW + 30 * DAY_MS)
        await centre.push(item)
        final = receipt_for(item.parcel.signed_envelope.envelope, id_in(item))
        centre.peers.answers = lambda peer, items: [Answer(final)]
        assert await centre.carry("h49")
        await sweep(centre, NOW + KEEP_CARRIED_MS)
        assert await known(centre, id_in(item)), "the receipt has not come home yet"
        centre.peers.answers = lambda peer, items: [Answer()]
        assert await centre.carry("g14")
        await sweep(centre, NOW + KEEP_CARRIED_MS + DAY_MS)
        assert set(left(centre)) == {"z"}, "but for its expiry, which finds nothing"
        await sweep(centre, NOW + LATER)
        assert left(centre) == {}

    run(story())


def test_a_relay_forgets_what_it_could_not_carry_after_its_expiry() -> None:
    async def story() -> None:
        centre = place("centre", SHORT)
        await centre.push(push_of(expire_at_ms=NOW + DAY_MS))
        await sweep(centre, NOW + 3 * DAY_MS)
        assert left(centre) == {}

    run(story())


def test_a_receipt_for_a_node_that_has_left_the_directory_is_dropped_when_all_packets_of_that_node_have_expired() -> (
    None
):
    async def story() -> None:
        centre, item = place("centre", SHORT), push_of(expire_at_ms=NOW + DAY_MS)
        await centre.push(item)
        final = receipt_for(item.parcel.signed_envelope.envelope, id_in(item))
        centre.peers.answers = lambda peer, items: [Answer(final)]
        assert await centre.carry("h49")
        await sweep(centre, NOW + LATER)
        assert "o" in left(centre), "its node is there: it may come back"
        centre.directory.directory = EMPTY
        await centre.sweeper().sweep_once()
        assert "o" in left(centre), "a node that knows no directory knows nobody who has left"
        centre.directory.directory = directory(without=["g14"])
        centre.clock.at_ms = NOW + 4 * DAY_MS
        await centre.sweeper().sweep_once()
        assert "o" in left(centre)
        await sweep(centre, NOW + LATER + 2 * DAY_MS)
        assert left(centre) == {}

    run(story())


# --- what comes afterwards ----------------------------------------------------------------------------------------------


def test_a_copy_that_comes_after_everything_was_erased_is_refused_as_expired_and_reaches_no_inbox() -> None:
    async def story() -> None:
        here, item = place("h49", SHORT), push_of(expire_at_ms=NOW + DAY_MS)
        await here.push(item)
        await here.node.acknowledge(here.system, [id_in(item)], "")
        await sweep(here, NOW + LATER)
        assert left(here) == {}
        [late] = await here.push(item)
        assert late.receipt is not None
        assert codec.decode_receipt(late.receipt.receipt).outcomes == (Outcome("H49.22", Reason.EXPIRED),)
        assert await here.inbox() == []
        await sweep(here, NOW + 2 * LATER)
        assert left(here) == {}, "and that it came goes, too"

    run(story())


def test_a_late_status_about_an_erased_document_reaches_the_inbox_and_changes_nothing_else() -> None:
    async def story() -> None:
        both = pair()
        await both.send(document(UNIT), "1")
        await acknowledged(both)
        await sweep(both.ministry, NOW + LATER)
        assert left(both.ministry) == {}
        both.province.clock.at_ms = NOW + LATER
        await both.province.submit(status_about("123", "06", sender=UNIT), "late")
        assert await both.carry_back() == ["06"]
        assert "t" not in left(both.ministry)
        with pytest.raises(Rejected):
            await both.ministry.track("1")
        await acknowledged(both)
        for here in (both.ministry, both.province):
            await sweep(here, NOW + 2 * LATER)
            assert left(here) == {}

    run(story())


def test_a_late_receipt_about_an_erased_packet_changes_nothing() -> None:
    async def story() -> None:
        here = place("g14", SHORT)
        packet_id = (await here.submit(document("H49.22"))).packet_id
        record = await here.do(lambda tx: require(tx, keys.packet(packet_id), PacketRecord))
        late = receipt_for(record.envelope, packet_id)
        await sweep(here, NOW + LATER)
        assert (await here.push(PushReceipt(late), by="centre"))[0].reason is Reason.NOT_FOUND
        assert left(here) == {}

    run(story())


# --- what older versions left -------------------------------------------------------------------------------------------


def test_the_walk_finds_what_an_older_version_has_left() -> None:
    async def story() -> None:
        both = pair()
        await both.send(document(UNIT), "1")
        await both.send(replacement(UNIT, number="124"), "2")
        await acknowledged(both)

        def made_old(tx):  # type: ignore[no-untyped-def]
            """As a version wrote it that planned nothing and noted no other names, its bodies forgotten long ago."""
            for key, value in tx.scan(b"k", limit=10):
                record = PacketRecord.FromString(value)
                record.ClearField("other_documents_sha256")
                record.number_sha256, record.erase_time_ms, record.body_forgotten = b"", 0, True
                save(tx, key, record)
            for table in (b"z", b"f", b"b"):
                for key, _ in tx.scan(table, limit=10):
                    tx.delete(key)

        for here in (both.ministry, both.province):
            await here.do(made_old)
            await sweep(here, NOW + LATER)
            assert left(here) == {}

    run(story())


def test_the_walk_goes_on_where_it_stood_and_leaves_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        here = place("g14", SHORT)
        for number in range(5):
            await here.submit(document("H49.22", number=str(number)), str(number))
        rows = {key for key in here.rows() if key[:1] != b"m"}
        places = []
        for _ in range(30):
            step = await here.do(lambda tx: walk.step(tx, NOW, SHORT, 2))
            assert step.found == 0
            places.append(await here.do(lambda tx: tx.get(walk.PLACE)))
        assert {key for key in here.rows() if key[:1] != b"m"} == rows
        assert len(set(places)) > 5

    run(story())


def test_orders_of_the_bridge_go_by_their_age() -> None:
    async def story() -> None:
        here = place("g14", SHORT)
        await here.do(lambda tx: vxp_inbox.note_carried_out(tx, "old", b"o" * 32, NOW))
        await sweep(here, NOW + 10 * DAY_MS - 1)
        assert await here.do(lambda tx: load(tx, keys.bridge_order("old", b"o" * 32), BridgeOrderRecord))
        await sweep(here, NOW + 11 * DAY_MS)
        assert left(here) == {}

    run(story())
