"""Deadlines of the decrees: what the author and each recipient owe, until when, and whether it was done in time."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.flow.views.deadlines import Report, of_author, of_recipient, read_day
from node.model.calendar import Calendar, HolidayYear
from node.model.deadline import Deadline, DeadlineKind
from node.model.life import LifeState
from node.model.mesh import Answer
from node.model.policy import MINUTE_MS
from node.rows import keys
from node.rows.records import HeaderRecord, PacketRecord
from tests.clocks import NOW
from tests.flow.document.test_status import ministry, report, views
from tests.flow.support import Place, place, push_of, receipt_for, run
from tests.papers import document, status_about

SEND, RECEIPT, REGISTER, DUE = DeadlineKind
HOUR_MS = 60 * MINUTE_MS
CALENDAR = Calendar({2026: HolidayYear(True, off={date(2026, 11, 30): "ngày nghỉ mẫu"})})


def vietnam_ms(*moment: int) -> int:
    """A time on the clock in Hà Nội."""
    return round((datetime(*moment, tzinfo=UTC) - timedelta(hours=7)).timestamp() * 1000)  # type: ignore[misc]


def header(signed: str = "2026/11/26", due: str = "", priority: int = 0, **more: Any) -> HeaderRecord:
    return HeaderRecord(promulgation_date=signed, due_date=due, priority=priority, **more)


def owed(
    words: HeaderRecord, arrived_ms: int, *reports: Report, life: LifeState = LifeState.IN_FORCE
) -> tuple[Deadline, ...]:
    return of_recipient(words, arrived_ms, reports, CALENDAR, HOUR_MS, life)


@pytest.mark.parametrize(
    ("signed", "priority", "until"),
    [
        ("2026/11/25", 0, vietnam_ms(2026, 11, 26, 12)),
        ("2026/11/26", 0, vietnam_ms(2026, 11, 27, 12)),
        ("2026/11/27", 0, vietnam_ms(2026, 12, 1, 12)),
        ("2026/11/28", 0, vietnam_ms(2026, 12, 1, 12)),
        ("2026/11/27", 1, vietnam_ms(2026, 11, 28) - 1),
        ("2026/11/27", 4, vietnam_ms(2026, 11, 28) - 1),
        ("2026/11/26", -1, vietnam_ms(2026, 11, 27, 12)),
        ("2026/11/26", 99, vietnam_ms(2026, 11, 27, 12)),
        ("2026-11-26", 0, vietnam_ms(2026, 11, 27, 12)),
        (" 2026/11/26 09:30:15 ", 0, vietnam_ms(2026, 11, 27, 12)),
    ],
)
def test_the_author_sends_by_the_next_working_morning_and_what_is_urgent_on_the_day(
    signed: str, priority: int, until: int
) -> None:
    assert of_author(header(signed, priority=priority), until, CALENDAR) == (Deadline(SEND, until, until),)


def test_an_author_who_was_late_is_shown_as_late() -> None:
    [found] = of_author(header("2026/11/26"), vietnam_ms(2026, 11, 27, 12) + 1, CALENDAR)

    assert found.is_overdue(NOW)
    [found] = of_author(header("2026/11/26"), vietnam_ms(2026, 11, 26, 9), CALENDAR)
    assert not found.is_overdue(vietnam_ms(2027, 1, 1))


def test_receipt_is_due_on_the_day_of_arrival_and_registration_on_the_next_working_day() -> None:
    friday = vietnam_ms(2026, 11, 27, 16, 59)

    assert owed(header(), friday) == (
        Deadline(RECEIPT, vietnam_ms(2026, 11, 28) - 1),
        Deadline(REGISTER, vietnam_ms(2026, 12, 2) - 1),
    )


def test_the_day_of_arrival_is_the_one_in_vietnam() -> None:
    [receipt, _] = owed(header(), vietnam_ms(2026, 11, 25, 0, 30))

    assert receipt.due_at_ms == vietnam_ms(2026, 11, 26) - 1


def test_an_urgent_document_is_registered_within_the_policys_time_at_any_hour() -> None:
    night = vietnam_ms(2026, 11, 28, 23, 50)

    assert [(one.kind, one.due_at_ms) for one in owed(header(priority=3), night)] == [
        (RECEIPT, vietnam_ms(2026, 11, 29) - 1),
        (REGISTER, night + HOUR_MS),
    ]


def test_a_due_date_is_due_at_the_end_of_its_day_holiday_or_not() -> None:
    [*_, due] = owed(header(due="2026/11/30"), vietnam_ms(2026, 11, 26, 9))

    assert due == Deadline(DUE, vietnam_ms(2026, 12, 1) - 1)


@pytest.mark.parametrize(
    ("codes", "met"),
    [
        ([], set()),
        (["01"], {RECEIPT}),
        (["03"], {RECEIPT, REGISTER}),
        (["02"], {RECEIPT, REGISTER, DUE}),
        (["05"], {RECEIPT, REGISTER}),
        (["06"], {RECEIPT, REGISTER, DUE}),
        (["13", "15", "16", "99", ""], set()),
    ],
)
def test_a_status_meets_the_deadlines_that_it_shows_as_done(codes: list[str], met: set[DeadlineKind]) -> None:
    arrived = vietnam_ms(2026, 11, 26, 9)
    found = owed(header(due="2026/12/10"), arrived, *(Report(code, arrived + 5) for code in codes))

    assert {one.kind for one in found if one.met_at_ms} == met


def test_the_first_report_counts_in_whatever_order_they_come_and_a_late_one_is_late() -> None:
    arrived = vietnam_ms(2026, 11, 26, 9)
    [receipt, register] = owed(
        header(), arrived, Report("06", arrived + 9), Report("03", arrived + 3 * 86_400_000), Report("01", arrived + 7)
    )

    assert (receipt.met_at_ms, register.met_at_ms) == (arrived + 7, arrived + 9)
    [_, register] = owed(header(), arrived, Report("03", vietnam_ms(2026, 11, 28)))
    assert register.is_overdue(register.met_at_ms)


@pytest.mark.parametrize("life", [LifeState.WITHDRAWN, LifeState.REPLACED])
def test_for_a_document_that_is_taken_back_nothing_more_is_owed_but_what_was_done_stays(life: LifeState) -> None:
    arrived = vietnam_ms(2026, 11, 26, 9)

    assert owed(header(due="2026/12/10"), arrived, life=life) == ()
    [found] = owed(header(due="2026/12/10"), arrived, Report("01", arrived), life=life)
    assert found.kind is RECEIPT


@pytest.mark.parametrize("life", [LifeState.UNKNOWN, LifeState.WITHDRAWAL_ASKED, LifeState.WITHDRAWAL_REFUSED])
def test_as_long_as_it_is_in_force_the_duties_stay(life: LifeState) -> None:
    assert len(owed(header(due="2026/12/10"), NOW, life=life)) == 3


@pytest.mark.parametrize(
    "date_text", ["", "2014/02/30", "30/11/2026", "0001/01/01", "9999/12/31", "2200/01/01", "mai", "2026/13/01", "０２"]
)
def test_a_date_that_is_missing_impossible_or_absurd_gives_no_deadline(date_text: str) -> None:
    assert of_author(header(date_text), NOW, CALENDAR) == ()
    assert [one.kind for one in owed(header(due=date_text), NOW)] == [RECEIPT, REGISTER]


def test_a_due_date_before_the_day_of_signing_is_a_mistake_and_no_deadline() -> None:
    assert [one.kind for one in owed(header("2026/11/26", due="2026/11/25"), NOW)] == [RECEIPT, REGISTER]
    assert [one.kind for one in owed(header("2014/02/30", due="2026/11/25"), NOW)] == [RECEIPT, REGISTER, DUE]


@pytest.mark.parametrize("words", [{"business_type": 1}, {"business_type": 2}, {"status_code": "03"}])
def test_what_brings_no_document_has_no_deadlines(words: dict[str, Any]) -> None:
    assert of_author(header(**words), NOW, CALENDAR) == ()
    assert owed(header(due="2026/12/10", **words), NOW) == ()


def test_a_replacement_is_a_document() -> None:
    assert len(of_author(header(business_type=3), NOW, CALENDAR)) == 1


@given(st.text(max_size=30), st.text(max_size=30), st.integers(-(2**31), 2**31 - 1), st.integers(0, 4_000_000_000_000))
def test_no_header_whatever_it_says_makes_the_view_fail(signed: str, due: str, priority: int, at_ms: int) -> None:
    words = header(signed, due, priority)
    for one in (*of_author(words, at_ms, CALENDAR), *owed(words, at_ms, Report("01", at_ms))):
        assert one.due_at_ms > 0


@given(st.dates(date(1975, 1, 1), date(2198, 12, 31)))
def test_every_day_is_read_in_each_usual_form(day: date) -> None:
    assert read_day(f"{day:%Y/%m/%d}") == read_day(f"{day:%Y-%m-%d}") == read_day(f"{day:%Y/%m/%d} 23:59:59") == day


# --- both sides see them ----------------------------------------------------------------------------------------------


def due_on(day: str, packet: bytes) -> bytes:
    """A packet with a DueDate."""
    before = b"<edXML:OtherInfo>"
    assert packet.count(before) == 1
    return packet.replace(before, f"<edXML:DueDate>{day}</edXML:DueDate>".encode() + before)


async def delivered(here: Place) -> None:
    """Let the province's receipt for the first submission come in."""
    packet_id = (await here.track()).packet_id
    envelope = PacketRecord.FromString(here.rows()[keys.packet(packet_id)]).envelope
    here.peers.answers = lambda peer, items: [Answer(receipt_for(envelope, packet_id))]
    await here.carry()


def test_the_author_sees_his_own_deadline_and_those_of_a_recipient_once_it_has_the_document() -> None:
    async def story() -> None:
        here = await ministry()
        before = await here.track()
        assert [one.kind for one in before.deadlines] == [SEND]
        assert before.deadlines[0].met_at_ms == NOW
        assert before.deliveries[0].deadlines == ()
        await delivered(here)
        [view] = (await here.track()).deliveries
        assert [(one.kind, one.met_at_ms) for one in view.deadlines] == [(RECEIPT, 0), (REGISTER, 0)]

    run(story())


def test_a_report_counts_from_when_the_unit_made_it_not_from_when_it_came_through() -> None:
    async def story() -> None:
        here = await ministry()
        await delivered(here)
        here.clock.at_ms = NOW + 5 * 86_400_000
        await report(here, "03", submission="1")
        view = (await views(here))["H49.22"]
        assert view.statuses[0].accept_time_ms == NOW + 5 * 86_400_000
        assert [one.met_at_ms for one in view.deadlines] == [NOW, NOW]

    run(story())


def test_the_recipient_sees_in_its_inbox_what_it_owes() -> None:
    async def story() -> None:
        here = place("h49")
        await here.push(push_of(due_on("2027/02/01", document("H49.22", priority=2))))
        [entry] = await here.inbox()
        assert [(one.kind, one.met_at_ms) for one in entry.deadlines] == [(RECEIPT, 0), (REGISTER, 0), (DUE, 0)]
        assert entry.deadlines[1].due_at_ms == NOW + here.node.policy.urgent_within_ms
        assert entry.due_date == "2027/02/01"

    run(story())


def test_a_status_packet_in_the_inbox_owes_nothing() -> None:
    async def story() -> None:
        here = await ministry()
        await report(here, "01", submission="1")
        [entry] = await here.inbox()
        assert entry.deadlines == ()

    run(story())


def test_what_the_recipient_has_reported_counts_in_its_inbox() -> None:
    async def story() -> None:
        here = place("g14")
        await here.submit(document("G14.01"))
        here.clock.at_ms = NOW + 1_000
        await here.submit(status_about("123", "03", sender="G14.01"), "2")
        [entry] = await here.inbox("G14.01")
        assert [(one.kind, one.met_at_ms) for one in entry.deadlines] == [
            (RECEIPT, NOW + 1_000),
            (REGISTER, NOW + 1_000),
        ]
        [view] = (await here.track()).deliveries
        assert view.deadlines == entry.deadlines

    run(story())
