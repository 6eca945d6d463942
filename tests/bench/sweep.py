"""Sweep: how fast a node does what is due, and what submissions notice of it. One process, the real store and files, no peers.

Packets lie in the outbox, then the clock is put past their expiry: each fails by our signed receipt and lets its body go. Meanwhile
an office submits as steadily as before. Every look at the loop counts: `held` is the longest time for which it did nothing else.
"""

import asyncio
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import quantiles

import uvloop

from node.flow.expiry.sweeper import Sweeper
from node.model.office import Submission, System
from node.model.policy import Policy
from node.node import Node
from node.ports import Ports
from node.store.bodies import FileBodies
from node.store.rocks.store import RocksStore
from tests.bench.load import KB, packets
from tests.bench.report import Report
from tests.clocks import SetClock
from tests.flow.support import KEYS, ScriptedPeers, directory
from tests.small_mesh import FixedDirectory, InlineWorkers, OsEntropy

PACKETS = 20_000
PACE_PER_S = 50
EXPIRE_MS = 60_000


class Bench:
    """One node without couriers, and an office."""

    def __init__(self, folder: Path) -> None:
        self.clock = SetClock()
        self.store = RocksStore.open(folder / "store", folder / "witness", node_id="g14")
        self.bodies = FileBodies(folder / "bodies")
        ports = Ports(
            self.clock, OsEntropy(), self.store, self.bodies, KEYS["g14"], ScriptedPeers(), InlineWorkers(),
            FixedDirectory(directory()),
        )  # type: ignore[arg-type]  # fmt: skip
        policy = replace(Policy(), expire_after_ms=EXPIRE_MS, keep_body_after_ms=0)
        self.node = Node(ports, policy)
        self.system = System("bench", frozenset({"G14"}))
        node = self.node
        self.sweeper = Sweeper(
            ports,
            policy,
            node.signals,
            node.counters,
            node.body_files,
            node.agreed_time,
            node.slices,
            node.standstill.look,
            node.risk,
        )
        self.held_ms = 0.0

    async def submit(self, load: list[tuple[str, bytes]], workers: int = 64) -> None:
        """Hand packets in as fast as the node takes them."""
        queue = iter(load)

        async def worker() -> None:
            for submission_id, packet in queue:
                await self.node.submit(self.system, Submission(submission_id), packet)

        await asyncio.gather(*(worker() for _ in range(workers)))

    async def paced(self, until: "asyncio.Future[object]") -> list[float]:
        """Submit steadily until something is done; return how long each call took in milliseconds."""
        took: list[float] = []
        calls: set[asyncio.Task[None]] = set()

        async def one(submission_id: str, packet: bytes) -> None:
            begun = time.perf_counter()
            await self.node.submit(self.system, Submission(submission_id), packet)
            took.append(1000 * (time.perf_counter() - begun))

        while not until.done():
            [(submission_id, packet)] = packets("document", 2 * KB, 1)
            calls.add(asyncio.ensure_future(one(submission_id, packet)))
            await asyncio.sleep(1 / PACE_PER_S)
        await asyncio.gather(*calls)
        return took

    async def watch(self, until: "asyncio.Future[object]") -> None:
        """Measure for how long the loop is held."""
        self.held_ms = 0.0
        while not until.done():
            begun = time.perf_counter()
            await asyncio.sleep(0.001)
            self.held_ms = max(self.held_ms, 1000 * (time.perf_counter() - begun) - 1)


async def measure(report: Report, scale: float) -> None:
    """Measure once."""
    with tempfile.TemporaryDirectory() as folder:
        bench, count = Bench(Path(folder)), max(200, int(PACKETS * scale))
        await bench.submit(packets("document", 2 * KB, count))
        calm = asyncio.ensure_future(asyncio.sleep(max(5.0, count / 10_000)))
        watching = asyncio.ensure_future(bench.watch(calm))
        _tell(report, "without a sweep", await bench.paced(calm))
        await watching
        report.add("loop held at most, without a sweep", [bench.held_ms], "ms")
        bench.clock.at_ms += EXPIRE_MS
        begun = time.perf_counter()
        sweeping: asyncio.Future[int] = asyncio.ensure_future(bench.sweeper.sweep_once())
        watching = asyncio.ensure_future(bench.watch(sweeping))
        took = await bench.paced(sweeping)
        await watching
        seconds = time.perf_counter() - begun
        report.add("due rows done", [float(sweeping.result())], "rows")
        report.add("speed of the sweep", [sweeping.result() / seconds], "rows/s", ">= 1000")
        _tell(report, "during the sweep", took)
        report.add("loop held at most, during the sweep", [bench.held_ms], "ms", "<= 50")
        begun = time.perf_counter()
        await bench.sweeper.sweep_once()
        report.add("a look that finds nothing, after it", [1000 * (time.perf_counter() - begun)], "ms")
        await bench.store.close()
        await bench.bodies.close()


def _tell(report: Report, when: str, took: list[float]) -> None:
    parts = quantiles(took, n=100)
    report.add(f"submit {when}, p50", [parts[49]], "ms")
    report.add(f"submit {when}, p99", [parts[98]], "ms")


def run(report: Report, runs: int, scale: float) -> None:
    """Run the bench once, whatever `runs` says: --scale 5 has 100,000 packets."""
    uvloop.run(measure(report, scale))
