"""Load for the benches: packets of a size, handed in one per call or many per call, and a wait for the outbox to be empty."""

import asyncio
import itertools
import time
from collections.abc import Sequence

from node.edxml.compose import compose_document, compose_status
from node.net.admin_client import AdminClient
from node.net.client import OfficeClient
from tests.real_mesh import RealMesh, admin_client

KB = 1000
_numbers = itertools.count(1)
_MARK = "NUMMER00"


def packets(kind: str, size_bytes: int, count: int) -> list[tuple[str, bytes]]:
    """Return (submission id, packet) pairs, each packet of about `size_bytes` octets and with a number of its own."""
    template = _status() if kind == "status" else _document(size_bytes)
    return [
        (f"bench-{n}", template.replace(_MARK.encode(), f"{n:08d}".encode())) for n in itertools.islice(_numbers, count)
    ]


def _document(size_bytes: int) -> bytes:
    def compose(attachments: Sequence[tuple[str, bytes]]) -> bytes:
        return compose_document(
            sender="G14",
            sender_name="Bộ mẫu",
            recipients=[("H49.22.05", "Phường mẫu")],
            document_id=f"G14,2026/11/22,{_MARK}/BM",
            number=_MARK,
            notation="BM",
            subject="V/v đo tốc độ của trục",
            date="2026/11/22",
            attachments=attachments,
        )

    bare = len(compose([]))
    if size_bytes <= bare + 700:
        return compose([])
    return compose([("tep.pdf", b"%PDF" + bytes(range(256)) * ((size_bytes - bare - 700) * 3 // 4 // 256))])


def _status() -> bytes:
    return compose_status(
        sender="G14",
        sender_name="Bộ mẫu",
        author="H49.22.05",
        document_id=f"H49.22.05,2026/11/22,{_MARK}/X",
        code=f"{_MARK}/X",
        date="2026/11/22",
        status_code="03",
        description="Đã tiếp nhận",
        timestamp="2026/11/22 08:00:00",
    )


async def one_per_call(office: OfficeClient, load: list[tuple[str, bytes]], concurrency: int) -> list[float]:
    """Submit each packet in a call of its own, `concurrency` calls at a time; return the seconds of each call."""
    queue, seconds = iter(load), list[float]()

    async def worker() -> None:
        for submission_id, packet in queue:
            begun = time.perf_counter()
            result = await office.submit(packet, submission_id)
            assert result.packet_id, result
            seconds.append(time.perf_counter() - begun)

    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return seconds


async def many_per_call(office: OfficeClient, load: list[tuple[str, bytes]]) -> None:
    """Submit all packets in few calls."""
    results = await office.submit_many(load)
    assert all(result.packet_id for result in results)


async def outbox_empty(admin: AdminClient, node_id: str) -> None:
    """Wait until nothing waits for a node any more: every receipt is in, verified and durable."""
    async with asyncio.timeout(300):
        while (await admin.list_outbox(node_id, 1))[0]:
            await asyncio.sleep(0.01)


async def warm_up(mesh: RealMesh, sender: str, recipient: str) -> None:
    """Let connections and caches come to life."""
    async with mesh.office(sender) as office, admin_client(mesh[sender]) as admin:
        await one_per_call(office, packets("document", 2 * KB, 50), 8)
        await outbox_empty(admin, recipient)
