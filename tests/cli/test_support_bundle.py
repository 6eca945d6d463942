"""The support bundle: whatever state a node is in it can be made, it can be read, and no secret, subject or name is in it."""

import json
import stat
import zipfile
from pathlib import Path
from typing import Any

from node.ops.support.redact import CUT
from tests.cli.conftest import Admitted, Outcome, Truc
from tests.papers import document

SUBJECT = "Kế hoạch bí mật về Nguyễn Văn A"
TOKEN_IN_TEXT = "mat-khau-go-nham-vao-cau-hinh"


class Read:
    """A bundle that was read whole."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            self.texts = {name: archive.read(name).decode("utf-8") for name in archive.namelist()}

    def json(self, name: str) -> Any:
        return json.loads(self.texts[name])

    def holders(self, words: str) -> list[str]:
        """Names of the files in which these words stand, as they are or as JSON may write them."""
        spellings = {words, json.dumps(words)[1:-1], words.encode("utf-8").hex()}
        return [name for name, text in self.texts.items() if any(one in text for one in spellings)]


def bundle(truc: Truc, home: Path, path: Path, *words: object) -> tuple[Outcome, Read]:
    made = truc("support-bundle", home, "-o", path, "--json", *words)
    assert made.code == 0, made.err + made.out
    return made, Read(path)


def secrets_of(home: Path) -> dict[str, str]:
    """Every secret that lies in a home: whole, and for keys each line of their PEM."""
    found = {"admin token": (home / "admin.token").read_text("ascii").strip()}
    for path in [*sorted((home / "keys").iterdir()), home / "zone" / "key.pem"]:
        if path.suffix == ".crt":
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines()):
            if not line.startswith("-----"):
                found[f"{path.name} line {number}"] = line
    for path in (home / "systems").glob("*.json"):
        found[f"digest of {path.name}"] = json.loads(path.read_text("utf-8"))["secret_sha256"]
    return found


def test_a_running_node_with_planted_secrets_and_subjects(truc: Truc, node: Path, so: Path, tmp_path: Path) -> None:
    packet = tmp_path / "vb.edxml"
    packet.write_bytes(
        document("H37.25.03", sender="H37.01").replace(b"<edXML:Subject>", f"<edXML:Subject>{SUBJECT} ".encode())
    )
    assert SUBJECT.encode() in packet.read_bytes()
    sent = truc("submit", packet, "--as", so, "--id", "V/v-bo-nhiem-Tran-Van-B", "--json")
    assert sent.code == 0, sent.out + sent.err
    system_secret = json.loads(so.read_text("utf-8"))
    log = tmp_path / "log"
    lines = [
        json.dumps(
            {"event": "packet.accepted", "level": "info", "packet_id": "ab12", "unit": "H37.01", "subject": SUBJECT}
        ),
        json.dumps(
            {"event": "call.refused", "detail": f"no document {SUBJECT!r}", "reason": "NOT_FOUND"}, ensure_ascii=False
        ),
        json.dumps(
            {"event": "packet.accepted", "submission_id": "V/v-bo-nhiem-Tran-Van-B", "time": "2026-11-25T00:00:00Z"}
        ),
        f"Nov 25 nut truc[1]: {json.dumps({'event': 'node.started', 'node': 'h37'})}",
        json.dumps({"event": "peer.lost", "peer": (node / "admin.token").read_text("ascii").strip()}),
        f"Traceback: {SUBJECT}",
        json.dumps({"event": SUBJECT, "node": "h37"}, ensure_ascii=False),
        "{" * 5_000,
    ]
    log.write_text("\n".join(lines) + "\n", "utf-8")
    made, read = bundle(truc, node, tmp_path / "b.zip", "--log", log)

    for what, secret in secrets_of(node).items():
        assert read.holders(secret) == [], what
    for name, value in system_secret.items():
        if "secret" in name or "token" in name:
            assert read.holders(str(value)) == [], name
    for words in (SUBJECT, "Nguyễn Văn A", "Tran-Van-B", "Hoa Hồi", "PRIVATE KEY", "Trích yếu"):
        assert read.holders(words) == [], words

    assert {
        "README.txt",
        "manifest.json",
        "doctor.json",
        "settings.json",
        "versions.json",
        "system.json",
    } <= read.texts.keys()
    assert {"store.json", "directory.json", "node.json", "log-1.jsonl", "SHA256SUMS"} <= read.texts.keys()
    kept = [json.loads(line) for line in read.texts["log-1.jsonl"].splitlines()]
    assert [line["event"] for line in kept] == [
        "packet.accepted",
        "call.refused",
        "packet.accepted",
        "node.started",
        "peer.lost",
    ]
    assert kept[0] == {"event": "packet.accepted", "level": "info", "packet_id": "ab12", "unit": "H37.01"}
    assert kept[1]["reason"] == "NOT_FOUND"
    assert kept[2]["submission_id"].startswith("sha256:")
    assert kept[4]["peer"] == CUT
    assert "3 not a line" in read.json("manifest.json")["problems"]["log-1.jsonl: left out"]
    asked = read.json("node.json")
    assert asked["health"]["healthy"] is True
    assert read.json("doctor.json")["healthy"] is True
    assert read.json("settings.json")["node_id"] == "h37"
    assert read.json("directory.json")["nodes"][0]["units"] == 2
    assert read.json("store.json")["witness_commit_no"] > 0
    assert made.document["path"] == str(tmp_path / "b.zip")
    assert stat.S_IMODE((tmp_path / "b.zip").stat().st_mode) == 0o600


def test_a_node_that_stands_still_is_told_as_far_as_its_folder_goes(
    truc: Truc, admitted: Admitted, tmp_path: Path
) -> None:
    """It cannot be asked; that is noted, and everything else is there."""
    made, read = bundle(truc, admitted.home, tmp_path / "b.zip")
    manifest = read.json("manifest.json")

    assert "node.json" in manifest["problems"]
    assert "node.json" not in read.texts
    assert {one["name"] for one in manifest["files"]} == read.texts.keys() - {"manifest.json", "SHA256SUMS"}
    assert "node.json" in made.document["problems"]


def test_passphrase_and_bridge_key_and_values_of_mistaken_settings_stay_here(
    truc: Truc, admitted: Admitted, tmp_path: Path
) -> None:
    settings = admitted.home / "node.toml"
    text = settings.read_text("utf-8")
    (admitted.home / "keys" / "passphrase").write_text("câu mật khẩu rất dài", "utf-8")
    (admitted.home / "keys" / "passphrase").chmod(0o600)
    settings.write_text(text.replace("[keys]\n", '[keys]\npassphrase_file = "keys/passphrase"\n', 1), "utf-8")
    log = tmp_path / "log"
    log.write_text('{"event": "node.started", "node": "câu mật khẩu rất dài"}\n', "utf-8")
    _, read = bundle(truc, admitted.home, tmp_path / "a.zip", "--log", log)
    assert read.holders("câu mật khẩu rất dài") == []
    assert read.json("settings.json")["keys"]["passphrase_file"].endswith("keys/passphrase"), "paths are kept"

    settings.write_text(text.replace("[log]\n", f'[log]\nlevel = "{TOKEN_IN_TEXT}"\n', 1), "utf-8")
    _, read = bundle(truc, admitted.home, tmp_path / "b.zip")
    assert read.holders(TOKEN_IN_TEXT) == []
    assert "log.level" in read.texts["doctor.json"]
    assert "settings.json" in read.json("manifest.json")["problems"]


def test_a_damaged_home_still_gives_a_bundle(truc: Truc, home: Path, tmp_path: Path) -> None:
    (home / "node.toml").write_bytes(b"\xff\xfe")
    (home / "WITNESS").write_bytes(b"x")
    (home / "directory").mkdir(exist_ok=True)
    (home / "directory" / "root.json").write_text("{")
    _, read = bundle(truc, home, tmp_path / "b.zip", "--log", tmp_path / "nowhere.log")
    problems = read.json("manifest.json")["problems"]

    assert {"settings.json", "node.json", "log-1.jsonl"} <= problems.keys()
    assert "FileNotFoundError" in problems["log-1.jsonl"]
    assert read.json("doctor.json")["healthy"] is False


def test_bad_input(truc: Truc, home: Path, tmp_path: Path) -> None:
    nowhere = truc("support-bundle", tmp_path / "nowhere", "--json")
    assert (nowhere.code, nowhere.reason) == (78, "HOME_MISSING")
    (tmp_path / "there.zip").write_bytes(b"mine")
    there = truc("support-bundle", home, "-o", tmp_path / "there.zip", "--json")
    assert (there.code, there.reason) == (78, "ALREADY_EXISTS")
    assert (tmp_path / "there.zip").read_bytes() == b"mine"
    assert list(tmp_path.glob(".*")) == []


def test_for_people_it_says_where_it_is_and_what_is_missing(truc: Truc, home: Path, tmp_path: Path) -> None:
    made = truc("support-bundle", home, "-o", tmp_path / "b.zip")
    assert made.code == 0
    assert "Đã ghi" in made.out
    assert "Không lấy được node.json" in made.out
    assert "đọc trước khi gửi" in made.out
