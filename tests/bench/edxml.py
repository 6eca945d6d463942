"""edXML: reading and judging packets, in one thread and without a node. Small ones in milliseconds, large ones in MB/s and memory.

Time is processor time: it is all computation in one thread, and neighbours on the machine must not count. Memory is measured in a
process of its own: growth of the peak (VmHWM) over what was resident when the packet began.
"""

import json
import random
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

from node.edxml.compose import compose_document
from node.edxml.reader import read_header, read_whole
from node.edxml.rules import check_packet
from node.flow.submit.sealing import seal_packet
from tests.bench.report import Report

KB, MB = 1000, 1_000_000
NOW_MS = 1_795_345_200_000
SAMPLES = Path(__file__).parents[1] / "samples"
SMALL_CALLS = 2_000
BLOCK_BYTES = 256 * 1024

LARGE = """
import hashlib, json, sys, time
from node.edxml.reader import HeaderReader, WholeReader
from node.edxml.rules import check_packet
from node.edxml.rules.contents import ZipJudge

def peak_kib(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

what, size_bytes, beginning = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
before, after = sys.stdin.buffer.read().split(b"CONTENT")
block = (b"ABCDabcd0123wxyz+/" * 15_000)[: 256 * 1024]
judge = ZipJudge()
reader = HeaderReader() if what == "header" else WholeReader(on_content=judge)
reader.feed(before + beginning)
start, begun = peak_kib("VmRSS"), time.process_time()
for _ in range(size_bytes // len(block)):
    reader.feed(block)
reader.feed(after)
read = reader.finish()
if what == "rules":
    found = [*check_packet(read.packet, 0), *judge.findings(read.packet)]
    assert read.packet.attachments[0].size_bytes > size_bytes * 0.7
seconds = time.process_time() - begun
print(json.dumps({"mb_per_s": size_bytes / 1e6 / seconds, "grown_mib": (peak_kib("VmHWM") - start) / 1024}))
"""


def run(report: Report, runs: int, scale: float) -> None:
    """Run the bench."""
    calls = max(50, int(SMALL_CALLS * scale))
    small, plain, status = _small(), _plain(), (SAMPLES / "30_status_01.edxml").read_bytes()
    packet = read_whole(small).packet
    for name, work, goal in (
        ("50 KB, read the header", lambda: read_header(small), "<= 0.5"),
        ("50 KB, read the whole", lambda: read_whole(small), None),
        ("50 KB, all rules", lambda: check_packet(packet, NOW_MS), None),
        ("50 KB, read the whole and all rules", lambda: check_packet(read_whole(small).packet, NOW_MS), "<= 3"),
        ("50 KB, read, all rules, encrypt", lambda: seal_packet(small, bytes(32), NOW_MS), None),
        ("2 KB, read the whole and all rules", lambda: check_packet(read_whole(plain).packet, NOW_MS), None),
        ("status, read the whole and all rules", lambda: check_packet(read_whole(status).packet, NOW_MS), None),
    ):
        report.add(name, [_milliseconds(work, calls) for _ in range(runs)], "ms", goal)
    size_bytes = int(100 * MB * scale)
    for name, what, beginning in (
        ("100 MB, read the header", "header", "JVBERi0x"),
        ("100 MB, read the whole and all rules", "rules", "JVBERi0x"),
    ):
        seen = [_large(what, size_bytes, beginning) for _ in range(runs)]
        report.add(name, [one["mb_per_s"] for one in seen], "MB/s", ">= 300")
        report.add(f"{name}: memory growth", [one["grown_mib"] for one in seen], "MiB", "<= 16")


def _milliseconds(work: Callable[[], object], calls: int) -> float:
    """The median of many calls: one thread, nothing else in this process."""
    seconds = []
    for _ in range(calls):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return 1000 * sorted(seconds)[len(seconds) // 2]


def _small() -> bytes:
    """A document with every element that offices fill in, and a pdf, of about 50 KB."""
    pdf = b"%PDF-1.4" + random.Random(1).randbytes(33 * KB)
    return (SAMPLES / "01_new_pdf.edxml").read_bytes().replace(b"JVBERi0xLjQgbeG6q3U=", b64encode(pdf))


def _plain() -> bytes:
    return compose_document(
        sender="G14",
        sender_name="Bộ mẫu",
        recipients=[("H49.22.05", "Phường mẫu")],
        document_id="G14,2026/11/22,1/BM",
        number="1",
        notation="BM",
        subject="V/v đo tốc độ của trục",
        date="2026/11/22",
    )


def _large(what: str, size_bytes: int, beginning: str) -> dict[str, float]:
    shell = (SAMPLES / "01_new_pdf.edxml").read_bytes().replace(b"JVBERi0xLjQgbeG6q3U=", b"CONTENT")
    command = [sys.executable, "-P", "-c", LARGE, what, str(size_bytes), beginning]
    found = subprocess.run(command, input=shell, capture_output=True, check=True, cwd=Path(__file__).parents[2])
    seen: dict[str, float] = json.loads(found.stdout)
    return seen
