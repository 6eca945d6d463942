"""Clocks and pauses: a machine whose time is wrong, for a time or for good, and a process that stands still while time goes on."""

import random

from tests.sim.troubles import Day, Trouble

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
ERRORS_MS = (5 * MINUTE_MS, 2 * 60 * MINUTE_MS, 2 * DAY_MS, 31 * DAY_MS, 400 * DAY_MS, 5 * 365 * DAY_MS)


class Clocks(Trouble):
    """Puts one machine's clock wrong for minutes to an hour, and back: which is a jump back, or one ahead."""

    async def run(self) -> None:
        """Strike now and then."""
        await self.day.repeatedly("clocks", 2400.0, self._strike)

    async def _strike(self, numbers: random.Random) -> None:
        machine, by_ms = self.someone(numbers), numbers.choice((-1, 1)) * numbers.choice(ERRORS_MS)
        right_ms = machine.skew.skew_ms
        self.strikes(f"the clock of {machine.name} is off by {by_ms} ms")
        machine.skew.skew_ms += by_ms
        await self.day.lasting(numbers.choice((60.0, 1200.0, 3600.0)))
        if self.day.day_over:
            return  # all clocks have been set right meanwhile
        machine.skew.skew_ms = right_ms
        self.world.trace("world", f"the clock of {machine.name} is right again")


class WrongClock(Trouble):
    """Leaves one machine's clock wrong for good, from the beginning."""

    def __init__(self, day: Day) -> None:
        super().__init__(day)
        numbers = stream_of(day)
        machine, by_ms = self.someone(numbers), numbers.choice((-1, 1)) * numbers.choice(ERRORS_MS)
        machine.skew.skew_ms += by_ms
        self.strikes(f"the clock of {machine.name} is off by {by_ms} ms for good")


class Pauses(Trouble):
    """Stops one process for seconds to half an hour; or for just as long as a lease or a call lasts."""

    async def run(self) -> None:
        """Strike now and then."""
        await self.day.repeatedly("pauses", 1200.0, self._strike)

    async def _strike(self, numbers: random.Random) -> None:
        process = self.someone(numbers).process
        if process is None:
            return
        self.strikes(f"{process.name} stands still")
        self.world.loop.pause(process)
        await self.day.lasting(numbers.choice((2.0, 20.0, 301.0, numbers.uniform(60, 1800))))
        self.world.loop.resume(process)
        self.world.trace("world", f"{process.name} goes on")


def stream_of(day: Day) -> random.Random:
    """Return the numbers of the clock that is wrong for good."""
    return random.Random(f"{day.world.seed}/wrong clock")
