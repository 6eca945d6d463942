"""truc sandbox and truc conformance as a vendor types them: start, stop, keep, be refused, be judged."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from node.client import Office
from node.model.office import InboxEntry
from node.sandbox.cast import COUNTERPARTS, VENDOR_UNITS
from node.sandbox.papers import Paper
from node.sandbox.writing import packet_of
from tests.cli.conftest import Truc
from tests.conformance.sabotage import WithoutArrival
from tests.conformance.test_packets import good
from tests.conformance.vendor import Vendor
from tests.sandbox.conftest import TRUC, Running, environment, eventually, start

pytestmark = pytest.mark.timeout(180)


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Running]:
    is_new = not (folder / "hop-cat").exists()
    one = start(folder, "--every", "0", *(("--port", "0") if is_new else ()), *options)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.wait()


def test_it_leaves_nothing_behind_when_it_is_interrupted(tmp_path: Path) -> None:
    with running(tmp_path) as one:
        assert Path(one.said["folder"]).is_relative_to(tmp_path)
        assert one.truc("sandbox", "advance", "1d").returncode == 0, "the newest sandbox is found by itself"
        assert one.end(signal.SIGINT) == 0
        gone = one.truc("sandbox", "advance", "1d", "--json")

    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    assert (tmp_path / "log").read_text("utf-8") == ""
    assert gone.returncode == 2
    assert "Không có hộp cát nào đang chạy" in json.loads(gone.stdout)["error"]["advice"]


def test_a_kept_one_goes_on_after_a_kill_with_its_time_its_secrets_and_what_was_begun(tmp_path: Path) -> None:
    home = tmp_path / "hop-cat"
    with running(tmp_path, "--home", str(home)) as one:
        one.door.post("send", json.dumps({"kind": "new"}))
        with one.office() as office:
            (entry,) = eventually(lambda: list(office.inbox()))
            packet_id = office.submit(b"".join(packet_of(_to_the_punctual(one)))).packet_id
            eventually(lambda: reported(office, packet_id) == ["01"])
            one.door.post("advance", "2h")
            eventually(lambda: reported(office, packet_id) == ["01", "03", "04"])
        one.door.post("advance", "2d")
        one.process.kill()
        one.process.wait()
        before = one.said
    with running(tmp_path, "--home", str(home)) as again:
        with again.office() as office:
            assert entry.packet_id in [found.packet_id for found in office.inbox()]
            again.door.post("advance", "2d")
            eventually(lambda: reported(office, packet_id) == ["01", "03", "04", "05", "06"])
        assert again.said["vxp"] == before["vxp"]
        assert again.said["endpoint"] == before["endpoint"]
        assert again.said["ahead_ms"] == 50 * 3_600_000
        assert again.said["kept"] is True
        assert again.end() == 0

    refused = again.truc("sandbox", "--home", home, "--port", "7481", "--json")
    assert refused.returncode == 2, "what cannot be changed is not passed over"
    assert (home / "hop-cat.json").stat().st_mode & 0o077 == 0, "secrets are for the owner"


def _to_the_punctual(one: Running) -> Paper:
    to = next(each.unit for each in COUNTERPARTS if each.unit.code == "G99.04")
    return Paper(VENDOR_UNITS[0], to, "1", "STN-VP", "V/v thử", one.said["now_ms"])


def reported(office: Office, packet_id: bytes) -> list[str]:
    return [one.code for one in office.track(packet_id=packet_id).deliveries[0].statuses]


def test_a_sandboxs_node_is_never_taken_for_a_real_one(tmp_path: Path, truc: Truc) -> None:
    home = tmp_path / "hop-cat"
    with running(tmp_path, "--home", str(home)) as one:
        assert one.end() == 0
    authority = tmp_path / "that"
    assert truc("authority", "create", authority, "--name", "Cơ quan thật").code == 0
    for words in (
        ("serve", home / "tinh-thu"),
        ("node", "join", home / "tinh-thu", authority / "public"),
        ("node", "update", home / "tinh-thu", authority / "public"),
    ):
        refused = truc(*words, "--json")
        assert refused.code == 65, words
        assert "sandbox's node" in refused.document["error"]["detail"]
    assert not (home / "tinh-thu" / "join-request.truc").exists(), "no authority can be asked to admit it"


def test_another_folder_is_not_touched(tmp_path: Path, truc: Truc) -> None:
    (tmp_path / "thu.txt").write_text("của tôi")
    refused = truc("sandbox", "--home", tmp_path, "--json")

    assert refused.code == 78
    assert refused.reason == "ALREADY_EXISTS"
    assert [path.name for path in tmp_path.iterdir()] == ["thu.txt"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sandbox", "--every", "often"), "90s"),
        (("sandbox", "--log", "loud"), "debug"),
        (("sandbox", "--largest-mb", "0"), "largest-mb"),
        (("sandbox", "advance"), "Thiếu"),
        (("conformance", "--limit", "soon"), "90s"),
        (("conformance", "--packets", "/nowhere"), "no packet"),
        (("conformance", "--endpoint", "https://truc.example"), "no sandbox's door"),
    ],
)
def test_a_slip_is_told_in_words(
    truc: Truc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    told = truc(*words)

    assert told.code in (2, 65)
    assert said in told.err


def test_lines_typed_into_its_terminal_are_carried_out(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [*TRUC, "sandbox", "--every", "0", "--port", "0"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(tmp_path))
    os.close(theirs)
    said = bytearray()
    reader = threading.Thread(target=_read_all, args=(ours, said), daemon=True)
    reader.start()

    def shows(text: str) -> None:
        eventually(lambda: text in said.decode("utf-8", "replace"))

    try:
        shows("Gõ lệnh")
        shows("KHÔNG PHẢI MẠNG THẬT")
        for line, answer in (
            ("2d", "nhanh 2 ngày"),
            ("advance 3 giờ", "nhanh 2 ngày"),
            ("send withdraw 000.00.01.H99", "withdraw"),
            ("send bomb", "bomb"),
            ("sing", "Gõ lệnh"),
        ):
            said.clear()
            os.write(ours, f"{line}\n".encode())
            shows(answer)
        os.write(ours, b"quit\n")
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read_all(terminal: int, into: bytearray) -> None:
    while True:
        try:
            into += os.read(terminal, 65_536)
        except OSError:
            return


def test_a_vendor_is_judged_from_the_command_line(tmp_path: Path) -> None:
    unit = VENDOR_UNITS[1]
    with running(tmp_path, "--largest-mb", "2", "--arrival-by-node") as one:
        vendor = threading.Thread(target=_poll, args=(WithoutArrival(one.sdk(), unit),), daemon=True)
        vendor.start()
        options = ("--unit", unit.code, "--limit", "60s", "--settle", "2s", "--largest-mb", "2")
        judged = one.truc("conformance", "--endpoint", one.said["endpoint"], *options, "--json")
        document = json.loads(judged.stdout)
        one.end()

    assert judged.returncode == 0, [one for one in document["checks"] if one["outcome"] != "pass"]
    assert document["conforms"] is True
    assert (document["pass"], document["fail"], document["unseen"]) == (21, 0, 1)
    assert document["checks"][1]["evidence_en"] == "the node reports it for the software"


def test_ctrl_c_concludes_with_what_was_seen_and_the_end_of_the_sandbox_ends_a_run(tmp_path: Path) -> None:
    with running(tmp_path) as one:
        concluded = begun(one)
        eventually(lambda: all(entry.fetch_count == 0 for entry in waiting(one)) and len(waiting(one)) >= 12)
        concluded.send_signal(signal.SIGINT)
        said, _ = concluded.communicate(timeout=30)
        cut_off = begun(one)
        eventually(lambda: len(waiting(one)) >= 24)
        one.end()
        _, complaint = cut_off.communicate(timeout=60)

    assert concluded.returncode == 65, "nobody has fetched anything"
    assert "✗ KT-01" in said
    assert "is not fetched" in said
    assert cut_off.returncode == 75
    assert "no sandbox answers" in complaint or "UNREACHABLE" in complaint


def begun(one: Running) -> "subprocess.Popen[str]":
    command = [*TRUC, "conformance", "--settle", "1s", "--largest-mb", "2"]
    kept = environment(one.folder)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=kept)


def waiting(one: Running) -> list[InboxEntry]:
    with one.office() as office:
        return list(office.inbox())


def test_a_folder_of_packets_is_judged_without_a_sandbox(truc: Truc, tmp_path: Path) -> None:
    for name, octets in good().items():
        (tmp_path / name).write_bytes(octets)
    judged = truc("conformance", "--packets", tmp_path, "--json")
    assert judged.code == 0
    assert (judged.document["conforms"], judged.document["pass"]) == (True, 7)
    (tmp_path / "them.xml").write_bytes(b"<html/>")
    spoilt = truc("conformance", "--packets", tmp_path)

    assert spoilt.code == 65
    assert "them.xml" in spoilt.out


def _poll(vendor: Vendor) -> None:
    try:
        asyncio.run(vendor.run())
    except (OSError, asyncio.IncompleteReadError):
        return  # the sandbox has ended


def test_the_checklist_can_be_read(truc: Truc) -> None:
    listed = truc("conformance", "--list", "--json").document["checks"]

    assert [one["code"] for one in listed] == [f"KT-{number:02}" for number in range(1, 23)]
    assert all(one["title"] and one["title_en"] and one["source"] for one in listed)
