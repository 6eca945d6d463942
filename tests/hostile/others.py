"""Others: what everybody else sees while somebody attacks one real node.

An honest ministry goes on sending documents to the attacked province, whose own office goes on reading; a document that is refused, or
does not arrive, is a failure of the attack's test. Beside that the process itself is watched: memory, descriptors, disk.

    async with Others(mesh, "g14", "h49") as others:
        ... the attack ...
    others.account      what was seen
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from node.errors import Deferred, Fault
from node.model.delivery import State
from node.model.policy import MIB
from node.net.client import OfficeClient
from tests.papers import document
from tests.real_mesh import RealMesh, RealNode

PAUSE_S = 0.03
"""Between a delivery and the next document. The attack has the rest of the two processors."""
LIMIT_S = 30.0
RECOVERY_S = 10.0

T = TypeVar("T")


@dataclass
class Account:
    """What was seen: deliveries made and how long each took, from hand-in to the receipt; refusals; and what the process took."""

    took_s: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    again: int = 0
    """How often a call had to come again, as the node told it, or because its connection was being made amid a flood of others."""
    memory_bytes: int = 0
    descriptors: int = 0
    disk_bytes: int = 0
    """Growth since the beginning, at the highest (of the disk: at the end)."""
    processor_s: float = 0.0

    def at(self, share: float) -> float:
        """Return the time within which such a share of the deliveries were made, in seconds."""
        ordered = sorted(self.took_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def __str__(self) -> str:
        return (
            f"{len(self.took_s)} delivered, {len(self.refused)} refused, {self.again} again, "
            f"p50 {self.at(0.5) * 1e3:.0f} ms, p99 {self.at(0.99) * 1e3:.0f} ms, "
            f"memory +{self.memory_bytes / MIB:.1f} MiB, descriptors +{self.descriptors}, disk +{self.disk_bytes / MIB:.1f} MiB, "
            f"{self.processor_s:.2f} s of processor"
        )


class Others:
    """The honest side of an attack, while the block runs."""

    def __init__(self, mesh: RealMesh, author: str, victim: str) -> None:
        self.account = Account()
        self._mesh = mesh
        self._author = author
        self._victim = mesh[victim]
        self._recipient = self._victim.spec.units[0]
        self._ended = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._before = (0, 0, 0, 0.0)

    async def __aenter__(self) -> Self:
        self._before = (*look(self._victim), disk_bytes(self._victim.home), self._victim.cpu_s())
        self._work = asyncio.ensure_future(self._go_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._work is not None
        self._ended.set()
        if kind is not None:
            self._work.cancel()
            return
        await asyncio.wait_for(self._work, 2 * LIMIT_S)
        self.account.disk_bytes = disk_bytes(self._victim.home) - self._before[2]
        self.account.processor_s = self._victim.cpu_s() - self._before[3]
        if told := os.environ.get("TRUC_HOSTILE_TELL"):
            with Path(told).open("a", encoding="utf-8") as file:
                file.write(f"{os.environ.get('PYTEST_CURRENT_TEST', '').split('::')[-1]}: {self.account}\n")

    async def some(self, count: int) -> None:
        """Wait until so many more deliveries were made."""
        enough = len(self.account.took_s) + count
        await until(lambda: len(self.account.took_s) >= enough, LIMIT_S)

    async def _go_on(self) -> None:
        async with self._mesh.office(self._author) as author, self._mesh.office(self._victim.spec.node_id) as reader:
            while not self._ended.is_set():
                self._look()
                await self._deliver(author)
                await self._read(reader)
                await asyncio.sleep(PAUSE_S)
            self._look()

    async def _deliver(self, author: OfficeClient) -> None:
        begin_s, name = time.monotonic(), os.urandom(8).hex()
        packet = document(self._recipient, sender=self._mesh[self._author].spec.units[0])
        try:
            result = await self._patiently(lambda: author.submit(packet, name))
            while time.monotonic() - begin_s < LIMIT_S:
                view = await self._patiently(lambda: author.track(packet_id=result.packet_id))
                if all(one.state is not State.WAITING for one in view.deliveries):
                    break
                await asyncio.sleep(0.01)
        except Fault as fault:
            self.account.refused.append(str(fault))
            return
        if all(one.state is State.DELIVERED for one in view.deliveries):
            self.account.took_s.append(time.monotonic() - begin_s)
        else:
            self.account.refused.append(str(view.deliveries))

    async def _read(self, reader: OfficeClient) -> None:
        try:
            entries, _ = await self._patiently(lambda: reader.list_inbox(self._recipient, page_size=100))
            names = [entry.packet_id for entry in entries]
            await self._patiently(lambda: reader.acknowledge(names, self._recipient))
        except Fault as fault:
            self.account.refused.append(f"reading: {fault}")

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until it is answered, as offices' software does; what is put off for longer than a node may need to recover has failed."""
        end_s = time.monotonic() + RECOVERY_S
        while True:
            try:
                return await call()
            except Deferred:
                self.account.again += 1
                if time.monotonic() > end_s:
                    raise
                await asyncio.sleep(0.05)

    def _look(self) -> None:
        memory_bytes, descriptors = look(self._victim)
        self.account.memory_bytes = max(self.account.memory_bytes, memory_bytes - self._before[0])
        self.account.descriptors = max(self.account.descriptors, descriptors - self._before[1])


def look(node: RealNode) -> tuple[int, int]:
    """Return a process's resident octets and open descriptors."""
    assert node.process is not None
    return node.resident_bytes(), len(os.listdir(f"/proc/{node.process.pid}/fd"))


def disk_bytes(folder: Path) -> int:
    """Return what the files of a folder take."""
    found = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            found += path.stat().st_size
    return found


async def until(condition: object, limit_s: float = 20) -> None:
    """Wait until something is so; fail after the limit."""
    assert callable(condition)
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)


def until_sync(condition: object, limit_s: float) -> None:
    """Do as `until`, where no loop runs."""
    asyncio.run(until(condition, limit_s))
