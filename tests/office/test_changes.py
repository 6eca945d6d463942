"""Withdraw, update, replace without a node: what is asked of it, what is handed in, and under which id."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from node.edxml.document import read_packet
from node.errors import Rejected
from node.model.finding import Severity
from node.model.naming import submission_id_of_words
from node.model.office import DeliveryView, FoundUnit, SubmitResult, TrackView
from node.model.packet import MessageHeader, Organ, Packet
from node.model.reason import Reason
from node.office import changes
from node.office.changes import Changes, mended
from node.office.naming import submission_id_of
from node.office.sent import written_as
from tests.flow.support import document
from tests.wording.test_words import AT_MS, PACKET_ID, WAITING

T = TypeVar("T")

REASON = "Ban hành nhầm"


class Desk:
    """A node that knows one document, and takes whatever is handed in."""

    def __init__(self, *units: str) -> None:
        self.deliveries = tuple(delivery(unit) for unit in units or ("H49.22",))
        self.submitted: dict[str, Packet] = {}

    async def track(self, *, packet_id: bytes = b"", submission_id: str = "", document_id: str = "") -> TrackView:
        """Show the one document."""
        if packet_id != PACKET_ID and document_id != "một":
            raise Rejected(Reason.NOT_FOUND, "there is none")
        return TrackView(
            PACKET_ID,
            "s",
            "một",
            "1/X-Y",
            "V/v một",
            "G14",
            AT_MS,
            AT_MS,
            self.deliveries,
            "2026/11/22",
            document_type_name="Công văn",
        )

    async def search_units(self, query: str, limit: int = 0) -> list[FoundUnit]:
        """Find the ministry alone."""
        return [FoundUnit("G14", "000.00.00.G14", "Bộ mẫu", "g14")] if query == "G14" else []

    async def submit_once(self, packet: bytes | Path, submission_id: str) -> SubmitResult:
        """Take a packet."""
        self.submitted[submission_id] = read_packet(packet)
        return SubmitResult(submission_id, bytes(16))


def delivery(unit: str) -> DeliveryView:
    fields = {name: getattr(WAITING, name) for name in WAITING.__slots__}
    return DeliveryView(**fields | {"unit": unit, "unit_name": f"Đơn vị {unit}"})


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def refused(work: Coroutine[Any, Any, object]) -> Rejected:
    with pytest.raises(Rejected) as caught:
        run(work)
    return caught.value


def test_the_submission_follows_from_what_is_asked_and_from_nothing_else() -> None:
    desk = Desk("H49.22", "H49.23")
    results = [
        run(changes.withdraw(desk, name, REASON, ["000.00.22.H49"])) for name in (PACKET_ID, "một", PACKET_ID.hex())
    ]

    name = submission_id_of_words("business-1", PACKET_ID.hex(), REASON, "H49.22")
    assert {one.submission_id for one in results} == desk.submitted.keys() == {name}
    packet = desk.submitted[name]
    assert packet.header.sender == Organ("G14", organ_name="Bộ mẫu")
    assert [one.organ_name for one in packet.header.to] == ["Đơn vị H49.22"]


def test_a_document_that_is_named_by_its_file_is_known_by_name_and_octets(tmp_path: Path) -> None:
    path = tmp_path / "văn bản.edxml"
    path.write_bytes(document("H49.22"))
    desk = Desk()
    result = run(changes.withdraw(desk, written_as(str(path)), REASON))

    assert result.submission_id == submission_id_of_words("business-1", submission_id_of(path), REASON, "H49.22")
    assert [written_as(name) for name in ("một", "x" * 5_000, str(tmp_path))] == ["một", "x" * 5_000, str(tmp_path)]


def test_asking_back_by_status_is_one_status_for_each_recipient() -> None:
    desk = Desk("H49.22", "H49.23")
    results = run(changes.ask_back(desk, PACKET_ID, REASON))

    assert [recipient.organ_id for recipient, _ in results] == ["H49.22", "H49.23"]
    assert [one.header.status_code for one in desk.submitted.values()] == ["13", "13"]
    assert [one.header.response_for[0].organ_id for one in desk.submitted.values()] == ["H49.22", "H49.23"]


def test_every_part_of_an_update_is_part_of_its_id(tmp_path: Path) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(b"%PDF-1.4")
    asked = [
        Changes(add=("H49.24",), attach=(file,)),
        Changes(drop=("H49.22",)),
        Changes(subject="Mới"),
        Changes(content="Mới"),
        Changes(type="Mới"),
        Changes(due="2026-12-31"),
        Changes(priority="1"),
        Changes(attach=(file,)),
    ]
    desk = Desk("H49.22", "H49.23")
    for _ in range(2):
        for one in asked:
            run(changes.update(desk, PACKET_ID, one))
    run(changes.update(desk, PACKET_ID, asked[0], "vì sao"))

    assert len(desk.submitted) == len(asked) + 1


def test_what_breaks_a_rule_is_not_handed_in_but_told() -> None:
    desk = Desk()
    result = run(changes.update(desk, PACKET_ID, Changes(subject="(Mật) Việc mới")))

    assert (result.reason, desk.submitted) == (Reason.PACKET_BREAKS_RULES, {})
    assert any(one.severity is Severity.ERROR for one in result.findings)


def test_mistakes_hand_nothing_in(tmp_path: Path) -> None:
    desk = Desk()
    new = tmp_path / "mới.edxml"
    new.write_bytes(document("H49.22"))
    mistakes = [
        (changes.withdraw(desk, PACKET_ID, "\n"), Reason.REQUEST_INVALID),
        (changes.ask_back(desk, PACKET_ID, ""), Reason.REQUEST_INVALID),
        (changes.withdraw(desk, "không có", REASON), Reason.NOT_FOUND),
        (changes.withdraw(desk, bytes(16), REASON), Reason.NOT_FOUND),
        (changes.withdraw(desk, PACKET_ID, REASON, ["H49.99"]), Reason.RECIPIENT_UNKNOWN),
        (changes.update(desk, PACKET_ID, Changes()), Reason.REQUEST_INVALID),
        (changes.update(desk, PACKET_ID, Changes(add=("H49.24",))), Reason.REQUEST_INVALID),
        (changes.update(desk, PACKET_ID, Changes(drop=("H49.22",))), Reason.PACKET_NO_RECIPIENT),
        (changes.replace(desk, [], new), Reason.REQUEST_INVALID),
        (changes.replace(desk, ["không có"], new), Reason.NOT_FOUND),
        (changes.replace(desk, [PACKET_ID], tmp_path / "không có.toml"), Reason.REQUEST_INVALID),
    ]

    assert [refused(work).reason for work, _ in mistakes] == [reason for _, reason in mistakes]
    assert desk.submitted == {}


def test_words_are_mended_where_there_were_none() -> None:
    header = mended(
        MessageHeader(), {"subject": "a", "content": "b", "type": "c", "due": "31/12/2026", "priority": "hỏa tốc"}
    )

    assert (header.subject, header.content, header.due_date) == ("a", "b", "2026/12/31")
    assert header.document_type is not None
    assert header.other_info is not None
    assert (header.document_type.type_name, header.other_info.priority) == ("c", "3")
