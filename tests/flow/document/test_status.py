"""Statuses: they come out of order, repeated and with gaps. The view shows the furthest one, the history keeps them all."""

import itertools
from contextlib import suppress

import pytest

from node.errors import Deferred
from node.model.office import DeliveryView
from node.model.status import STATUS_NAMES, shown_status, status_name
from tests.clocks import NOW
from tests.flow.support import Place, place, run
from tests.papers import document, status_about


@pytest.mark.parametrize(
    ("codes", "shown"),
    [
        ([], ""),
        (["01"], "01"),
        (["01", "03", "04", "05", "06"], "06"),
        (["06", "01", "05"], "06"),
        (["03", "02"], "02"),
        (["06", "16"], "16"),
        (["16", "15"], "15"),
        (["01", "99"], "01"),
        (["99"], "99"),
        (["13", "01"], "01"),
        (["01", "01"], "01"),
    ],
)
def test_the_shown_status_is_the_furthest_whatever_the_order(codes: list[str], shown: str) -> None:
    assert {shown_status(order) for order in itertools.permutations(codes)} == {shown}


def test_every_status_of_the_standard_has_a_name_and_others_show_their_code() -> None:
    assert [status_name(code) for code in STATUS_NAMES] == list(STATUS_NAMES.values())
    assert status_name("77") == "77"


async def report(
    to: Place, code: str, *, submission: str, number: str = "123", sender: str = "H49.22", **more: str
) -> bytes:
    """Let a unit of the province report to the ministry: a packet from one real node to another."""
    province = place("h49")
    packet = status_about(number, code, sender=sender, description=f"lần {submission}", **more)
    result = await province.submit(packet, submission)
    with suppress(Deferred):  # only what it sends is of interest
        await province.carry("g14")
    [(_, items)] = province.peers.pushed
    [answer] = await to.push(*items, by="h49")
    assert answer.receipt is not None
    return result.packet_id


async def ministry(*recipients: str) -> Place:
    here = place("g14")
    await here.submit(document(*(recipients or ("H49.22",))))
    return here


async def views(here: Place) -> dict[str, DeliveryView]:
    return {view.unit: view for view in (await here.track()).deliveries}


def test_statuses_in_any_order_are_all_kept_in_order_of_acceptance_and_the_furthest_is_shown() -> None:
    async def story() -> None:
        here = await ministry()
        for number, code in enumerate(("05", "01", "06", "03")):
            here.clock.at_ms = NOW + number
            await report(here, code, submission=code)
        view = (await views(here))["H49.22"]
        assert [event.code for event in view.statuses] == ["05", "01", "06", "03"]
        assert [event.accept_time_ms for event in view.statuses] == [NOW, NOW + 1, NOW + 2, NOW + 3]
        assert (view.status_code, view.statuses[2].description) == ("06", "lần 06")
        assert view.statuses[0].timestamp_text == "2026/11/23 08:00:00"

    run(story())


def test_two_reports_in_the_same_millisecond_are_both_kept() -> None:
    async def story() -> None:
        here = await ministry()
        ids = {await report(here, "01", submission="a"), await report(here, "03", submission="b")}
        assert {event.packet_id for event in (await views(here))["H49.22"].statuses} == ids

    run(story())


def test_each_recipient_has_a_history_of_its_own() -> None:
    async def story() -> None:
        here = await ministry("H49", "H49.22", "H37")
        await report(here, "06", submission="1", sender="H49")
        await report(here, "02", submission="2", sender="H49.22")
        found = await views(here)
        assert {unit: view.status_code for unit, view in found.items()} == {"H49": "06", "H49.22": "02", "H37": ""}

    run(story())


def test_a_status_about_a_document_that_is_not_known_here_waits_in_the_inbox_all_the_same() -> None:
    async def story() -> None:
        here = await ministry()
        packet_id = await report(here, "06", submission="1", number="999")
        [entry] = await here.inbox("G14")
        assert (entry.packet_id, entry.status_code) == (packet_id, "06")
        assert (await views(here))["H49.22"].statuses == ()
        assert not [key for key in here.rows() if key.startswith(b"t")]

    run(story())


def test_a_status_of_somebody_who_did_not_get_the_document_changes_nothing() -> None:
    async def story() -> None:
        here = await ministry()
        await report(here, "06", submission="1", sender="H49.22.05")
        assert (await views(here))["H49.22"].statuses == ()
        assert "t" not in here.tables()
        assert len(await here.inbox("G14")) == 1

    run(story())


def test_a_status_to_another_unit_of_the_node_than_the_author_changes_nothing() -> None:
    async def story() -> None:
        here = await ministry()
        await report(here, "06", submission="1", author="G14.01")
        assert (await views(here))["H49.22"].statuses == ()
        assert len(await here.inbox("G14.01")) == 1

    run(story())


def test_a_status_belongs_to_the_newest_packet_of_its_document() -> None:
    async def story() -> None:
        here = await ministry()
        await here.submit(document("H49.22", subject="Gửi lại"), "2")
        await report(here, "03", submission="1")
        assert (await views(here))["H49.22"].statuses == ()
        [again] = (await here.track("2")).deliveries
        assert again.status_code == "03"

    run(story())


def test_a_unit_of_the_same_node_reports_without_any_peer() -> None:
    async def story() -> None:
        here = place("h49")
        await here.submit(document("H49.22", sender="H49"))
        await here.submit(status_about("123", "06", sender="H49.22", author="H49"), "2")
        [view] = (await here.track()).deliveries
        assert view.status_code == "06"
        assert (await here.inbox("H49"))[0].status_code == "06"

    run(story())


def test_a_report_can_be_tracked_by_the_unit_that_made_it() -> None:
    async def story() -> None:
        here = place("h49")
        await here.submit(document("H49.22", sender="H49"))
        await here.submit(status_about("123", "06", sender="H49.22", author="H49"), "2")
        tracked = await here.track("2")
        assert (tracked.sender_unit, tracked.document_code) == ("H49.22", "123/BM-VP")
        assert [view.unit for view in tracked.deliveries] == ["H49"]

    run(story())
