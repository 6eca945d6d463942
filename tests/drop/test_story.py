"""An office without software sends and receives by folders; the nodes are real."""

import os
import unicodedata
from pathlib import Path

import pytest

from node.client import AsyncOffice, Broken, Reason, Rejected
from node.drop.places import Places
from node.edxml.document import read_packet
from tests.drop.conftest import document_in, worked
from tests.edxml.packets import changed
from tests.mesh.support import run
from tests.papers import document
from tests.real_mesh import RealMesh

PDF = b"%PDF-1.4 m\xe1\xba\xabu"
FORM = """
sender = "G14"
sender_name = "Bộ mẫu"
to = ["H49.22"]
number = "{number}"
notation = "BM-VP"
date = 2026-11-22
type = "Công văn"
subject = "V/v gửi bằng thư mục"
signer = "Nguyễn Văn Mẫu"
{more}
"""


def broken(number: str) -> bytes:
    """A packet that breaks a rule."""
    return changed(document("H49.22", number=number), ("<edXML:SteeringType>0", "<edXML:SteeringType>"))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_a_packet_goes_out_comes_in_with_its_files_and_its_receipt_follows_the_statuses(
    pair: RealMesh, tmp_path: Path
) -> None:
    packet = document("H49.22", number="c1", attachments=[("Phụ lục ế.pdf", PDF), ("../../bảng.xlsx", b"PK\x03\x04x")])

    async def story() -> None:
        async with worked(pair, "g14", tmp_path / "bộ") as here, worked(pair, "h49", tmp_path / "sở") as there:
            here.put("Công văn số 1.edxml", packet)
            receipt = (await here.until("da-gui/*/bien-nhan.txt")).parent
            home = (await there.until("den/*c1*/thong-tin.txt")).parent
            assert (receipt / "Công văn số 1.edxml").read_bytes() == packet
            assert next(home.glob("*.edxml")).read_bytes() == packet
            assert names(home / "tep-dinh-kem") == {"Phụ lục ế.pdf", "bảng.xlsx"}
            assert (home / "tep-dinh-kem" / "Phụ lục ế.pdf").read_bytes() == PDF
            assert "Trích yếu: V/v thử nghiệm" in (home / "thong-tin.txt").read_text("utf-8")
            assert [entry.packet_id async for entry in there.office.inbox("H49.22")] == [], "it was acknowledged"

            await here.until_said(receipt, "H49.22 Đơn vị mẫu H49.22: đã đến lúc")
            assert document_in(receipt, "bien-nhan.json")["open"] is True
            packet_id = bytes.fromhex(document_in(receipt, "bien-nhan.json")["packet_id"])
            await there.office.send_status(packet_id, "06", "Đã trả lời", unit="H49.22")
            text = await here.until_said(receipt, "06 đã hoàn thành")
            assert "Đã trả lời" in text
            assert document_in(receipt, "bien-nhan.json")["open"] is False
            status = await here.until("den/trang-thai/trang-thai-06-*/*.edxml")
            assert read_packet(status).header.status_code == "06"
            assert names(tmp_path / "bộ" / "gui") == names(tmp_path / "bộ" / "dang-gui") == set()

    run(story())


@pytest.mark.parametrize("listed", [True, False], ids=["named in the form", "of the same name"])
def test_a_form_and_its_files_become_a_packet(pair: RealMesh, tmp_path: Path, listed: bool) -> None:
    number = f"m{listed:d}"
    composed, decomposed = (unicodedata.normalize(form, "tờ trình.pdf") for form in ("NFC", "NFD"))
    more = f'attachments = ["{composed}"]' if listed else ""

    async def story() -> None:
        async with worked(pair, "g14", tmp_path / "bộ") as here, worked(pair, "h49", tmp_path / "sở") as there:
            form = unicodedata.normalize("NFD", "tờ trình.toml")
            here.put(form, FORM.format(number=number, more=more).encode())
            if listed:
                await here.look()
                assert await here.look()
                assert names(tmp_path / "bộ" / "gui") == {form}, "it waits for its file"
            here.put(decomposed, PDF)
            receipt = (await here.until("da-gui/*/bien-nhan.txt")).parent
            home = (await there.until(f"den/{number}*/thong-tin.txt")).parent
            assert names(receipt) >= {form, decomposed, "goi-tin-da-lap.edxml"}
            assert (home / "tep-dinh-kem" / composed).read_bytes() == PDF

    run(story())


def test_what_is_refused_says_why_and_what_to_do_and_does_not_stop_the_others(pair: RealMesh, tmp_path: Path) -> None:
    async def story() -> None:
        async with worked(pair, "g14", tmp_path) as here:
            here.put("a hỏng.edxml", broken("x1"))
            here.put("b của người khác.edxml", document("H49", sender="H49.22", number="x2"))
            here.put("c không phải gói.edxml", b"hello")
            here.put("d.toml", b"subject = ")
            here.put("e.toml", FORM.format(number="x4", more='attachments = ["../../etc/passwd"]').encode())
            here.put("g.toml", FORM.format(number="x5", more='attachments = ["/etc/passwd"]').encode())
            here.put("h.toml", FORM.format(number="x6", more='attachments = [".an"]').encode())
            here.put("f đúng.edxml", document("H49.22", number="x3"))
            for _ in range(3):
                assert await here.look()
            assert len(here.said("refused")) == 7
            assert here.said("sent") == ["f đúng.edxml"]

    run(story())
    folders = {path.name[0]: path for path in (tmp_path / "loi").iterdir()}
    text = (folders["a"] / "loi.txt").read_text("utf-8")
    assert {one: document_in(path, "loi.json")["reason"] for one, path in folders.items()} == {
        "a": "PACKET_BREAKS_RULES",
        "b": "UNIT_NOT_OWNED",
        "c": "PACKET_NOT_XML",
        **dict.fromkeys("degh", "REQUEST_INVALID"),
    }
    assert "Gói tin trái quy định của edXML" in text
    assert "EDXML-060 (lỗi): " in text
    assert "người gửi phải sửa rồi bỏ lại vào thư mục gui" in text
    assert (folders["a"] / "a hỏng.edxml").read_bytes() == broken("x1"), "nothing is lost"


def test_only_plain_files_are_taken_and_what_stays_is_told_once(pair: RealMesh, tmp_path: Path) -> None:
    secret = tmp_path / "bí mật.edxml"
    secret.write_bytes(document("H49.22", number="l1"))

    async def story() -> list[str]:
        async with worked(pair, "g14", tmp_path / "bộ") as here:
            gui = tmp_path / "bộ" / "gui"
            (gui / "liên kết.edxml").symlink_to(secret)
            (gui / "thư mục.edxml").mkdir()
            os.mkfifo(gui / "ống.edxml")
            (gui / os.fsdecode(b"kh\xf4ng.edxml")).write_bytes(document("H49.22", number="l0"))
            here.put("một mình.pdf", PDF)
            here.put("bien-nhan.txt", b"x")
            here.put("mẫu.toml", FORM.format(number="l2", more='attachments = ["liên kết.pdf"]').encode())
            (gui / "liên kết.pdf").symlink_to(secret)
            here.put(".ẩn.edxml", document("H49.22", number="l3"))
            here.put("đang chép.edxml.part", document("H49.22", number="l4"))
            for _ in range(3):
                assert await here.look()
            assert here.said("sent") == here.said("refused") == []
            left = here.said("left")
            (gui / "mẫu.toml").unlink()
            await here.look()
            assert here.said("left") == [*left, "một mình.pdf"], "no form is left that might want it"
            return left

    left = run(story())
    assert sorted(left) == sorted(
        ["liên kết.edxml", "thư mục.edxml", "ống.edxml", "kh?ng.edxml", "bien-nhan.txt", "mẫu.toml", "liên kết.pdf"]
    )


def test_a_file_that_vanishes_is_told_and_the_files_of_its_form_stay(
    pair: RealMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(form: Path) -> list[str]:
        form.unlink()
        return ["tệp.pdf"]

    monkeypatch.setattr("node.drop.paperwork.attachments_of", asked)

    async def story() -> None:
        async with worked(pair, "g14", tmp_path) as here:
            here.put("a.toml", FORM.format(number="y1", more="").encode())
            here.put("tệp.pdf", PDF)
            here.put("b.edxml", document("H49.22", number="y2"))
            for _ in range(2):
                assert await here.look()
            assert ("a.toml", "đã biến mất trước khi kịp gửi.") in [(one.name, one.sentence) for one in here.events]
            assert here.said("sent") == ["b.edxml"]

    run(story())
    assert (tmp_path / "gui" / "tệp.pdf").read_bytes() == PDF
    assert names(tmp_path / "dang-gui") == set()


def test_a_half_written_file_is_left_alone_and_a_renamed_one_goes_at_once(pair: RealMesh, tmp_path: Path) -> None:
    packet = document("H49.22", number="h1")

    async def story() -> None:
        async with worked(pair, "g14", tmp_path) as here:
            path = here.put("chép dần.edxml", packet[:500])
            for size in (600, 700, len(packet) - 3):
                assert await here.look()
                path.write_bytes(packet[:size])
            assert await here.look(later_ms=100)
            assert await here.look(later_ms=100), "quiet, but not for long enough"
            assert names(tmp_path / "gui") == {"chép dần.edxml"}
            path.write_bytes(packet)
            outside = here.put("x.part", document("H49.22", number="h2"))
            outside.rename(tmp_path / "gui" / "đổi tên.edxml")
            assert await here.look(later_ms=1)
            assert sorted(here.said("sent")) == ["chép dần.edxml", "đổi tên.edxml"]
            assert here.said("refused") == []

    run(story())


def test_a_truncated_packet_that_stays_quiet_is_refused(pair: RealMesh, tmp_path: Path) -> None:
    async def story() -> None:
        async with worked(pair, "g14", tmp_path) as here:
            here.put("cụt.edxml", document("H49.22", number="h3")[:-20])
            for _ in range(2):
                await here.look()
            assert here.said("refused") == ["cụt.edxml"]

    run(story())
    assert document_in(next((tmp_path / "loi").iterdir()), "loi.json")["reason"] == "PACKET_TRUNCATED"


def test_the_same_content_is_one_packet_whatever_its_name(pair: RealMesh, tmp_path: Path) -> None:
    async def story() -> None:
        async with worked(pair, "g14", tmp_path) as here:
            for name in ("một.edxml", "hai.edxml", "một.edxml"):
                here.put(name, document("H49.22", number="s1"))
                assert await here.look()

    run(story())
    sent = list((tmp_path / "da-gui").iterdir())
    assert len(sent) == 3
    assert len({document_in(path, "bien-nhan.json")["packet_id"] for path in sent}) == 1


def test_a_packet_that_cannot_be_opened_comes_home_all_the_same(
    pair: RealMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node of other rules may let through what our reader refuses."""
    packet = document("H49.22.05", number="z1", attachments=[("a.pdf", PDF)])

    def refuse(*_: object, **__: object) -> None:
        raise Rejected(Reason.PACKET_TOO_COMPLEX, "too deep")

    monkeypatch.setattr("node.drop.receiving.extract_all", refuse)

    async def story() -> Path:
        async with AsyncOffice(pair["g14"].credential) as office, worked(pair, "h49", tmp_path) as there:
            await office.submit(packet)
            return (await there.until("den/*z1*/thong-tin.txt")).parent

    home = run(story())
    assert next(home.glob("*.edxml")).read_bytes() == packet
    assert "Không mở được gói tin để lấy tệp" in (home / "thong-tin.txt").read_text("utf-8")


def test_while_the_node_is_away_nothing_is_taken_up_and_it_is_told_once(pair: RealMesh, tmp_path: Path) -> None:
    async def story() -> None:
        async with worked(pair, "g14", tmp_path) as here:
            pair["g14"].kill()
            here.put("chờ.edxml", document("H49.22", number="w1"))
            for _ in range(3):
                assert not await here.look()
            assert names(tmp_path / "gui") == {"chờ.edxml"}
            assert [event.kind for event in here.events] == ["failed"]
            pair["g14"].start()
            await here.until("da-gui/*/bien-nhan.txt")
            assert [event.kind for event in here.events if not event.name] == ["failed", "resumed"]

    run(story())


def test_one_process_works_a_folder(tmp_path: Path) -> None:
    with Places(tmp_path).prepared(), pytest.raises(Broken) as second, Places(tmp_path).prepared():
        raise AssertionError("two of them")

    assert second.value.reason is Reason.HOME_IN_USE


def test_a_receipt_whose_folder_was_taken_away_is_not_followed_any_more(pair: RealMesh, tmp_path: Path) -> None:
    async def story() -> None:
        async with worked(pair, "g14", tmp_path / "bộ") as here:
            here.put("đi.edxml", document("H49.22", number="v1"))
            receipt = (await here.until("da-gui/*/bien-nhan.txt")).parent
            receipt.rename(tmp_path / "lưu trữ")
            assert await here.look(4_000_000)
        async with worked(pair, "g14", tmp_path / "bộ") as again:
            assert await again.look()
            assert again.events == []

    run(story())
    assert not list((tmp_path / "bộ" / "da-gui").iterdir())
