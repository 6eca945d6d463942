"""Loop: what all loops beside the calls need: rest until there is something to do, and tasks that nobody awaits."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from node.ports import Clock

RESTART_FIRST_S, RESTART_MAX_S = 1.0, 60.0
"""Pause before a loop that has ended starts again: it doubles, and begins anew after a loop has lived for ten of the longest."""
OnBug = Callable[[Exception], None]
"""Told of an exception that should not be: our own mistake, of which nothing was lost."""


async def rest(clock: Clock, wake: asyncio.Event, seconds: float) -> None:
    """Wait until `wake` is set, at most `seconds`; it is set afterwards in either case."""
    if wake.is_set():
        return
    alarm = clock.call_later(seconds, wake.set)
    try:
        await wake.wait()
    finally:
        alarm.cancel()


async def supervise(
    work: Callable[[], Awaitable[None]], clock: Clock, on_bug: OnBug, pause_s: Callable[[], float]
) -> None:
    """Do work that shall never end, and begin it again after a pause if it does by an exception, which is told. Ends by cancellation."""
    while True:
        try:
            await work()
            return
        except Exception as error:
            on_bug(error)
        await clock.sleep(pause_s())


def raise_in_loop(error: Exception) -> None:
    """Hand an exception that nobody awaits to the event loop, which tells of it loudly."""
    asyncio.get_running_loop().call_exception_handler({"message": "work of the node failed", "exception": error})


class Tasks:
    """Work that nobody awaits. An exception in it is told to `on_bug`, never lost; `stop` ends all of it."""

    def __init__(self, on_bug: OnBug) -> None:
        self._on_bug = on_bug
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Start work of its own."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def supervise(self, name: str, make: Callable[[], Coroutine[Any, Any, None]]) -> "asyncio.Task[None]":
        """Start a loop that shall never end. An exception ending it is told to `on_bug`, and it starts again after a pause that grows."""
        return self.spawn(self._supervised(name, make))

    async def _supervised(self, name: str, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        loop, pause_s = asyncio.get_running_loop(), RESTART_FIRST_S
        while True:
            began_s = loop.time()
            self._on_bug(await _ending(name, make()))
            if loop.time() - began_s > 10 * RESTART_MAX_S:
                pause_s = RESTART_FIRST_S
            await asyncio.sleep(pause_s)
            pause_s = min(RESTART_MAX_S, 2 * pause_s)

    async def stop(self) -> None:
        """Cancel everything and wait until it has ended. Work that was cut off is found again in the store."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            error = task.exception()
            if isinstance(error, Exception):
                self._on_bug(error)


async def _ending(name: str, work: Coroutine[Any, Any, None]) -> Exception:
    """Run a loop to its end and return what ended it. Raises CancelledError if it was we who were cancelled."""
    try:
        await work
    except Exception as error:
        error.add_note(f"it has ended the loop {name}")
        return error
    except asyncio.CancelledError:
        # Something that the loop awaited was cancelled, and not the loop itself: that is a mistake like any other.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
    return AssertionError(f"the loop {name} has ended by itself")
