"""System: clock, entropy and workers of a real process, three small ports over the standard library."""

import asyncio
import os
import secrets
import shutil
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import SystemRandom
from typing import TypeVar

T = TypeVar("T")

INLINE_BYTES_MAX = 512 * 1024
"""Below this a hop to a thread and back costs more than the work: both would wait for the same interpreter lock."""


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Return wall time in milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Return the machine's monotonic time in milliseconds."""
        return time.monotonic_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Wait by monotonic time."""
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, fn: Callable[[], None]) -> asyncio.TimerHandle:
        """Let the loop call `fn` when so much monotonic time has passed."""
        return asyncio.get_running_loop().call_later(seconds, fn)


class SystemEntropy:
    """The operating system's randomness."""

    def __init__(self) -> None:
        self._spread = SystemRandom()

    def token(self, size_bytes: int) -> bytes:
        """Return octets fit for keys."""
        return secrets.token_bytes(size_bytes)

    def jitter(self) -> float:
        """Return a number from 0 to 1."""
        return self._spread.random()


class ThreadWorkers:
    """Runs long computations in two threads: one per core of a small machine, and lxml, hashing and AES release the lock."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="worker")

    def run(self, weight_bytes: int, fn: Callable[[], T]) -> Awaitable[T]:
        """Compute `fn()` at once, or in a thread if it handles many octets."""
        loop = asyncio.get_running_loop()
        if weight_bytes > INLINE_BYTES_MAX:
            return loop.run_in_executor(self._pool, fn)
        future: asyncio.Future[T] = loop.create_future()
        try:
            future.set_result(fn())
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def machine(home: Path) -> Callable[[], tuple[int, int]]:
    """Return a function that tells (resident octets of this process, free octets on the disk of its home)."""
    page_bytes = os.sysconf("SC_PAGE_SIZE")

    def look() -> tuple[int, int]:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return pages * page_bytes, shutil.disk_usage(home).free

    return look
