"""truc drop --once, as a clerk's computer would run it every few minutes."""

from pathlib import Path

from tests.cli.conftest import Truc
from tests.cli.test_running import entry_of, letter


def test_one_call_sends_what_lies_ready_and_brings_home_what_came(
    truc: Truc, so: Path, xa: Path, tmp_path: Path
) -> None:
    work, other = tmp_path / "sở", tmp_path / "xã"
    (work / "gui").mkdir(parents=True)
    path = letter(work / "gui", "d-drop", "H37.25.03")
    octets = path.read_bytes()
    (work / "gui" / "hỏng.edxml").write_bytes(b"<edXML></edXML>")

    first = truc("drop", "--as", so, work, "--once", "--json")
    events = {one["name"]: one for one in first.document["events"] if one["kind"] in ("sent", "refused")}
    sent = next((work / "da-gui").glob("d-drop*"))
    entry_of(truc, xa, truc("track", "--as", so, "d-drop", "--json").document["packet_id"])
    home = truc("drop", "--as", xa, other, "--once")
    again = truc("drop", "--as", so, work, "--once", "--json")

    assert first.code == 65, "one was refused"
    assert (events["d-drop.edxml"]["kind"], events["hỏng.edxml"]["kind"]) == ("sent", "refused")
    assert "BIÊN NHẬN: d-drop.edxml" in (sent / "bien-nhan.txt").read_text("utf-8")
    assert "KHÔNG GỬI ĐƯỢC: hỏng.edxml" in next((work / "loi").glob("*/loi.txt")).read_text("utf-8")
    assert home.code == 0
    assert "văn bản đến" in home.out
    assert [one.read_bytes() for one in (other / "den").glob("*/*.edxml") if "12-SM-VP" in one.name].count(octets) == 1
    assert again.code == 0
    assert not [one for one in again.document["events"] if one["kind"] == "sent"]


def test_without_a_node_nothing_is_taken_up_and_the_exit_code_says_try_later(
    truc: Truc, xa: Path, tmp_path: Path
) -> None:
    credential = tmp_path / "xa.json"
    credential.write_text(xa.read_text("utf-8").replace("127.0.0.1:", "127.0.0.1:1"), "utf-8")
    credential.chmod(0o600)
    (tmp_path / "việc" / "gui").mkdir(parents=True)
    path = letter(tmp_path / "việc" / "gui", "d-away", "H37.01", sender="H37.25.03")

    away = truc("drop", "--as", credential, tmp_path / "việc", "--once")
    nobody = truc("drop", "--as", tmp_path / "không có.json", tmp_path / "việc", "--once", "--json")

    assert away.code == 75
    assert "tạm ngừng" in away.out
    assert path.exists()
    assert (nobody.code, nobody.reason) == (77, "CREDENTIAL_MISSING")
