"""A file put into gui/ leaves at once though the next look is far off; and where the machine tells of nothing, looking goes on."""

import asyncio
import time
from pathlib import Path

import pytest

from node.client import AsyncOffice, Patience
from node.drop.folder import DropFolder
from node.drop.paperwork import Event
from node.drop.places import Places
from node.drop.watching import Watch
from tests.flow.support import run
from tests.papers import document
from tests.real_mesh import RealMesh

FAR_S = 60.0


async def until(condition: object, limit_s: float = 15.0) -> float:
    """Wait for a condition; return how long that took."""
    began_s = time.monotonic()
    while not condition():  # type: ignore[operator]
        assert time.monotonic() - began_s < limit_s
        await asyncio.sleep(0.01)
    return time.monotonic() - began_s


async def work(mesh: RealMesh, root: Path, every_s: float, events: list[Event], story: object) -> None:
    """Let a drop folder run while a story is told."""
    async with AsyncOffice(mesh["g14"].credential, patience=Patience(limit_s=0)) as office:
        with Places(root).prepared():
            at_work = DropFolder(root, office, events.append)
            at_work.begin()
            running = asyncio.ensure_future(at_work.run(every_s))
            try:
                await story()  # type: ignore[operator]
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)


def test_a_packet_leaves_at_once_and_a_form_as_soon_as_it_is_finished(pair: RealMesh, tmp_path: Path) -> None:
    events: list[Event] = []

    async def story() -> None:
        await asyncio.sleep(1.0)  # the first round is over, and the next is a minute off
        (tmp_path / "gui" / "a.edxml").write_bytes(document("H49.22", number="901"))
        lasted_s = await until(lambda: any((tmp_path / "da-gui").iterdir()))
        assert lasted_s < 5
        (tmp_path / "gui" / "don.toml").write_text("không phải phiếu", "utf-8")
        lasted_s = await until(lambda: any((tmp_path / "loi").iterdir()))
        assert lasted_s < 10

    run(work(pair, tmp_path, FAR_S, events, story))
    assert [event.kind for event in events if event.kind != "followed"] == ["sent", "refused"]


def test_where_nothing_can_be_watched_it_is_told_once_and_looking_goes_on(
    pair: RealMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object, **__: object) -> object:
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr("node.drop.watching.awatch", none_left)
    events: list[Event] = []

    async def story() -> None:
        await until(lambda: any(event.kind == "slower" for event in events))
        (tmp_path / "gui" / "b.edxml").write_bytes(document("H49.22", number="902"))
        await until(lambda: any((tmp_path / "da-gui").iterdir()))

    run(work(pair, tmp_path, 0.3, events, story))
    assert [event.kind for event in events if event.kind != "followed"] == ["slower", "sent"]
    assert "vẫn tự nhìn" in events[0].sentence


def test_a_change_before_the_waiting_is_not_missed(tmp_path: Path) -> None:
    async def story() -> None:
        async with Watch(tmp_path, lambda event: None) as watch:
            await asyncio.sleep(0.5)
            (tmp_path / "x").write_bytes(b"1")
            await asyncio.sleep(1.0)
            assert await watch.changed_within(0.01)
            assert not await watch.changed_within(0.5)

    run(story())
