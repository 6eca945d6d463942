"""Running: three nodes of a sandbox in one process on one clock, and units that act by themselves beside them.

    nodes -> counterparts, writers, publisher (one task each) -> the door;  stopped in the reverse order

Every node is a whole one, built by process/assembly.py with real stores, keys and doors on loopback; only the clock is the sandbox's.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any, cast

from node.config.settings import load_settings
from node.errors import Fault, Rejected
from node.log import get_logger
from node.model.code import parse_code
from node.model.office import Submission, SubmitResult, System
from node.model.reason import Reason
from node.process import assembly
from node.sandbox.cast import COUNTERPARTS, FRIEND, MINISTRY, VENDOR_NODE, Member, of_node
from node.sandbox.clock import SandboxClock
from node.sandbox.counterparts import SYSTEM, Counterparts
from node.sandbox.papers import LARGEST_BYTES
from node.sandbox.publishing import Publisher
from node.sandbox.site import Site
from node.sandbox.watch import Refused, WatchedNode
from node.sandbox.writers import Sent, Writers

NODES = (VENDOR_NODE, MINISTRY, FRIEND)

log = get_logger()


@dataclass(frozen=True, slots=True)
class Options:
    """Options. `every_s`: time between two packets that come by themselves, by the sandbox's clock; 0: none come."""

    every_s: float = 300.0
    largest_bytes: int = LARGEST_BYTES


class Sandbox:
    """A sandbox that runs. Make it with `start`."""

    def __init__(self, site: Site, clock: SandboxClock, options: Options) -> None:
        self.site = site
        self.clock = clock
        self._running: dict[str, assembly.RunningNode] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.writers = Writers(
            self._submit, clock, site.units, every_s=options.every_s, largest_bytes=options.largest_bytes
        )

    @classmethod
    async def start(cls, site: Site, options: Options | None = None) -> "Sandbox":
        """Start everything but the door. Raises what starting a node raises; nothing runs then."""
        sandbox = cls(site, SandboxClock(site.clock_file), options or Options())
        try:
            for node_id in NODES:
                home = site.folder / node_id
                sandbox._running[node_id] = await assembly.start(
                    home, load_settings(home), clock=sandbox.clock, make_node=WatchedNode
                )
        except BaseException:
            await sandbox.stop()
            raise
        sandbox._begin()
        return sandbox

    def _begin(self) -> None:
        self._spawn(Publisher(self.site.folder, NODES).run())
        self._spawn(self.writers.run())
        for node_id, running in self._running.items():
            if members := of_node(node_id):
                self._spawn(Counterparts(running.node, members, self.clock, self.writers.answer_oddly).run())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        task.add_done_callback(_tell_of_bug)
        self._tasks.append(task)

    async def stop(self) -> None:
        """Stop everything; what was handed in is durable."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(running.stop() for running in self._running.values()))

    @property
    def office_address(self) -> str:
        """The address, host:port, at which the vendor's software reaches OfficeService."""
        return self._running[VENDOR_NODE].office_address

    def advance(self, by_ms: int) -> int:
        """Put the clock forward for everybody; return the time then. Raises as SandboxClock.advance."""
        return self.clock.advance(by_ms)

    async def send(self, kind: str, unit: str = "") -> list[Sent]:
        """Let a counterpart write to one of the vendor's units, "" the first. Raises Rejected(REQUEST_INVALID), and as Node.submit."""
        return await self.writers.send(kind, self._member(unit))

    def refused(self) -> list[Refused]:
        """Return what the vendor's node has refused to take, oldest first."""
        return list(cast(WatchedNode, self._running[VENDOR_NODE].node).refused)

    def _member(self, code: str) -> Member:
        if not code:
            return self.site.units[0]
        wanted = parse_code(code).text
        found = next((one for one in self.site.units if one.code == wanted), None)
        if found is None:
            own = ", ".join(one.code for one in self.site.units)
            raise Rejected(Reason.REQUEST_INVALID, f"{code} is none of the sandbox's test units ({own})")
        return found

    async def _submit(
        self, node_id: str, unit: Member, submission_id: str, packet: AsyncIterator[bytes]
    ) -> SubmitResult:
        system = System(SYSTEM, frozenset(one.unit.code for one in COUNTERPARTS if one.node_id == node_id))
        return await self._running[node_id].node.submit(system, Submission(submission_id), packet)


def _tell_of_bug(task: "asyncio.Task[None]") -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        reason = error.reason.name if isinstance(error, Fault) else type(error).__name__
        log.error("counterpart.failed", reason=reason, exc_info=error)
