"""Soak: three real processes under steady traffic for hours. Nothing of them may grow: memory, descriptors, store, age of what waits.

Each node sends to both others, their software acknowledges, and statuses of arrival go back; one document in fifty has a body that is a
file. What is known of a packet is forgotten after a fiftieth of the time (short_memory.py), so that a store which grows has a leak. Sizes
are looked at all the while: the peaks of the last third are held against those of the first one, of which the filling is left out. Peaks,
because a store's write buffers (16 MiB for each family) and its log fill and empty again. A run that is too short to fill them some times
sees nothing but their filling: an hour has some 43,000 documents, and 2,000 write about 9 MB of log at each node.

    ./dev bench soak --hours 1          (--scale 2: twice as many documents a second)
"""

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import uvloop

from node.errors import Deferred
from node.model.envelope import PacketKind
from node.net.client import OfficeClient
from tests.bench.load import KB
from tests.bench.report import Report
from tests.bench.short_memory import KEEP
from tests.clocks import now_ms
from tests.papers import document
from tests.real_mesh import MINISTRY, PROVINCE, NodeSpec, RealMesh, admin_client

SPECS = (MINISTRY, PROVINCE, NodeSpec("h37", "H37", ("H37", "H37.10")))
UNIT = {"g14": "G14", "h49": "H49.22", "h37": "H37.10"}
PACE_PER_S = 12
"""Documents a second in the whole mesh; a status of arrival comes of each."""
LARGE_EVERY, LARGE_BYTES = 50, 200 * KB
KEPT_SHARE = 50
"""What is known is kept for one part in so many of the time, but not for less than KEPT_MS_MIN."""
KEPT_MS_MIN = 20_000
LOOKS = 300
COMMAND = (sys.executable, "-m", "tests.bench.short_memory", "serve")


@dataclass(frozen=True, slots=True)
class Look:
    """One node at one moment."""

    resident_bytes: int
    descriptors: int
    store_bytes: int
    oldest_ms: int
    """How long the oldest of what waits has waited."""


@dataclass
class Run:
    """One run and all that was seen in it."""

    mesh: RealMesh
    seconds: float
    pace_per_s: float
    looks: dict[str, list[Look]] = field(default_factory=lambda: {name: [] for name in UNIT})
    took_ms: list[float] = field(default_factory=list)
    sent: set[bytes] = field(default_factory=set)
    arrived: Counter[bytes] = field(default_factory=Counter)
    statuses: int = 0
    ended: bool = False

    async def live(self) -> None:
        """Send, acknowledge and look until the time is over and all has arrived."""
        offices = {name: self.mesh.office(name) for name in UNIT}
        others = [asyncio.ensure_future(self._acknowledge(offices[name])) for name in UNIT]
        others.append(asyncio.ensure_future(self._look()))
        await self._send(offices)
        async with asyncio.timeout(120):
            while self.arrived.keys() < self.sent and not any(task.done() for task in others):
                await asyncio.sleep(0.2)
        self.ended = True
        await asyncio.gather(*others)
        for office in offices.values():
            await office.close()

    async def _send(self, offices: dict[str, OfficeClient]) -> None:
        begun, number, calls = time.perf_counter(), 0, set[asyncio.Task[None]]()
        pairs = [(one, other) for one in UNIT for other in UNIT if one != other]
        while (passed_s := time.perf_counter() - begun) < self.seconds:
            while number < passed_s * self.pace_per_s:
                sender, recipient = pairs[number % len(pairs)]
                call = asyncio.ensure_future(self._submit(offices[sender], sender, recipient, number))
                calls.add(call)
                call.add_done_callback(calls.discard)
                number += 1
            await asyncio.sleep(0.02)
        await asyncio.gather(*calls)

    async def _submit(self, office: OfficeClient, sender: str, recipient: str, number: int) -> None:
        size = LARGE_BYTES if number % LARGE_EVERY == 0 else KB
        files = [("tep.pdf", b"%PDF" + os.urandom(size))]
        packet = document(UNIT[recipient], sender=UNIT[sender], number=str(number), attachments=files)
        begun = time.perf_counter()
        result = await office.submit(packet, f"soak-{number}")
        assert result.packet_id, result
        self.took_ms.append(1000 * (time.perf_counter() - begun))
        self.sent.add(result.packet_id)

    async def _acknowledge(self, office: OfficeClient) -> None:
        while not self.ended:
            entries, _ = await office.list_inbox(page_size=200)
            by_unit: dict[str, list[bytes]] = {}
            for entry in entries:
                by_unit.setdefault(entry.unit, []).append(entry.packet_id)
                if entry.kind is PacketKind.DOCUMENT:
                    self.arrived[entry.packet_id] += 1
                else:
                    self.statuses += 1
            for unit, ids in by_unit.items():
                await office.acknowledge(ids, unit)
            await asyncio.sleep(0.1)

    async def _look(self) -> None:
        admins = {name: admin_client(self.mesh[name]) for name in UNIT}
        while not self.ended:
            for name, admin in admins.items():
                try:
                    waiting, _ = await admin.list_outbox("", 1_000)
                except Deferred:
                    continue
                oldest_ms = max((now_ms() - one.since_ms for one in waiting), default=0)
                self.looks[name].append(await asyncio.to_thread(self._look_at, name, oldest_ms))
            await asyncio.sleep(self.seconds / LOOKS)
        for admin in admins.values():
            await admin.close()

    def _look_at(self, name: str, oldest_ms: int) -> Look:
        node = self.mesh[name]
        assert node.process is not None
        descriptors = len(os.listdir(f"/proc/{node.process.pid}/fd"))
        return Look(node.resident_bytes(), descriptors, _disk_bytes(node.home), oldest_ms)

    def tell(self, report: Report) -> None:
        """Report what was sent, and each size by its first and last third."""
        report.add("documents", [float(len(self.sent))], "")
        report.add("documents lost", [float(len(self.sent - self.arrived.keys()))], "", "<= 0")
        report.add("documents that came twice", [float(sum(self.arrived.values()) - len(self.arrived))], "", "<= 0")
        report.add("statuses that came", [float(self.statuses)], "")
        report.add("submit p99", [quantiles(self.took_ms, n=100)[98]], "ms")
        for name, looks in self.looks.items():
            filled = looks[len(looks) // 10 :]
            third = max(1, len(filled) // 3)
            first, last = filled[:third], filled[-third:]
            self._tell(
                report, name, "memory, MiB", [[one.resident_bytes / 2**20 for one in part] for part in (first, last)]
            )
            self._tell(
                report, name, "descriptors", [[float(one.descriptors) for one in part] for part in (first, last)]
            )
            self._tell(report, name, "disk, MB", [[one.store_bytes / 1e6 for one in part] for part in (first, last)])
            ages = [[one.oldest_ms / 1000 for one in part] for part in (first, last)]
            for when, part in zip(("first", "last"), ages, strict=True):
                report.add(f"{name}: oldest in the outbox, {when} third, median", [median(part)], "s")
                report.add(f"{name}: oldest in the outbox, {when} third, most", [max(part)], "s", "<= 10")

    def _tell(self, report: Report, name: str, what: str, parts: list[list[float]]) -> None:
        first, last = (max(part) for part in parts)
        report.add(f"{name}: {what}, peak of the first third", [first], "")
        report.add(f"{name}: {what}, peak of the last third", [last], "")
        report.add(f"{name}: {what}, last over first", [last / max(first, 1e-9)], "", "<= 1.1")


def _disk_bytes(home: Path) -> int:
    """Return what a home takes on the disk, but for the log of the process, which the system keeps short."""
    total = 0
    for folder, _, files in os.walk(home):
        for file in files:
            path = Path(folder, file)
            try:
                total += 0 if path == home / "log" else path.stat().st_blocks * 512
            except FileNotFoundError:
                continue  # compaction has removed it meanwhile
    return total


async def measure(report: Report, hours: float, scale: float) -> None:
    """Measure once."""
    seconds = 3_600 * hours
    keep_ms = max(KEPT_MS_MIN, int(1000 * seconds / KEPT_SHARE))
    with tempfile.TemporaryDirectory() as folder:
        mesh = RealMesh(Path(folder), SPECS)
        for node in mesh.nodes.values():
            node.command, node.environment = COMMAND, {KEEP: str(keep_ms)}
        with mesh:
            run = Run(mesh, seconds, PACE_PER_S * scale)
            await run.live()
            run.tell(report)


def run(report: Report, runs: int, scale: float, hours: float = 1.0) -> None:
    """Run the bench once, whatever `runs` says."""
    uvloop.run(measure(report, hours, scale))
