"""The rest of a simulated machine: its clock, its randomness, its workers; and the trace that everything is written into.

All randomness comes from one seed, in a stream of its own for each purpose (`stream`), so that one more draw in one place does not
change what happens everywhere else.
"""

import asyncio
import hashlib
import random
import sys
import zlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tests.sim.loop import Process, VirtualLoop

T = TypeVar("T")
EPOCH_MS = 1_790_000_000_000
"""Wall time at the beginning of every world: a day in September 2026."""


def stream(seed: int, purpose: str) -> random.Random:
    """Return the random numbers of one purpose; the same in every process whatever PYTHONHASHSEED says."""
    return random.Random(f"{seed}/{purpose}")


class Trace:
    """The history of a world: every event with its virtual time. Two histories are equal if and only if their digests are."""

    def __init__(self, loop: VirtualLoop, *, show: bool = False) -> None:
        self._loop = loop
        self._show = show
        self._digest = hashlib.sha256()
        self.events = 0

    def __call__(self, who: str, what: str) -> None:
        """Note one event."""
        line = f"{self._loop.now_s:14.6f} {who:<8} {what}"
        self._digest.update(line.encode() + b"\n")
        self.events += 1
        if self._show:
            sys.stdout.write(line + "\n")

    def digest(self) -> str:
        """Return the SHA-256 of all events so far."""
        return self._digest.hexdigest()


def mark(data: bytes) -> str:
    """Return a few characters that tell octets apart in a trace."""
    return f"{len(data)}:{zlib.crc32(data):08x}"


class SimClock:
    """A machine's clock: wall time that is wrong by `skew_ms` and may jump, over the world's one monotonic time."""

    def __init__(self, loop: VirtualLoop, process: Process, skew: "Skew") -> None:
        self._loop = loop
        self._process = process
        self._skew = skew

    def now_ms(self) -> int:
        """Return what this machine thinks the time is."""
        return self._skew.now_ms(self._loop.now_s)

    def monotonic_ms(self) -> int:
        """Return virtual time."""
        return round(self._loop.now_s * 1000)

    async def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._process.check_alive()
        await asyncio.sleep(max(0.0, seconds))
        self._process.check_alive()

    def call_later(self, seconds: float, fn: Callable[[], None]) -> asyncio.TimerHandle:
        """Let `fn` be called when virtual time has passed, unless the process has died by then."""
        self._process.check_alive()
        return self._loop.call_later(max(0.0, seconds), self._process.if_alive, fn)


class Skew:
    """The error of a machine's clock. It outlives its processes."""

    def __init__(self, skew_ms: int) -> None:
        self.skew_ms = skew_ms

    def now_ms(self, now_s: float) -> int:
        """Return the machine's wall time at a moment of virtual time."""
        return EPOCH_MS + self.skew_ms + round(now_s * 1000)


class SimEntropy:
    """Randomness that goes on after a restart: no two processes of a machine ever see the same octets."""

    def __init__(self, numbers: random.Random) -> None:
        self._numbers = numbers

    def token(self, size_bytes: int) -> bytes:
        """Return octets."""
        return self._numbers.randbytes(size_bytes)

    def jitter(self) -> float:
        """Return a number from 0 to 1."""
        return self._numbers.random()


class SimWorkers:
    """Computes at once, but lets others run in between as a thread would."""

    def __init__(self, process: Process, numbers: random.Random) -> None:
        self._process = process
        self._numbers = numbers

    def run(self, weight_bytes: int, fn: Callable[[], T]) -> Awaitable[T]:
        """Compute `fn()`, now and then a little later."""
        return self._later(fn, self._numbers.random() * 0.05 if self._numbers.random() < 0.3 else 0.0)

    async def _later(self, fn: Callable[[], T], after_s: float) -> T:
        self._process.check_alive()
        if after_s:
            await asyncio.sleep(after_s)
            self._process.check_alive()
        return fn()
