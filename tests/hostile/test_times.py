"""Times from outside: no receipt, envelope, status or row may say a time that breaks what others are shown."""

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import Denied, Rejected
from node.flow.send import receipts
from node.flow.submit.check import require_in_time
from node.flow.views import deadlines
from node.model.calendar import TIME_MAX_MS, VIETNAM, Calendar, bounded_ms, day_of, end_of_day_ms, moment_of
from node.model.delivery import State
from node.model.envelope import envelope_sha256_of
from node.model.office import Submission
from node.model.policy import DAY_MS
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt, SignedReceipt
from node.model.statement import LIFE_MAX_MS
from node.net.office_server import track_answer
from node.rows import keys
from node.rows.access import require
from node.rows.records import HeaderRecord, PacketRecord
from node.web.vxp.receive import time_text
from node.wire.receipt import decode_receipt
from node.wording import plain, vietnamese
from node.wording.plain import json_text
from tests.flow.support import KEYS, NOW, place, push_of, run
from tests.papers import document

YEAR_10_11_MS = 3_155_760_000_000_000_000_000 % 2**62
ODD_MS = [0, 1, -1, TIME_MAX_MS - 1, TIME_MAX_MS, 253_402_300_800_000, YEAR_10_11_MS, 2**63 - 1, -(2**63)]
times = st.one_of(st.sampled_from(ODD_MS), st.integers(-(2**63), 2**63 - 1))


@given(times)
def test_every_time_of_64_bits_can_be_shown(time_ms: int) -> None:
    assert vietnamese.day(time_ms) == vietnamese.when(time_ms)[:10]
    assert moment_of(time_ms).year <= 2199
    assert len(time_text(time_ms)) == 19
    assert plain.iso_time(time_ms) is None or datetime.fromisoformat(plain.iso_time(time_ms) or "")
    assert isinstance(day_of(time_ms), date)


@given(times, st.text(max_size=30) | st.dates().map(lambda day: day.strftime("%Y/%m/%d")), st.integers(0, 4))
def test_every_deadline_can_be_worked_out(time_ms: int, written: str, priority: int) -> None:
    header = HeaderRecord(promulgation_date=written, due_date=written, priority=priority)
    reports = [deadlines.Report("01", time_ms), deadlines.Report("06", time_ms)]
    found = deadlines.of_recipient(header, bounded_ms(time_ms), reports, Calendar(), DAY_MS)
    found += deadlines.of_author(header, time_ms, Calendar())
    assert all(-(2**63) <= one.due_at_ms < 2**63 for one in found)


def test_times_within_the_calendar_are_shown_as_before() -> None:
    at = datetime(2026, 11, 22, 18, 12, 3, tzinfo=VIETNAM)
    at_ms = int(at.timestamp() * 1000)
    assert (vietnamese.when(at_ms), plain.iso_time(at_ms)) == ("22/11/2026 18:12:03", "2026-11-22T18:12:03.000+07:00")
    assert end_of_day_ms(day_of(at_ms)) > at_ms


def made_at(time_ms: int, packet_id: bytes, envelope: bytes) -> SignedReceipt:
    """A true receipt of h49 that says when it was made."""
    receipt = Receipt(
        packet_id, envelope_sha256_of(envelope), "h49", Level.DELIVERED, (Outcome("H49.22", Reason.NONE),), time_ms
    )
    return receipts.sign_receipts(KEYS["h49"], [receipt])[0]


@pytest.mark.parametrize("time_ms", [TIME_MAX_MS, YEAR_10_11_MS, 2**63 - 1])
def test_a_receipt_of_a_year_that_nobody_can_have_meant_is_not_believed_and_one_that_is_kept_breaks_no_view(
    time_ms: int,
) -> None:
    async def story() -> None:
        here = place("g14")
        await here.submit(document("H49.22", "H37", sender="G14"))
        packet_id = (await here.track()).packet_id
        envelope = (await here.do(lambda tx: require(tx, keys.packet(packet_id), PacketRecord))).envelope
        signed = made_at(time_ms, packet_id, envelope)
        with pytest.raises(Denied) as refused:
            receipts.believe(signed, here.directory.current(), now_ms=NOW)
        assert refused.value.reason is Reason.RECEIPT_INVALID
        # A node of the version before has taken it.
        believed = receipts.Believed(decode_receipt(signed.receipt), signed)
        await here.do(lambda tx: receipts.apply_final(tx, believed, NOW))
        view = await here.track()
        assert [one.state for one in view.deliveries] == [State.WAITING, State.DELIVERED]
        assert json_text(plain.plain(view))
        assert (await track_answer(view, receipts_apart=True)).ByteSize()

    run(story())


@pytest.mark.parametrize("field", ["create_time_ms", "expire_at_ms"])
def test_an_envelope_of_such_a_year_is_refused_before_anything_is_kept(field: str) -> None:
    async def story() -> None:
        here = place("h49")
        [answer] = await here.push(push_of(**{"expire_at_ms": 2**62 + 1} | {field: 2**62}))
        assert (answer.receipt, answer.reason) == (None, Reason.ENVELOPE_MALFORMED)
        assert here.tables() == set()

    run(story())


def test_a_relay_takes_nothing_that_would_wait_for_years() -> None:
    async def story() -> None:
        relay = place("centre")
        [refused] = await relay.push(push_of(expire_at_ms=NOW + LIFE_MAX_MS + 1))
        assert (refused.receipt, refused.reason) == (None, Reason.RELAY_NOT_ALLOWED)
        assert relay.tables() == set()
        [taken] = await relay.push(push_of(expire_at_ms=NOW + LIFE_MAX_MS))
        assert taken.receipt is not None

    run(story())


def test_a_system_cannot_ask_for_a_life_that_no_relay_keeps() -> None:
    now_ms = 1_790_000_000_000
    require_in_time(Submission("a", 5, False, now_ms + LIFE_MAX_MS), now_ms)
    with pytest.raises(Rejected) as refused:
        require_in_time(Submission("a", 5, False, now_ms + LIFE_MAX_MS + 1), now_ms)
    assert refused.value.reason is Reason.REQUEST_INVALID
