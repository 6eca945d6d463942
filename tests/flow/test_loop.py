"""Loops rest: one that is told wakes, one that is not wakes by itself, and nothing is left behind."""

import asyncio

import pytest

from node.flow.loop import rest
from node.process.system import SystemClock


class Watched(SystemClock):
    """The machine's clock; the test sees what is set."""

    def __init__(self) -> None:
        self.alarms: list[asyncio.TimerHandle] = []

    def call_later(self, seconds: float, fn: object) -> asyncio.TimerHandle:
        self.alarms.append(super().call_later(seconds, fn))  # type: ignore[arg-type]
        return self.alarms[-1]


def test_who_was_told_before_does_not_rest() -> None:
    async def story() -> None:
        clock, wake = Watched(), asyncio.Event()
        wake.set()
        await asyncio.wait_for(rest(clock, wake, 3_600), 5)
        assert clock.alarms == []

    asyncio.run(story())


def test_who_is_told_wakes_and_his_alarm_is_taken_back() -> None:
    async def story() -> None:
        clock, wake = Watched(), asyncio.Event()
        resting = asyncio.ensure_future(rest(clock, wake, 3_600))
        await asyncio.sleep(0)
        assert not resting.done()
        wake.set()
        await asyncio.wait_for(resting, 5)
        assert [alarm.cancelled() for alarm in clock.alarms] == [True]

    asyncio.run(story())


def test_who_is_not_told_wakes_by_himself() -> None:
    async def story() -> None:
        wake = asyncio.Event()
        await asyncio.wait_for(rest(SystemClock(), wake, 0.01), 5)
        assert wake.is_set()

    asyncio.run(story())


def test_a_rest_that_is_cancelled_leaves_no_alarm() -> None:
    async def story() -> None:
        clock, wake = Watched(), asyncio.Event()
        resting = asyncio.ensure_future(rest(clock, wake, 3_600))
        await asyncio.sleep(0)
        resting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await resting
        assert [alarm.cancelled() for alarm in clock.alarms] == [True]
        assert not wake.is_set()

    asyncio.run(story())
