"""truc export against a running node: the dossier is named in more than one way and becomes a folder or a zip."""

import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import Truc
from tests.cli.test_running import arrival_of, entry_of, letter


@pytest.fixture
def sent(truc: Truc, so: Path, xa: Path, tmp_path: Path) -> str:
    """The packet id of a document from H37.01 to H37.25.03."""
    packet_id = str(
        truc("submit", "--as", so, letter(tmp_path, "x-1", "H37.25.03"), "--json").document["results"][0]["packet_id"]
    )
    arrival_of(truc, so, packet_id)
    return packet_id


def test_the_author_exports_a_folder_by_document_id(truc: Truc, so: Path, sent: str, tmp_path: Path) -> None:
    done = truc("export", "--as", so, "x-1", "-o", tmp_path / "ho-so", "--json")

    assert done.code == 0
    assert done.document == {
        "path": str(tmp_path / "ho-so"),
        "document_id": "x-1",
        "unit": "H37.01",
        "packets": 2,
        "missing": [],
    }
    packet, arrival = sorted((tmp_path / "ho-so" / "goi-tin").iterdir())
    assert b"<edXML:StatusCode>01</edXML:StatusCode>" in arrival.read_bytes()
    assert packet.read_bytes() == (tmp_path / "x-1.edxml").read_bytes()
    assert (tmp_path / "ho-so" / "tep-dinh-kem" / "1" / "1-Phụ lục.pdf").read_bytes() == b"%PDF-1.4 x"
    assert (
        len(list((tmp_path / "ho-so" / "bien-nhan").iterdir())) == 4
    )  # for the document and for the 01, each as octets and as JSON


def test_the_recipient_exports_a_zip_by_packet_id(truc: Truc, xa: Path, sent: str, tmp_path: Path) -> None:
    before = entry_of(truc, xa, sent)
    done = truc("export", "--as", xa, sent, "--unit", "000.03.25.H37", "-o", tmp_path / "ho-so.zip")

    assert done.code == 0
    assert "2 gói tin" in done.out
    with zipfile.ZipFile(tmp_path / "ho-so.zip") as archive:
        assert "muc-luc.html" in archive.namelist()
        assert sum(name.startswith("bien-nhan/") for name in archive.namelist()) == 4
    assert entry_of(truc, xa, sent) == before, "an export leases nothing"


def test_without_a_path_the_archive_is_named_by_the_document(
    truc: Truc, so: Path, sent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = [truc("export", "--as", so, "x-1", *words, "--json").document["path"] for words in ((), ("--zip",))]

    assert made == [f"12-SM-VP-H37.01-{sent[:10]}", f"12-SM-VP-H37.01-{sent[:10]}.zip"]
    again = truc("export", "--as", so, "x-1", "--zip", "--json")
    assert (again.code, again.reason) == (78, "ALREADY_EXISTS")


def test_who_knows_nothing_of_a_document_exports_nothing(truc: Truc, so: Path, tmp_path: Path) -> None:
    refused = truc("export", "--as", so, "khong-co", "-o", tmp_path / "a", "--json")

    assert (refused.code, refused.reason) == (65, "NOT_FOUND")
    assert not (tmp_path / "a").exists()
