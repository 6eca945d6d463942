"""Feed: how a running node gets newer versions of the directory.

From a folder (a USB stick, or the authority's own public folder), and from any peer that says in a Hello that it has a newer one.
Whichever road the files come by, they are believed only if their signatures are (node/directory/trust/trust.py); what is refused leaves
the directory as it was, is reported, and is tried again after a pause that grows: a folder may have been half copied, and a peer that
says what is not so must not be asked all day. One fetch at a time, as long as it gets on quickly: while it takes longer, one from
another peer begins beside it, and a third, so that who sends slowly, or nothing, keeps nobody else's news away.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Protocol

from node.directory.files import disk_faults
from node.directory.trust.refusals import Refusals
from node.errors import Broken, Deferred, Fault, HealthFinding
from node.log import get_logger
from node.model.directory import Directory, NodeEntry
from node.model.policy import MIB
from node.model.reason import Reason
from node.ports import Clock

log = get_logger()

FETCH_S = 900.0
"""At most, for one edition from one peer. A peer that sends nothing is left long before (node/net/directory_files.py)."""
FETCHES_MAX = 3
"""At once, each from another peer."""
PATIENCE_S = 5.0
"""So long a fetch is the only one."""
ROUNDS_MAX = 8
EDITION_BYTES_MAX = 512 * MIB // FETCHES_MAX
WAIT_S = 60.0
"""How long a refresh that an operator asks for waits for a fetch under way."""
FOLDER = ""
"""Under which name refusals of the folder are kept; no node has it."""


class Trusted(Protocol):
    """The directory on disk, as far as it is believed."""

    def update_from(self, public: Path | Mapping[str, bytes], now_ms: int) -> Directory:
        """Verify newer files and keep them. Raises Fault and keeps the old if anything is wrong."""
        ...

    def files(self) -> dict[str, bytes]:
        """Return the SHA-256 of each file that is kept, by path."""
        ...

    def fetching(self) -> AbstractContextManager[Path]:
        """Give a folder for what a peer sends."""
        ...

    def wanted(self, come: Path, now_ms: int) -> dict[str, int]:
        """Return what to ask a peer for next, with the most octets of each; {}: nothing more. Raises Fault if what came is wrong."""
        ...


class Live(Protocol):
    """The directory that the node works with."""

    def current(self) -> Directory:
        """Return the snapshot in force."""
        ...

    def replace(self, directory: Directory) -> None:
        """Let the node work with a newer one."""
        ...


class Fetcher(Protocol):
    """Peers that serve the directory's files."""

    async def fetch_directory(
        self, peer: NodeEntry, wanted: Mapping[str, int], have_sha256: Mapping[str, bytes], into: Path, *, strays: bool
    ) -> None:
        """Write the wanted files that differ into a folder, and no more than that (`strays`: of an older peer, more)."""
        ...


class DirectoryFeed:
    """Looks into the folder now and then, and fetches from a peer when it hears of something newer."""

    def __init__(
        self,
        trusted: Trusted,
        live: Live,
        peers: Fetcher,
        clock: Clock,
        folder: Path | None,
        refresh_s: float,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.refused: Counter[Reason] = Counter()
        self._trusted = trusted
        self._live = live
        self._peers = peers
        self._clock = clock
        self._folder = folder
        self._refresh_s = refresh_s
        self._turn = asyncio.Lock()
        self._patience_s = patience_s
        self._places = asyncio.Semaphore(FETCHES_MAX)
        self._refusals = Refusals()
        self._seen: tuple[tuple[str, int], ...] = ()
        self._tasks: set[asyncio.Task[None]] = set()
        self._news: dict[str, int] = {}
        """The versions that peers say they have, by peer, in the order heard; peers are those of the directory, so it stays small."""
        self._fetches: dict[str, asyncio.Task[None]] = {}
        """By peer, those that began with its news."""
        self._heeding: asyncio.Task[None] | None = None

    @property
    def findings(self) -> list[HealthFinding]:
        """Refusals that are tried again, for health and doctor."""
        return self._refusals.findings(str(self._folder))

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
        """A peer says that it has a newer version: fetch it in its turn, unless one from it is under way or its last was no good."""
        if node_id in self._fetches or not self._is_worth_it(node_id, version):
            return
        self._news[node_id] = version
        if self._heeding is None or self._heeding.done():
            self._heeding = self._spawn(self._heed)

    async def refresh(self) -> int:
        """Look into the folder and ask the directory's own nodes now; return the version that is trusted after that.

        One node that answers is enough. Raises Fault if the folder's files are refused, or if there is no folder and no node answers.
        """
        if self._folder is not None:
            await self._take(self._folder)
            self._refusals.forget(FOLDER)
        own, faults = self._live.current(), list[Fault]()
        servers = [node for node in own.nodes.values() if node.mesh_address and node.roles]
        for peer in servers:
            try:
                await self._fetch(peer, even_old=True)
                break
            except Fault as fault:
                faults.append(fault)
        if faults and len(faults) == len(servers) and self._folder is None:
            raise faults[0]
        return self._live.current().version

    def _is_worth_it(self, node_id: str, version: int) -> bool:
        return version > self._live.current().version and self._refusals.is_due(node_id, self._clock.now_ms())

    async def _heed(self) -> None:
        """Fetch what was heard of, one after the other; the next begins also if those under way have not ended within the patience."""
        while self._news or self._fetches:
            if self._news and len(self._fetches) < FETCHES_MAX:
                node_id = next(iter(self._news))
                if not self._is_worth_it(node_id, self._news.pop(node_id)):
                    continue
                self._begin_fetch(node_id)
            await asyncio.wait(
                set(self._fetches.values()), timeout=self._patience_s, return_when=asyncio.FIRST_COMPLETED
            )

    def _begin_fetch(self, node_id: str) -> None:
        self._fetches[node_id] = task = self._spawn(lambda: self._fetch_quietly(node_id))
        task.add_done_callback(lambda _: self._fetches.pop(node_id))

    def _spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _watch(self) -> None:
        assert self._folder is not None
        while True:
            try:
                await self._look(self._folder)
            except Fault as fault:
                self._refuse(FOLDER, fault)
            except Exception as error:
                # The next look must come whatever this one met; it is our own mistake, so it is told loudly.
                log.exception("directory.failed")
                self._refuse(FOLDER, Broken(Reason.DIRECTORY_INVALID, f"{type(error).__name__} while reading it"))
            await self._clock.sleep(self._refresh_s)

    async def _look(self, folder: Path) -> None:
        """Take what is in the folder if it has changed, or was refused and it is time to try again."""
        marks = await asyncio.to_thread(_marks, folder)
        if marks == self._seen and not self._refusals.is_waiting(FOLDER, self._clock.now_ms()):
            return
        self._seen = marks
        await self._take(folder)
        self._refusals.forget(FOLDER)

    async def _fetch_quietly(self, node_id: str) -> None:
        before = self._live.current()
        peer = before.nodes.get(node_id)
        if peer is None:
            return
        try:
            await self._fetch(peer)
        except Fault as fault:
            # Another may have brought the edition meanwhile: then this one is too old, and its peer was right.
            if isinstance(fault, Deferred) or self._live.current().version == before.version:
                self._refuse(node_id, fault)
        except Exception as error:
            log.exception("directory.failed", peer=node_id)
            self._refuse(node_id, Broken(Reason.DIRECTORY_INVALID, f"{type(error).__name__} while reading it"))
        else:
            self._refusals.forget(node_id)

    def _refuse(self, who: str, fault: Fault) -> None:
        """Tell of what was refused, and note when to try again."""
        self.refused[fault.reason] += 1
        pause_ms = self._refusals.note(who, fault, self._clock.now_ms())
        self._refusals.keep_only({FOLDER, *self._live.current().nodes})
        log.warning(
            "directory.refused", reason=fault.reason.name, peer=who, detail=fault.detail, retry_after_ms=pause_ms
        )

    async def _fetch(self, peer: NodeEntry, *, even_old: bool = False) -> None:
        """Fetch an edition and take it. `even_old`: that a peer has nothing newer is no fault."""
        try:
            async with asyncio.timeout(WAIT_S):
                await self._places.acquire()
        except TimeoutError as error:
            raise Deferred(Reason.PEER_BUSY, "other fetches of the directory are under way") from error
        stack = ExitStack()
        try:
            async with asyncio.timeout(FETCH_S):
                come = await asyncio.to_thread(stack.enter_context, self._trusted.fetching())
                await self._gather(peer, come)
                await self._take(come)
        except TimeoutError as error:
            raise Deferred(Reason.PEER_UNREACHABLE, f"{peer.node_id} did not send its edition in time") from error
        except Broken as fault:
            if not (even_old and fault.reason is Reason.DIRECTORY_ROLLED_BACK):
                raise
        finally:
            self._places.release()
            await asyncio.to_thread(stack.close)

    async def _gather(self, peer: NodeEntry, come: Path) -> None:
        """Ask in rounds, each for what the one before has proved to be needed (wanted.py)."""
        asked: set[str] = set()
        for _ in range(ROUNDS_MAX):
            async with self._turn:
                wanted = await asyncio.to_thread(self._trusted.wanted, come, self._clock.now_ms())
                have = await asyncio.to_thread(self._trusted.files)
            if not wanted:
                return
            if missing := asked & wanted.keys():
                raise Broken(Reason.DIRECTORY_INVALID, f"{peer.node_id} does not send {min(missing)}")
            if asked and sum(wanted.values()) > EDITION_BYTES_MAX:
                raise Broken(Reason.DIRECTORY_INVALID, f"an edition of more than {EDITION_BYTES_MAX} octets")
            await self._peers.fetch_directory(peer, wanted, have, come, strays=not asked)
            asked |= wanted.keys()
        raise Broken(Reason.DIRECTORY_INVALID, f"{peer.node_id} changes its edition while it sends it")

    async def _take(self, files: Path) -> None:
        async with self._turn:
            before = self._live.current()
            now_ms = self._clock.now_ms()
            directory = await asyncio.to_thread(self._trusted.update_from, files, now_ms)
            if directory.version != before.version or directory.signed_time_ms != before.signed_time_ms:
                self._live.replace(directory)
                log.info("directory.updated", version=directory.version, units=directory.unit_count())


def _marks(folder: Path) -> tuple[tuple[str, int], ...]:
    """Return what changes when the folder does. Raises Broken(IO_FAILED)."""
    with disk_faults(folder):
        return tuple(sorted((str(path), path.stat().st_mtime_ns) for path in folder.glob("metadata/timestamp.json")))
