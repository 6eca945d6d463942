"""Crowds: much at once. A flood of what is not urgent for one peer with something urgent behind it, and circulars to all communes."""

import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from node.errors import Fault
from node.model.envelope import PacketKind
from tests.sim.loop import NoAnswer
from tests.sim.machine import stream
from tests.sim.office import Office
from tests.sim.papers import Paper, document
from tests.sim.troubles import Day, Trouble
from tests.sim.world import CLOSED_AT_HOME, CROWD, UNITS, Machine

FLOOD = 90
"""Documents in a flood: more than ten pushes."""


async def once_a_day(day: Day, name: str, strike: Callable[[random.Random], Coroutine[Any, Any, None]]) -> None:
    """Strike at some time in the first two thirds of a day."""
    numbers = stream(day.world.seed, name)
    await day.lasting(day.lasts_s * numbers.uniform(0.05, 0.67))
    if not day.day_over:
        await strike(numbers)


def ordinary(
    office: Office, sender: str, recipients: tuple[str, ...], name: str, numbers: random.Random, priority: int = 0
) -> Paper:
    """Write a small document."""
    secret = f"BIMAT{numbers.randbytes(8).hex()}".encode()
    document_id = f"{sender},{name}"
    packet = document(sender, recipients, document_id, secret, priority=priority)
    return Paper(
        office.system.name, name, PacketKind.DOCUMENT, sender, recipients, recipients, document_id, secret, packet,
        priority=priority,
    )  # fmt: skip


class Floods(Trouble):
    """Lets an office hand in very many documents for one peer, and then some that are urgent."""

    def __init__(self, day: Day) -> None:
        super().__init__(day)
        self._held: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """Strike once: a flood costs as much as all the rest of a day."""
        await once_a_day(self.day, "floods", self._strike)

    async def _strike(self, numbers: random.Random) -> None:
        office = numbers.choice(self.day.offices)
        sender = next((unit for unit in sorted(UNITS[office.machine.name]) if office.speaks_for(unit)), "")
        target = numbers.choice([name for name in UNITS if name not in ("centre", office.machine.name)])
        units = [unit for unit in UNITS[target] if unit != CLOSED_AT_HOME and unit in self.world.open_units()]
        if not sender or not units or sender == CLOSED_AT_HOME:
            return
        self.strikes(f"{office.system.name} floods {target}")
        await self._hold(office.machine, target)
        for number in range(FLOOD):
            priority = 3 if number in (FLOOD // 2, FLOOD - 1) else 0
            name = f"flood-{self.count}-{number}"
            await office.hand_in(ordinary(office, sender, (numbers.choice(units),), name, numbers, priority))
        if not self.day.day_over:
            await self.mend()

    async def _hold(self, machine: Machine, target: str) -> None:
        """Let everything pile up: the operator holds the peer until the flood is handed in."""
        if machine.process is None:
            return
        self._held.add((machine.name, target))
        with suppress(Fault, NoAnswer):
            await machine.process.call(machine.node.hold_peer(target), 30.0)

    async def mend(self) -> None:
        """Let it go."""
        while self._held:
            await self.day.until_released(*self._held.pop())


class Circulars(Trouble):
    """Lets an office write to all communes."""

    async def run(self) -> None:
        """Strike once."""
        await once_a_day(self.day, "circulars", self._strike)

    async def _strike(self, numbers: random.Random) -> None:
        office = numbers.choice(self.day.offices)
        sender = next((unit for unit in sorted(UNITS[office.machine.name]) if office.speaks_for(unit)), "")
        recipients = tuple(unit for units in CROWD.values() for unit in units)
        if not sender or sender == CLOSED_AT_HOME:
            return
        self.strikes(f"{office.system.name} writes to {len(recipients)} communes")
        await office.hand_in(ordinary(office, sender, recipients, f"circular-{self.count}", numbers))
