"""Resting: what the loops of a node do between their rounds. They wake when they are told that there is something, or by themselves."""

import asyncio

from node.ports import Clock


async def rest(clock: Clock, wake: asyncio.Event, seconds: float) -> None:
    """Wait until `wake` is set, or so long; then it is set, too."""
    if wake.is_set():
        return
    alarm = clock.call_later(seconds, wake.set)
    try:
        await wake.wait()
    finally:
        alarm.cancel()
