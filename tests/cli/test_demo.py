"""./dev demo, as a program sees it: real processes, real documents, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from node.demo.letters import LETTERS, compose
from node.demo.world import BRIDGED_UNIT, UNIT_NAMES
from node.edxml.document import read_packet
from node.edxml.reader import read_header
from node.edxml.rules.units import canonical
from node.model.code import parse_code
from node.sandbox.pdf import small_pdf

pytestmark = pytest.mark.timeout(120)

FIGURES = {
    "packets_sent",
    "packets_delivered",
    "packets_relayed",
    "statuses_returned",
    "receipts_verified",
    "bytes_identical",
    "seconds",
    "bridged",
}


def start(folder: Path, *options: str) -> "subprocess.Popen[str]":
    """Run the demo with its temporary files in a folder of the test."""
    environment = {**os.environ, "TMPDIR": str(folder), "TRUC_MESH__LISTEN": "not-for-the-demo"}
    command = [sys.executable, "-m", "node.demo", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def nodes_in(folder: Path) -> list[int]:
    """Process ids of nodes whose home is below a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"serve" in command and any(word.startswith(str(folder).encode()) for word in command):
            found.append(int(path.parent.name))
    return found


def wait_for_nodes(folder: Path, count: int) -> list[int]:
    """Wait until so many nodes run."""
    end_s = time.monotonic() + 30
    while time.monotonic() < end_s:
        found = nodes_in(folder)
        if len(found) == count:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{len(nodes_in(folder))} nodes run, {count} were expected")


def test_everything_arrives_byte_for_byte_is_receipted_and_answered(tmp_path: Path) -> None:
    out, err = (demo := start(tmp_path, "--json")).communicate()
    figures: dict[str, Any] = json.loads(out)
    statuses = sum(len(letter.statuses) * len(letter.recipients) for letter in LETTERS)

    assert demo.returncode == 0, err
    assert err == ""
    assert figures.keys() >= FIGURES
    assert figures["packets_sent"] == figures["packets_delivered"] == len(LETTERS) + statuses
    assert figures["packets_relayed"] >= 1
    arrivals = sum(len(letter.recipients) for letter in LETTERS)
    assert figures["statuses_returned"] == statuses + arrivals, "each node reports 01 by itself"
    assert figures["receipts_verified"] == figures["deliveries"]
    assert figures["bytes_identical"] is True
    assert figures["copies_compared"] == sum(len(letter.recipients) for letter in LETTERS)
    assert figures["bridged"] == through_the_bridge()
    assert figures["seconds"] < 60
    assert nodes_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def through_the_bridge() -> int:
    """Packets that the commune behind the bridge sends and gets: its documents and statuses, and those about its documents (01, too)."""
    written = [letter for letter in LETTERS if letter.sender == BRIDGED_UNIT]
    got = [letter for letter in LETTERS if BRIDGED_UNIT in map(canonical, letter.recipients)]
    assert written, "it sends"
    assert got, "and gets"
    answers = sum(len(letter.recipients) * (1 + len(letter.statuses)) for letter in written)
    return len(written) + answers + sum(1 + len(letter.statuses) for letter in got)


def test_a_node_that_dies_ends_the_demo_with_its_log_and_nothing_left_behind(tmp_path: Path) -> None:
    demo = start(tmp_path)
    os.kill(wait_for_nodes(tmp_path, 4)[0], signal.SIGKILL)
    _, err = demo.communicate()

    assert demo.returncode == 70
    assert "đã tắt, mã thoát -9" in err
    assert nodes_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_cleans_up(tmp_path: Path, number: signal.Signals) -> None:
    demo = start(tmp_path)
    wait_for_nodes(tmp_path, 4)
    demo.send_signal(number)
    demo.communicate()

    assert demo.returncode == 128 + number
    assert nodes_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_kept_demo_goes_on_and_says_how_to_look_at_it_and_end_it(tmp_path: Path) -> None:
    out, err = (demo := start(tmp_path, "--keep", "--json")).communicate()
    kept = json.loads(out)
    try:
        assert demo.returncode == 0, err
        assert sorted(kept["pids"]) == sorted(nodes_in(tmp_path))
        assert all(Path(path).is_file() for path in kept["credentials"].values())
        assert all((Path(home) / "node.toml").is_file() for home in kept["homes"].values())
    finally:
        for pid in nodes_in(tmp_path):
            os.kill(pid, signal.SIGTERM)
        wait_for_nodes(tmp_path, 0)


@pytest.mark.parametrize("letter", LETTERS, ids=lambda letter: letter.code)
def test_the_letters_are_real_packets_to_units_that_exist(letter: Any) -> None:
    packet = compose(letter, 1_795_345_200_000)
    header = read_header(packet)

    assert header.recipients == letter.recipients
    assert header.document_code == letter.code
    names = [one.attachment_name for one in read_packet(packet).attachments]
    assert names == ([letter.attachment] if letter.attachment else [])
    assert {parse_code(code).text for code in (letter.sender, *letter.recipients)} <= UNIT_NAMES.keys()


def test_what_is_not_in_the_states_list_is_marked_as_made_up() -> None:
    confirmed = {"G09": "Bộ Nội vụ", "H37": "UBND tỉnh Lạng Sơn", "H53": "UBND tỉnh Tây Ninh"}

    assert {code: name for code, name in UNIT_NAMES.items() if "(mẫu)" not in name} == confirmed
    assert all("(mẫu)" in letter.subject for letter in LETTERS)


def test_the_attached_pdf_is_whole() -> None:
    pdf = small_pdf("11/2026 (x)")
    xref = int(pdf.split(b"startxref\n")[1].split(b"\n")[0])

    assert pdf[xref:].startswith(b"xref\n0 6\n")
    for number, line in enumerate(pdf[xref:].splitlines()[3:8], 1):
        assert pdf[int(line[:10]) :].startswith(f"{number} 0 obj".encode())
