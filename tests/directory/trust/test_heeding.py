"""News from several peers: one fetch at a time as long as it gets on; who sends nothing keeps nobody else's news away."""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from node.directory.trust.feed import FETCHES_MAX, DirectoryFeed
from node.directory.trust.trust import TrustedFolder
from node.errors import Deferred
from node.model.directory import Directory, NodeEntry, directory_of
from node.model.reason import Reason
from tests.directory.people import entry

PEERS = [entry(name) for name in ("evil", "evil-2", "evil-3", "honest", "honest-2")]
HUGE = 2**53


class Mesh:
    """Trusted folder, live directory and peers in one: peers named evil send nothing until they are let go, the others edition 2."""

    def __init__(self) -> None:
        self.version = 1
        self.asked: list[str] = []
        self.under_way: set[str] = set()
        self.most = 0
        self.let_go = asyncio.Event()

    def now_ms(self) -> int:
        return 1_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()

    def current(self) -> Directory:
        return directory_of(self.version, self.version, PEERS, [])

    def replace(self, directory: Directory) -> None:
        self.version = directory.version

    @contextmanager
    def fetching(self) -> Iterator[Path]:
        yield Path()

    def files(self) -> dict[str, bytes]:
        return {}

    def wanted(self, come: Path, now_ms: int) -> dict[str, int]:
        return {"x": 1} if self.version == 1 else {}

    def update_from(self, public: Path, now_ms: int) -> Directory:
        return directory_of(2, 2, PEERS, [])

    async def fetch_directory(
        self, peer: NodeEntry, wanted: Mapping[str, int], have: Mapping[str, bytes], into: Path, *, strays: bool
    ) -> None:
        self.asked.append(peer.node_id)
        self.under_way.add(peer.node_id)
        self.most = max(self.most, len(self.under_way))
        try:
            await asyncio.sleep(0)
            if peer.node_id.startswith("evil"):
                await self.let_go.wait()
                raise Deferred(Reason.PEER_UNREACHABLE, "nothing came")
            self.version = 2
        finally:
            self.under_way.discard(peer.node_id)


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 20))


def feed_of(mesh: Mesh, patience_s: float) -> DirectoryFeed:
    return DirectoryFeed(mesh, mesh, mesh, mesh, None, 60.0, patience_s=patience_s)  # type: ignore[arg-type]


async def until_asked(mesh: Mesh, count: int) -> None:
    while len(mesh.asked) < count:
        await asyncio.sleep(0.002)


def test_a_fetch_that_hangs_does_not_keep_another_peers_news_away() -> None:
    async def story() -> None:
        mesh = Mesh()
        feed = feed_of(mesh, 0.02)
        for peer in ("evil", "evil-2", "honest"):
            feed.hear_of(peer, HUGE if peer.startswith("evil") else 2)
        while mesh.version == 1:
            await asyncio.sleep(0.002)
        assert mesh.asked == ["evil", "evil-2", "honest"]
        assert mesh.under_way == {"evil", "evil-2"}
        mesh.let_go.set()
        await asyncio.gather(*feed._tasks)
        assert feed.refused == {Reason.PEER_UNREACHABLE: 2}, (
            "they wait for their pause though the edition came meanwhile"
        )
        feed.hear_of("evil", HUGE)
        assert not feed._tasks

    run(story())


def test_no_more_than_three_at_once_and_the_next_when_one_ends() -> None:
    async def story() -> None:
        mesh = Mesh()
        feed = feed_of(mesh, 0.001)
        for peer in ("evil", "evil-2", "evil-3", "honest"):
            feed.hear_of(peer, HUGE)
        await until_asked(mesh, FETCHES_MAX)
        for _ in range(20):
            feed.hear_of("evil", HUGE)
            await asyncio.sleep(0.002)
        assert mesh.asked == ["evil", "evil-2", "evil-3"]
        mesh.let_go.set()
        await asyncio.gather(*feed._tasks)
        assert (mesh.asked[3:], mesh.version, mesh.most) == (["honest"], 2, FETCHES_MAX)

    run(story())


def test_a_fetch_that_gets_on_is_the_only_one() -> None:
    async def story() -> None:
        mesh = Mesh()
        feed = feed_of(mesh, 10)
        feed.hear_of("honest", 2)
        feed.hear_of("honest-2", 2)
        await asyncio.gather(*feed._tasks)
        assert (mesh.asked, mesh.version) == (["honest"], 2)

    run(story())


def test_folders_of_fetches_under_way_stay_when_another_begins(tmp_path: Path) -> None:
    (tmp_path / ".fetch-killed").mkdir()
    trusted = TrustedFolder(tmp_path)
    with trusted.fetching() as first:
        assert not (tmp_path / ".fetch-killed").exists()
        with trusted.fetching() as second:
            assert first.is_dir()
            assert second.is_dir()
        assert (first.is_dir(), second.exists()) == (True, False)
    assert not list(tmp_path.glob(".fetch-*"))
