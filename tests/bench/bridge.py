"""Bridge: what the VXP bridge bears. Full form: 200 systems polling each second for ten minutes while 100 documents a second flow.

  polling     each system asks getReceivedEdocList once a second, fetches what it finds and reports it done; one more system hands
              in documents of 50 KB at the other node. Latency is a call's, from connecting to the last octet of the answer.
  large       sendEdoc and getEdoc of a 50 MB packet: peak of memory during the call less what was resident before
  agencies    getAgenciesList with 125,000 units: first octet and whole answer, when the list is there and when it must be made

Memory is looked at each second, and its peaks of the first and the last third are compared: a store's write buffers fill and empty
again (seen: by 40 MiB in a minute or two), so that two single looks tell of their moments only.
The load is made by one process on the same machine, which takes about as much of a processor as each node; figures are of this mix,
and worth little when strangers or the hypervisor take the rest of the processors. Both shares are told, and beside the p99 of all
calls that of the median ten seconds: where the two are far apart, something happened at times, and not always.
`--scale 0.1` polls for a minute.
"""

import asyncio
import base64
import itertools
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

import uvloop

from node.config.home import Homestead
from node.directory.zone.zone import ZoneEditor
from node.edxml.compose import compose_document
from node.model.directory import Unit
from tests.bench.load import KB
from tests.bench.report import Report
from tests.clocks import now_ms
from tests.real_mesh import MINISTRY, NodeSpec, RealNode
from tests.web.real_bridge import BridgedMesh, bridged_mesh
from tests.web.sdk import Sdk

SYSTEMS, DOCUMENTS_S, POLLING_S = 200, 100, 600
GROWTH_MIB = 16
"""So much may the peaks of two thirds of the time differ and still be called flat."""
UNITS = 125_000
LARGE_BYTES = 50_000_000
PIECE_BYTES = 50 * KB


@dataclass
class Seen:
    """All that the systems saw."""

    lists_ms: list[float] = field(default_factory=list)
    ended_s: list[float] = field(default_factory=list)
    """When each of the lists had come, on this process's clock."""
    sends_ms: list[float] = field(default_factory=list)
    done: int = 0
    sent: int = 0
    errors: list[str] = field(default_factory=list)


async def measure(report: Report, runs: int, scale: float) -> None:
    """Measure all three."""
    with tempfile.TemporaryDirectory() as folder:
        await _polling(report, Path(folder) / "polling", max(10.0, POLLING_S * scale))
        await _large(report, Path(folder) / "large")
        await _agencies(report, Path(folder) / "agencies", max(3, runs))


# --- polling ----------------------------------------------------------------------------------------------------------


async def _polling(report: Report, folder: Path, seconds: float) -> None:
    units = tuple(f"H49.{number:03d}" for number in range(SYSTEMS))
    with bridged_mesh(folder, [MINISTRY, NodeSpec("h49", "H49", units)]) as mesh:
        sender = mesh.system("g14", "bo", "G14")
        readers = [mesh.system("h49", f"s{number}", unit) for number, unit in enumerate(units)]
        await _flow(mesh, sender, readers, units, 10.0)
        before = _Processors.now(mesh)
        resident = {node_id: list[float]() for node_id in mesh.ports}
        looking = asyncio.ensure_future(_look_at_memory(mesh, resident))
        seen = await _flow(mesh, sender, readers, units, seconds)
        assert not looking.done(), "memory was looked at to the end"
        looking.cancel()
        used = _Processors.now(mesh).since(before)
    _tell(report, seconds, seen, resident, used)


def _tell(report: Report, seconds: float, seen: Seen, resident: dict[str, list[float]], used: "_Processors") -> None:
    name = f"{SYSTEMS} systems, {seconds:g} s"
    report.add(f"{name}: errors", [len(seen.errors)], "", "<= 0")
    report.add(f"{name}: documents sent", [seen.sent / seconds], "/s", f">= {DOCUMENTS_S * 0.98:g}")
    report.add(f"{name}: documents done", [seen.done / seconds], "/s")
    report.add(f"{name}: lists", [len(seen.lists_ms) / seconds], "/s")
    report.add(f"{name}: list p50", [quantiles(seen.lists_ms, n=100)[49]], "ms")
    report.add(f"{name}: list p99", [quantiles(seen.lists_ms, n=100)[98]], "ms", "<= 100")
    report.add(f"{name}: list p99 of ten seconds", _p99_of_windows(seen), "ms")
    report.add(f"{name}: sendEdoc p50", [quantiles(seen.sends_ms, n=100)[49]], "ms")
    report.add(f"{name}: sendEdoc p99", [quantiles(seen.sends_ms, n=100)[98]], "ms")
    for node_id, looks in resident.items():
        third = len(looks) // 3
        peaks = max(looks[:third]), max(looks[-third:])
        report.add(f"{name}: memory of {node_id}, peak", [max(looks)], "MiB")
        report.add(f"{name}: memory of {node_id}, growth", [peaks[1] - peaks[0]], "MiB", f"<= {GROWTH_MIB}")
        report.add(f"{name}: processor of {node_id}", [100 * used.nodes_s[node_id] / seconds], "%")
    report.add(f"{name}: processor taken by strangers", [100 * used.strangers_s / seconds], "%")
    report.add(f"{name}: processor withheld by the hypervisor", [100 * used.withheld_s / seconds], "%")
    for error in seen.errors[:5]:
        print("error:", error)


@dataclass(frozen=True)
class _Processors:
    """Processor seconds used so far: by each node, by neither node nor this process, and by the hypervisor's other guests."""

    nodes_s: dict[str, float]
    strangers_s: float
    withheld_s: float

    @classmethod
    def now(cls, mesh: BridgedMesh) -> "_Processors":
        ticks = [int(count) for count in Path("/proc/stat").read_text("ascii").split()[1:9]]
        user, nice, system, _, _, irq, soft_irq, withheld = (count / os.sysconf("SC_CLK_TCK") for count in ticks)
        nodes_s = {node_id: mesh[node_id].cpu_s() for node_id in mesh.ports}
        ours_s = sum(nodes_s.values()) + time.process_time()
        return cls(nodes_s, user + nice + system + irq + soft_irq - ours_s, withheld)

    def since(self, before: "_Processors") -> "_Processors":
        nodes_s = {node_id: used_s - before.nodes_s[node_id] for node_id, used_s in self.nodes_s.items()}
        return _Processors(nodes_s, self.strangers_s - before.strangers_s, self.withheld_s - before.withheld_s)


async def _look_at_memory(mesh: BridgedMesh, resident: dict[str, list[float]]) -> None:
    while True:
        for node_id, looks in resident.items():
            looks.append(mesh[node_id].resident_bytes() / 2**20)
        await asyncio.sleep(1.0)


def _p99_of_windows(seen: Seen) -> list[float]:
    windows: dict[int, list[float]] = {}
    for ended_s, list_ms in zip(seen.ended_s, seen.lists_ms, strict=True):
        windows.setdefault(int(ended_s / 10), []).append(list_ms)
    return [quantiles(figures, n=100)[98] for figures in windows.values() if len(figures) > 100]


async def _flow(mesh: BridgedMesh, sender: Sdk, readers: list[Sdk], units: tuple[str, ...], seconds: float) -> Seen:
    seen, end = Seen(), time.perf_counter() + seconds
    polls = (_poll(reader, seen, end, place / len(readers)) for place, reader in enumerate(readers))
    sender.pools = True
    await asyncio.gather(_send(sender, units, seen, end), *polls)
    sender.close()
    return seen


async def _poll(reader: Sdk, seen: Seen, end: float, offset_s: float) -> None:
    """One system's round each second, begun at its own time within the second.

    It asks for the list by a service object of its own, whose frozen timestamp makes every request the same octets.
    """
    due = time.perf_counter() + offset_s
    lister = Sdk(reader.port, reader.system, reader.secret)
    request = lister.request("getReceivedEdocList", {"servicetype": "eDoc", "messagetype": "edoc"}, b"")
    while due < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        try:
            begun = time.perf_counter()
            said = await lister.ask(request, keep=True)
            ended = time.perf_counter()
            seen.lists_ms.append(1000 * (ended - begun))
            seen.ended_s.append(ended)
            lister.close_lists()
            for row in said.json["data"]:
                await _take(reader, row["docId"], seen)
        except Exception as error:
            seen.errors.append(f"{reader.system}: {error!r}")
        due += 1.0


async def _take(reader: Sdk, docket: str, seen: Seen) -> None:
    got = await reader.call("getEdoc", docId=docket, filePath="xml")
    done = await reader.call("updateStatus", docid=docket, status="done")
    assert got.ok, got.json
    assert done.ok, done.json
    seen.done += 1


_numbers = itertools.count(1)


async def _send(sender: Sdk, units: tuple[str, ...], seen: Seen, end: float) -> None:
    """Hand documents in at their times, whether those before have been answered or not."""
    template = _packet(units[0], PIECE_BYTES)
    due, tasks = time.perf_counter(), set[asyncio.Task[None]]()
    while due < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        number = next(_numbers)
        packet = template.replace(b"NUMMER00", b"%08d" % number).replace(
            units[0].encode(), units[number % SYSTEMS].encode()
        )
        task = asyncio.ensure_future(_send_one(sender, packet, seen))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        due += 1 / DOCUMENTS_S
    await asyncio.gather(*tasks)


async def _send_one(sender: Sdk, packet: bytes, seen: Seen) -> None:
    begun = time.perf_counter()
    try:
        said = await sender.send_edoc(packet, **{"from": "G14"})
        assert said.ok, said.json
    except Exception as error:
        seen.errors.append(f"sendEdoc: {error!r}")
        return
    seen.sent += 1
    seen.sends_ms.append(1000 * (time.perf_counter() - begun))


def _packet(unit: str, size_bytes: int) -> bytes:
    return compose_document(
        sender="G14",
        sender_name="Bộ mẫu",
        recipients=[(unit, "Đơn vị mẫu")],
        document_id="G14,2026/11/22,NUMMER00/BM",
        number="NUMMER00",
        notation="BM",
        subject="V/v đo cầu VXP",
        date="2026/11/22",
        attachments=[("tep.pdf", b"%PDF" + bytes(range(256)) * (size_bytes * 3 // 4 // 256))],
    )


# --- large ------------------------------------------------------------------------------------------------------------


async def _large(report: Report, folder: Path) -> None:
    with bridged_mesh(folder, [MINISTRY, NodeSpec("h49", "H49", ("H49", "H49.22"))]) as mesh:
        bo, tinh = mesh.system("g14", "bo", "G14"), mesh.system("h49", "tinh", "H49.22")
        await bo.send_edoc(_packet("H49.22", 20 * KB), **{"from": "G14"})
        await _taken(tinh)
        packet = _packet("H49.22", LARGE_BYTES)
        got: list[bytes] = []

        async def send() -> None:
            assert (await bo.send_edoc(packet, **{"from": "G14"})).ok

        async def get() -> None:
            got.append(await _taken(tinh))

        sent_s, sent_mib = await _watched(mesh["g14"], send)
        while not (await tinh.call("countReceiveEdoc")).json["count"]:
            await asyncio.sleep(0.1)
        got_s, got_mib = await _watched(mesh["h49"], get)
        assert got == [packet]
        size_mb = len(packet) / 1_000_000
        report.add("50 MB: sendEdoc", [size_mb / sent_s], "MB/s")
        report.add("50 MB: memory growth of the sender's node", [sent_mib], "MiB", "<= 64")
        report.add("50 MB: list, getEdoc, updateStatus", [size_mb / got_s], "MB/s")
        report.add("50 MB: memory growth of the recipient's node", [got_mib], "MiB", "<= 64")


async def _taken(sdk: Sdk) -> bytes:
    async with asyncio.timeout(60):
        while not (found := (await sdk.call("getReceivedEdocList", messagetype="edoc")).json["data"]):
            await asyncio.sleep(0.1)
    said = await sdk.call("getEdoc", docId=found[0]["docId"], filePath="x")
    await sdk.call("updateStatus", docid=found[0]["docId"], status="done")
    return base64.b64decode(said.json["data"])


async def _watched(node: RealNode, work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Return the seconds that `work` takes and the node's growth meanwhile in MiB."""
    assert node.process is not None
    Path(f"/proc/{node.process.pid}/clear_refs").write_text("5", "ascii")
    before, begun = node.resident_bytes(), time.perf_counter()
    await work()
    return time.perf_counter() - begun, (node.resident_bytes("VmHWM") - before) / 2**20


# --- agencies ---------------------------------------------------------------------------------------------------------


async def _agencies(report: Report, folder: Path, runs: int) -> None:
    mesh = bridged_mesh(folder, [NodeSpec("h49", "H49", ("H49",))])
    node = mesh["h49"]
    zone = ZoneEditor.open(Homestead(node.home).zone)
    zone.add_units(
        Unit(f"H49.{n // 1000:03d}.{n % 1000:03d}", f"Ủy ban nhân dân xã Đại Lộc số {n}", (), f"H49.{n // 1000:03d}")
        for n in range(UNITS - 1)
    )
    mesh.mesh.authority.take(zone.update(now_ms()), now_ms())
    mesh.mesh.authority.publish(now_ms())
    mesh.mesh.join(node)
    with mesh:
        tinh = mesh.system("h49", "tinh", "H49")
        # As in a node that has seen a document for that zone: reading the zone is not the list's doing.
        warm = _packet("H49.001.001", 10 * KB).replace(b"G14", b"H49")
        assert (await tinh.send_edoc(warm, **{"from": "H49"})).ok
        firsts, wholes, sizes = list[float](), list[float](), list[int]()

        async def ask() -> None:
            first, whole, size = await _first_octet(tinh)
            firsts.append(first)
            wholes.append(whole)
            sizes.append(size)

        _, made_mib = await _watched(node, ask)
        _, kept_mib = await _watched(node, lambda: _repeat(ask, runs * 5))
        report.add("125,000 units, list made: first octet", firsts[:1], "ms")
        report.add("125,000 units, list made: whole", wholes[:1], "ms")
        report.add("125,000 units, list made: memory growth", [made_mib], "MiB", "<= 32")
        report.add("125,000 units, from cache: first octet", firsts[1:], "ms", "<= 100")
        report.add("125,000 units, from cache: whole", wholes[1:], "ms")
        report.add("125,000 units, from cache: memory growth", [kept_mib], "MiB", "<= 32")
        report.add("125,000 units: size, gzipped", [sizes[0] / 2**20], "MiB")
        said = await tinh.call("getAgenciesList")
        assert len(said.json["data"]) == UNITS


async def _repeat(ask: Callable[[], Awaitable[None]], count: int) -> None:
    for _ in range(count):
        await ask()


async def _first_octet(sdk: Sdk) -> tuple[float, float, int]:
    """Return ms to the first octet of the list, ms to its last, and how many octets came."""
    reader, writer = await sdk.connect()
    begun = time.perf_counter()
    writer.write(sdk.request("getAgenciesList", {}, b""))
    await reader.readuntil(b"\r\n\r\n")
    size = len(await reader.read(1))
    first = 1000 * (time.perf_counter() - begun)
    while piece := await reader.read(65_536):
        size += len(piece)
    writer.close()
    return first, 1000 * (time.perf_counter() - begun), size


def run(report: Report, runs: int, scale: float) -> None:
    """Run the bench."""
    uvloop.run(measure(report, runs, scale))
