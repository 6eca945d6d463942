"""Large packets: memory stays flat however much is attached, and many recipients or a long subject are nothing special."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from node.edxml.document import read_packet
from node.edxml.reader import read_header
from tests.edxml.packets import sample, streamed
from tests.papers import document

HOUSE = Path(__file__).parent.parent.parent
MIB = 1 << 20

READ_64_MIB = """
import json, sys
from node.edxml.reader import WholeReader

def peak_kib():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

before, after = sys.stdin.buffer.read().split(b"JVBERi0xLjQgbeG6q3U=")
piece = b"QUJD" * 65_536
reader = WholeReader()
reader.feed(before)
start = peak_kib()
for _ in range(256):
    reader.feed(piece)
reader.feed(after)
header, packet = reader.finish()
print(json.dumps({"grown_kib": peak_kib() - start, "size_bytes": packet.attachments[0].size_bytes, "sender": header.sender}))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_an_attachment_of_64_mib_passes_through_without_being_held() -> None:
    run = subprocess.run(
        [sys.executable, "-c", READ_64_MIB], input=sample("01"), capture_output=True, check=True, cwd=HOUSE
    )
    seen = json.loads(run.stdout)
    assert seen["sender"] == "000.00.01.H99"
    assert seen["size_bytes"] == 64 * MIB * 3 // 4
    assert seen["grown_kib"] < 8 * 1024


@pytest.mark.parametrize("size_bytes", [3 * MIB, 12 * MIB])
def test_a_large_packet_in_memory_is_read_too_even_beyond_the_parsers_limit_for_a_tree(size_bytes: int) -> None:
    content = b"QUJD" * (size_bytes // 4)
    packet = sample("01").replace(b"JVBERi0xLjQgbeG6q3U=", content)
    assert read_header(packet) == streamed(packet)
    assert read_packet(packet).attachments[0].size_bytes == size_bytes // 4 * 3


def test_5000_recipients_are_read_in_order() -> None:
    codes = [f"H49.{number // 100:02}.{number % 100:02}" for number in range(5_000)]
    packet = document(recipients=[(code, "Ủy ban nhân dân xã") for code in codes])
    assert read_header(packet).recipients == streamed(packet).recipients == tuple(codes)


def test_a_subject_of_64_kib_is_read_whole() -> None:
    subject = "Quyết định " * 6_000
    assert 64 * 1024 < len(subject) < len(subject.encode())
    packet = document("H49", subject=subject)
    assert read_header(packet).subject == streamed(packet).subject == subject.strip()


def test_a_thousand_attachments_are_listed() -> None:
    files = [(f"phụ lục {number}.pdf", b"%PDF" + bytes(number)) for number in range(1_000)]
    words = read_packet(document("H49", attachments=files))
    found = [(each.attachment_name, each.size_bytes) for each in words.attachments]
    assert found == [(name, len(data)) for name, data in files]
