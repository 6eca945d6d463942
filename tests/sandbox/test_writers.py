"""Writers write by themselves: a document's whole life for one unit after the other, at the sandbox's pace, each about the right one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from node.edxml.document import read_packet
from node.errors import Deferred
from node.model.office import SubmitResult
from node.model.packet import Packet
from node.model.reason import Reason
from node.sandbox.cast import VENDOR_UNITS, Member
from node.sandbox.clock import SandboxClock
from node.sandbox.writers import LIFE, Writers

EVERY_S = 300.0


class Post:
    """Takes what is sent; refuses the next `failures` times."""

    def __init__(self) -> None:
        self.packets: list[Packet] = []
        self.names: list[str] = []
        self.failures = 0
        self.came = asyncio.Event()

    async def send(self, node_id: str, unit: Member, name: str, pieces: AsyncIterator[bytes]) -> SubmitResult:
        self.came.set()
        if self.failures:
            self.failures -= 1
            raise Deferred(Reason.DISK_FULL)
        self.packets.append(read_packet(b"".join([piece async for piece in pieces])))
        self.names.append(name)
        return SubmitResult(name, packet_id=len(self.packets).to_bytes(16, "big"))


async def played(folder: Path, count: int, failures: int = 0) -> Post:
    """Let so many intervals pass; return what was sent."""
    post, clock = Post(), SandboxClock(folder / "clock.json")
    post.failures = failures
    running = asyncio.ensure_future(Writers(post.send, clock, VENDOR_UNITS, every_s=EVERY_S).run())
    for _ in range(count):
        await asyncio.wait_for(post.came.wait(), 5)
        post.came.clear()
        await asyncio.sleep(0)
        clock.advance(int(EVERY_S * 1000))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return post


def business(packet: Packet) -> str:
    return packet.bussiness.bussiness_doc_type if packet.bussiness else "0"


def test_the_life_of_documents_is_played_for_one_unit_after_the_other(tmp_path: Path) -> None:
    post = asyncio.run(played(tmp_path, 2 * len(LIFE)))
    first, second = post.packets[: len(LIFE)], post.packets[len(LIFE) : 2 * len(LIFE)]
    new, old_code, changed, back, newer = first
    ids = [one.header.document_id for one in first]

    assert [business(one) for one in first] == [business(one) for one in second] == ["0", "0", "2", "1", "3"]
    assert {one.header.to[0].organ_id for one in first} == {"H99.01", "000.00.01.H99"}
    assert {one.header.to[0].organ_id for one in second} == {"H99.25.03", "000.03.25.H99"}
    assert changed.header.document_id == new.header.document_id
    assert back.header.document_id == old_code.header.document_id
    assert newer.bussiness is not None
    replaced = newer.bussiness.replacement_info_lists[0].replacement_infos[0]
    assert replaced.document_id == new.header.document_id
    assert len(set(ids)) == 3
    assert len(set(post.names)) == len(post.names), "each packet is a submission of its own"


def test_what_the_node_cannot_take_now_does_not_end_it(tmp_path: Path) -> None:
    post = asyncio.run(played(tmp_path, 4, failures=2))

    assert len(post.packets) >= 2
