"""Folder at work: one round after another brings home what came, sends what lies ready, and looks after what was sent.

A round that is broken off anywhere is simply followed by the next one: all state is in the folders.
"""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from node.client import AsyncOffice
from node.drop.following import Follower
from node.drop.paperwork import Event, Tell
from node.drop.places import Places
from node.drop.quiet import QUIET_MS, Quiet
from node.drop.receiving import Receiver
from node.drop.sending import Sender
from node.drop.watching import Watch
from node.errors import Fault


@dataclass(frozen=True)
class Times:
    """The clocks, and how to wait; tests have their own."""

    @staticmethod
    def steady_ms() -> int:
        """Return milliseconds of a clock that never goes back."""
        return time.monotonic_ns() // 1_000_000

    @staticmethod
    def wall_ms() -> int:
        """Return milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000

    @staticmethod
    async def sleep(seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class DropFolder:
    """One folder and one system's connection to its node. Use within `Places.prepared`."""

    def __init__(self, root: Path, office: AsyncOffice, tell: Tell, times: Times | None = None) -> None:
        self._places = places = Places(root)
        self._times = times or Times()
        self._tell = tell
        self._receiver = Receiver(places, office, tell)
        self._follower = Follower(places, office, tell)
        self._sender = Sender(places, office, tell, self._follower.add, Quiet(QUIET_MS))
        self._trouble = ""

    def begin(self) -> None:
        """Find out where we stopped. Raises Broken(IO_FAILED)."""
        self._follower.begin()

    async def run(self, every_s: float) -> None:
        """Work until cancelled: everything each `every_s`, and gui/ at once when something changes there.

        Faults of the world (the road, the disk) are told, and the work is tried again.
        """
        async with Watch(self._places.to_send, self._tell) as watch:
            due_ms = self._times.steady_ms()
            while True:
                now_ms = self._times.steady_ms()
                if now_ms >= due_ms:
                    due_ms = now_ms + int(every_s * 1000)
                    await self.round()
                else:
                    await self.round(only_sends=True)
                rest_s = (due_ms - self._times.steady_ms()) / 1000
                await watch.changed_within(max(0.0, min(rest_s, QUIET_MS / 1000) if self._is_unfinished() else rest_s))

    def _is_unfinished(self) -> bool:
        """Tell whether another look may find something finished that was being written."""
        try:
            return self._sender.has_unfinished()
        except Fault:
            return False  # which the next round tells

    async def run_once(self) -> None:
        """Do all that can be done now: two looks tell what is finished in gui/."""
        await self.round()
        if self._sender.has_unfinished():
            await self._times.sleep(QUIET_MS / 1000)
            await self.round()

    async def round(self, *, only_sends: bool = False) -> bool:
        """Do everything once; tell what stops it, once as long as it is the same. Return whether it went to its end."""
        try:
            if not only_sends:
                await self._receiver.round(self._times.wall_ms())
            await self._sender.round(self._times.steady_ms())
            if not only_sends:
                await self._follower.round(self._times.steady_ms(), self._times.wall_ms())
        except Fault as fault:
            said = f"{fault.advice} ({fault.reason.name}: {fault.detail})"
            if said != self._trouble:
                self._tell(Event("failed", "", said, fault.exit_code))
            self._trouble = said
            return False
        if self._trouble:
            self._tell(Event("resumed", "", "mọi việc lại chạy bình thường"))
        self._trouble = ""
        return True
