"""Forward: from one node to another, mutual TLS, encryption, durable on both sides, signed receipts back and verified.

Three roads to the same place:
  outbox          the packets lie in the sender's outbox already; the two node processes do nothing but forward
  many per call   a client process hands them in, many in a call, while they are forwarded
  one per call    as most clients will: a call for each packet, 64 calls at a time
The clock stops when the last receipt is durable at the origin. The yardstick is a 50 KB call that the node refuses at its first
octet: what client and gRPC alone can do on this machine at this moment. These machines are noisy; read figures beside it.
"""

import asyncio
import tempfile
import time
from pathlib import Path

import uvloop

from node.model.reason import Reason
from tests.bench.load import KB, many_per_call, one_per_call, outbox_empty, packets, warm_up
from tests.bench.report import Report
from tests.real_mesh import MINISTRY, NO_ARRIVALS, PROVINCE, RealMesh, admin_client

CASES = (
    ("2 KB", "document", 2 * KB, 6_000, ">= 3000", None),
    ("50 KB", "document", 50 * KB, 2_000, ">= 800", ">= 700"),
    ("1 MB", "document", 1000 * KB, 100, None, None),
    ("2 KB status", "status", 2 * KB, 6_000, None, None),
)


async def measure(report: Report, runs: int, scale: float) -> None:
    """Measure all cases."""
    with tempfile.TemporaryDirectory() as folder, RealMesh(Path(folder), [MINISTRY, PROVINCE], NO_ARRIVALS) as mesh:
        await warm_up(mesh, "g14", "h49")
        report.add("yardstick: 50 KB refused at once", [await _refused(mesh, 2_000) for _ in range(runs)], "calls/s")
        for name, kind, size, count, goal, goal_one in CASES:
            amount = max(20, int(count * scale))
            rates: dict[str, list[float]] = {"outbox": [], "many per call": [], "one per call": []}
            for _ in range(runs):
                rates["outbox"].append(amount / await _outbox(mesh, kind, size, amount))
                rates["many per call"].append(amount / await _through(mesh, kind, size, amount, many=True))
                rates["one per call"].append(amount / await _through(mesh, kind, size, amount, many=False))
            report.add(f"{name}, from the outbox", rates["outbox"], "packets/s", goal)
            report.add(f"{name}, client, many per call", rates["many per call"], "packets/s")
            report.add(f"{name}, client, one per call", rates["one per call"], "packets/s", goal_one)


async def _refused(mesh: RealMesh, count: int) -> float:
    async with mesh.office("g14") as office:
        calls = iter(range(count))

        async def worker() -> None:
            for number in calls:
                result = await office.submit(b"x" * (50 * KB), f"yardstick-{number}")
                assert result.reason is Reason.PACKET_NOT_XML, result

        begun = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(64)))
        return count / (time.perf_counter() - begun)


async def _outbox(mesh: RealMesh, kind: str, size: int, count: int) -> float:
    async with mesh.office("g14") as office, admin_client(mesh["g14"]) as admin:
        await admin.hold_peer("h49")
        await many_per_call(office, packets(kind, size, count))
        begun = time.perf_counter()
        await admin.release_peer("h49")
        await outbox_empty(admin, "h49")
        return time.perf_counter() - begun


async def _through(mesh: RealMesh, kind: str, size: int, count: int, *, many: bool) -> float:
    load = packets(kind, size, count)
    async with mesh.office("g14") as office, admin_client(mesh["g14"]) as admin:
        begun = time.perf_counter()
        if many:
            await many_per_call(office, load)
        else:
            await one_per_call(office, load, 64)
        await outbox_empty(admin, "h49")
        return time.perf_counter() - begun


def run(report: Report, runs: int, scale: float) -> None:
    """Run the bench."""
    uvloop.run(measure(report, runs, scale))
