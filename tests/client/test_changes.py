"""Taking back, mending and replacing what was sent, against real nodes: once each, however often it is asked, and mistakes in words."""

from pathlib import Path
from typing import Any

import pytest

from node.client import AsyncOffice, Fault, Office, Reason, RulesBroken
from node.edxml.document import read_packet
from node.model.life import LifeState
from node.model.packet import Packet
from tests.client.conftest import credential_of
from tests.mesh.support import run
from tests.papers import document, status_about
from tests.real_mesh import RealMesh, wait_for

REASON = "Ban hành nhầm"
WAIT_S = 20
FORM = """sender = "G14"
number = "{number}"
notation = "BM-VP"
date = 2026-11-22
type = "Công văn"
subject = "Thay văn bản cũ"
signer = "Nguyễn Văn Mẫu"
attachments = ["moi.pdf"]
"""


@pytest.fixture
def g14(pair: RealMesh) -> Path:
    return credential_of(pair, "g14")


@pytest.fixture
def h49(pair: RealMesh) -> Path:
    return credential_of(pair, "h49")


def arrived(office: Office, packet_id: bytes, folder: Path, unit: str = "H49.22") -> Packet:
    """A packet that has come to a unit, read."""
    wait_for(lambda: any(one.packet_id == packet_id for one in office.inbox(unit)), WAIT_S, "arrival")
    path = folder / f"{packet_id.hex()}.edxml"
    office.fetch_to(packet_id, path, unit)
    return read_packet(path)


def kept(folder: Path, number: str, *recipients: str, **more: Any) -> Path:
    """A document as its author keeps it."""
    path = folder / f"{number}.edxml"
    path.write_bytes(document(*recipients, number=number, **more))
    return path


def type_of(packet: Packet) -> str:
    assert packet.bussiness is not None
    return packet.bussiness.bussiness_doc_type


# --- withdraw ---------------------------------------------------------------------------------------------------------


def test_what_nobody_has_fetched_is_taken_back_once_by_whatever_name(g14: Path, h49: Path, tmp_path: Path) -> None:
    path = kept(tmp_path, "w1", "H49.22")
    with Office(g14) as office, Office(h49) as recipient:
        sent = office.submit(path)
        wait_for(lambda: any(one.packet_id == sent.packet_id for one in recipient.inbox()), WAIT_S, "arrival")
        names = [sent.packet_id, sent.packet_id.hex(), sent.submission_id, "G14,2026/11/22,w1/BM-VP"]
        asked = [office.withdraw(name, REASON) for name in names]
        wait_for(lambda: life_of(office, sent.packet_id) is LifeState.WITHDRAWN, WAIT_S, "the answer")
        left = {one.packet_id for one in recipient.inbox()}
        later = office.withdraw(sent.packet_id, REASON)

    assert len({one.packet_id for one in [*asked, later]}) == 1
    assert not left & {sent.packet_id, asked[0].packet_id}


def life_of(office: Office, packet_id: bytes) -> LifeState:
    return office.track(packet_id=packet_id).deliveries[0].life


def test_what_was_fetched_is_asked_for_with_the_reason_and_only_of_those_who_are_meant(
    g14: Path, h49: Path, tmp_path: Path
) -> None:
    path = kept(tmp_path, "w2", "H49.22", "H49.22.05")
    with Office(g14) as office, Office(h49) as recipient:
        sent = office.submit(path)
        arrived(recipient, sent.packet_id, tmp_path)
        asked, again = (office.withdraw(path, REASON, recipients=["000.00.22.H49"]) for _ in range(2))
        request = arrived(recipient, asked.packet_id, tmp_path)
        other = office.withdraw(path, "Lý do khác", recipients=["H49.22"])

    assert (asked.recipients_served, again.packet_id) == (1, asked.packet_id)
    assert other.packet_id != asked.packet_id
    assert (type_of(request), [one.organ_id for one in request.header.to]) == ("1", ["H49.22"])
    assert request.bussiness is not None
    assert request.bussiness.bussiness_doc_reason == REASON


def test_a_withdrawal_on_asyncio(pair: RealMesh) -> None:
    async def story() -> tuple[bytes, bytes]:
        async with AsyncOffice(credential_of(pair, "g14")) as office:
            sent = await office.submit(document("H49.22", number="w3"))
            first, again = [await office.withdraw(sent.packet_id, REASON) for _ in range(2)]
            return first.packet_id, again.packet_id

    first, again = run(story())
    assert first == again != b""


# --- update -----------------------------------------------------------------------------------------------------------


def test_an_update_from_the_file_brings_the_whole_document_to_whom_it_adds(
    g14: Path, h49: Path, tmp_path: Path
) -> None:
    path = kept(tmp_path, "u1", "H49.22", attachments=[("Phụ lục.pdf", b"%PDF-1.4")])
    with Office(g14) as office, Office(h49) as recipient:
        office.submit(path)
        words: dict[str, Any] = {
            "subject": "V/v đã sửa",
            "document_type": "Công văn",
            "due": "31/12/2026",
            "priority": "khẩn",
        }
        first, again = (office.update(path, "Sửa trích yếu", add=["H49.22.05=Phường mẫu"], **words) for _ in range(2))
        other = office.update(path, "Sửa trích yếu", add=["H49.22.05=Phường mẫu"], **words | {"subject": "Khác"})
        came = arrived(recipient, first.packet_id, tmp_path, "H49.22.05")

    assert (again.packet_id, other.packet_id != first.packet_id) == (first.packet_id, True)
    assert (type_of(came), came.header.subject, came.header.due_date) == ("2", "V/v đã sửa", "2026/12/31")
    assert came.header.document_type is not None
    assert came.header.other_info is not None
    assert (came.header.document_type.type_name, came.header.other_info.priority) == ("Công văn", "1")
    assert [one.organ_id for one in came.header.to] == ["H49.22", "H49.22.05"]
    assert [one.attachment_name for one in came.attachments] == ["Phụ lục.pdf"]


def test_an_update_on_asyncio_drops_a_recipient_by_what_the_node_remembers(pair: RealMesh, tmp_path: Path) -> None:
    async def story() -> tuple[bytes, bytes]:
        async with AsyncOffice(credential_of(pair, "g14")) as office:
            sent = await office.submit(document("H49.22", "H49.22.05", number="u2"))
            first, again = [await office.update(sent.packet_id, drop=["000.05.22.H49"]) for _ in range(2)]
            return first.packet_id, again.packet_id

    first, again = run(story())
    with Office(credential_of(pair, "h49")) as recipient:
        came = arrived(recipient, first, tmp_path)

    assert first == again
    assert [one.organ_id for one in came.header.to] == ["H49.22"]
    assert came.header.subject == "V/v thử nghiệm"


# --- replace ----------------------------------------------------------------------------------------------------------


def test_a_form_replaces_two_documents_and_goes_to_all_that_had_them(g14: Path, h49: Path, tmp_path: Path) -> None:
    (tmp_path / "moi.pdf").write_bytes(b"%PDF-1.4")
    form = tmp_path / "moi.toml"
    form.write_text(FORM.format(number="r9"), "utf-8")
    with Office(g14) as office, Office(h49) as recipient:
        one = office.submit(document("H49.22", number="r1"))
        two = kept(tmp_path, "r2", "H49.22.05")
        office.submit(two)
        first, again = (office.replace([one.packet_id, two], form, "Sai thẩm quyền") for _ in range(2))
        came = arrived(recipient, first.packet_id, tmp_path)
        (tmp_path / "moi.pdf").write_bytes(b"%PDF-1.4 other octets")
        other = office.replace([one.packet_id, two], form, "Sai thẩm quyền")

    assert first.packet_id == again.packet_id != other.packet_id, "what is new is part of what is asked"
    assert (type_of(came), [unit.organ_id for unit in came.header.to]) == ("3", ["H49.22", "H49.22.05"])
    assert came.bussiness is not None
    replaced = came.bussiness.replacement_info_lists[0].replacement_infos
    assert [info.document_id for info in replaced] == ["G14,2026/11/22,r1/BM-VP", "G14,2026/11/22,r2/BM-VP"]
    assert [file.attachment_name for file in came.attachments] == ["moi.pdf"]


def test_a_packet_in_memory_replaces_one_document_on_asyncio(pair: RealMesh, tmp_path: Path) -> None:
    new = document("H49.22", number="r4", attachments=[("a.txt", b"x" * 5_000)])

    async def story() -> tuple[bytes, bytes]:
        async with AsyncOffice(credential_of(pair, "g14")) as office:
            sent = await office.submit(document("H49.22", number="r3"))
            first, again = [await office.replace(sent.packet_id, new) for _ in range(2)]
            return first.packet_id, again.packet_id

    first, again = run(story())
    with Office(credential_of(pair, "h49")) as recipient:
        came = arrived(recipient, first, tmp_path)

    assert first == again
    assert (came.header.document_id, [one.attachment_name for one in came.attachments]) == (
        "G14,2026/11/22,r4/BM-VP",
        ["a.txt"],
    )


# --- mistakes -----------------------------------------------------------------------------------------------------------


def test_mistakes_are_told_with_what_to_do_and_nothing_is_sent(g14: Path, h49: Path, tmp_path: Path) -> None:
    path, new = kept(tmp_path, "m1", "H49.22"), kept(tmp_path, "m2", "H49.22")
    status, gone = tmp_path / "status.edxml", tmp_path / "gone.edxml"
    status.write_bytes(status_about("m1", "03"))
    with Office(g14) as office, Office(h49) as recipient:
        sent = office.submit(path)
        wait_for(lambda: any(one.packet_id == sent.packet_id for one in recipient.inbox()), WAIT_S, "arrival")
        packet = sent.packet_id
        cases: list[tuple[Any, Reason, str]] = [
            (lambda: office.withdraw(packet, " "), Reason.REQUEST_INVALID, "must say why"),
            (
                lambda: office.withdraw(packet, REASON, recipients=["H49"]),
                Reason.RECIPIENT_UNKNOWN,
                "did not go to H49",
            ),
            (lambda: office.withdraw(packet, REASON, recipients=["nowhere"]), Reason.CODE_MALFORMED, "nowhere"),
            (lambda: office.withdraw(bytes(16), REASON), Reason.NOT_FOUND, "packet file"),
            (lambda: office.withdraw(b"short", REASON), Reason.REQUEST_INVALID, "16"),
            (lambda: office.withdraw("", REASON), Reason.REQUEST_INVALID, ""),
            (lambda: office.withdraw("none of ours", REASON), Reason.NOT_FOUND, "packet file"),
            (lambda: recipient.withdraw(packet, REASON), Reason.NOT_FOUND, "packet file"),
            (lambda: recipient.withdraw(path, REASON), Reason.UNIT_NOT_OWNED, ""),
            (lambda: office.withdraw(status, REASON), Reason.REQUEST_INVALID, "is a status"),
            (lambda: office.withdraw(gone, REASON), Reason.REQUEST_INVALID, "by packet id"),
            (lambda: office.update(packet), Reason.REQUEST_INVALID, "nothing changes"),
            (lambda: office.update(packet, "why alone"), Reason.REQUEST_INVALID, "nothing changes"),
            (lambda: office.update(packet, add=["H49.22.05"]), Reason.REQUEST_INVALID, "attach its files"),
            (lambda: office.update(gone, add=["H49.22.05"]), Reason.REQUEST_INVALID, "by packet id"),
            (lambda: office.update(packet, drop=["H49.22"]), Reason.PACKET_NO_RECIPIENT, "withdraw the document"),
            (lambda: office.update(packet, due="31/02/2026"), Reason.REQUEST_INVALID, "is no date"),
            (lambda: office.update(packet, priority="rất khẩn"), Reason.REQUEST_INVALID, "degree of urgency"),
            (lambda: office.update(packet, attach=[gone]), Reason.REQUEST_INVALID, "gone.edxml"),
            (lambda: office.update(packet, subject="a\x00b"), Reason.REQUEST_INVALID, ""),
            (lambda: office.replace([], new), Reason.REQUEST_INVALID, "at least one document"),
            (lambda: office.replace(packet, status), Reason.REQUEST_INVALID, "is a status"),
            (lambda: office.replace(packet, gone), Reason.REQUEST_INVALID, "gone.edxml"),
            (lambda: office.replace(packet, b"no packet"), Reason.PACKET_NOT_XML, ""),
        ]
        for number, (wrong, reason, words) in enumerate(cases):
            with pytest.raises(Fault) as told:
                wrong()
            assert (number, told.value.reason) == (number, reason), told.value.detail
            assert words in told.value.detail
        with pytest.raises(RulesBroken) as broken:
            office.update(packet, subject="(Mật) Việc mới")
        view = office.track(packet_id=packet)

    assert broken.value.findings[0].code == "EDXML-002"
    assert view.deliveries[0].life is LifeState.IN_FORCE
