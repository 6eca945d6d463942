"""Throttle: slows callers that prove nothing, and tells the operator of them.

A secret of 32 random octets is not found by guessing; the throttle only makes guessing cost the guesser time and us nothing, and shows
it. Only refusals wait. A call that is proved right is answered at once, whatever somebody else did in its name or from its address:
nobody can lock a system out by guessing its secret. Refusals are counted by address alone, for a name costs a guesser nothing.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from node.log import get_logger

FIRST_DELAY_S, LONGEST_DELAY_S = 0.25, 8.0
FORGET_AFTER_S = 600.0
"""The count of an address that was not refused for so long begins anew."""
REMEMBERED_MAX = 4_096
"""Addresses that are counted, the least recent leaving first."""
WAITING_MAX = 512
"""Refusals that wait at the same time; further ones do not, so that waiting is no way to fill our memory."""

log = get_logger()


class Brake:
    """Counts refusals by the caller's address."""

    def __init__(
        self,
        *,
        first_delay_s: float = FIRST_DELAY_S,
        longest_delay_s: float = LONGEST_DELAY_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_delay_s = first_delay_s
        self._longest_delay_s = longest_delay_s
        self._sleep = sleep
        self._monotonic_s = monotonic_s
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting = 0

    async def refused(self, address: str, name: str, reason: str) -> None:
        """Note a refusal of a caller that gave a name, and wait: longer after every four, up to a limit."""
        count = self.note(address, reason, name)
        if self._waiting >= WAITING_MAX:
            return
        self._waiting += 1
        try:
            await self._sleep(min(self._first_delay_s * 2 ** min(count // 4, 16), self._longest_delay_s))
        finally:
            self._waiting -= 1

    def note(self, address: str, reason: str, name: str = "") -> int:
        """Note a refusal; return how many there were. Logged at the 1st, 2nd, 4th, 8th …, not to fill the log."""
        now_s = self._monotonic_s()
        before, last_s = self._counts.pop(address, (0, now_s))
        count = before + 1 if now_s - last_s < FORGET_AFTER_S else 1
        self._counts[address] = (count, now_s)
        while len(self._counts) > REMEMBERED_MAX:
            self._counts.popitem(last=False)
        if count & (count - 1) == 0:
            log.warning("caller.refused", address=address, system=name[:64], reason=reason, count=count)
        return count
