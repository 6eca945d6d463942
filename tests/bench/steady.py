"""Steady: does the disk stay flat when everything that comes in goes out again? Two nodes in one process, their real stores and files.

A ministry sends to a province, whose software acknowledges what comes; one document in fifty has a body that is a file. Times of keeping
are so short that all of it turns over about ten times in a run: what is sent in one tenth is erased in the next one. Sizes are sampled all
the while and told by thirds of the run: in the last third they must be what they were in the middle one (the first fills the store).

    ./dev bench steady --documents 200000        (--scale 0.1 for less, without --documents)
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, quantiles

import uvloop

from node.model.office import Submission, System
from node.model.policy import Policy
from node.node import Node
from node.ports import Ports
from node.process.loops import Loops
from node.process.system import SystemClock
from node.store.bodies import FileBodies
from node.store.rocks.store import RocksStore
from tests.bench.load import KB, packets
from tests.bench.report import Report
from tests.flow.support import KEYS, directory
from tests.small_mesh import DirectPeers, FixedDirectory, InlineWorkers, NoHooks, OsEntropy, Switchboard

DOCUMENTS = 200_000
TURNS = 10
PACE_PER_S = 150
"""Documents handed in a second, if the machine is up to it: the times of keeping follow from it."""
LARGE_EVERY, LARGE_BYTES = 50, 200 * KB
SYSTEMS = {"g14": System("bench-g14", frozenset({"G14"})), "h49": System("bench-h49", frozenset({"H49.22.05"}))}


@dataclass(frozen=True, slots=True)
class Sample:
    """The sizes at one moment of both nodes together."""

    store_bytes: int
    body_files: int
    descriptors: int
    resident_bytes: int


class Place:
    """One node with its loops."""

    def __init__(self, folder: Path, name: str, board: Switchboard, policy: Policy) -> None:
        self.name, self.folder = name, folder
        self.store = RocksStore.open(folder / "store", folder / "WITNESS", node_id=name)
        self.bodies = FileBodies(folder)
        ports = Ports(
            SystemClock(), OsEntropy(), self.store, self.bodies, KEYS[name], DirectPeers(name, board), InlineWorkers(),
            FixedDirectory(directory()),
        )  # type: ignore[arg-type]  # fmt: skip
        self.node = Node(ports, policy)
        self.loops = Loops(self.node, NoHooks())
        board.nodes[name] = self.node

    async def close(self) -> None:
        """Stop and let go of the files."""
        await self.loops.stop()
        await self.store.close()
        await self.bodies.close()


class Run:
    """One run: an office that sends, one that acknowledges, and somebody who looks at the sizes."""

    def __init__(self, folder: Path, count: int) -> None:
        self.count = count
        self.turn_s = max(4.0, count / TURNS / PACE_PER_S)
        keep_ms = int(1000 * self.turn_s)
        policy = replace(
            Policy(), arrival=False, expire_after_ms=keep_ms // 2, keep_body_after_ms=keep_ms // 4,
            keep_records_ms=keep_ms, keep_memory_ms=keep_ms // 2, sweep_every_ms=1_000,
        )  # fmt: skip
        board = Switchboard()
        self.sender = Place(folder / "g14", "g14", board, policy)
        self.recipient = Place(folder / "h49", "h49", board, policy)
        self.folder = folder
        self.samples: list[Sample] = []
        self.took_ms: list[list[float]] = []
        self._done = False

    async def live(self) -> None:
        """Run from the first document to the last."""
        for place in (self.sender, self.recipient):
            await place.loops.start()
        others = [asyncio.ensure_future(each()) for each in (self._acknowledge, self._sample)]
        await self._send()
        self._done = True
        await asyncio.gather(*others)

    async def _send(self) -> None:
        begun, given = time.perf_counter(), 0
        limit, calls = asyncio.Semaphore(128), set[asyncio.Task[None]]()
        while given < self.count:
            pace = min(self.count, int((time.perf_counter() - begun) * PACE_PER_S) + 1)
            for number in range(given, pace):
                size = LARGE_BYTES if number % LARGE_EVERY == 0 else 2 * KB
                await limit.acquire()
                call = asyncio.ensure_future(self._submit(number, *packets("document", size, 1)[0], limit))
                calls.add(call)
                call.add_done_callback(calls.discard)
            given = max(given, pace)
            await asyncio.sleep(0.01)
        await asyncio.gather(*calls)
        self.took_s = time.perf_counter() - begun

    async def _submit(self, number: int, submission_id: str, packet: bytes, limit: asyncio.Semaphore) -> None:
        begun = time.perf_counter()
        try:
            await self.sender.node.submit(SYSTEMS["g14"], Submission(submission_id), packet)
        finally:
            limit.release()
        third = 3 * number // self.count
        while len(self.took_ms) <= third:
            self.took_ms.append([])
        self.took_ms[third].append(1000 * (time.perf_counter() - begun))

    async def _acknowledge(self) -> None:
        node, system = self.recipient.node, SYSTEMS["h49"]
        while not self._done:
            entries, _ = await node.list_inbox(system, "", 100, "")
            await node.acknowledge(system, [one.packet_id for one in entries], "")
            await asyncio.sleep(0 if entries else 0.05)

    async def _sample(self) -> None:
        while not self._done:
            self.samples.append(await asyncio.to_thread(self._look))
            await asyncio.sleep(self.turn_s / 20)

    def _look(self) -> Sample:
        stores = [path for place in (self.sender, self.recipient) for path in (place.folder / "store").iterdir()]
        files = [1 for place in (self.sender, self.recipient) for _ in (place.folder / "bodies").glob("??/*")]
        return Sample(
            sum(_size(path) for path in stores),
            len(files),
            len(os.listdir("/proc/self/fd")),
            int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        )

    def tell(self, report: Report) -> None:
        """Report the sizes by thirds."""
        report.add("documents", [float(self.count)], "documents")
        report.add("handed in", [self.count / self.took_s], "documents/s")
        report.add("time of keeping", [self.turn_s], "s")
        for place in (self.sender, self.recipient):
            erased = place.node.counters.erased
            report.add(f"erased at {place.name}", [100 * erased / self.count], "%", ">= 60")
        for title, value in FIGURES:
            thirds = [mean(value(one) for one in part) for part in _thirds(self.samples)]
            for name, each in zip(("first", "second", "last"), thirds, strict=True):
                report.add(f"{title}, {name} third", [each], "")
            report.add(f"{title}, last over second third", [thirds[2] / max(thirds[1], 1e-9)], "", "<= 1.15")
        for name, took in zip(("first", "second", "last"), self.took_ms, strict=True):
            report.add(f"submit p99, {name} third", [quantiles(took, n=100)[98]], "ms")


FIGURES: Sequence[tuple[str, Callable[[Sample], float]]] = (
    ("store, MB", lambda one: one.store_bytes / 1e6),
    ("body files", lambda one: one.body_files),
    ("descriptors", lambda one: one.descriptors),
    ("resident memory, MB", lambda one: one.resident_bytes / 1e6),
)


def _thirds(samples: list[Sample]) -> list[list[Sample]]:
    size = max(1, len(samples) // 3)
    return [samples[:size], samples[size : 2 * size], samples[2 * size :]]


def _size(path: Path) -> int:
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0  # compaction has removed it meanwhile


async def measure(report: Report, count: int) -> None:
    """Measure once."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), count)
        await run.live()
        run.tell(report)
        for place in (run.sender, run.recipient):
            await place.close()


def run(report: Report, runs: int, scale: float, documents: int = 0) -> None:
    """Run the bench once, whatever `runs` says."""
    uvloop.run(measure(report, documents or max(1_000, int(DOCUMENTS * scale))))
