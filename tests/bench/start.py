"""Start: seconds from the start of the process to an answer, and memory while idle, with an empty store and with a full one.

stored     a million deliveries as a long life leaves them: most are delivered, a tenth waits
waiting    a million deliveries that all wait for one peer, which cannot be reached. Whoever filled the store was killed (SIGKILL) at
           the end, and so is the node after each start, in the midst of submissions: each start finds a log to be read again
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from node.config.home import Homestead
from node.model.delivery import State
from node.model.lane import Lane
from node.model.policy import DAY_MS, MINUTE_MS
from node.model.reason import Reason
from node.ports import Tx
from node.rows import keys
from node.rows.records import DeliveryRecord, OutboxRecord, PacketRecord, PeerRecord
from node.store.rocks.store import RocksStore
from tests.bench.load import KB, one_per_call, packets
from tests.bench.report import Report
from tests.real_mesh import MINISTRY, NO_ARRIVALS, PROVINCE, ROOT, RealMesh, admin_client

DELIVERIES = 1_000_000


async def measure(report: Report, runs: int, scale: float) -> None:
    """Measure all three."""
    count = int(DELIVERIES * scale)
    with tempfile.TemporaryDirectory() as folder:
        mesh = RealMesh(Path(folder), [MINISTRY, PROVINCE], NO_ARRIVALS)
        try:
            await _starts(report, mesh, runs, "empty store")
            await _fill(mesh, count)
            await _starts(report, mesh, runs, f"{count:,} stored deliveries")
        finally:
            mesh.close()
    with tempfile.TemporaryDirectory() as folder:
        mesh = RealMesh(Path(folder), [MINISTRY, PROVINCE], NO_ARRIVALS)
        try:
            await asyncio.to_thread(_fill_and_be_killed, mesh["g14"].home, count)
            await _starts_after_kill(report, mesh, runs, f"{count:,} waiting deliveries, after SIGKILL")
        finally:
            mesh.close()


async def _starts(report: Report, mesh: RealMesh, runs: int, name: str) -> None:
    node, seconds, resident = mesh["g14"], list[float](), list[float]()
    for _ in range(runs):
        begun = time.perf_counter()
        node.start()
        async with admin_client(node) as admin:
            await admin.health()
        seconds.append(time.perf_counter() - begun)
        await asyncio.sleep(2.0)  # idle memory is what is left when the start has settled
        resident.append(node.resident_bytes() / 2**20)
        assert node.stop() == 0
    report.add(f"{name}: start to first answer", seconds, "s", "<= 3")
    report.add(f"{name}: resident while idle", resident, "MiB", "<= 130")


async def _starts_after_kill(report: Report, mesh: RealMesh, runs: int, name: str) -> None:
    node, seconds, resident = mesh["g14"], list[float](), list[float]()
    for _ in range(runs):
        begun = time.perf_counter()
        node.start()
        async with admin_client(node) as admin:
            await admin.health()
            seconds.append(time.perf_counter() - begun)
            waiting, more = await admin.list_outbox("h49", 1)
            assert waiting, "what waited before the kill waits after it"
            assert more
        async with mesh.office("g14") as office:
            load = asyncio.ensure_future(one_per_call(office, packets("document", 2 * KB, 100_000), 16))
            await asyncio.sleep(4.0)
            assert not load.done(), load.exception()
            resident.append(node.resident_bytes() / 2**20)
            node.kill()
            await asyncio.gather(load, return_exceptions=True)
    report.add(f"{name}: start to first answer", seconds, "s", "<= 5")
    # The first start also looks through all that waits, whose addresses another map of prefixes may have given.
    report.add(f"{name}: the slowest start", [max(seconds)], "s", "<= 5")
    report.add(f"{name}: resident while it takes packets", resident, "MiB")


def _fill_and_be_killed(home: Path, count: int) -> None:
    """Let another process write waiting deliveries, and kill it as soon as the last is durable."""
    code = f"import asyncio; from tests.bench.start import fill_for_ever; asyncio.run(fill_for_ever({str(home)!r}, {count}))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.kill()


async def fill_for_ever(home: str, count: int) -> None:
    """Write waiting deliveries, say so, and wait to be killed."""
    place = Homestead(Path(home))
    store = RocksStore.open(place.store, place.witness, node_id="g14")
    now_ms = time.time_ns() // 1_000_000
    for begin in range(0, count, 2_000):
        await store.transact(lambda tx, begin=begin: _write_waiting(tx, begin, min(2_000, count - begin), now_ms))  # type: ignore[misc]
    await store.transact(lambda tx: _write_unreachable(tx, now_ms))
    print("written", flush=True)
    await asyncio.Event().wait()


def _write_waiting(tx: Tx, begin: int, count: int, now_ms: int) -> None:
    for number in range(begin, begin + count):
        packet_id = number.to_bytes(16, "big")
        record = DeliveryRecord(state=State.WAITING, reason=Reason.QUEUED, node_id="h49")
        tx.put(keys.delivery(packet_id, "H49.22.05"), record.SerializeToString())
        tx.put(keys.packet(packet_id), PacketRecord(envelope=bytes(300), submission_id=str(number)).SerializeToString())
        tx.put(keys.due(now_ms + 30 * DAY_MS, keys.DUE_EXPIRE, packet_id), b"")
        row = OutboxRecord(kind=1, since_ms=now_ms, unit_count=1, reason=Reason.QUEUED)
        ready = keys.outbox_row("h49", Lane.NORMAL, now_ms, packet_id, keys.OUTBOX_PACKET)
        tx.put(ready, row.SerializeToString())
        tx.put(keys.outbox_index(packet_id, "h49", keys.OUTBOX_PACKET), ready)


def _write_unreachable(tx: Tx, now_ms: int) -> None:
    """Let the peer have failed for a day: what waits for it stays where it is."""
    next_ms = now_ms + 5 * MINUTE_MS
    record = PeerRecord(
        failures=100, first_failure_ms=now_ms - DAY_MS, next_attempt_ms=next_ms, reason=Reason.PEER_UNREACHABLE
    )
    tx.put(keys.peer("h49"), record.SerializeToString())


async def _fill(mesh: RealMesh, count: int) -> None:
    """Write deliveries as a long life would leave them: most delivered, a tenth still waiting in the outbox."""
    place = Homestead(mesh["g14"].home)
    store = RocksStore.open(place.store, place.witness, node_id="g14")
    for begin in range(0, count, 2_000):
        await store.transact(lambda tx, begin=begin: _write(tx, begin, 2_000))  # type: ignore[misc]
    await store.close()


def _write(tx: Tx, begin: int, count: int) -> None:
    for number in range(begin, begin + count):
        packet_id = number.to_bytes(16, "big")
        waits = number % 10 == 0
        state = State.WAITING if waits else State.DELIVERED
        record = DeliveryRecord(state=state, reason=Reason.QUEUED if waits else 0, node_id="h49", receipt_node="h49")
        tx.put(keys.delivery(packet_id, "H49.22.05"), record.SerializeToString())
        tx.put(keys.packet(packet_id), PacketRecord(envelope=bytes(300), submission_id=str(number)).SerializeToString())
        tx.put(keys.receipt(packet_id, 2, "h49"), bytes(300))
        if waits:
            due_ms = 4_000_000_000_000 + number
            row = OutboxRecord(kind=1, since_ms=1, unit_count=1, not_before_ms=due_ms, reason=Reason.IN_CUSTODY)
            ready = keys.outbox_row("h49", 5, 1, packet_id, keys.OUTBOX_PACKET)
            tx.put(keys.later_row(due_ms, ready), row.SerializeToString())
            tx.put(keys.outbox_index(packet_id, "h49", keys.OUTBOX_PACKET), keys.later_row(due_ms, ready))


def run(report: Report, runs: int, scale: float) -> None:
    """Run the bench."""
    uvloop.run(measure(report, runs, scale))
