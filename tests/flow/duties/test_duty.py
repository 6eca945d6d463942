"""Duties of the node in a unit's name are done once for each duty, through crashes and refusals, not for units that do it themselves."""

from collections.abc import Callable
from typing import Any

import pytest

from node.edxml.document import read_packet
from node.errors import Deferred, Fault
from node.flow.duties import duty
from node.flow.duties.duty_loop import DutyLoop
from node.model.policy import DAY_MS, Policy
from node.model.reason import Reason
from node.ports import Tx
from node.rows import keys
from node.rows.access import require
from node.rows.records import PacketRecord
from tests.clocks import NOW
from tests.flow.support import Place, directory, place, push_of, run
from tests.papers import document


def duty_loop_of(here: Place) -> DutyLoop:
    return here.duty_loop()


async def owed(here: Place) -> list[tuple[str, str]]:
    found, _ = await here.do(lambda tx: duty.due(tx, here.clock.at_ms + DAY_MS, 100))
    return sorted((one.record.unit, one.record.status_code) for one in found)


def submitted(here: Place) -> int:
    return sum(key.startswith(b"s" + duty.NODE_SYSTEM.encode()) for key in here.rows())


def test_a_document_that_reaches_an_inbox_is_reported_as_arrived_with_its_time() -> None:
    async def story() -> None:
        here = place("h49")
        await here.push(push_of())
        assert await owed(here) == [("H49.22", "01")]
        assert await duty_loop_of(here).work() == 0.0
        assert (await owed(here), submitted(here)) == ([], 1)
        packet_id = next(key[1:] for key in here.rows() if key.startswith(b"k") and b"@nut" in here.rows()[key])
        held = await here.do(lambda tx: here_packet(tx, packet_id))
        octets = b"".join([piece async for piece in here.node.reader.packet(held, 0)])
        header = read_packet(octets).header
        assert (header.status_code, header.response_for[0].organ_id) == ("01", "G14")
        assert header.response_for[0].document_id == "G14,2026/11/22,123/BM-VP"
        assert header.response_for[0].promulgation_date == "2026/11/22"
        assert (header.timestamp, header.sender and header.sender.organ_name) == ("2027/01/15 15:00:00", "Sở mẫu")

    run(story())


def here_packet(tx: Tx, packet_id: bytes) -> PacketRecord:
    return require(tx, keys.packet(packet_id), PacketRecord)


@pytest.mark.parametrize(
    "policy",
    [Policy(arrival=False), Policy(arrival_by_software=frozenset({"H49.22"}))],
    ids=["nobody's", "the software's"],
)
def test_a_unit_whose_software_reports_arrivals_is_left_alone(policy: Policy) -> None:
    async def story() -> None:
        here = place("h49", policy)
        await here.push(push_of(document("H49.22", "H49"), recipient_units=("H49.22", "H49")))
        assert await owed(here) == ([("H49", "01")] if policy.arrival else [])

    run(story())


def test_a_unit_of_the_same_node_is_reported_too() -> None:
    async def story() -> None:
        here = place("h49")
        await here.submit(document("H49.22", sender="H49"))
        await duty_loop_of(here).work()
        [view] = (await here.track()).deliveries
        assert view.status_code == "01"

    run(story())


def test_a_document_without_an_id_is_delivered_and_nothing_is_said_of_it() -> None:
    async def story() -> None:
        here = place("h49")
        nameless = document("H49.22").replace(b"<edXML:DocumentId>G14,2026/11/22,123/BM-VP</edXML:DocumentId>", b"")
        await here.push(push_of(nameless))
        assert (len(await here.inbox("H49.22")), await owed(here)) == (1, [])

    run(story())


def test_a_crash_between_the_submission_and_the_note_that_it_is_done_repeats_nothing() -> None:
    async def story() -> None:
        here = place("h49")
        await here.push(push_of())
        found, _ = await here.do(lambda tx: duty.due(tx, here.clock.at_ms, 10))
        duty_loop = duty_loop_of(here)
        await duty_loop._do(found[0])
        here.clock.at_ms += 60_000
        here.directory.directory = directory(version=2)
        assert await duty_loop.work() == 0.0
        assert (await owed(here), submitted(here)) == ([], 1)

    run(story())


def failing(here: Place, fault: Fault) -> Callable[..., Any]:
    real = here.node.submit

    async def submit(system: Any, submission: Any, packet: Any) -> Any:
        if b"H49.22<" in packet:
            raise fault
        return await real(system, submission, packet)

    return submit


def test_a_duty_that_is_refused_is_put_off_and_holds_up_no_other() -> None:
    async def story() -> None:
        here = place("h49")
        await here.push(push_of(document("H49.22", "H49"), recipient_units=("H49.22", "H49")))
        here.directory.directory = directory(version=2, without=("g14",))
        duty_loop = duty_loop_of(here)
        assert await duty_loop.work() == 0.0
        assert await owed(here) == [("H49", "01"), ("H49.22", "01")]
        assert 0 < await duty_loop.work() <= 60, "not at once again"
        here.directory.directory = directory(version=3)
        here.clock.at_ms += 3 * 60_000
        assert await duty_loop.work() == 0.0
        assert (await owed(here), submitted(here)) == ([], 2)

    run(story())


def test_a_refused_duty_is_given_up_when_its_packet_would_have_expired() -> None:
    async def story() -> None:
        here = place("h49", Policy(expire_after_ms=DAY_MS))
        await here.push(push_of())
        here.directory.directory = directory(version=2, without=("g14",))
        duty_loop = duty_loop_of(here)
        for _ in range(30):
            await duty_loop.work()
            here.clock.at_ms += 60 * 60_000
        assert await owed(here) == []

    run(story())


def test_when_the_node_takes_nothing_every_duty_stays() -> None:
    async def story() -> None:
        here = place("h49")
        await here.push(push_of(document("H49.22", "H49"), recipient_units=("H49.22", "H49")))
        here.node.submit = failing(here, Deferred(Reason.DISK_FULL, "full"))  # type: ignore[method-assign]
        with pytest.raises(Deferred):
            await duty_loop_of(here).work()
        assert await owed(here) == [("H49.22", "01")], "the other one was done"

    run(story())


def test_a_mistake_of_ours_with_one_duty_is_told_and_the_others_go_on() -> None:
    async def story() -> None:
        here, bugs = place("h49"), []
        await here.push(push_of(document("H49.22", "H49"), recipient_units=("H49.22", "H49")))
        here.node.submit = failing(here, AssertionError("ours"))  # type: ignore[arg-type, method-assign]
        duty_loop = duty_loop_of(here)
        here.node.signals.bug.connect(bugs.append)
        assert await duty_loop.work() == 0.0
        assert len(bugs) == 1
        assert await owed(here) == [("H49.22", "01")]

    run(story())


def test_duties_written_before_the_clock_was_set_back_are_due() -> None:
    async def story() -> None:
        here = place("h49")
        await here.push(push_of())
        here.clock.at_ms = NOW - 6 * 60 * 60_000
        await duty_loop_of(here).work()
        assert submitted(here) == 1

    run(story())
