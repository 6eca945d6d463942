"""Troubles: what a fault of switches.py does to a day. Each is made only in seeds that have its fault, lives in a task of its own, draws
from numbers of its own, and puts everything right again when the day is over.

    Post     editions reach the nodes (editions.py)          Clocks, Pauses   time and the machine (clocks.py)
    Decay    disks that fail or forget (decay.py)            Poison           one packet that one node cannot stand (poison.py)
    here     narrow lines; and much at once: floods and circulars, which are written by offices
"""

import random
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from tests.sim.editions import DELAYS_S, Edition
from tests.sim.ledger import Ledger
from tests.sim.machine import stream
from tests.sim.office import Office
from tests.sim.world import Machine, World

WIDTHS = (1_500, 6_000, 40_000)
"""Octets a second; a push is at most 24,000 of them in this world."""


class Day(Protocol):
    """The day as a trouble sees it (scenario.py)."""

    world: World
    ledger: Ledger
    offices: list[Office]
    day_over: bool
    lasts_s: float

    async def lasting(self, seconds: float) -> None:
        """Wait, but not longer than the day."""
        ...

    async def until_released(self, holder: str, peer: str) -> None:
        """Let a node send to a peer again, however often that has to be said."""
        ...

    async def repeatedly(
        self, name: str, every_s: float, strike: Callable[[random.Random], Coroutine[Any, Any, None]]
    ) -> None:
        """Strike again and again until the day is over."""
        ...


class Trouble:
    """Does nothing; the others are made like it."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.world = day.world
        self.count = 0
        """How often it has struck."""

    async def run(self) -> None:
        """Live through the day."""

    async def mend(self) -> None:
        """Put right what can be put right."""

    def strikes(self, what: str) -> None:
        """Count a strike and note it."""
        self.count += 1
        self.world.trace("world", what)

    def someone(self, numbers: random.Random) -> Machine:
        """Choose a machine."""
        return self.world.machines[numbers.choice(sorted(self.world.machines))]


class Post(Trouble):
    """Publishes the editions, and carries each to each node after a delay of its own; to some by Hello only."""

    def __init__(self, day: Day) -> None:
        super().__init__(day)
        self._numbers = stream(self.world.seed, "post")
        names = sorted(self.world.machines)
        by_hello = self._numbers.sample(names, self._numbers.choice((1, 2))) if "hello" in self.world.faults else []
        self._by_hello = frozenset(by_hello)

    async def run(self) -> None:
        """Publish each edition at its time."""
        for edition in self.world.book.editions:
            await self.day.lasting(edition.at_s - self.world.loop.time())
            if self.day.day_over:
                return
            self._publish(edition)

    def _publish(self, edition: Edition) -> None:
        self.strikes(f"edition {edition.directory.version}: {edition.what}")
        self.world.directory = edition.directory
        mean_s = self._numbers.choice(DELAYS_S)
        for name, machine in self.world.machines.items():
            delay_s = self._numbers.expovariate(1 / mean_s)
            if name not in self._by_hello:
                self.world.loop.call_later(delay_s, machine.take, edition.directory)

    async def mend(self) -> None:
        """Give everybody the newest edition."""
        if not self.world.book.editions:
            return
        newest = self.world.book.editions[-1].directory
        self.world.directory = newest
        for machine in self.world.machines.values():
            machine.take(newest)


class Narrow(Trouble):
    """Lets lines carry only so much, now more and now less."""

    async def run(self) -> None:
        """Change the width of all lines now and then."""
        await self.day.repeatedly("lines", 1200.0, self._change)

    async def _change(self, numbers: random.Random) -> None:
        self.world.network.lines.bytes_per_s = numbers.choice(WIDTHS)
        self.strikes(f"lines carry {self.world.network.lines.bytes_per_s} octets a second")
        await self.day.lasting(numbers.uniform(600, 3600))

    async def mend(self) -> None:
        """Let everything through."""
        self.world.network.lines.bytes_per_s = 0
