"""Drain: a peer returns after an outage, and 100,000 packets wait for it. Two real processes, all times as they are by default.

steady          packets of 2 KB handed in while both nodes are up, forwarded as they come: what the pair bears day by day
from the outbox what lies ready for a healthy peer, and nobody hands anything in: the most that the pair can do
drain           the peer is killed, packets are handed in; then it starts again. The clock runs from its open doors
"""

import asyncio
import tempfile
import time
from pathlib import Path

import uvloop

from tests.bench.load import KB, many_per_call, outbox_empty, packets, warm_up
from tests.bench.report import Report
from tests.real_mesh import MINISTRY, NO_ARRIVALS, PROVINCE, RealMesh, admin_client

WAITING = 100_000
STEADY = 10_000
PIECE = 2_000
LIMIT_S = 3_600


async def measure(report: Report, runs: int, scale: float) -> None:
    """Measure all three."""
    waiting, steady = max(500, int(WAITING * scale)), max(500, int(STEADY * scale))
    with tempfile.TemporaryDirectory() as folder, RealMesh(Path(folder), [MINISTRY, PROVINCE], NO_ARRIVALS) as mesh:
        await warm_up(mesh, "g14", "h49")
        steady_s = [steady / await _steady(mesh, steady) for _ in range(runs)]
        report.add("steady", steady_s, "packets/s")
        ready_s = [steady / await _ready(mesh, steady) for _ in range(runs)]
        report.add("from the outbox", ready_s, "packets/s")
        first_s, all_s = await _drain(mesh, waiting)
        report.add(f"{waiting:,} waiting: the first arrives after", [first_s], "s", "<= 5")
        report.add(f"{waiting:,} waiting: drained", [waiting / all_s], "packets/s")
        report.add("drain, of steady", [100 * waiting / all_s / max(steady_s)], "%", ">= 70")
        report.add("drain, of the speed from the outbox", [100 * waiting / all_s / max(ready_s)], "%")


async def _steady(mesh: RealMesh, count: int) -> float:
    async with mesh.office("g14") as office, admin_client(mesh["g14"]) as admin:
        begun = time.perf_counter()
        await many_per_call(office, packets("document", 2 * KB, count))
        await outbox_empty(admin, "h49")
        return time.perf_counter() - begun


async def _ready(mesh: RealMesh, count: int) -> float:
    async with mesh.office("g14") as office, admin_client(mesh["g14"]) as admin:
        await admin.hold_peer("h49")
        await many_per_call(office, packets("document", 2 * KB, count))
        begun = time.perf_counter()
        await admin.release_peer("h49")
        await outbox_empty(admin, "h49")
        return time.perf_counter() - begun


async def _drain(mesh: RealMesh, count: int) -> tuple[float, float]:
    """Return after how many seconds the first packet was in an inbox, and all were gone."""
    await _acknowledge_all(mesh)
    mesh["h49"].kill()
    async with mesh.office("g14") as office, admin_client(mesh["g14"]) as admin:
        for begin in range(0, count, PIECE):
            await many_per_call(office, packets("document", 2 * KB, min(PIECE, count - begin)))
        mesh["h49"].start()
        begun = time.perf_counter()
        first = asyncio.ensure_future(_first(mesh))
        async with asyncio.timeout(LIMIT_S):
            while (await admin.list_outbox("h49", 1))[0]:
                await asyncio.sleep(0.1)
        ended = time.perf_counter()
        return await first - begun, ended - begun


async def _first(mesh: RealMesh) -> float:
    """Return when something lies in the inbox."""
    async with mesh.office("h49") as reader, asyncio.timeout(LIMIT_S):
        while not (await reader.list_inbox("H49.22.05", page_size=1))[0]:
            await asyncio.sleep(0.02)
        return time.perf_counter()


async def _acknowledge_all(mesh: RealMesh) -> None:
    async with mesh.office("h49") as reader:
        while entries := (await reader.list_inbox("H49.22.05", page_size=1000))[0]:
            await reader.acknowledge([one.packet_id for one in entries], "H49.22.05")


def run(report: Report, runs: int, scale: float) -> None:
    """Run the bench; the drain once, whatever `runs` says."""
    uvloop.run(measure(report, runs, scale))
