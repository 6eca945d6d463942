"""The brake: who proves nothing is slowed, and told of.

A secret of 32 random octets is not found by guessing; what the brake is for is that guessing costs the guesser time, costs us
nothing, and is seen. Only refusals wait. A call that is proved right is answered at once, whatever somebody else did in its name:
nobody can lock a system out by guessing its secret.
"""

import asyncio
from collections import OrderedDict

from node.log import get_logger

FIRST_DELAY_S, LONGEST_DELAY_S = 0.25, 8.0
REMEMBERED_MAX = 4_096
"""Callers that are counted, the least recent leaving first."""
WAITING_MAX = 512
"""Refusals that wait at the same time; further ones do not, so that waiting is no way to fill our memory."""

log = get_logger()


class Brake:
    """Counts refusals by caller and by the name that the caller gave."""

    def __init__(self, *, first_delay_s: float = FIRST_DELAY_S, longest_delay_s: float = LONGEST_DELAY_S) -> None:
        self._first_delay_s = first_delay_s
        self._longest_delay_s = longest_delay_s
        self._counts: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._waiting = 0

    async def refused(self, address: str, name: str, reason: str) -> None:
        """Note a refusal and wait: longer with each one, up to a limit. Logged at the 1st, 2nd, 4th, 8th …, not to fill the log."""
        count = self._count(address, name)
        if count & (count - 1) == 0:
            log.warning("caller.refused", address=address, system=name[:64], reason=reason, count=count)
        if self._waiting >= WAITING_MAX:
            return
        self._waiting += 1
        try:
            await asyncio.sleep(min(self._first_delay_s * 2 ** min(count // 4, 16), self._longest_delay_s))
        finally:
            self._waiting -= 1

    def note(self, address: str, reason: str) -> None:
        """Note something malformed, which waits for nothing because its connection ends."""
        count = self._count(address, "")
        if count & (count - 1) == 0:
            log.warning("caller.refused", address=address, system="", reason=reason, count=count)

    def proved(self, address: str, name: str) -> None:
        """Forget the refusals of a caller that has proved itself."""
        self._counts.pop((address, name), None)

    def _count(self, address: str, name: str) -> int:
        key = (address, name[:64])
        count = self._counts[key] = self._counts.pop(key, 0) + 1
        while len(self._counts) > REMEMBERED_MAX:
            self._counts.popitem(last=False)
        return count
