"""A peer says that it has a newer directory, and has not: it costs a call, a few files on disk, and a pause that grows."""

import asyncio
import itertools
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from node.directory.trust.feed import DirectoryFeed
from node.directory.trust.refusals import FIRST_MS, LONGEST_MS
from node.directory.trust.source import LiveDirectory
from node.directory.trust.trust import TrustedFolder
from node.errors import Fault
from node.model.directory import Directory, NodeEntry
from node.model.policy import MIB, Policy
from node.model.reason import Reason
from node.net.mesh_server import DirectoryFiles, MeshService, mesh_listener
from node.net.peers import GrpcPeers
from node.process.system import ThreadWorkers
from tests.directory.people import NOW_MS, Country, country
from tests.net.support import FakeNode, Source, identity
from tests.net.support import entry as peer_entry

HUGE = 1 << 40


@dataclass
class HandClock:
    """Shows what it is told."""

    ms: int = NOW_MS

    def now_ms(self) -> int:
        return self.ms

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()

    def call_later(self, seconds: float, fn: Callable[[], None]) -> asyncio.TimerHandle:
        raise AssertionError("nobody asks for it")


@dataclass
class Told:
    """A live directory that also knows how to dial the peer."""

    live: LiveDirectory
    peers: dict[str, NodeEntry] = field(default_factory=dict)

    def current(self) -> Directory:
        found = self.live.current()
        return Directory(found.version, found.signed_time_ms, found.nodes | self.peers, found.zones)

    def replace(self, directory: Directory) -> None:
        self.live.replace(directory)


@dataclass
class Reader:
    """A node's feed with a real folder and real gRPC, and the peer it hears of."""

    feed: DirectoryFeed
    live: Told
    trusted: TrustedFolder
    clock: HandClock
    asked: list[frozenset[str]]

    async def hear(self, version: int = HUGE) -> None:
        """Hear of a version and wait until nothing is under way."""
        self.feed.hear_of("evil", version)
        await asyncio.gather(*self.feed._tasks)


@asynccontextmanager
async def reader(land: Country, serve: DirectoryFiles) -> "AsyncIterator[Reader]":  # type: ignore[name-defined]  # noqa: F821
    """A node that trusts edition 2 of the land, and a peer that serves what `serve` yields."""
    trusted = land.trusted("reader")
    asked: list[frozenset[str]] = []

    def served(have: dict[str, bytes], paths: frozenset[str]) -> Iterable[tuple[str, bytes]]:
        asked.append(paths)
        return serve(have, paths)

    service = MeshService(FakeNode(), Source(peer_entry("reader", "", identity("reader"))), served, Policy())
    listener = mesh_listener(
        "127.0.0.1:0", identity("evil"), Source(peer_entry("reader", "", identity("reader"))), service
    )
    peers, workers = GrpcPeers(identity("reader")), ThreadWorkers()
    port = await listener.start()
    live = Told(LiveDirectory(workers, trusted.update_from(land.root / "edition-2", NOW_MS)))
    live.peers["evil"] = peer_entry("evil", f"127.0.0.1:{port}", identity("evil"))
    clock = HandClock()
    feed = DirectoryFeed(trusted, live, peers, clock, None, 60.0)
    try:
        yield Reader(feed, live, trusted, clock, asked)
    finally:
        await feed.stop()
        await peers.close()
        await listener.stop(0)
        workers.close()


@pytest.fixture
def land(tmp_path: Path) -> Country:
    """An authority with editions 2 (kept aside) and 3 (published)."""
    made = country(tmp_path)
    made.join("g14", "G14")
    made.authority.publish(NOW_MS)
    made.authority.public.rename(tmp_path / "edition-2")
    copy(tmp_path / "edition-2", made.authority.public)
    made.join("h49", "H49")
    made.authority.publish(NOW_MS)
    return made


def copy(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(source)).write_bytes(path.read_bytes())


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def honest(folder: Path, *, knows_paths: bool = True) -> DirectoryFiles:
    """Serve a folder, as a node of this version does or as one before."""
    found = sorted(files_of(folder).items(), key=lambda item: (item[0].endswith("timestamp.json"), item[0]))
    return lambda have, paths: [one for one in found if not paths or not knows_paths or one[0] in paths]


def endless(have: dict[str, bytes], paths: frozenset[str]) -> Iterator[tuple[str, bytes]]:
    for number in itertools.count():
        yield f"targets/zones/Z{number}", bytes(4 * MIB)


def one_endless_file(have: dict[str, bytes], paths: frozenset[str]) -> Iterator[tuple[str, bytes]]:
    yield "metadata/timestamp.json", bytes(16 * MIB)


def signed_then_junk(land: Country) -> DirectoryFiles:
    """The true new timestamp, and then something else under every name."""
    timestamp = (land.authority.public / "metadata/timestamp.json").read_bytes()

    def serve(have: dict[str, bytes], paths: frozenset[str]) -> Iterator[tuple[str, bytes]]:
        if "metadata/timestamp.json" in paths:
            yield "metadata/timestamp.json", timestamp
        else:
            for path in sorted(paths):
                yield path, bytes(16 * MIB)

    return serve


def attacks(land: Country) -> dict[str, DirectoryFiles]:
    return {
        "endless files": endless,
        "one endless file": one_endless_file,
        "the true timestamp, then junk": signed_then_junk(land),
        "our own edition": honest(land.root / "edition-2"),
        "nothing": lambda have, paths: [],
        "garbage": lambda have, paths: [("metadata/timestamp.json", b"{" * 900)],
        "many small files": lambda have, paths: ((f"n/{number}", b"") for number in itertools.count()),
    }


@pytest.mark.parametrize(
    "attack",
    ["endless files", "one endless file", "the true timestamp, then junk", "our own edition", "nothing", "garbage", "many small files"],
)  # fmt: skip
def test_a_false_edition_costs_little_and_is_not_asked_for_again_for_a_growing_pause(
    land: Country, attack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.net.directory_files.STRAY_FILES_MAX", 300)

    async def run() -> None:
        async with reader(land, attacks(land)[attack]) as node:
            tracemalloc.start()
            await node.hear()
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert peak < 64 * MIB
            assert not list((land.root / "reader" / "directory").glob(".fetch-*"))
            assert node.trusted.load().version == 2
            calls, pause_ms = len(node.asked), FIRST_MS
            for _ in range(9):
                node.clock.ms += pause_ms - 1
                await node.hear()
                assert len(node.asked) == calls
                node.clock.ms += 1
                await node.hear()
                assert len(node.asked) > calls
                calls, pause_ms = len(node.asked), min(2 * pause_ms, LONGEST_MS)
            assert sum(node.feed.refused.values()) == 10
            (finding,) = node.feed.findings
            assert "nút evil bị từ chối 10 lần liền" in finding.advice

    asyncio.run(run() if attack != "endless files" else one_round(land, attack))


async def one_round(land: Country, attack: str) -> None:
    """The same once only: it takes its time until the bound is reached."""
    async with reader(land, attacks(land)[attack]) as node:
        tracemalloc.start()
        await node.hear()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        print(f"peak {peak / MIB:.1f} MiB")
        assert peak < 64 * MIB
        assert node.feed.refused == {Reason.DIRECTORY_INVALID: 1}
        assert not list((land.root / "reader" / "directory").glob(".fetch-*"))


def test_of_a_true_edition_the_timestamp_comes_first_and_only_what_changed(land: Country) -> None:
    async def run() -> None:
        async with reader(land, honest(land.authority.public)) as node:
            await node.hear(3)
            assert node.live.current().version == 3
            first, *rest = node.asked
            assert "metadata/timestamp.json" in first
            assert not any(path.startswith("targets/") or "snapshot" in path for path in first)
            assert rest == [
                frozenset({"metadata/snapshot.json"}),
                frozenset({"metadata/targets.json"}),
                frozenset({"metadata/h49.json"}),
                frozenset({"targets/nodes/h49"}),
            ]
            assert node.feed.findings == []

    asyncio.run(run())


def test_a_peer_of_an_older_version_that_sends_everything_at_once_is_understood(land: Country) -> None:
    async def run() -> None:
        async with reader(land, honest(land.authority.public, knows_paths=False)) as node:
            await node.hear(3)
            assert (node.live.current().version, len(node.asked)) == (3, 1)

    asyncio.run(run())


def test_a_peer_that_has_sent_false_editions_is_believed_when_it_has_a_true_one(land: Country) -> None:
    serve = [honest(land.root / "edition-2")]

    async def run() -> None:
        async with reader(land, lambda have, paths: serve[0](have, paths)) as node:
            await node.hear()
            assert len(node.feed.findings) == 1
            serve[0] = honest(land.authority.public)
            node.clock.ms += FIRST_MS
            await node.hear(3)
            assert (node.live.current().version, node.feed.findings) == (3, [])

    asyncio.run(run())


def test_one_fetch_at_a_time_and_nobody_waits_in_a_line(land: Country) -> None:
    async def run() -> None:
        async with reader(land, honest(land.authority.public)) as node:
            for number in range(1000):
                node.feed.hear_of("evil", 3 + number)
            assert len(node.feed._tasks) == 1
            await asyncio.gather(*node.feed._tasks)
            assert len(node.asked) == 5

    asyncio.run(run())


def test_a_peer_that_asks_for_the_directory_many_times_at_once_gets_it_once(land: Country) -> None:
    """Each call holds a whole file in memory: of 64 at once, one is served."""

    async def run() -> None:
        gate = threading.Event()

        def slow(have: dict[str, bytes], paths: frozenset[str]) -> Iterator[tuple[str, bytes]]:
            assert gate.wait(20)
            yield "x", b"y"

        async with reader(land, slow) as node:
            peers, evil = GrpcPeers(identity("reader")), node.live.peers["evil"]
            scratch = [land.root / f"scratch-{number}" for number in range(64)]
            calls = [asyncio.ensure_future(fault_or_none(peers, evil, into)) for into in scratch]
            while sum(call.done() for call in calls) < 63:
                await asyncio.wait([call for call in calls if not call.done()], return_when=asyncio.FIRST_COMPLETED)
            gate.set()
            told = await asyncio.gather(*calls)
            await peers.close()
            assert sorted(map(str, told)) == ["None"] + ["PEER_BUSY"] * 63
            assert len(node.asked) == 1

    asyncio.run(run())


async def fault_or_none(peers: GrpcPeers, peer: NodeEntry, into: Path) -> str | None:
    try:
        await peers.fetch_directory(peer, {"x": 9}, {}, into, strays=False)
    except Fault as fault:
        return fault.reason.name
    return None
