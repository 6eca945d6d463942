"""Forms become packet files, whole or not at all."""

from pathlib import Path

import pytest

from node.cli.packet_new import EXAMPLE
from node.edxml.document import read_packet
from node.errors import Rejected
from node.model.finding import counted
from node.model.reason import Reason
from node.office.letters import make, read_letter
from node.office.packet_file import extract_all
from node.wording.plain import in_vietnam

WITH_FILE = EXAMPLE.replace("# tep_dinh_kem", "tep_dinh_kem")


@pytest.fixture
def form(tmp_path: Path) -> Path:
    path = tmp_path / "mẫu.toml"
    path.write_text(WITH_FILE, "utf-8")
    (tmp_path / "cong-van.pdf").write_bytes(b"%PDF-1.4")
    return path


def test_a_form_takes_along_the_files_that_lie_beside_it_and_they_come_out_again(form: Path, tmp_path: Path) -> None:
    aim = tmp_path / "gói.edxml"
    found = make(read_letter(form), aim, in_vietnam())
    [file] = extract_all(aim, tmp_path / "ra")

    assert counted(found)[0] == 0
    assert [one.organ_id for one in read_packet(aim).header.to] == ["H99.02", "H99.03"]
    assert (file.name, file.path, file.size_bytes) == ("cong-van.pdf", tmp_path / "ra" / "cong-van.pdf", 8)


def test_what_breaks_a_rule_leaves_what_was_there(form: Path, tmp_path: Path) -> None:
    aim = tmp_path / "gói.edxml"
    aim.write_bytes(b"before")
    form.write_text(WITH_FILE.replace('trich_yeu = "', 'trich_yeu = "(Mật) '), "utf-8")
    found = make(read_letter(form), aim, in_vietnam())

    assert counted(found)[0] > 0
    assert (aim.read_bytes(), list(tmp_path.glob("*.part"))) == (b"before", [])


@pytest.mark.parametrize("text", [b"\xff", b"= 1", b'senders = "H99.01"'])
def test_what_is_no_form_is_refused_with_its_place(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "mẫu.toml"
    with pytest.raises(Rejected) as missing:
        read_letter(path)
    path.write_bytes(text)
    with pytest.raises(Rejected) as wrong:
        read_letter(path)

    assert (missing.value.reason, wrong.value.reason) == (Reason.REQUEST_INVALID, Reason.REQUEST_INVALID)
    assert str(path) in missing.value.detail


def test_a_file_that_is_not_there_is_named(form: Path, tmp_path: Path) -> None:
    (tmp_path / "cong-van.pdf").unlink()
    with pytest.raises(Rejected) as caught:
        make(read_letter(form), tmp_path / "gói.edxml", in_vietnam())

    assert "cong-van.pdf" in caught.value.detail
    assert list(tmp_path.glob("gói*")) == []
