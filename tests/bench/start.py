"""Start: seconds from the start of the process to an answer, and memory while idle, empty and with a million stored deliveries."""

import asyncio
import tempfile
import time
from pathlib import Path

import uvloop

from node.config.home import Homestead
from node.model.delivery import State
from node.model.reason import Reason
from node.ports import Tx
from node.rows import keys
from node.rows.records import DeliveryRecord, OutboxRecord, PacketRecord
from node.store.rocks.store import RocksStore
from tests.bench.report import Report
from tests.real_mesh import MINISTRY, NO_ARRIVALS, PROVINCE, RealMesh, admin_client

DELIVERIES = 1_000_000


async def measure(report: Report, runs: int, scale: float) -> None:
    """Measure both."""
    count = int(DELIVERIES * scale)
    with tempfile.TemporaryDirectory() as folder:
        mesh = RealMesh(Path(folder), [MINISTRY, PROVINCE], NO_ARRIVALS)
        try:
            await _starts(report, mesh, runs, "empty store")
            await _fill(mesh, count)
            await _starts(report, mesh, runs, f"{count:,} stored deliveries")
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
