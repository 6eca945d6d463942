"""A status calls its author as the document does, as long as that leads anywhere."""

import asyncio
from typing import Any, cast

import pytest

from node.client.reporting import About, report
from node.edxml.reader import read_header
from node.model.envelope import PacketKind
from node.model.lane import Lane
from node.model.office import FoundUnit, InboxEntry, SubmitResult
from node.model.reason import Reason
from node.net.client import OfficeClient

ENTRY = InboxEntry(
    b"p" * 16, "H49.22", "G14", PacketKind.DOCUMENT, Lane.NORMAL, 0, 1, b"", "d", "1/X", "s", "", 0, 0, "Bộ", 0
)


class Office:
    """A node that knows some codes and no others."""

    def __init__(self, *known: str) -> None:
        self.known = known
        self.asked: list[tuple[str, str]] = []

    async def search_units(self, query: str, limit: int = 0) -> list[FoundUnit]:
        return []

    async def submit_once(self, packet: bytes, submission_id: str) -> SubmitResult:
        [author] = read_header(packet).recipients
        self.asked.append((author, submission_id))
        return SubmitResult(submission_id, reason=Reason.NONE if author in self.known else Reason.RECIPIENT_UNKNOWN)


@pytest.mark.parametrize(
    ("author", "known", "asked", "reason"),
    [
        ("G14.99", ("G14.99", "G14"), ["G14.99"], Reason.NONE),
        ("G14.99", ("G14",), ["G14.99", "G14"], Reason.NONE),
        ("000.00.00.G14", (), ["000.00.00.G14"], Reason.RECIPIENT_UNKNOWN),
        ("G14.99", (), ["G14.99", "G14"], Reason.RECIPIENT_UNKNOWN),
    ],
)
def test_an_alias_of_the_author_that_is_over_gives_way_to_its_own_code(
    author: str, known: tuple[str, ...], asked: list[str], reason: Reason
) -> None:
    async def story() -> Any:
        office = Office(*known)
        about = About("H49.22", author, "d", "1/X", "2026/11/22")
        return office, await report(cast(OfficeClient, office), ENTRY, about, "06")

    office, result = asyncio.run(story())
    assert ([code for code, _ in office.asked], result.reason) == (asked, reason)
    assert len({name for _, name in office.asked}) == 1, "it is one report"
