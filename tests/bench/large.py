"""Large: one packet of 500 MB through two nodes. Memory must not grow with it, and a kill half way must not start it over.

Growth of memory is the peak during the transfer (VmHWM, reset before it) less what was resident before.
"""

import asyncio
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import uvloop

from node.edxml.compose import compose_document
from tests.bench.load import outbox_empty, warm_up
from tests.bench.report import Report
from tests.real_mesh import MINISTRY, NO_ARRIVALS, PROVINCE, RealMesh, RealNode, admin_client

MB = 1_000_000
TOML = "[times]\nback_off_first_ms = 100\nback_off_max_ms = 500\n" + NO_ARRIVALS


async def measure(report: Report, runs: int, scale: float) -> None:
    """Measure the transfer, then with a kill of the receiver and of the sender half way."""
    size = int(500 * MB * scale)
    for _ in range(1):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "large.edxml"
            digest = write_packet(path, size)
            with RealMesh(Path(folder) / "mesh", [MINISTRY, PROVINCE], TOML) as mesh:
                await warm_up(mesh, "g14", "h49")
                await _transfer(report, mesh, path, digest, "transfer")
            for victim in ("h49", "g14"):
                with RealMesh(Path(folder) / f"mesh-{victim}", [MINISTRY, PROVINCE], TOML) as mesh:
                    await _killed(report, mesh, path, digest, victim)


def write_packet(path: Path, size_bytes: int) -> bytes:
    """Write a packet with one attachment of about that size, piece by piece; return its SHA-256."""
    mark = b"QUJDREVGR0g="
    shell = compose_document(
        sender="G14",
        sender_name="Bộ mẫu",
        recipients=[("H49.22.05", "Phường mẫu")],
        document_id="G14,2026/11/22,1/LON",
        number="1",
        notation="LON",
        subject="V/v văn bản rất lớn",
        date="2026/11/22",
        attachments=[("lon.pdf", b"ABCDEFGH")],
    )
    before, after = shell.split(mark)
    digest = hashlib.sha256()
    with path.open("wb") as out:
        for piece in _pieces(before, after, size_bytes):
            digest.update(piece)
            out.write(piece)
    return digest.digest()


def _pieces(before: bytes, after: bytes, size_bytes: int) -> Iterator[bytes]:
    yield before
    block = b"ABCDabcd0123wxyz" * 65_536
    for _ in range(size_bytes // len(block)):
        yield block
    yield after


async def _transfer(report: Report, mesh: RealMesh, path: Path, digest: bytes, name: str) -> None:
    origin, recipient = mesh["g14"], mesh["h49"]
    peaks = {node.spec.node_id: _watch(node) for node in (origin, recipient)}
    async with mesh.office("g14") as office, mesh.office("h49") as reader, admin_client(origin) as admin:
        begun = time.perf_counter()
        result = await office.submit(path, "large")
        assert result.packet_id, result
        submitted = time.perf_counter()
        await outbox_empty(admin, "h49")
        forwarded = time.perf_counter()
        out = path.parent / "fetched.edxml"
        await reader.fetch_to(result.packet_id, out)
        fetched = time.perf_counter()
    assert hashlib.sha256(out.read_bytes()).digest() == digest
    out.unlink()
    size_mb = path.stat().st_size / MB
    report.add(f"{name}: submit", [size_mb / (submitted - begun)], "MB/s")
    report.add(f"{name}: forward", [size_mb / (forwarded - submitted)], "MB/s")
    report.add(f"{name}: fetch", [size_mb / (fetched - forwarded)], "MB/s")
    for node_id, growth in peaks.items():
        report.add(f"{name}: memory growth of {node_id}", [growth() / 2**20], "MiB", "<= 64")


def _watch(node: RealNode) -> Callable[[], int]:
    assert node.process is not None
    Path(f"/proc/{node.process.pid}/clear_refs").write_text("5", "ascii")
    before = node.resident_bytes()
    return lambda: node.resident_bytes("VmHWM") - before


async def _killed(report: Report, mesh: RealMesh, path: Path, digest: bytes, victim: str) -> None:
    """Kill one side when half of the body is at the receiver; count what the receiver writes after that."""
    origin, recipient = mesh["g14"], mesh["h49"]
    async with mesh.office("g14") as office:
        result = await office.submit(path, "large")
    spool, half = recipient.home / "spool", path.stat().st_size // 2
    async with asyncio.timeout(120):
        while _spooled(spool) < half:
            await asyncio.sleep(0.005)
    mesh[victim].kill()
    kept = _spooled(spool)
    written_before = 0 if victim == "h49" else _written_bytes(recipient)
    mesh[victim].start()
    async with admin_client(origin) as admin, mesh.office("h49") as reader:
        await outbox_empty(admin, "h49")
        written = _written_bytes(recipient) - written_before
        out = path.parent / "again.edxml"
        await reader.fetch_to(result.packet_id, out)
    assert hashlib.sha256(out.read_bytes()).digest() == digest
    out.unlink()
    size = path.stat().st_size
    report.add(f"{victim} killed half way: at the receiver then", [100 * kept / size], "% of the body")
    report.add(
        f"{victim} killed half way: received again", [100 * (written - (size - kept)) / size], "% of the body", "<= 10"
    )


def _spooled(spool: Path) -> int:
    return sum(path.stat().st_size for path in spool.glob("*.part")) if spool.is_dir() else 0


def _written_bytes(node: RealNode) -> int:
    """Octets that the receiver has written to files since it started: the body, and little else."""
    assert node.process is not None
    lines = Path(f"/proc/{node.process.pid}/io").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


def run(report: Report, runs: int, scale: float) -> None:
    """Run the bench."""
    uvloop.run(measure(report, runs, scale))
