"""Urgent: how long hỏa tốc takes between two healthy nodes while everything else goes wrong or fills the line.

Five nodes on hosts of their own (network namespaces, so root is needed), each with a line of 20 Mbit/s to the others. What offices say to
their node is not narrowed: they are in the same building. Urgent documents of 10 KB go both ways between `g14` and `h49`; the clock runs
from the office's call to the moment at which the other office sees the document in its inbox.

    unloaded    nothing else goes
    loaded      a packet of 500 MB goes each way between the two, circulars with an attachment to 2,400 units on all nodes again and again;
                one peer is dead (it and its line), one is behind a line of 256 kbit/s, and gets the circulars, too

`--scale 0.12` has packets of 60 MB, and looks for 20 s instead of three minutes.
"""

import asyncio
import os
import re
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

import uvloop

from node.client import AsyncOffice
from node.model.envelope import PacketKind
from tests.bench.large import MB, write_packet
from tests.bench.load import KB
from tests.bench.report import Report
from tests.containers import netns_hosts
from tests.containers.hosts import NORTH, Host, Place
from tests.containers.hosts import run as run_command
from tests.containers.mesh import CENTRE, Layout, Mesh
from tests.containers.netns_hosts import MACHINE, NamespaceHosts
from tests.papers import document

LOADED_S, UNLOADED_S = 180, 30
LARGE_BYTES = 500 * MB
"""It takes at least 200 s on such a line."""
EVERY_S = 0.25
"""An urgent document each way."""
CIRCULAR_EVERY_S, CIRCULAR_BYTES = 10.0, 300 * KB
RATE, SLOW_RATE = "20mbit", "256kbit"
QUEUE_BYTES = 1 * MB
"""What waits before a line of RATE: 0.4 s of it, as in tests/containers/lines.py."""
DEAD, SLOW = "h37", "h38"
PREFIX = {"g14": "G14", "h49": "H49", DEAD: "H37", SLOW: "H38"}
UNITS = {name: tuple(f"{prefix}.{number:04d}" for number in range(800)) for name, prefix in PREFIX.items()}
LAYOUT = Layout([Place(name, (NORTH,)) for name in (CENTRE, *PREFIX)], PREFIX, UNITS)
URGENT_UNIT = {name: units[0] for name, units in UNITS.items()}
"""Nothing but what is urgent goes to these: circulars leave them out."""


@dataclass
class Seen:
    """When each urgent document was handed in, and how long it took until the other office saw it."""

    begun_s: dict[str, float] = field(default_factory=dict)
    took_ms: list[float] = field(default_factory=list)


class Narrowed:
    """Lines of a rate between hosts, in each direction; what the tests' own machine says passes by."""

    def __init__(self, hosts: NamespaceHosts) -> None:
        self._machine = str(hosts.switches[NORTH].net[MACHINE])

    def narrow(self, host: Host, rate: str) -> None:
        """Narrow the line of a host."""
        [(far, port)] = host.far_ends()
        for words, device, side in ((host.within(), "eth0", "dst"), (far, port, "src")):
            tc = (*words, "tc")
            run_command(*tc, "qdisc", "add", "dev", device, "root", "handle", "1:", "htb", "default", "20")
            for number, speed in (("1:10", "10gbit"), ("1:20", rate)):
                run_command(*tc, "class", "add", "dev", device, "parent", "1:", "classid", number, "htb", "rate", speed)
            run_command(
                *tc, "qdisc", "add", "dev", device, "parent", "1:20", "handle", "20:", "bfifo", "limit", str(QUEUE_BYTES)
            )  # fmt: skip
            past = ("match", "ip", side, self._machine, "flowid", "1:10")
            run_command(
                *tc, "filter", "add", "dev", device, "parent", "1:", "protocol", "ip", "prio", "1", "u32", *past
            )

    def sent_bytes(self, host: Host) -> int:
        """Return the octets that have left a host for the others."""
        said = run_command(*host.within(), "tc", "-s", "class", "show", "dev", "eth0", "classid", "1:20").stdout
        found = re.search(r"Sent (\d+) bytes", said)
        assert found, said
        return int(found[1])


async def measure(report: Report, scale: float) -> None:
    """Measure both."""
    if why := netns_hosts.why_not():
        raise SystemExit(why)
    with tempfile.TemporaryDirectory(prefix="truc-urgent-") as folder:
        large = Path(folder) / "large.edxml"
        write_packet(large, int(LARGE_BYTES * _loaded_s(scale) / LOADED_S))
        hosts = NamespaceHosts()
        try:
            mesh = Mesh(Path(folder) / "mesh", hosts, {}, LAYOUT)
            mesh.start()
            await _both(report, mesh, Narrowed(hosts), large, scale)
        finally:
            hosts.close()


def _loaded_s(scale: float) -> float:
    return max(20.0, LOADED_S * scale)


async def _both(report: Report, mesh: Mesh, lines: Narrowed, large: Path, scale: float) -> None:
    for name in mesh.nodes:
        lines.narrow(mesh[name], SLOW_RATE if name == SLOW else RATE)
    async with mesh.office("g14") as ministry, mesh.office("h49") as province:
        offices = {"g14": ministry, "h49": province}
        await _urgents(offices, 3.0)
        _tell(report, "unloaded", await _urgents(offices, max(10.0, UNLOADED_S * scale)), "<= 50", None)
        mesh[DEAD].kill()
        mesh.line(DEAD).cut()
        for name, other in (("g14", "h49"), ("h49", "g14")):
            await offices[name].submit(_between(large, name, other), submission_id=f"large-{name}")
        seconds = _loaded_s(scale)
        before = {name: lines.sent_bytes(mesh[name]) for name in offices}
        async with _circulars(ministry):
            seen = await _urgents(offices, seconds)
        _tell(report, "loaded", seen, None, "<= 2000")
        for name in offices:
            used = 8 * (lines.sent_bytes(mesh[name]) - before[name]) / seconds / 20e6
            report.add(f"loaded: line of {name} filled", [100 * used], "%", ">= 80")


def _between(path: Path, sender: str, recipient: str) -> Path:
    """Write the large packet once more, for these units."""
    codes = ((b"G14", UNITS[sender][1]), (b"H49.22.05", UNITS[recipient][1]))
    made = path.with_name(f"large-{sender}.edxml")
    with path.open("rb") as read, made.open("wb") as write:
        head = read.read(64 * KB)
        for before, code in codes:
            head = head.replace(before, code.encode())
        write.write(head)
        while piece := read.read(1 << 20):
            write.write(piece)
    return made


async def _urgents(offices: dict[str, AsyncOffice], seconds: float) -> Seen:
    """Send urgent documents both ways for a while, and wait until all have come."""
    seen = Seen()
    reading = [asyncio.ensure_future(_read(office, URGENT_UNIT[name], seen)) for name, office in offices.items()]
    end, calls = time.perf_counter() + seconds, list[asyncio.Future[object]]()
    while time.perf_counter() < end:
        for name, other in (("g14", "h49"), ("h49", "g14")):
            calls.append(asyncio.ensure_future(_hand_in(offices[name], name, other, seen)))
        await asyncio.sleep(EVERY_S)
    await asyncio.gather(*calls)
    async with asyncio.timeout(60):
        while len(seen.took_ms) < len(seen.begun_s):
            for task in reading:
                if task.done():
                    task.result()
            await asyncio.sleep(0.05)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    return seen


async def _hand_in(office: AsyncOffice, name: str, other: str, seen: Seen) -> None:
    number = os.urandom(6).hex()
    packet = document(
        URGENT_UNIT[other],
        sender=UNITS[name][0],
        number=number,
        priority=3,
        attachments=[("a.pdf", os.urandom(6 * KB))],
    )
    seen.begun_s[number] = time.perf_counter()
    await office.submit(packet, submission_id=number)


async def _read(office: AsyncOffice, unit: str, seen: Seen) -> None:
    while True:
        entries, _ = await office.inbox_page(unit, page_entries=100)
        now_s = time.perf_counter()
        for entry in entries:
            begun_s = seen.begun_s.get(entry.document_id.split(",")[-1].split("/")[0])
            if begun_s is not None and entry.kind is PacketKind.DOCUMENT:  # and no status of arrival about one
                seen.took_ms.append(1000 * (now_s - begun_s))
        if entries:
            await office.acknowledge([one.packet_id for one in entries], unit)
        await asyncio.sleep(0.005)


@asynccontextmanager
async def _circulars(office: AsyncOffice) -> AsyncIterator[None]:
    """Within: an office writes to everybody again and again."""

    async def write() -> None:
        to = [unit for name, units in UNITS.items() if name != "g14" for unit in units[1:]]
        while True:
            number = os.urandom(6).hex()
            files = [("thong-bao.pdf", os.urandom(CIRCULAR_BYTES))]
            packet = document(*to, sender=UNITS["g14"][1], number=number, attachments=files)
            await office.submit(packet, submission_id=number)
            await asyncio.sleep(CIRCULAR_EVERY_S)

    task = asyncio.ensure_future(write())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _tell(report: Report, when: str, seen: Seen, p50: str | None, p99: str | None) -> None:
    parts = quantiles(seen.took_ms, n=100)
    assert len(seen.took_ms) == len(seen.begun_s), "each came once"
    report.add(f"{when}: urgent documents", [float(len(seen.took_ms))], "")
    report.add(f"{when}: p50", [parts[49]], "ms", p50)
    report.add(f"{when}: p99", [parts[98]], "ms", p99)
    report.add(f"{when}: slowest", [max(seen.took_ms)], "ms")


def run(report: Report, runs: int, scale: float) -> None:
    """Run the bench once, whatever `runs` says."""
    uvloop.run(measure(report, scale))
