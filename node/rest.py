"""Resting: what the loops of a node do between their rounds. They wake when they are told that there is something, or by themselves."""

import asyncio

from node.ports import Clock


async def rest(clock: Clock, wake: asyncio.Event, seconds: float) -> None:
    """Wait until `wake` is set, or so long; then it is set, too."""
    if wake.is_set():
        return
    sleeper = asyncio.ensure_future(clock.sleep(seconds))

    def ring(_: "asyncio.Future[None]") -> None:
        wake.set()

    sleeper.add_done_callback(ring)
    try:
        await wake.wait()
    finally:
        sleeper.remove_done_callback(ring)
        sleeper.cancel()
