"""The sandbox's clock: the machine's time, put forward by hand; a sleeper wakes when its time has come."""

import asyncio
import json
import time
import unicodedata
from functools import partial
from pathlib import Path

import pytest

from node.errors import Broken, Rejected
from node.model.policy import DAY_MS
from node.sandbox.clock import AHEAD_MS_MAX, STEP_MS_MAX, SandboxClock, span_ms


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("90s", 90_000),
        ("15m", 900_000),
        ("3h", 3 * 3_600_000),
        ("2d", 2 * DAY_MS),
        ("1w", 7 * DAY_MS),
        (" 1d 12h ", DAY_MS + DAY_MS // 2),
        ("2D", 2 * DAY_MS),
        ("2 ngày", 2 * DAY_MS),
        (unicodedata.normalize("NFD", "3 giờ 5 phút"), 3 * 3_600_000 + 300_000),
    ],
)
def test_a_span_is_read(text: str, expected_ms: int) -> None:
    assert span_ms(text) == expected_ms


@pytest.mark.parametrize("text", ["", "2", "d", "2x", "-2d", "0s", "2d x", "3651d", "99999999d", "²d", "１d"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="a span"):
        span_ms(text)


def test_sleepers_wake_when_the_clock_passes_their_time_and_not_before(tmp_path: Path) -> None:
    clock = SandboxClock(tmp_path / "clock.json")
    woken: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(sleeper("hour", 3_600)), group.create_task(sleeper("week", 7 * 86_400))]
            await asyncio.sleep(0)
            clock.advance(2 * DAY_MS)
            await tasks[0]
            assert woken == ["hour"]
            clock.advance(6 * DAY_MS)
            await tasks[1]
        assert woken == ["hour", "week"]

    asyncio.run(asyncio.wait_for(story(), 10))


def test_a_call_comes_when_the_clock_passes_its_time_once_and_not_if_it_is_taken_back(tmp_path: Path) -> None:
    clock = SandboxClock(tmp_path / "clock.json")
    called: list[str] = []

    async def story() -> None:
        for name, seconds in (("hour", 3_600), ("week", 7 * 86_400)):
            clock.call_later(seconds, partial(called.append, name))
        clock.call_later(3_600, partial(called.append, "taken back")).cancel()
        alarm = clock.call_later(3_600, partial(called.append, "taken back when it is over"))
        clock.advance(2 * DAY_MS)
        alarm.cancel()
        await asyncio.sleep(0)
        assert called == ["hour"]
        clock.advance(6 * DAY_MS)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert called == ["hour", "week"]

    asyncio.run(asyncio.wait_for(story(), 10))


def test_without_a_push_it_goes_as_the_machine_does(tmp_path: Path) -> None:
    clock = SandboxClock(tmp_path / "clock.json")

    async def story() -> float:
        begun_s = time.monotonic()
        await clock.sleep(0.05)
        return time.monotonic() - begun_s

    assert asyncio.run(story()) >= 0.05
    assert abs(clock.now_ms() - time.time_ns() // 1_000_000) < 1_000


def test_a_cancelled_sleeper_is_forgotten(tmp_path: Path) -> None:
    clock = SandboxClock(tmp_path / "clock.json")

    async def story() -> None:
        task = asyncio.ensure_future(clock.sleep(3_600))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        clock.advance(DAY_MS)

    asyncio.run(story())
    assert clock.now_ms() > time.time_ns() // 1_000_000


def test_it_remembers_how_far_it_is_ahead(tmp_path: Path) -> None:
    SandboxClock(tmp_path / "clock.json").advance(3 * DAY_MS)
    again = SandboxClock(tmp_path / "clock.json")

    assert again.ahead_ms == 3 * DAY_MS
    assert again.advance(DAY_MS) - time.time_ns() // 1_000_000 > 3.9 * DAY_MS


@pytest.mark.parametrize("by_ms", [0, -1, STEP_MS_MAX + 1])
def test_it_never_goes_back_or_too_far(tmp_path: Path, by_ms: int) -> None:
    clock = SandboxClock(tmp_path / "clock.json")

    with pytest.raises(Rejected):
        clock.advance(by_ms)
    assert clock.ahead_ms == 0


def test_it_does_not_leave_the_century(tmp_path: Path) -> None:
    (tmp_path / "clock.json").write_text(json.dumps({"ahead_ms": AHEAD_MS_MAX}))

    with pytest.raises(Rejected):
        SandboxClock(tmp_path / "clock.json").advance(1_000)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"ahead_ms": "2"}', '{"ahead_ms": -1}', '{"ahead_ms": 1e99}'])
def test_a_file_that_says_something_else_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "clock.json").write_text(text)

    with pytest.raises(Broken, match=r"clock\.json"):
        SandboxClock(tmp_path / "clock.json")
