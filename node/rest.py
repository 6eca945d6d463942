"""Resting: what the loops of a node do between their rounds. They wake when they are told that there is something, or by themselves."""

import asyncio

from node.ports import Clock


async def rest(clock: Clock, wake: asyncio.Event, seconds: float) -> None:
    """Wait until `wake` is set, or so long."""
    sleeper = asyncio.ensure_future(clock.sleep(seconds))
    waker = asyncio.ensure_future(wake.wait())
    try:
        await asyncio.wait([sleeper, waker], return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeper.cancel()
        waker.cancel()
