"""Counting how completely recipients report: page by page over what this node's units sent, and nothing else."""

import pytest

from node.errors import Rejected
from node.flow.views import completeness
from node.model.completeness import Completeness, UnitReport, merged
from node.model.reason import Reason
from tests.clocks import NOW
from tests.flow.support import Place, place, push_of, run
from tests.papers import document, status_about

NONE, ARRIVAL_ONLY, PARTIAL, FULL = Completeness


async def told(here: Place, number: str, *codes: str) -> None:
    """A document to G14.01, a unit of the same node, which reports these statuses."""
    await here.submit(document("G14.01", number=number), f"d-{number}")
    for code in codes:
        reason = "Sai thẩm quyền" if code == "02" else ""
        await here.submit(status_about(number, code, sender="G14.01", description=reason), f"s-{number}-{code}")


async def counts(here: Place, from_ms: int = 0, to_ms: int = 0) -> list[UnitReport]:
    reports, token = await here.node.count_statuses(from_ms, to_ms, "")
    while token:
        more, token = await here.node.count_statuses(from_ms, to_ms, token)
        reports += more
    return merged(reports)


def test_deliveries_are_counted_by_unit_and_class() -> None:
    async def story() -> None:
        here = place("g14")
        await told(here, "1", "01", "03", "05", "06")
        await told(here, "2", "01", "03")
        await told(here, "3", "01")
        await told(here, "4")
        await told(here, "5", "02")
        [found] = await counts(here)
        assert (found.unit, found.unit_name) == ("G14.01", "Cục mẫu")
        assert found.counts == {FULL: 2, PARTIAL: 1, ARRIVAL_ONLY: 1, NONE: 1}

    run(story())


def test_only_what_was_delivered_counts_and_only_documents_of_our_own() -> None:
    async def story() -> None:
        here = place("g14")
        await here.submit(document("H49.22"), "waits")
        await here.push(
            push_of(
                document("G14.01", sender="H49.22"),
                origin="h49",
                target="g14",
                sender_unit="H49.22",
                recipient_units=("G14.01",),
            ),
            by="h49",
        )
        assert await counts(here) == []

    run(story())


def test_withdrawals_and_updates_are_no_documents() -> None:
    async def story() -> None:
        here = place("g14")
        for business_type in (1, 2):
            packet = document("G14.01").replace(
                b"<edXML:BussinessDocType>0<", f"<edXML:BussinessDocType>{business_type}<".encode()
            )
            assert packet != document("G14.01")
            await here.submit(packet, str(business_type))
        assert await counts(here) == []

    run(story())


def test_only_what_was_handed_in_within_the_time_asked_for() -> None:
    async def story() -> None:
        here = place("g14")
        for day in range(3):
            here.clock.at_ms = NOW + day * 1_000
            await told(here, str(day))
        assert [one.total for one in await counts(here)] == [3]
        assert [one.total for one in await counts(here, NOW + 1_000)] == [2]
        assert [one.total for one in await counts(here, NOW + 1_000, NOW + 2_000)] == [1]
        assert await counts(here, NOW + 5_000) == []

    run(story())


def test_every_page_is_bounded_and_together_they_count_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        here = place("g14")
        for number in range(7):
            await here.submit(document("G14.01", "G14", number=str(number)), str(number))
        whole = await counts(here)
        assert [(one.unit, one.total) for one in whole] == [("G14", 7), ("G14.01", 7)]
        start, seen, pages = b"", [], 0
        while True:
            found, start = await here.do(lambda tx, at=start: completeness.page(tx, at, 0, NOW + 1, limit=3))  # type: ignore[misc]
            assert sum(len(one.codes_by_unit) for one in found) <= 3
            seen += completeness.reports(found, here.directory.current())
            pages += 1
            if not start:
                break
        assert merged(seen) == whole
        assert pages == 5

    run(story())


def test_a_token_that_is_none_is_refused() -> None:
    async def story() -> None:
        with pytest.raises(Rejected) as refused:
            await place("g14").node.count_statuses(0, 0, "xyz")
        assert refused.value.reason is Reason.REQUEST_INVALID

    run(story())
