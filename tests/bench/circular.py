"""Circular: one document to thousands of units, some on its author's own node and some on peers, and all that is done about it later.

One process and one loop hold all nodes, with everything real but the line and the disk (`memory`), or but the line (`rocks`). Of each
step four figures are told: how long it took, the processor time, how far memory rose meanwhile, and the longest hold of the loop: the
processor time that the loop's thread spent between two turns of a task that only sleeps. It is processor time because a busy machine
stretches the other kind; what waits for a disk, or for the interpreter while a worker has it, does not show in it.

    submitted, arrives    a document, an update, a withdrawal to all: taken by the author's node; in all inboxes, all receipts in
    track, export         the author looks, as a client over the wire; and keeps it with all that belongs to it
    answers 15            each recipient's node agrees to give back what nobody had read
    acknowledge           1,000 packets by a system that speaks for 2,500 units
    expire                it cannot be delivered to a peer
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from node.archive.write import write
from node.model.code import parse_code
from node.model.directory import Role, Unit, Zone, directory_of
from node.model.office import InboxEntry, Submission, System, TrackView
from node.model.policy import DAY_MS, Policy
from node.net.client import TRACK_PAGE
from node.net.office_server import track_answer
from node.node import Node
from node.ports import Ports, Store
from node.process.loops import Loops
from node.process.system import SystemClock, ThreadWorkers
from node.rows import keys
from node.store.memory.bodies import MemoryBodies
from node.store.memory.store import MemoryStore
from node.store.rocks.store import RocksStore
from node.wire.track import TrackReader, track_from_proto
from node.wire.truc.v1.office_service_pb2 import TrackResponse
from tests.bench.report import Report
from tests.flow.acts import id_of, update, withdrawal
from tests.keyrings import new_keyring
from tests.papers import document
from tests.small_mesh import DirectPeers, FixedDirectory, NoHooks, OsEntropy, Switchboard, entry_of

T = TypeVar("T")

AUTHOR = "G14"
PREFIX = {"g14": "G14", "h49": "H49", "h37": "H37"}
LOCAL, THREE_NODES, ACKNOWLEDGED, UNITS_OF_SYSTEM = 3_321, 10_000, 1_000, 2_500
HOLD_GOAL = "<= 50"
EXPIRE_AFTER_MS = 2_000
LIMIT_S = 900
POLICY = Policy(arrival=False, back_off_first_ms=20, back_off_max_ms=200, sweep_every_ms=200, relay_after_ms=DAY_MS)


class Holds:
    """Looks, about a thousand times a second, how much processor time the loop's thread has spent since it looked last."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._before_s = time.thread_time()

    async def run(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(0.001)

    def look(self) -> None:
        now_s = time.thread_time()
        self.longest_s = max(self.longest_s, now_s - self._before_s)
        self._before_s = now_s


@dataclass
class Figures:
    """Takes the figures of each step, under the name of a case."""

    report: Report
    case: str

    async def step(self, name: str, work: Awaitable[Any]) -> Any:
        holds = Holds()
        watch = asyncio.create_task(holds.run())
        await asyncio.sleep(0.01)
        holds.longest_s = 0.0
        resident, begun_s, processor_s = _forget_peak(), time.perf_counter(), time.process_time()
        try:
            return await work
        finally:
            await asyncio.sleep(0)
            holds.look()
            watch.cancel()
            self._add(name, "longest hold", holds.longest_s * 1000, "ms", HOLD_GOAL)
            self._add(name, "took", time.perf_counter() - begun_s, "s")
            self._add(name, "processor", time.process_time() - processor_s, "s")
            self._add(name, "memory rose by", _resident_mb("VmHWM") - resident, "MiB")

    def _add(self, step: str, name: str, value: float, unit: str, goal: str | None = None) -> None:
        self.report.add(f"{self.case}: {step}, {name}", [value], unit, goal)


def _resident_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":")) / 1024


def _forget_peak() -> float:
    """Let the highest memory be counted anew; return what is used now, MiB."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    return _resident_mb("VmRSS")


# --- the mesh ---------------------------------------------------------------------------------------------------------


def codes(prefix: str, count: int) -> list[str]:
    """Return the codes of `count` units under a prefix."""
    return [f"{prefix}.{number // 100 + 10:03d}.{number % 100 + 10:03d}" for number in range(count)]


def _store(kind: str, folder: Path) -> Store:
    return MemoryStore() if kind == "memory" else RocksStore.open(folder / "db", folder / "WITNESS", node_id="bench")


@dataclass
class Office:
    """One node with a system that speaks for all of its units, and the lines to the others."""

    node: Node
    loops: Loops
    ports: Ports
    system: System
    board: Switchboard


@asynccontextmanager
async def mesh(counts: dict[str, int], kind: str) -> AsyncIterator[dict[str, Office]]:
    """Start nodes with so many units each; `g14` has the author beside them."""
    keyrings = {name: new_keyring(name) for name in counts}
    nodes = [entry_of(name, keyring, frozenset[Role]()) for name, keyring in keyrings.items()]
    units = {name: codes(PREFIX[name], count) for name, count in counts.items()}
    units["g14"].append(AUTHOR)
    zones = [
        Zone(parse_code(PREFIX[name]), name, {code: Unit(code, f"Đơn vị {code}") for code in codes})
        for name, codes in units.items()
    ]
    directory, board = FixedDirectory(directory_of(1, 0, nodes, zones)), Switchboard()
    offices: dict[str, Office] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in counts:
            store = _store(kind, Path(folder, name))
            clock, workers, bodies = SystemClock(), ThreadWorkers(), MemoryBodies()
            peers = DirectPeers(name, board)
            ports = Ports(clock, OsEntropy(), store, bodies, keyrings[name], peers, workers, directory)
            node = board.nodes[name] = Node(ports, POLICY)
            system = System(name, frozenset(units[name]))
            offices[name] = Office(node, Loops(node, NoHooks()), ports, system, board)
        for office in offices.values():
            await office.loops.start()
        _settle_memory()
        try:
            yield offices
        finally:
            for office in offices.values():
                await office.loops.stop()
                await office.ports.store.close()


def _settle_memory() -> None:
    """Let the collector of garbage work as it does in a node's process (process/assembly.py)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


# --- what is done -----------------------------------------------------------------------------------------------------


async def track_by_wire(office: Office, packet_id: bytes) -> TrackView:
    """Track a packet page by page as the client does, which reads the answers' octets in a thread of its own here."""
    reader, token = TrackReader(), ""
    while True:
        view = await office.node.track(office.system, packet_id=packet_id, page_size=TRACK_PAGE, page_token=token)
        octets = (await track_answer(view, receipts_apart=True)).SerializeToString()
        await asyncio.to_thread(lambda octets=octets: reader.add(TrackResponse.FromString(octets)))  # type: ignore[misc]
        token = view.next_page_token
        if not token:
            return reader.view()


async def track_all_at_once(office: Office, packet_id: bytes) -> TrackView:
    """Track a packet as a client does that is older than pages."""
    view = await office.node.track(office.system, packet_id=packet_id)
    octets = (await track_answer(view, receipts_apart=False)).SerializeToString()
    return await asyncio.to_thread(lambda: track_from_proto(TrackResponse.FromString(octets)))


@dataclass
class Keeper:
    """An archive's way to its node, which runs on another loop."""

    office: Office
    loop: asyncio.AbstractEventLoop

    async def track(self, *, packet_id: bytes = b"") -> TrackView:
        return await self._at_node(track_by_wire(self.office, packet_id))

    async def fetch_to(self, packet_id: bytes, path: Path, unit: str = "", *, lease_ms: int = 0) -> InboxEntry:
        entry, octets = await self._at_node(self._fetch(packet_id, unit, lease_ms))
        path.write_bytes(octets)
        return entry

    async def _fetch(self, packet_id: bytes, unit: str, lease_ms: int) -> tuple[InboxEntry, bytes]:
        entry, chunks = await self.office.node.fetch(self.office.system, packet_id, unit, lease_ms=lease_ms)
        return entry, b"".join([chunk async for chunk in chunks])

    async def _at_node(self, asked: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked, self.loop))


async def _empty(office: Office, table: bytes) -> None:
    """Wait until there are no rows in a table."""
    async with asyncio.timeout(LIMIT_S):
        while await office.ports.store.transact(lambda tx: tx.scan(table, limit=1)):
            await asyncio.sleep(0.05)


async def _arrived(office: Office) -> None:
    """Wait until nothing waits for a peer any more."""
    office.board.cut.clear()
    await _empty(office, keys.LATER)
    await _empty(office, keys.OUTBOX)


async def _nothing_owed(offices: list[Office]) -> None:
    for office in offices:
        await _empty(office, keys.DUTIES)


async def _send(figures: Figures, office: Office, name: str, packet: bytes) -> bytes:
    """Submit while the peers cannot be reached, so that each side's cost shows by itself; then let it arrive."""
    office.board.cut |= {("g14", peer) for peer in office.board.nodes}
    packet_id: bytes = await figures.step(f"{name} submitted", _submit(office, packet, name))
    await figures.step(f"{name} arrives", _arrived(office))
    return packet_id


async def _submit(office: Office, packet: bytes, name: str, **more: Any) -> bytes:
    result = await office.node.submit(office.system, Submission(name, **more), packet)
    assert result.packet_id, result
    return result.packet_id


async def _export(office: Office, number: str) -> None:
    dossier = await office.node.dossier(office.system, AUTHOR, AUTHOR, id_of(number))
    keeper = Keeper(office, asyncio.get_running_loop())
    with tempfile.TemporaryDirectory() as folder:
        writing = write(keeper, dossier, Path(folder, "ho-so"), as_zip=False)
        await asyncio.to_thread(asyncio.run, writing)


async def _life(figures: Figures, offices: dict[str, Office], to: list[str]) -> None:
    """Let a circular be sent, looked at, changed and taken back."""
    office = offices["g14"]
    packet_id = await _send(figures, office, "document", document(*to))
    view = await figures.step("track", track_by_wire(office, packet_id))
    assert len(view.deliveries) == len(to)
    view = await figures.step("track, old client", track_all_at_once(office, packet_id))
    assert len(view.deliveries) == len(to)
    await figures.step("export", _export(office, "123"))
    await _send(figures, office, "update", update(*to))
    await _send(figures, office, "withdrawal", withdrawal(*to))
    await figures.step("answers 15", _nothing_owed([*offices.values()]))
    await figures.step("track, all withdrawn", track_by_wire(office, packet_id))


async def _acknowledge(figures: Figures, office: Office) -> None:
    units = sorted(office.system.units)[:UNITS_OF_SYSTEM]
    papers = (document(units[0], number=str(number + 1000)) for number in range(ACKNOWLEDGED))
    ids = await asyncio.gather(*(_submit(office, one, f"a{place}") for place, one in enumerate(papers)))
    system = System("many", frozenset(units))

    async def work() -> None:
        assert await office.node.acknowledge(system, ids, "") == len(ids)

    await figures.step(f"acknowledge {ACKNOWLEDGED:,} for {len(units):,} units", work())


async def _expire(figures: Figures, offices: dict[str, Office], to: list[str]) -> None:
    office = offices["g14"]
    office.board.cut |= {("g14", name) for name in offices}
    expire_at_ms = office.ports.clock.now_ms() + EXPIRE_AFTER_MS
    await _submit(office, document(*to, number="777"), "e", expire_at_ms=expire_at_ms)
    await figures.step("expire", _expired(office))


async def _expired(office: Office) -> None:
    await _empty(office, keys.LATER)
    await _empty(office, keys.OUTBOX)


async def measure(report: Report, scale: float) -> None:
    """Measure all cases."""
    local = max(10, int(LOCAL * scale))
    for kind in ("memory", "rocks"):
        figures = Figures(report, f"{local:,} on its own node ({kind})")
        async with mesh({"g14": local}, kind) as offices:
            await _life(figures, offices, codes("G14", local))
            await _acknowledge(figures, offices["g14"])
    each = max(10, int(THREE_NODES * scale) // 3)
    figures = Figures(report, f"{each * 3:,} on 3 nodes (rocks)")
    async with mesh(dict.fromkeys(PREFIX, each), "rocks") as offices:
        await _life(figures, offices, [code for prefix in PREFIX.values() for code in codes(prefix, each)])
        await _expire(figures, offices, [code for prefix in ("H49", "H37") for code in codes(prefix, each)])


def run(report: Report, runs: int, scale: float) -> None:
    """Run the bench, each case once: it takes minutes, and holds of the loop do not average."""
    uvloop.run(measure(report, scale))
