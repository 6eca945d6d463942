"""The archive of a document: from both sides, as folder and zip, whole, harmless, and the same for the same input."""

import asyncio
import csv
import hashlib
import io
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch
from urllib.parse import unquote

import pytest

from node.archive.metadata import Field, fields
from node.archive.sink import archive_at
from node.archive.write import default_name, write
from node.edxml.compose import compose_document, compose_status
from node.edxml.document import read_packet
from node.errors import Broken, Deferred, Rejected
from node.model.delivery import State
from node.model.life import Dossier, DossierEntry, LifeAct, LifeState
from node.model.office import InboxEntry, TrackView
from node.model.packet import Packet
from node.model.reason import Reason
from node.model.receipt import Level
from node.wire.receipt import decode_receipt, signed_receipt_from_bytes
from tests.small_mesh import IMPATIENT, Office, SmallMesh, eventually, small_mesh

T = TypeVar("T")

DOCUMENT_ID = "G14,2026/11/22,123/BM-VP"
PDF = b"%PDF-1.4 " + bytes(range(256)) * 40
NOTES = "Ghi chú có dấu".encode()


def run(story: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(story, 60))


def letter(**more: Any) -> bytes:
    return compose_document(
        **{
            "sender": "000.00.00.G14",
            "sender_name": "Bộ mẫu",
            "recipients": [("H49.22", "Sở mẫu"), ("H37.10", "Xã mẫu 10")],
            "document_id": DOCUMENT_ID,
            "number": "123",
            "notation": "BM-VP",
            "subject": "V/v thử <script>alert(1)</script> & lưu trữ",
            "date": "2026/11/22",
            "attachments": [("Quyết định.pdf", PDF), ("../../ghi chú\u202e.txt", NOTES)],
            **more,
        }
    )


def status(code: str, note: str = "") -> bytes:
    return compose_status(
        sender="H49.22",
        sender_name="Sở mẫu",
        author="G14",
        document_id=DOCUMENT_ID,
        code="123/BM-VP",
        date="2026/11/22",
        status_code=code,
        description=note,
        timestamp="2026/11/23 08:00:00",
    )


@dataclass
class NodeOffice:
    """The office's door of a node in this process: what the archive asks, answered by the real node."""

    office: Office

    async def track(self, *, packet_id: bytes = b"") -> TrackView:
        return await self.office.node.track(self.office.system, packet_id=packet_id)

    async def fetch_to(self, packet_id: bytes, path: Path, unit: str = "", *, lease_ms: int = 0) -> InboxEntry:
        entry, chunks = await self.office.node.fetch(self.office.system, packet_id, unit, 0, lease_ms)
        path.write_bytes(b"".join([chunk async for chunk in chunks]))
        return entry


@dataclass
class World:
    """A document that has travelled from G14 to H49.22 and H37.10, and two statuses that H49.22 sent back."""

    mesh: SmallMesh
    packet: bytes
    document: bytes
    statuses: list[bytes]

    def dossier(self, unit: str) -> Dossier:
        entries = [DossierEntry(self.document, LifeAct.NEW, "G14", 1_795_345_200_000)]
        entries += [
            DossierEntry(
                packet_id, LifeAct.STATUS, "H49.22", 1_795_345_200_000 + at, code, note="=1+1 ghi chú", by_node=at == 1
            )
            for at, (packet_id, code) in enumerate(zip(self.statuses, ("01", "03"), strict=True), 1)
        ]
        return Dossier(unit, "G14", DOCUMENT_ID, "123/BM-VP", "V/v thử <script>", LifeState.IN_FORCE, tuple(entries))

    async def write(self, side: str, path: Path, *, as_zip: bool = False, dossier: Dossier | None = None) -> Any:
        unit = {"g14": "G14", "h49": "H49.22"}[side]
        return await write(NodeOffice(self.mesh[side]), dossier or self.dossier(unit), path, as_zip=as_zip)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with small_mesh(replace(IMPATIENT, arrival=False)) as mesh:
        packet = letter()
        document = (await mesh["g14"].submit(packet)).packet_id
        await eventually(lambda: _delivered(mesh["g14"], 2))
        statuses = [(await mesh["h49"].submit(status(code, "đã nhận"), f"s{code}")).packet_id for code in ("01", "03")]
        await eventually(lambda: _reported(mesh["g14"], 2))
        for name in ("s01", "s03"):
            await eventually(lambda name=name: _delivered(mesh["h49"], 1, name))  # type: ignore[misc]
        yield World(mesh, packet, document, statuses)


async def _delivered(office: Office, number: int, submission_id: str = "1") -> bool:
    return sum(one.state is State.DELIVERED for one in (await office.track(submission_id)).deliveries) == number


async def _reported(office: Office, number: int) -> bool:
    return sum(len(one.statuses) for one in (await office.track()).deliveries) == number


def told(tell: Callable[[World], Coroutine[Any, Any, T]]) -> T:
    async def story() -> T:
        async with world() as here:
            return await tell(here)

    return run(story())


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive from the author's side."""
    path = tmp_path_factory.mktemp("archive") / "ho-so"
    told(lambda here: here.write("g14", path))
    return path


@pytest.fixture(scope="module")
def recipient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive from the recipient's side."""
    path = tmp_path_factory.mktemp("archive") / "ho-so"
    told(lambda here: here.write("h49", path))
    return path


def information(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "thong-tin.json").read_text("utf-8"))  # type: ignore[no-any-return]


@pytest.mark.parametrize("side", ["author", "recipient"])
def test_both_sides_hold_packets_attachments_receipts_and_history(side: str, request: pytest.FixtureRequest) -> None:
    found = files(request.getfixturevalue(side))

    names = [re.sub(r"-[0-9a-f]{10}\.edxml$", ".edxml", name) for name in found]
    assert {"goi-tin/1-van-ban.edxml", "goi-tin/2-trang-thai-01.edxml", "goi-tin/3-trang-thai-03.edxml"} <= set(names)
    assert {"muc-luc.html", "thong-tin.json", "sieu-du-lieu.json", "lich-su.csv"} <= set(names)
    assert found["tep-dinh-kem/1/1-Quyết định.pdf"] == PDF
    assert found["tep-dinh-kem/1/2-ghi chú_.txt"] == NOTES


def test_packets_lie_in_the_archive_octet_for_octet_as_they_were_submitted(tmp_path: Path) -> None:
    async def story(here: World) -> None:
        for side in ("g14", "h49"):
            await here.write(side, tmp_path / side)
            packets = [data for name, data in files(tmp_path / side).items() if name.startswith("goi-tin/")]
            assert packets == [here.packet, status("01", "đã nhận"), status("03", "đã nhận")]

    told(story)


@pytest.mark.parametrize("side", ["author", "recipient"])
@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="the tool that the index names is not on this machine")
def test_sha256sum_checks_the_whole_archive(side: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(side)
    checked = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count(": OK") == len(files(folder)) - 1


def test_the_author_has_the_receipts_of_every_recipients_node_and_the_recipient_its_own(
    author: Path, recipient: Path
) -> None:
    for folder, signers in ((author, ["h37", "h49"]), (recipient, ["h49"])):
        [first, *_] = information(folder)["packets"]
        said = [
            decode_receipt(signed_receipt_from_bytes((folder / f"{name}.bin").read_bytes()).receipt)
            for name in first["receipts"]
        ]
        assert sorted(one.signer_node for one in said) == signers
        assert {one.level for one in said} == {Level.DELIVERED}
        words = json.loads((folder / f"{first['receipts'][0]}.json").read_text("utf-8"))
        assert words["packet_id"] == first["packet_id"]


def test_the_recipients_own_statuses_come_with_the_receipt_of_the_authors_node(recipient: Path) -> None:
    packets = information(recipient)["packets"]

    assert [[name.split("/")[1] for name in one["receipts"]] for one in packets[1:]] == [
        ["2-1-g14-delivered"],
        ["3-1-g14-delivered"],
    ]


def test_the_author_sees_where_it_went_and_what_became_of_it(author: Path) -> None:
    said = information(author)

    assert (said["side"], said["unit"], said["document_id"]) == ("author", "G14", DOCUMENT_ID)
    by_unit = {one["unit"]: one for one in said["packets"][0]["deliveries"]}
    assert by_unit["H49.22"]["state"] == "delivered"
    assert [one["code"] for one in by_unit["H49.22"]["statuses"]] == ["01", "03"]
    assert by_unit["H49.22"]["receipt_verified_by"] == "node"
    assert "next_attempt_ms" not in by_unit["H49.22"]
    assert said["missing"] == []


def test_the_history_tells_everything_in_order_and_holds_no_formula(author: Path) -> None:
    text = (author / "lich-su.csv").read_bytes().decode("utf-8-sig")
    head, *rows = list(csv.reader(io.StringIO(text)))

    assert head == ["thời điểm", "đơn vị", "việc", "gói số", "nội dung"]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    events = [row[2] for row in rows]
    assert "trạng thái 01 đã đến (nút tự báo thay đơn vị)" in events
    assert events.count("đã nhận văn bản") == 2
    assert [row[4] for row in rows if row[2] == "trạng thái 03 đã tiếp nhận"] == ["'=1+1 ghi chú"]


def test_metadata_stands_under_the_names_of_the_decree_and_says_what_is_longer_than_it_allows(
    author: Path, recipient: Path
) -> None:
    said = json.loads((author / "sieu-du-lieu.json").read_text("utf-8"))
    by_name = {field["name"]: field for field in said["fields"]}

    assert by_name["OrganId"]["values"] == ["000.00.00.G14"]
    assert by_name["To/OrganName"]["values"] == ["Sở mẫu", "Xã mẫu 10"]
    assert by_name["IssuedDate"]["values"] == ["2026-11-22"]
    assert by_name["FileNotation"]["values"] == []
    assert by_name["DocCode"]["values"] == [DOCUMENT_ID]
    assert "ArrivalDate" not in by_name
    incoming = {
        field["name"]: field for field in json.loads((recipient / "sieu-du-lieu.json").read_text("utf-8"))["fields"]
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", incoming["ArrivalDate"]["values"][0])
    assert incoming["ArrivalNumber"]["values"] == []


def test_the_metadata_are_those_of_the_newest_version_not_of_what_took_it_back(tmp_path: Path) -> None:
    async def story(here: World) -> Any:
        entries = []
        for number, (act, subject) in enumerate(
            (
                (LifeAct.NEW, "bản đầu"),
                (LifeAct.UPDATE, "bản sửa"),
                (LifeAct.WITHDRAW, "thu hồi"),
                (LifeAct.REPLACE, "văn bản khác"),
            )
        ):
            sent = await here.mesh["g14"].submit(letter(subject=subject), f"v{number}")
            entries.append(DossierEntry(sent.packet_id, act, "G14", number + 1))
        return await here.write("g14", tmp_path / "a", dossier=replace(here.dossier("G14"), entries=tuple(entries)))

    told(story)
    said = json.loads((tmp_path / "a" / "sieu-du-lieu.json").read_text("utf-8"))

    assert {field["name"]: field["values"] for field in said["fields"]}["Subject"] == ["bản sửa"]
    assert [one["act"] for one in said["versions"]] == ["new", "update", "withdraw", "replace"]


def test_a_value_longer_than_the_decree_allows_is_kept_whole_and_marked() -> None:
    packet = read_packet(letter(subject="a" * 501, sender="H49.22.05.01.02.03", date="2014/02/30"))
    by_name = {field.name: field for field in fields(packet)}

    assert by_name["Subject"] == Field("Subject", "Trích yếu nội dung", ("a" * 501,), 500)
    assert by_name["Subject"].too_long
    assert by_name["OrganId"].too_long
    assert not by_name["Priority"].too_long
    assert by_name["IssuedDate"].values == ("2014/02/30",)


def test_an_empty_packet_has_all_fields_empty() -> None:
    packet = read_packet(status("01"))
    bare = Packet(packet.kind, replace(packet.header, sender=None))

    assert {name.name for name in fields(bare)} == {name.name for name in fields(packet)}
    assert all(not field.values for field in fields(bare) if field.name != "Priority")


class Links(HTMLParser):
    """Finds the links of a page, and its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]


@pytest.mark.parametrize("side", ["author", "recipient"])
def test_the_index_links_to_files_that_are_there_and_runs_nothing(side: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(side)
    page = Links()
    page.feed((folder / "muc-luc.html").read_text("utf-8"))

    assert len(page.links) >= 6
    assert [link for link in page.links if not (folder / unquote(link)).is_file()] == []
    assert not page.tags & {"script", "img", "link", "iframe", "form"}


def test_what_the_node_no_longer_keeps_is_named_and_everything_else_is_there(tmp_path: Path) -> None:
    async def story(here: World) -> Any:
        office = NodeOffice(here.mesh["g14"])
        fetch = office.fetch_to

        async def forgetful(packet_id: bytes, path: Path, unit: str = "", *, lease_ms: int = 0) -> InboxEntry:
            if packet_id == here.document:
                path.with_name(f"{path.name}.{packet_id.hex()}.part").write_bytes(b"")
                raise Rejected(Reason.NOT_FOUND, "the body of this packet is no longer kept")
            return await fetch(packet_id, path, unit, lease_ms=lease_ms)

        office.fetch_to = forgetful  # type: ignore[method-assign]
        return await write(office, here.dossier("G14"), tmp_path / "a", as_zip=False)

    facts = told(story)
    said = information(tmp_path / "a")

    assert len(facts.problems) == len(said["missing"]) == 1
    assert "không còn giữ" in said["missing"][0]
    assert said["packets"][0]["file"] is None
    assert len(said["packets"][0]["receipts"]) == 2
    assert said["packets"][1]["file"]["name"].endswith(".edxml")
    assert "Không có trong hồ sơ này" in (tmp_path / "a" / "muc-luc.html").read_text("utf-8")


def test_another_fault_ends_the_export_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async def story(here: World) -> None:
        office = NodeOffice(here.mesh["g14"])

        async def down(*_: object, **__: object) -> InboxEntry:
            raise Deferred(Reason.PEER_UNREACHABLE, "gone")

        office.fetch_to = down  # type: ignore[method-assign]
        for as_zip in (True, False):
            with pytest.raises(Deferred):
                await write(office, here.dossier("G14"), tmp_path / "a", as_zip=as_zip)

    told(story)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_attachment_is_named_and_its_packet_is_there(tmp_path: Path) -> None:
    async def story(here: World) -> Any:
        good = here.mesh["g14"]
        packet = letter(document_id="hỏng", attachments=[("a.txt", bytes(range(256)) * 12), ("b.pdf", PDF)])
        zipped = packet.index(b"UEsDB") + 200
        damaged = packet[:zipped] + (b"A" if packet[zipped : zipped + 1] != b"A" else b"B") + packet[zipped + 1 :]
        with patch(
            "node.flow.submit.intake.require_no_errors"
        ):  # as it came in before there was a rule, or by another's node
            document = (await good.submit(damaged, "2")).packet_id
        dossier = replace(here.dossier("G14"), entries=(DossierEntry(document, LifeAct.NEW, "G14", 1),))
        return await here.write("g14", tmp_path / "a", dossier=dossier)

    facts = told(story)
    found = files(tmp_path / "a")

    assert len(facts.problems) == 1
    assert "a.txt" in facts.problems[0]
    assert found["tep-dinh-kem/1/2-b.pdf"] == PDF
    assert len([name for name in found if name.startswith("goi-tin/")]) == 1


def test_the_zip_holds_what_the_folder_holds_and_is_the_same_for_the_same_input(tmp_path: Path) -> None:
    async def story(here: World) -> None:
        await here.write("g14", tmp_path / "a")
        for name in ("a.zip", "b.zip"):
            await here.write("g14", tmp_path / name, as_zip=True)
        await here.write("g14", tmp_path / "b")

    told(story)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        inside = {name: archive.read(name) for name in archive.namelist()}

    assert inside == files(tmp_path / "a") == files(tmp_path / "b")
    assert digest(tmp_path / "a.zip") == digest(tmp_path / "b.zip")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_nothing_that_is_there_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(Broken) as refused, archive_at(tmp_path / "a", as_zip=False):
        raise AssertionError("it must not begin")

    assert refused.value.reason is Reason.ALREADY_EXISTS


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x"])
def test_no_name_leads_out_of_the_archive(tmp_path: Path, name: str) -> None:
    with pytest.raises(AssertionError), archive_at(tmp_path / "a", as_zip=True) as sink:
        sink.add(name, [b"x"])

    assert list(tmp_path.iterdir()) == []


def test_the_default_name_is_harmless() -> None:
    entry = DossierEntry(bytes(16), LifeAct.NEW, "G14", 1)
    dossier = Dossier("G14", "G14", "d", "../12/QĐ\u202eTTg", "", LifeState.IN_FORCE, (entry,))

    assert default_name(dossier) == "12-QĐ-TTg-G14-0000000000"
    assert default_name(replace(dossier, entries=(), document_code="")) == "d-G14-trong"
