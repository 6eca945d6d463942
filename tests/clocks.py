"""Clocks of tests: one that stands still until the test moves it, and the machine's time for those that need it.

Tests in which time passes by itself use the node's own (node/process/system.py). The simulation has virtual time (tests/sim/loop.py).
"""

import asyncio
import time
from collections.abc import Callable

NOW = 1_800_000_000_000
"""Milliseconds since 1970 UTC; where clocks that stand still begin."""


class SetClock:
    """The port Clock, standing at `at_ms` until the test moves it; its sleepers and alarms go by the loop's own time."""

    def __init__(self, now_ms: int = NOW) -> None:
        self.at_ms = now_ms
        self.jump_ms = 0

    def now_ms(self) -> int:
        return self.at_ms

    def monotonic_ms(self) -> int:
        """Time that passes by being set; a jump of the clock alone is made with `jump_ms`."""
        return self.at_ms - self.jump_ms

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, fn: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, fn)


def now_ms() -> int:
    """Return the machine's time in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000
