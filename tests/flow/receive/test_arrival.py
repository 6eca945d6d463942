"""A document's life at a recipient: withdrawn, updated, replaced, in and out of order, before and after somebody has read it; and the
author sees the same. Two real nodes whose packets the test carries by hand."""

import asyncio
from collections.abc import Callable
from itertools import permutations
from unittest.mock import patch

import pytest

from node.errors import Rejected
from node.model.life import LifeAct, LifeState
from node.model.office import NO_LEASE
from node.model.policy import DAY_MS, Policy
from node.model.reason import Reason
from node.rows.records import DossierRecord
from tests.flow.acts import MINISTRY, UNIT, Pair, act, ask_back, id_of, replacement, update, withdrawal
from tests.flow.support import place, run
from tests.papers import document

WITHDRAWALS = pytest.mark.parametrize("request_of", [withdrawal, ask_back], ids=["type 1", "status 13"])
DOC = document("H49.22")


async def after_waiting(pair: Pair) -> None:
    """Let the days pass for which the province waits for a document."""
    pair.province.clock.at_ms += Policy().wait_for_document_ms
    await pair.province.sweeper().sweep_once()


# --- before and after fetching ----------------------------------------------------------------------------------------


@WITHDRAWALS
def test_a_withdrawal_before_anybody_has_fetched_takes_the_document_out_and_the_node_agrees(
    request_of: Callable[[], bytes],
) -> None:
    async def story() -> None:
        pair = Pair()
        await pair.send(DOC, "1")
        request = await pair.send(request_of(), "2")
        assert await pair.inbox() == []
        assert (await pair.views())[UNIT].life is LifeState.WITHDRAWAL_ASKED, "the 15 is not there yet"
        assert await pair.work() == ["15"]
        assert await pair.both_say(LifeState.WITHDRAWN) == request
        [status] = (await pair.views())[UNIT].statuses
        assert (status.code, status.answers_packet_id) == ("15", request)
        assert (await pair.dossier()).entries[-1].by_node

    run(story())


@WITHDRAWALS
@pytest.mark.parametrize(("code", "state"), [("15", LifeState.WITHDRAWN), ("16", LifeState.WITHDRAWAL_REFUSED)])
def test_a_withdrawal_after_fetching_asks_the_unit_who_agrees_or_refuses(
    request_of: Callable[[], bytes], code: str, state: LifeState
) -> None:
    async def story() -> None:
        pair = Pair()
        first = await pair.send(DOC, "1")
        await pair.read(first)
        request = await pair.send(request_of(), "2")
        assert await pair.inbox() == [first, request]
        assert await pair.work() == []
        assert await pair.both_say(LifeState.WITHDRAWAL_ASKED) == request
        await pair.answer(code)
        assert await pair.both_say(state) == request

    run(story())


@pytest.mark.parametrize("how", [{"lease_ms": NO_LEASE}, {"offset_bytes": 5}, {}], ids=["look", "go on", "lease"])
def test_whoever_was_given_one_octet_is_asked(how: dict[str, int]) -> None:
    async def story() -> None:
        pair = Pair()
        first = await pair.send(DOC, "1")
        await pair.province.fetch(first, UNIT, **how)
        request = await pair.send(withdrawal(), "2")
        assert request in await pair.inbox()

    run(story())


def test_what_was_taken_back_cannot_be_fetched_or_acknowledged_any_more() -> None:
    async def story() -> None:
        pair = Pair()
        first = await pair.send(DOC, "1")
        request = await pair.send(withdrawal(), "2")
        for packet_id in (first, request):
            with pytest.raises(Rejected) as refused:
                await pair.read(packet_id)
            assert refused.value.reason is Reason.NOT_FOUND
        assert await pair.province.node.acknowledge(pair.province.system, [first], UNIT) == 0

    run(story())


def test_a_refusal_after_an_agreement_changes_nothing_and_an_agreement_after_a_refusal_ends_it() -> None:
    async def story() -> None:
        for codes in (("15", "16"), ("16", "15")):
            pair = Pair()
            await pair.read(await pair.send(DOC, "1"))
            await pair.send(withdrawal(), "2")
            for code in codes:
                await pair.answer(code)
            await pair.both_say(LifeState.WITHDRAWN)

    run(story())


def test_each_recipient_has_its_own_life() -> None:
    async def story() -> None:
        pair = Pair()
        both = ("H49.22", "H49.22.05")
        first = await pair.send(document(*both), "1")
        await pair.read(first, "H49.22.05")
        await pair.send(withdrawal(*both), "2")
        assert await pair.work() == ["15"]
        await pair.both_say(LifeState.WITHDRAWN)
        await pair.both_say(LifeState.WITHDRAWAL_ASKED, unit="H49.22.05")
        views = await pair.views("2")
        assert views["H49.22"].life is LifeState.WITHDRAWN, "the withdrawal's own Track shows the same"

    run(story())


# --- out of order -----------------------------------------------------------------------------------------------------


@WITHDRAWALS
def test_a_withdrawal_that_overtakes_its_document_waits_and_no_late_copy_is_revived(
    request_of: Callable[[], bytes],
) -> None:
    async def story() -> None:
        pair = Pair()
        first, second = await pair.submit(DOC, "1"), await pair.submit(request_of(), "2")
        await pair.come(second)
        assert await pair.inbox() == []
        [entry] = (await pair.dossier()).entries
        assert entry.waits_for_document
        assert await pair.work() == [], "nothing is said of a document that is not there"
        await pair.come(first, first)
        assert await pair.inbox() == []
        assert await pair.work() == ["15"]
        await pair.both_say(LifeState.WITHDRAWN)
        await after_waiting(pair)
        assert await pair.inbox() == []

    run(story())


def test_a_withdrawal_whose_document_never_comes_is_shown_after_three_days_and_the_unit_answers() -> None:
    async def story() -> None:
        pair = Pair()
        await pair.submit(DOC, "1")
        request = await pair.send(withdrawal(), "2")
        pair.province.clock.at_ms += 2 * DAY_MS
        await pair.province.sweeper().sweep_once()
        assert await pair.inbox() == []
        await after_waiting(pair)
        assert await pair.inbox() == [request]
        await pair.read(request)
        await pair.answer("15")
        await pair.both_say(LifeState.WITHDRAWN)

    run(story())


def test_what_waited_before_the_clock_was_set_back_is_shown_and_does_not_wait_the_hours_again() -> None:
    async def story() -> None:
        pair = Pair()
        await pair.submit(DOC, "1")
        request = await pair.send(withdrawal(), "2")
        pair.province.clock.at_ms -= 6 * 60 * 60_000
        await pair.province.sweeper().sweep_once()
        assert await pair.inbox() == [request]

    run(story())


def test_what_waits_keeps_its_body_however_short_bodies_are_kept() -> None:
    async def story() -> None:
        pair = Pair(province=place("h49", Policy(arrival=False, keep_body_after_ms=0)))
        await pair.submit(DOC, "1")
        request = await pair.send(withdrawal(), "2")
        for _ in range(3):
            pair.province.clock.at_ms += DAY_MS + 1
            await pair.province.sweeper().sweep_once()
        assert await pair.province.fetch(request, UNIT) == withdrawal()

    run(story())


def test_an_update_that_overtakes_its_document_comes_into_the_inbox_after_it() -> None:
    async def story() -> None:
        pair = Pair()
        first, second = await pair.submit(DOC, "1"), await pair.submit(update(), "2")
        await pair.come(second)
        assert await pair.inbox() == []
        await pair.come(first)
        assert len(await pair.inbox()) == 2
        await pair.both_say(LifeState.IN_FORCE)

    run(story())


def test_document_update_and_withdrawal_in_any_order_end_alike() -> None:
    async def story() -> None:
        for order in permutations(range(3)):
            pair = Pair()
            items = [await pair.submit(packet, str(n)) for n, packet in enumerate((DOC, update(), withdrawal()), 1)]
            await pair.come(*(items[place] for place in order))
            assert await pair.inbox() == [], order
            assert await pair.work() == ["15"], order
            await pair.both_say(LifeState.WITHDRAWN)

    run(story())


def test_a_document_sent_again_after_its_withdrawal_is_a_new_life_in_any_order() -> None:
    async def story() -> None:
        for order in permutations(range(3)):
            pair = Pair()
            papers = (DOC, withdrawal(), document("H49.22", subject="Bản đã sửa"))
            items = [await pair.submit(packet, str(n)) for n, packet in enumerate(papers, 1)]
            await pair.come(*(items[place] for place in order))
            assert [e.subject for e in await pair.province.inbox(UNIT)] == ["Bản đã sửa"], order
            assert await pair.work() == ["15"], order
            await pair.both_say(LifeState.IN_FORCE)

    run(story())


def test_a_late_update_of_a_document_that_was_read_comes_into_the_inbox_while_the_unit_is_asked() -> None:
    async def story() -> None:
        pair = Pair()
        first = await pair.send(DOC, "1")
        await pair.read(first)
        late, request = await pair.submit(update(), "2"), await pair.send(withdrawal(), "3")
        await pair.come(late)
        assert len(await pair.inbox()) == 3
        assert await pair.work() == [], "the unit has the document: nobody answers for it"
        await pair.answer("16")
        assert await pair.both_say(LifeState.WITHDRAWAL_REFUSED) == request

    run(story())


def test_both_roads_at_once_are_both_answered() -> None:
    async def story() -> None:
        pair = Pair()
        await pair.send(DOC, "1")
        await pair.send(withdrawal(), "2")
        await pair.send(ask_back(), "3")
        assert await pair.work() == ["15", "15"]
        await pair.both_say(LifeState.WITHDRAWN)

    run(story())


def test_two_requests_in_the_same_millisecond_are_two_duties() -> None:
    async def story() -> None:
        pair = Pair()
        await pair.send(DOC, "1")
        requests = [await pair.submit(packet, name) for packet, name in ((withdrawal(), "2"), (ask_back(), "3"))]
        await pair.province.push(*requests)
        assert await pair.work() == ["15", "15"]

    run(story())


def test_a_refused_withdrawal_kills_no_late_copy() -> None:
    async def story() -> None:
        pair = Pair()
        first = await pair.submit(DOC, "1")
        await pair.send(withdrawal(), "2")
        await after_waiting(pair)
        await pair.answer("16")
        await pair.come(first)
        assert len(await pair.inbox()) == 2

    run(story())


# --- recipients added and dropped ---------------------------------------------------------------------------------------


def test_an_update_brings_the_document_to_a_unit_that_it_adds_and_takes_it_back_from_one_that_it_drops() -> None:
    async def story() -> None:
        pair = Pair(province=place("h49"))
        await pair.send(document("H49.22", "H49.22.05"), "1")
        packet_id = await pair.send(update("H49.22", added=["H49"], dropped=["H49.22.05"]), "2")
        assert (await pair.inbox("H49"), await pair.inbox("H49.22.05")) == ([packet_id], [])
        assert await pair.inbox("H49.22") != [packet_id]
        assert await pair.work() == ["01", "01", "01", "15"], "each arrival, and the dropped unit's agreement"
        await pair.both_say(LifeState.WITHDRAWN, unit="H49.22.05")
        await pair.both_say(LifeState.IN_FORCE, unit="H49", name="2")
        added = (await pair.views("2"))["H49"]
        assert [status.code for status in added.statuses] == ["01"], "what an added unit reports stands with the update"

    run(story())


def test_a_dropped_unit_that_has_read_the_document_is_asked() -> None:
    async def story() -> None:
        pair = Pair()
        first = await pair.send(document("H49.22", "H49.22.05"), "1")
        await pair.read(first, "H49.22.05")
        request = await pair.send(update("H49.22", dropped=["H49.22.05"]), "2")
        assert request in await pair.inbox("H49.22.05")
        await pair.answer("15", unit="H49.22.05")
        assert await pair.both_say(LifeState.WITHDRAWN, unit="H49.22.05") == request
        await pair.both_say(LifeState.IN_FORCE)

    run(story())


def test_a_dropped_unit_that_never_had_the_document_never_sees_it_and_the_node_agrees_after_the_wait() -> None:
    async def story() -> None:
        pair = Pair()
        await pair.send(document("H49.22"), "1")
        await pair.send(update("H49.22", dropped=["H49.22.05"]), "2")
        await after_waiting(pair)
        assert await pair.inbox("H49.22.05") == []
        assert await pair.work() == ["15"]
        await pair.both_say(LifeState.WITHDRAWN, unit="H49.22.05", name="2")

    run(story())


# --- replacement --------------------------------------------------------------------------------------------------------


def test_a_replacement_takes_out_what_nobody_has_read_and_shows_as_replaced_what_somebody_has() -> None:
    async def story() -> None:
        for was_read in (False, True):
            pair = Pair()
            first = await pair.send(DOC, "1")
            if was_read:
                await pair.read(first)
            new = await pair.send(replacement("H49.22", number="124", had_gone_to=["H49.22"]), "2")
            assert await pair.inbox() == ([first, new] if was_read else [new])
            assert await pair.both_say(LifeState.REPLACED) == new
            await pair.both_say(LifeState.IN_FORCE, name="2", number="124")
            assert await pair.work() == [], "a replacement needs no answer"

    run(story())


def test_a_replacement_that_overtakes_keeps_the_replaced_document_out() -> None:
    async def story() -> None:
        pair = Pair()
        first, second = await pair.submit(DOC, "1"), await pair.submit(replacement(number="124"), "2")
        await pair.come(second, first)
        assert len(await pair.inbox()) == 1
        await pair.both_say(LifeState.REPLACED)

    run(story())


def test_a_unit_named_only_where_the_replaced_document_had_gone_is_told_only_if_it_has_read_that() -> None:
    async def story() -> None:
        pair = Pair()
        units = ("H49.22", "H49.22.05", "H49.22.06")
        first = await pair.send(document(*units), "1")
        await pair.read(first, "H49.22.05")
        new = await pair.send(replacement("H49.22", number="124", had_gone_to=units), "2")
        assert await pair.inbox("H49.22.05") == [first, new]
        assert await pair.inbox("H49.22.06") == []
        views = await pair.views("2")
        assert {unit: view.life for unit, view in views.items()} == {
            "H49.22": LifeState.IN_FORCE,
            "H49.22.05": LifeState.ABSENT,
            "H49.22.06": LifeState.ABSENT,
        }
        for unit in units:
            await pair.both_say(LifeState.REPLACED, unit=unit)

    run(story())


# --- at the author ------------------------------------------------------------------------------------------------------


def test_a_withdrawal_on_its_way_is_shown_as_sent_with_why_it_waits() -> None:
    async def story() -> None:
        pair = Pair()
        await pair.send(DOC, "1")
        await pair.submit(withdrawal(), "2")
        view = (await pair.views())[UNIT]
        assert view.life is LifeState.WITHDRAWAL_SENT
        tracked = await pair.ministry.node.track(pair.ministry.system, packet_id=view.life_packet_id)
        assert [one.reason for one in tracked.deliveries] == [Reason.QUEUED]

    run(story())


def test_a_document_is_found_by_its_id_after_its_withdrawal_and_its_statuses_stand_with_it() -> None:
    async def story() -> None:
        pair = Pair()
        first = await pair.send(DOC, "1")
        await pair.send(withdrawal(), "2")
        await pair.work()
        view = await pair.ministry.node.track(pair.ministry.system, document_id=id_of("123"))
        assert view.packet_id == first
        assert [status.code for status in view.deliveries[0].statuses] == ["15"]

    run(story())


def test_a_13_to_its_own_author_goes_to_everybody_who_got_the_document() -> None:
    async def story() -> None:
        pair = Pair()
        await pair.send(document("H49.22", "H49.22.05"), "1")
        await pair.send(update("H49.22", added=["H49"]), "2")
        await pair.submit(ask_back(MINISTRY), "3")
        assert set(await pair.views("3")) == {"H49", "H49.22", "H49.22.05"}

    run(story())


def test_a_13_about_a_document_that_nobody_got_is_refused() -> None:
    async def story() -> None:
        pair = Pair()
        with pytest.raises(Rejected) as refused:
            await pair.ministry.submit(ask_back(MINISTRY), "1")
        assert refused.value.reason is Reason.NOT_FOUND

    run(story())


def test_the_authors_order_holds_when_its_clock_is_set_back_or_stands_still() -> None:
    async def story() -> None:
        for step_ms in (-3_600_000, 0):
            pair = Pair()
            items = [await pair.submit(DOC, "1")]
            pair.ministry.clock.at_ms += step_ms - 10
            items.append(await pair.submit(withdrawal(), "2"))
            await pair.come(*items)
            await pair.work()
            await pair.both_say(LifeState.WITHDRAWN)

    run(story())


def test_acts_about_one_document_that_are_handed_in_together_keep_an_order() -> None:
    async def story() -> None:
        pair = Pair()
        await asyncio.gather(*(pair.ministry.submit(update(reason=str(n)), str(n)) for n in range(5)))
        entries = (await pair.ministry.node.dossier(pair.ministry.system, MINISTRY, "", id_of("123"))).entries
        rows = pair.ministry.rows()
        times = [DossierRecord.FromString(value).create_time_ms for key, value in rows.items() if key[:1] == b"y"]
        assert len(entries) == 5
        assert len(set(times)) == 5

    run(story())


# --- answers ------------------------------------------------------------------------------------------------------------


def test_an_answer_names_the_newest_request_that_nobody_has_answered_withdrawals_before_updates() -> None:
    async def story() -> None:
        pair = Pair()
        first = await pair.send(DOC, "1")
        await pair.read(first)
        request, change = await pair.send(withdrawal(), "2"), await pair.send(update(), "3")
        for number, code in enumerate(("16", "15", "15")):
            await pair.answer(code, name=f"answer {number}")
        statuses = (await pair.views())[UNIT].statuses
        assert [(s.code, s.answers_packet_id) for s in statuses] == [("16", request), ("15", change), ("15", request)]
        await pair.both_say(LifeState.WITHDRAWN)

    run(story())


def test_an_answer_finds_a_withdrawal_that_has_a_document_id_of_its_own() -> None:
    async def story() -> None:
        pair = Pair()
        await pair.read(await pair.send(DOC, "1"))
        request = await pair.send(withdrawal(own_id="5f0c8d2e"), "2")
        await pair.answer("15", about="5f0c8d2e")
        assert await pair.both_say(LifeState.WITHDRAWN) == request

    run(story())


def test_an_answer_to_nothing_is_shown_and_changes_nothing() -> None:
    async def story() -> None:
        pair = Pair()
        await pair.send(DOC, "1")
        await pair.answer("15")
        [status] = (await pair.views())[UNIT].statuses
        assert (status.code, status.answers_packet_id) == ("15", b"")
        await pair.both_say(LifeState.IN_FORCE)

    run(story())


# --- what has no life ---------------------------------------------------------------------------------------------------


def test_a_document_to_oneself_is_only_delivered() -> None:
    async def story() -> None:
        here = place("g14")
        await here.submit(document("G14"), "1")
        assert len(await here.inbox("G14")) == 1

    run(story())


def test_a_13_from_somebody_else_about_ones_own_document_is_an_ordinary_status() -> None:
    async def story() -> None:
        pair = Pair()
        await pair.send(DOC, "1")
        await pair.answer("13")
        assert [entry.status_code for entry in await pair.ministry.inbox("G14")] == ["13"]
        await pair.both_say(LifeState.IN_FORCE)

    run(story())


def test_a_withdrawal_of_somebody_elses_document_takes_nothing() -> None:
    async def story() -> None:
        pair = Pair()
        first = await pair.send(DOC, "1")
        forged = withdrawal().replace(b"<edXML:OrganId>G14</edXML:OrganId>", b"<edXML:OrganId>G14.01</edXML:OrganId>")
        await pair.send(forged, "2")
        assert await pair.inbox() == [first]

    run(story())


def test_a_dossier_takes_so_many_acts_and_delivers_the_rest_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        pair = Pair()
        await pair.send(DOC, "1")
        for number in range(2):
            await pair.send(update(reason=str(number)), f"update {number}")
        request = await pair.send(withdrawal(), "2")
        assert request in await pair.inbox()
        assert len(await pair.inbox()) == 4

    monkeypatch.setattr("node.flow.receive.arrival.ROWS_MAX", 3)
    run(story())


# --- the dossier ----------------------------------------------------------------------------------------------------------


def test_a_dossier_tells_the_whole_life_to_both_sides() -> None:
    async def story() -> None:
        pair = Pair(province=place("h49"))
        first = await pair.send(DOC, "1")
        await pair.read(first)
        await pair.send(withdrawal(), "2")
        await pair.work()
        await pair.answer("16")
        acts = [LifeAct.NEW, LifeAct.WITHDRAW, LifeAct.STATUS, LifeAct.STATUS]
        theirs = await pair.dossier()
        assert [entry.act for entry in theirs.entries] == acts
        assert (theirs.subject, theirs.document_code) == ("V/v thử nghiệm", "123/BM-VP")
        assert theirs.entries[1].note == "gửi nhầm"
        assert [e.by_node for e in theirs.entries] == [False, False, True, False]
        ours = await pair.ministry.node.dossier(pair.ministry.system, MINISTRY, "", id_of("123"))
        assert [(entry.act, entry.status_code) for entry in ours.entries] == [
            (LifeAct.NEW, ""),
            (LifeAct.WITHDRAW, ""),
            (LifeAct.STATUS, "01"),
            (LifeAct.STATUS, "16"),
        ]
        assert ours.entries[3].answers_packet_id == ours.entries[1].packet_id
        for entry in theirs.entries:
            again = await pair.province.node.dossier(pair.province.system, packet_id=entry.packet_id)
            assert again == theirs

    run(story())


def test_a_status_about_an_unknown_document_is_in_the_inbox_and_in_a_dossier() -> None:
    async def story() -> None:
        pair = Pair()
        await pair.answer("06", number="999")
        [entry] = await pair.ministry.inbox("G14")
        assert entry.status_code == "06"
        found = await pair.ministry.node.dossier(pair.ministry.system, MINISTRY, "", id_of("999"))
        assert [one.status_code for one in found.entries] == ["06"]

    run(story())


def test_nobody_sees_a_dossier_of_a_unit_that_is_not_its_own_and_an_unknown_document_has_none() -> None:
    async def story() -> None:
        pair = Pair()
        first = await pair.send(DOC, "1")
        node, system = pair.province.node, pair.province.system
        with pytest.raises(Rejected) as refused:
            await node.dossier(system, UNIT, MINISTRY, id_of("999"))
        assert refused.value.reason is Reason.NOT_FOUND
        with pytest.raises(Rejected) as refused:
            await node.dossier(system, document_id=id_of("123"))
        assert refused.value.reason is Reason.REQUEST_INVALID
        stranger = type(system)("other", frozenset({"H49.22.06"}))
        with pytest.raises(Rejected) as refused:
            await node.dossier(stranger, packet_id=first)
        assert refused.value.reason is Reason.NOT_FOUND

    run(story())


def test_an_unknown_business_type_is_a_new_document() -> None:
    async def story() -> None:
        pair = Pair()
        assert await pair.inbox() == []
        with patch("node.flow.submit.intake.require_no_errors"):  # our rules refuse it; another's node may not
            packet_id = await pair.send(act(7, ["H49.22"]), "1")
        assert await pair.inbox() == [packet_id]

    run(story())
