"""Dates: rows that a clock which erred has dated are neither kept for years nor forgotten before their time (node/flow/expiry/dates.py)."""

from dataclasses import replace
from typing import Any

import pytest

from node.flow.agreed_time import ALONE_MS
from node.flow.expiry import dates, retention, walk
from node.flow.inbox import vxp_inbox
from node.model.policy import DAY_MS, MINUTE_MS
from node.rows import keys
from node.rows.access import load, require
from node.rows.records import BridgeOrderRecord, PacketRecord
from tests.clocks import NOW
from tests.flow.acts import UNIT, Pair, id_in, update
from tests.flow.expiry.test_retention import LATER, SHORT, acknowledged, known, left
from tests.flow.support import Place, directory, place, push_of, run
from tests.papers import document

YEAR_MS = 365 * DAY_MS
ERRORS_MS = (DAY_MS, 31 * DAY_MS, 10 * YEAR_MS)


def jump(here: Place, by_ms: int) -> None:
    """Let a node's clock jump against the monotonic one."""
    here.clock.at_ms += by_ms
    here.clock.jump_ms += by_ms


def hear(here: Place, count: int = 2) -> None:
    """Let a node hear peers whose clocks are right."""
    for number in range(count):
        here.node.agreed_time.hear(f"peer-{number}", here.clock.monotonic_ms())


async def sweep(here: Place, until_ms: int, *, every_ms: int = DAY_MS, peers: int = 2) -> None:
    """Let a node that hears its peers live on until a time."""
    sweeper = here.sweeper()
    while here.clock.at_ms < until_ms:
        here.clock.at_ms = min(here.clock.at_ms + every_ms, until_ms)
        hear(here, peers)
        await sweeper.sweep_once()


def pair() -> Pair:
    return Pair(place("g14", SHORT), place("h49", SHORT))


# --- ahead ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "by_ms"),
    [
        *(("author", by_ms) for by_ms in ERRORS_MS),
        (
            "recipient",
            DAY_MS,
        ),  # further ahead it takes nothing from others: that is late by its clock, which is in doubt
        *(("both", by_ms) for by_ms in ERRORS_MS),
    ],
)
def test_what_a_clock_that_was_ahead_has_dated_is_forgotten_as_everything_else(who: str, by_ms: int) -> None:
    async def story() -> None:
        both = pair()
        wrong = {"author": [both.ministry], "recipient": [both.province], "both": [both.ministry, both.province]}[who]
        for here in wrong:
            jump(here, by_ms)
        sent = await both.send(document(UNIT), "1")
        await both.read(sent)
        if who != "author":
            await both.answer("06")
        for here in wrong:
            jump(here, -by_ms)
        if who == "author":
            await both.answer("06")
        await acknowledged(both)
        for here in (both.ministry, both.province):
            await sweep(here, NOW + LATER)
            assert left(here) == {}

    run(story())


def test_what_waits_for_nobody_expires_by_what_its_author_meant_and_not_in_years() -> None:
    async def story() -> None:
        here = place("g14", SHORT)
        jump(here, 10 * YEAR_MS)
        packet_id = (await here.submit(document(UNIT), "1")).packet_id
        jump(here, -10 * YEAR_MS)
        await sweep(here, here.clock.at_ms + DAY_MS)
        assert await known(here, packet_id)
        assert here.node.counters.put_aside == 0
        await sweep(here, NOW + LATER)
        assert left(here) == {}

    run(story())


def test_nothing_is_dated_again_by_the_word_of_our_own_clock() -> None:
    """An hour alone makes it sure enough to expire by. But if it is that hour in which it errs, a true date would be lost for good."""

    async def story() -> None:
        both = pair()
        packet_id = await both.send(document(UNIT), "1")
        jump(both.province, -10 * YEAR_MS)
        both.province.clock.at_ms += ALONE_MS
        await sweep(both.province, both.province.clock.at_ms + 3 * DAY_MS, peers=0)
        packet = await both.province.do(lambda tx: require(tx, keys.packet(packet_id), PacketRecord))
        assert packet.accept_time_ms >= NOW

    run(story())


def test_a_packet_that_is_dated_again_is_listed_where_it_is_dated() -> None:
    async def story() -> None:
        here = place("g14", SHORT)
        jump(here, YEAR_MS)
        packet_id = (await here.submit(document(UNIT), "1")).packet_id
        jump(here, -YEAR_MS)
        hear(here)
        now_ms = here.clock.at_ms
        found = await here.do(lambda tx: walk.step(tx, now_ms, SHORT, dates_again=True))
        assert found.found == 1 + 1, "the packet, and the row of its expiry"
        packet = await here.do(lambda tx: require(tx, keys.packet(packet_id), PacketRecord))
        assert packet.accept_time_ms == now_ms
        assert [key for key in here.rows() if key[:1] == b"g"] == [keys.sent_row(here.system.name, now_ms, packet_id)]
        again = await here.do(lambda tx: walk.step(tx, now_ms, SHORT, dates_again=True))
        assert again.found == 0

    run(story())


@pytest.mark.parametrize(
    ("kind", "latest_ms"),
    [(keys.DUE_FORGET, SHORT.keep_body_after_ms), (keys.DUE_ASK_NO_MORE, SHORT.ask_after_expiry_ms)],
)
def test_a_due_row_is_brought_back_to_what_its_rule_can_mean_and_one_within_it_stays(kind: int, latest_ms: int) -> None:
    async def story() -> None:
        here = place("g14", SHORT)
        packet_id = (await here.submit(document(UNIT), "1")).packet_id

        def look(tx: Any, at_ms: int) -> bool:
            tx.put(keys.due(at_ms, kind, packet_id), b"\0\3")
            return dates.bring_back(tx, keys.due(at_ms, kind, packet_id), b"\0\3", NOW, SHORT)

        assert not await here.do(lambda tx: look(tx, NOW + latest_ms))
        assert await here.do(lambda tx: look(tx, NOW + 10 * YEAR_MS))
        assert here.rows()[keys.due(NOW + latest_ms, kind, packet_id)] == b"\0\3", "it keeps the count of its failures"
        assert keys.due(NOW + 10 * YEAR_MS, kind, packet_id) not in here.rows()

    run(story())


def test_an_expiry_that_the_author_has_asked_for_stays_however_far_it_is() -> None:
    async def story() -> None:
        here = place("g14", SHORT)
        await here.submit(document(UNIT), "1", expire_at_ms=NOW + YEAR_MS)
        before = here.rows()
        assert (await here.do(lambda tx: walk.step(tx, NOW, SHORT, dates_again=True))).found == 0
        assert {key for key in here.rows() if key[:1] == b"z"} == {key for key in before if key[:1] == b"z"}

    run(story())


def test_an_order_of_the_bridge_that_was_carried_out_in_the_future_goes_with_the_others() -> None:
    async def story() -> None:
        here = place("g14", SHORT)
        await here.do(lambda tx: vxp_inbox.note_carried_out(tx, "old", b"o" * 32, NOW + 10 * YEAR_MS))
        await sweep(here, NOW + DAY_MS)
        order = await here.do(lambda tx: load(tx, keys.bridge_order("old", b"o" * 32), BridgeOrderRecord))
        assert order is not None
        await sweep(here, NOW + 12 * DAY_MS)
        assert left(here) == {}

    run(story())


def test_orders_of_the_bridge_outlive_a_clock_that_is_years_ahead() -> None:
    async def story() -> None:
        here = place("g14", SHORT)
        await here.do(lambda tx: vxp_inbox.note_carried_out(tx, "old", b"o" * 32, NOW))
        jump(here, 10 * YEAR_MS)
        for _ in range(10):
            hear(here)
            await here.sweeper().sweep_once()
        assert "j" in left(here)

    run(story())


def test_a_receipt_for_a_node_that_has_left_goes_though_it_was_dated_in_the_future() -> None:
    async def story() -> None:
        here = place("centre", replace(SHORT, relay_for_others=True))
        jump(here, 10 * YEAR_MS)
        await here.push(push_of(target="h49"), by="g14")
        jump(here, -10 * YEAR_MS)
        here.directory.now = directory(version=2, without=["g14", "h49"])
        await sweep(here, NOW + LATER)
        assert left(here) == {}

    run(story())


# --- behind -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_ms", ERRORS_MS)
def test_what_a_clock_that_was_behind_has_dated_is_kept_as_long_as_everything_else(by_ms: int) -> None:
    async def story() -> None:
        both = pair()
        jump(both.province, -by_ms)
        packet_id = await both.send(document(UNIT), "1")
        await both.read(packet_id)
        await acknowledged(both)
        jump(both.province, by_ms)
        envelope = await both.province.do(lambda tx: retention.subject_of(tx, packet_id))
        assert envelope is not None
        await sweep(both.province, NOW + SHORT.keep_body_after_ms - MINUTE_MS, every_ms=60 * MINUTE_MS)
        assert await both.province.body_is_there(envelope.envelope)
        await sweep(both.province, NOW + SHORT.keep_records_ms - MINUTE_MS, every_ms=DAY_MS)
        assert await known(both.province, packet_id)
        await sweep(both.province, NOW + LATER)
        assert left(both.province) == {}

    run(story())


def test_an_author_whose_clock_is_hours_ahead_counts_against_a_clock_that_was_years_behind() -> None:
    """Found by the simulation: wrong-clock, seed 41."""

    async def story() -> None:
        both = pair()
        jump(both.province, -5 * YEAR_MS)
        jump(both.ministry, 6 * 60 * MINUTE_MS)
        packet_id = await both.send(document(UNIT), "1")
        await acknowledged(both)
        jump(both.province, 5 * YEAR_MS)
        await sweep(both.province, NOW + MINUTE_MS, every_ms=MINUTE_MS)
        subject = await both.province.do(lambda tx: retention.subject_of(tx, packet_id))
        assert subject is not None
        assert not subject.packet.body_forgotten
        await sweep(both.province, NOW + LATER)
        assert left(both.province) == {}

    run(story())


def test_what_a_node_alone_with_a_dead_battery_hands_in_is_not_over_before_it_is_sent() -> None:
    async def story() -> None:
        both = pair()
        agreed = both.ministry.node.agreed_time
        agreed.go_on_from(NOW)
        jump(both.ministry, -10 * YEAR_MS)
        packet_id = await both.send(document(UNIT), "1")
        assert packet_id in [one.packet_id for one in await both.province.inbox()]

    run(story())


# --- acts in the future -----------------------------------------------------------------------------------------------


def test_a_document_whose_last_act_was_signed_in_the_future_is_kept_from_when_that_was_taken() -> None:
    async def story() -> None:
        both = pair()
        first = await both.send(document(UNIT), "1")
        jump(both.ministry, 10 * YEAR_MS)
        item = await both.submit(update(UNIT, "H49", added=["H49"], own_id="G14,2026/11/23,CN/BM-VP"), "2")
        jump(both.ministry, -10 * YEAR_MS)
        both.province.clock.at_ms += 5 * DAY_MS
        await both.come(item)
        await acknowledged(both)
        await sweep(both.province, NOW + SHORT.keep_records_ms + 4 * DAY_MS)
        assert await known(both.province, first), "its file is kept as a whole"
        assert await known(both.province, id_in(item))
        await sweep(both.province, NOW + LATER)
        assert left(both.province) == {}

    run(story())
