"""Patience: what cannot be done just now is tried again, with growing pauses and an end.

Only Deferred is tried again, for only there does nobody have to act. Every call of the client may be repeated: a submission has its id
before the first try, all others are harmless twice (law 3).
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from node.errors import Deferred

T = TypeVar("T")

_SPREAD = 1_000


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on, in seconds.

    A call is not begun again once `limit_s` have passed since its first try (each try has its own limit besides: a minute, more for large
    packets). 0: everything is tried once. Pauses grow from `first_pause_s` to `longest_pause_s`, each spread from a half to one and a half
    so that many clients do not come at once. Where the node says when to come again, its word counts, and if that is too late the fault is
    raised at once.
    """

    limit_s: float = 120.0
    first_pause_s: float = 0.2
    longest_pause_s: float = 10.0

    def __post_init__(self) -> None:
        assert self.limit_s >= 0, "limit_s is a time to wait"
        assert 0 < self.first_pause_s <= self.longest_pause_s, "pauses grow from the first to the longest"

    async def with_retries(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Do something until it succeeds; raise what is no Deferred at once, and the last Deferred when patience ends."""
        clock = asyncio.get_running_loop().time
        end_s, pause_s = clock() + self.limit_s, self.first_pause_s
        while True:
            try:
                return await attempt()
            except Deferred as deferred:
                wait_s = max(pause_s * _spread(), deferred.retry_after_ms / 1000)
                if clock() + wait_s > end_s:
                    raise
            await asyncio.sleep(wait_s)
            pause_s = min(2 * pause_s, self.longest_pause_s)


def _spread() -> float:
    """Return a number from a half to one and a half."""
    return 0.5 + secrets.randbelow(_SPREAD) / _SPREAD
