"""Feed: how a running node gets newer versions of the directory.

From a folder (a USB stick, or the authority's own public folder), and from any peer that says in a Hello that it has a newer one.
Whichever road the files come by, they are believed only if their signatures are (node/directory/trust/trust.py); what is refused leaves
the directory as it was, and is reported.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from node.errors import Fault, Finding
from node.log import get_logger
from node.model.directory import Directory, NodeEntry
from node.ports import Clock

log = get_logger()


class Trusted(Protocol):
    """The directory on disk, as far as it is believed."""

    def update_from(self, public: Path | Mapping[str, bytes], now_ms: int) -> Directory:
        """Verify newer files and keep them. Raises Fault and keeps the old if anything is wrong."""
        ...

    def files(self) -> dict[str, bytes]:
        """Return the SHA-256 of each file that is kept, by path."""
        ...


class Live(Protocol):
    """The directory that the node works with."""

    def current(self) -> Directory:
        """Return it."""
        ...

    def replace(self, directory: Directory) -> None:
        """Let the node work with a newer one."""
        ...


class Fetcher(Protocol):
    """Peers that serve the directory's files."""

    async def fetch_directory(self, peer: NodeEntry, have_sha256: dict[str, bytes]) -> dict[str, bytes]:
        """Return the files that differ, by path."""
        ...


class DirectoryFeed:
    """Looks into the folder now and then, and fetches from a peer when it hears of something newer."""

    def __init__(
        self, trusted: Trusted, live: Live, peers: Fetcher, clock: Clock, folder: Path | None, refresh_s: float
    ) -> None:
        self._trusted = trusted
        self._live = live
        self._peers = peers
        self._clock = clock
        self._folder = folder
        self._refresh_s = refresh_s
        self._turn = asyncio.Lock()
        self._seen: tuple[tuple[str, int], ...] = ()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def findings(self) -> list[Finding]:
        """What was refused and is tried again, for health and doctor."""
        return []

    def start(self) -> None:
        """Begin to look."""
        if self._folder is not None:
            self._spawn(self._watch)

    async def stop(self) -> None:
        """Stop looking."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hear_of(self, node_id: str, version: int) -> None:
        """A peer has a newer version: fetch it, unless a fetch is under way."""
        if not self._turn.locked() and version > self._live.current().version:
            self._spawn(lambda: self._fetch_quietly(node_id))

    async def refresh(self) -> int:
        """Look into the folder and ask the directory's own nodes now; return the version that is trusted after that."""
        if self._folder is not None:
            await self._take(self._folder)
        own, faults = self._live.current(), list[Fault]()
        servers = [node for node in own.nodes.values() if node.mesh_address and node.roles]
        for peer in servers:
            try:
                await self._fetch(peer)
                break
            except Fault as fault:
                faults.append(fault)
        if faults and len(faults) == len(servers) and self._folder is None:
            raise faults[0]
        return self._live.current().version

    def _spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.ensure_future(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self) -> None:
        assert self._folder is not None
        while True:
            marks = await asyncio.to_thread(_marks, self._folder)
            if marks != self._seen:
                try:
                    await self._take(self._folder)
                except Fault as fault:
                    log.warning("directory.refused", reason=fault.reason.name, detail=fault.detail)
                self._seen = marks
            await self._clock.sleep(self._refresh_s)

    async def _fetch_quietly(self, node_id: str) -> None:
        peer = self._live.current().nodes.get(node_id)
        if peer is None:
            return
        try:
            await self._fetch(peer)
        except Fault as fault:
            log.warning("directory.refused", reason=fault.reason.name, peer=node_id, detail=fault.detail)

    async def _fetch(self, peer: NodeEntry) -> None:
        files = await self._peers.fetch_directory(peer, await asyncio.to_thread(self._trusted.files))
        if files:
            await self._take(files)

    async def _take(self, files: Path | dict[str, bytes]) -> None:
        async with self._turn:
            before = self._live.current()
            now_ms = self._clock.now_ms()
            directory = await asyncio.to_thread(self._trusted.update_from, files, now_ms)
            if directory.version != before.version or directory.signed_time_ms != before.signed_time_ms:
                self._live.replace(directory)
                log.info("directory.updated", version=directory.version, units=directory.unit_count())


def _marks(folder: Path) -> tuple[tuple[str, int], ...]:
    paths: Iterable[Path] = folder.glob("metadata/timestamp.json")
    return tuple(sorted((str(path), path.stat().st_mtime_ns) for path in paths))
