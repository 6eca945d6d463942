"""Submit: how many packets a node takes durably, and how long a caller waits. The peer is held, so nothing is forwarded."""

import tempfile
import time
from pathlib import Path
from statistics import quantiles

import uvloop

from tests.bench.load import KB, many_per_call, one_per_call, packets, warm_up
from tests.bench.report import Report
from tests.real_mesh import MINISTRY, NO_ARRIVALS, PROVINCE, RealMesh, admin_client

CASES = (("2 KB", 2 * KB, 4_000), ("50 KB", 50 * KB, 1_500), ("1 MB", 1000 * KB, 60))


async def measure(report: Report, runs: int, scale: float) -> None:
    """Measure all cases."""
    with tempfile.TemporaryDirectory() as folder, RealMesh(Path(folder), [MINISTRY, PROVINCE], NO_ARRIVALS) as mesh:
        await warm_up(mesh, "g14", "h49")
        async with mesh.office("g14") as office, admin_client(mesh["g14"]) as admin:
            await admin.hold_peer("h49")
            for name, size, count in CASES:
                amount = max(20, int(count * scale))
                many, one, p50, p99, alone = [], [], [], [], []
                for _ in range(runs):
                    load = packets("document", size, amount)
                    begun = time.perf_counter()
                    await many_per_call(office, load)
                    many.append(amount / (time.perf_counter() - begun))
                    load = packets("document", size, amount)
                    begun = time.perf_counter()
                    seconds = await one_per_call(office, load, 64)
                    one.append(amount / (time.perf_counter() - begun))
                    p50.append(1000 * quantiles(seconds, n=100)[49])
                    p99.append(1000 * quantiles(seconds, n=100)[98])
                    single = await one_per_call(office, packets("document", size, max(20, amount // 40)), 1)
                    alone.append(1000 * quantiles(single, n=100)[49])
                report.add(f"{name}, many per call", many, "packets/s")
                report.add(f"{name}, one per call, 64 at a time", one, "packets/s")
                report.add(f"{name}, one per call, 64 at a time, p50", p50, "ms")
                report.add(f"{name}, one per call, 64 at a time, p99", p99, "ms")
                report.add(f"{name}, one per call, alone, p50", alone, "ms")


def run(report: Report, runs: int, scale: float) -> None:
    """Run the bench."""
    uvloop.run(measure(report, runs, scale))
