"""The feed of a running node: what was refused is tried again, and the watch outlives whatever it meets."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from node.directory.trust.feed import DirectoryFeed
from node.directory.trust.refusals import FIRST_MS, LONGEST_DEFERRED_MS, LONGEST_MS
from node.errors import Broken, Deferred
from node.model.directory import EMPTY, Directory
from node.model.reason import Reason
from tests.directory.people import NOW_MS


class Turns:
    """A clock whose sleepers wake when the test says so."""

    def __init__(self) -> None:
        self.ms = NOW_MS
        self.asleep = asyncio.Event()
        self._wake = asyncio.Event()

    def now_ms(self) -> int:
        return self.ms

    async def sleep(self, seconds: float) -> None:
        self._wake.clear()
        self.asleep.set()
        await self._wake.wait()

    def call_later(self, seconds: float, fn: Callable[[], None]) -> asyncio.TimerHandle:
        raise AssertionError("nobody asks for it")

    async def turn(self, ms: int) -> None:
        """Let time pass, and wait until everybody sleeps again."""
        self.ms += ms
        self.asleep.clear()
        self._wake.set()
        await asyncio.wait_for(self.asleep.wait(), 10)


class Folder:
    """A trusted directory that refuses as told. `tries`: how often it was asked."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.tries = 0

    def update_from(self, public: object, now_ms: int) -> Directory:
        self.tries += 1
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome
        return EMPTY


class Live:
    def current(self) -> Directory:
        return EMPTY

    def replace(self, directory: Directory) -> None:
        raise AssertionError("nothing is new")


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "timestamp.json").write_bytes(b"{}")
    return tmp_path


HALF = Broken(Reason.DIRECTORY_INVALID, "metadata/snapshot.json is missing")
FULL = Deferred(Reason.DISK_FULL, "no space left on device")


async def watching(folder: Folder, stick: Path) -> tuple[DirectoryFeed, Turns]:
    clock = Turns()
    feed = DirectoryFeed(folder, Live(), None, clock, stick, 60.0)  # type: ignore[arg-type]
    feed.start()
    await asyncio.wait_for(clock.asleep.wait(), 10)
    return feed, clock


@pytest.mark.parametrize("fault", [HALF, FULL, ZeroDivisionError("our own mistake")], ids=["half", "full", "bug"])
def test_a_folder_that_was_refused_is_tried_again_after_growing_pauses_though_nothing_in_it_changed(
    stick: Path, fault: Exception
) -> None:
    async def run() -> None:
        folder = Folder(*[fault] * 9)
        feed, clock = await watching(folder, stick)
        pause_ms = FIRST_MS
        for tries in range(1, 10):
            assert folder.tries == tries
            assert f"thư mục {stick} bị từ chối {tries} lần liền" in feed.findings[0].advice
            await clock.turn(pause_ms - 1)
            assert folder.tries == tries
            await clock.turn(1)
            pause_ms = min(2 * pause_ms, LONGEST_DEFERRED_MS if fault is FULL else LONGEST_MS)
        assert (folder.tries, feed.findings) == (10, [])
        await clock.turn(LONGEST_MS)
        assert folder.tries == 10
        await feed.stop()

    asyncio.run(run())


def test_a_folder_that_changes_is_tried_at_once(stick: Path) -> None:
    async def run() -> None:
        folder = Folder(HALF)
        feed, clock = await watching(folder, stick)
        (stick / "metadata" / "timestamp.json").unlink()
        await clock.turn(1)
        assert (folder.tries, feed.findings) == (2, [])
        await feed.stop()

    asyncio.run(run())


def test_a_clock_that_is_set_back_does_not_put_the_next_attempt_off(stick: Path) -> None:
    async def run() -> None:
        folder = Folder(HALF)
        feed, clock = await watching(folder, stick)
        await clock.turn(-90 * 86_400_000)
        assert folder.tries == 2
        await feed.stop()

    asyncio.run(run())


def test_a_folder_that_cannot_be_looked_into_does_not_end_the_watch(
    stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        folder = Folder()
        with monkeypatch.context() as patch:
            patch.setattr(Path, "glob", lambda self, pattern: 1 / 0)
            feed, clock = await watching(folder, stick)
            assert (folder.tries, len(feed.findings)) == (0, 1)
        await clock.turn(FIRST_MS)
        assert (folder.tries, feed.findings) == (1, [])
        await feed.stop()

    asyncio.run(run())
