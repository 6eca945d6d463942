"""Look: one look at a running node, for figures that are read now, beside the counters that its rooms keep.

Figures that cannot be read in time are left out and said to be missing: a scrape must be answered above all when the disk hangs.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from node.errors import Fault
from node.flow.views.queue_counts import QueueCounter, QueueCounts
from node.model.directory import Directory
from node.model.office import PeerView
from node.model.reason import Reason
from node.net.errors import Tally
from node.net.peers import PeerTally
from node.node import Node
from node.store.disk_usage import Scales, Weights
from node.store.rocks.store import RocksStore

LOOK_TIME_S = 5.0


@dataclass(frozen=True, slots=True)
class Watched:
    """The parts of a running node that are looked at.

    `services` are the tallies by name of service, `certificates` the ends of their validity by use, milliseconds since 1970 UTC.
    """

    node: Node
    store: RocksStore
    peers: PeerTally
    services: Mapping[str, Tally]
    certificates: Mapping[str, int]
    home: Path
    scales: Scales
    first_commit_no: int
    version: str
    refused: Mapping[Reason, int] = field(default_factory=dict)
    """Editions of the directory that were refused, by reason."""
    unusable: Callable[[Directory], int] = lambda directory: 0
    """How many certificates of a directory cannot be used."""


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system of the home."""

    size_bytes: int
    free_bytes: int
    free_inodes: int


@dataclass(frozen=True, slots=True)
class Sight:
    """The findings of one look; None: could not be read in time."""

    now_ms: int
    directory: Directory
    units: int
    disk: Disk
    weights: Weights | None
    waiting: QueueCounts | None
    roads: list[PeerView] | None
    laid_aside: int | None = None


class Looker:
    """Looks; one look at a time."""

    def __init__(self, watched: Watched, *, look_time_s: float = LOOK_TIME_S) -> None:
        self._watched = watched
        self._queue_counter = QueueCounter(watched.node.ports)
        self._look_time_s = look_time_s
        self._weighing: asyncio.Future[Weights] | None = None

    async def look(self) -> Sight:
        """Return what there is to see, within a bounded time, whatever the disk does."""
        node = self._watched.node
        weights = await self._weigh()
        waiting: QueueCounts | None = None
        roads: list[PeerView] | None = None
        laid_aside: int | None = None
        try:
            async with asyncio.timeout(self._look_time_s):
                roads = await node.list_peers(counting=False)
                laid_aside = await node.count_quarantine()
                waiting = await self._queue_counter.take()
        except (Fault, TimeoutError):
            pass  # told as missing
        directory = node.ports.directory.current()
        return Sight(
            now_ms=node.ports.clock.now_ms(),
            directory=directory,
            units=directory.unit_count(),
            disk=_disk(self._watched.home),
            weights=weights,
            waiting=waiting,
            roads=roads,
            laid_aside=laid_aside,
        )

    async def _weigh(self) -> Weights | None:
        """Weigh in a thread. If one weighing hangs no other is begun: the next look waits for the same."""
        if self._weighing is None:
            self._weighing = asyncio.get_running_loop().run_in_executor(None, self._watched.scales.weigh)
        await asyncio.wait([self._weighing], timeout=self._look_time_s)
        if not self._weighing.done():
            return None
        weighed, self._weighing = self._weighing, None
        try:
            return weighed.result()
        except OSError:
            return None


def _disk(home: Path) -> Disk:
    found = os.statvfs(home)
    return Disk(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, found.f_favail)
