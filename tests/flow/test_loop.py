"""Loops that shall never end: whatever ends one is told, and it starts again."""

import asyncio

import pytest

from node.flow import loop
from node.flow.loop import Tasks
from tests.flow.support import run


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "RESTART_FIRST_S", 0.001)
    monkeypatch.setattr(loop, "RESTART_MAX_S", 0.004)


def test_whatever_ends_a_loop_is_told_and_it_starts_again() -> None:
    async def story() -> None:
        bugs: list[Exception] = []
        lives, settled = 0, asyncio.Event()

        async def work() -> None:
            nonlocal lives
            lives += 1
            if lives == 1:
                raise ValueError("a mistake")
            if lives == 2:
                raise asyncio.CancelledError("of something that it awaited")
            if lives == 3:
                return
            settled.set()
            await asyncio.Event().wait()

        tasks = Tasks(bugs.append)
        tasks.supervise("test", work)
        await settled.wait()
        assert [type(bug) for bug in bugs] == [ValueError, AssertionError, AssertionError]
        assert bugs[0].__notes__ == ["it has ended the loop test"]
        await asyncio.wait_for(tasks.stop(), 1)
        assert lives == 4, "stopping is no mistake, and nothing starts again"

    run(story())
