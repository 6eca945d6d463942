"""Clock of the sandbox: the machine's time, put forward by hand. It is the Clock port of every node in the sandbox.

All nodes share one, so they agree. They sleep by this clock: when it is put forward, everybody whose time has come meanwhile wakes at
once, so a deadline in three days is over as soon as three days have been added. It never goes back. Its lead over the machine is written
beside the sandbox's nodes before it counts, or a sandbox that is started again would live before its own records.
"""

import asyncio
import json
import re
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

from node.directory.files import write_file
from node.errors import Broken, Rejected
from node.model.policy import DAY_MS
from node.model.reason import Reason

STEP_MS_MAX = 3_650 * DAY_MS
"""The most in one step: a slip of the finger must not make the sandbox useless."""
AHEAD_MS_MAX = 36_500 * DAY_MS

_UNITS_MS = {
    **dict.fromkeys(("s", "giây"), 1_000),
    **dict.fromkeys(("m", "phút"), 60_000),
    **dict.fromkeys(("h", "giờ"), 3_600_000),
    **dict.fromkeys(("d", "ngày"), DAY_MS),
    **dict.fromkeys(("w", "tuần"), 7 * DAY_MS),
}
_PART = re.compile(r"\s*([0-9]{1,6})\s*(giây|phút|giờ|ngày|tuần|[smhdw])", re.ASCII)


def span_ms(text: str) -> int:
    """Read a span of time: 90s, 15m, 3h, 2d, 1w, "1d12h", "2 ngày". Raises Rejected(REQUEST_INVALID)."""
    rest, total_ms = unicodedata.normalize("NFC", text).strip().lower(), 0
    while found := _PART.match(rest):
        total_ms += int(found[1]) * _UNITS_MS[found[2]]
        rest = rest[found.end() :].strip()
    if rest or not 0 < total_ms <= STEP_MS_MAX:
        raise Rejected(
            Reason.REQUEST_INVALID, f"{text!r}: a span from 1s to 3650d is wanted, as 90s, 15m, 3h, 2d or 1d12h"
        )
    return total_ms


class SandboxClock:
    """The clock. `state` is the file that remembers its lead."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._alarms: set[_Alarm] = set()
        self.ahead_ms = _remembered(state)
        """Its lead over the machine's clock."""

    def now_ms(self) -> int:
        """Return the sandbox's time in milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000 + self.ahead_ms

    def monotonic_ms(self) -> int:
        """Return milliseconds that have passed here, by themselves or by hand."""
        return int(self._elapsed_s() * 1000)

    async def sleep(self, seconds: float) -> None:
        """Wait until so much time has passed here, by itself or by hand."""
        over = asyncio.Event()
        alarm = self.call_later(seconds, over.set)
        try:
            await over.wait()
        finally:
            alarm.cancel()

    def call_later(self, seconds: float, fn: Callable[[], None]) -> "_Alarm":
        """Let the loop call `fn` when so much time has passed here, by itself or by hand."""
        return _Alarm(self._alarms, self._elapsed_s, self._elapsed_s() + seconds, fn)

    def advance(self, by_ms: int) -> int:
        """Put the clock forward; return the time it shows then. Raises Rejected(REQUEST_INVALID), and what writing its file raises."""
        if not 0 < by_ms <= STEP_MS_MAX or self.ahead_ms + by_ms > AHEAD_MS_MAX:
            raise Rejected(
                Reason.REQUEST_INVALID, f"the clock goes forward only, by at most {STEP_MS_MAX // DAY_MS} days"
            )
        write_file(self._state, json.dumps({"ahead_ms": self.ahead_ms + by_ms}).encode())
        self.ahead_ms += by_ms
        for alarm in list(self._alarms):
            alarm.look()
        return self.now_ms()

    def _elapsed_s(self) -> float:
        return time.monotonic() + self.ahead_ms / 1000


class _Alarm:
    """One call that is to come; among `all_set` until it has come or is cancelled."""

    def __init__(
        self, all_set: "set[_Alarm]", elapsed_s: Callable[[], float], due_s: float, fn: Callable[[], None]
    ) -> None:
        self._all_set, self._elapsed_s, self._due_s, self._fn = all_set, elapsed_s, due_s, fn
        self._timer: asyncio.Handle | None = None
        all_set.add(self)
        self._set()

    def look(self) -> None:
        """Look at the clock, which has changed, or has come so far: call if the time is over, else go on waiting."""
        if self._timer is not None:
            self._timer.cancel()
        if self in self._all_set:
            self._set()

    def cancel(self) -> None:
        """Call it off."""
        self._all_set.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def _set(self) -> None:
        left_s = self._due_s - self._elapsed_s()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(left_s, self.look) if left_s > 0 else loop.call_soon(self._ring)

    def _ring(self) -> None:
        if self in self._all_set:
            self._all_set.discard(self)
            self._fn()


def _remembered(state: Path) -> int:
    """Return how far the clock was ahead. Raises Broken(SETTINGS_INVALID) for a file that says nothing of the kind."""
    try:
        ahead_ms = json.loads(state.read_bytes())["ahead_ms"]
    except FileNotFoundError:
        return 0
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Broken(Reason.SETTINGS_INVALID, f"{state}: {error}") from error
    if not isinstance(ahead_ms, int) or not 0 <= ahead_ms <= AHEAD_MS_MAX:
        raise Broken(Reason.SETTINGS_INVALID, f"{state}: ahead_ms is out of range")
    return ahead_ms
