"""Crowds: much at once. A flood of what is not urgent for one peer with something urgent behind it, and circulars to all communes."""

import random

from node.model.envelope import PacketKind
from tests.sim.office import Office
from tests.sim.papers import Paper, document
from tests.sim.troubles import Trouble
from tests.sim.world import CLOSED_AT_HOME, CROWD, UNITS

FLOOD = 90
"""Documents in a flood: more than ten pushes."""


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

    async def run(self) -> None:
        """Strike once or twice a day."""
        await self.day.repeatedly("floods", 3600.0, self._strike)

    async def _strike(self, numbers: random.Random) -> None:
        office = numbers.choice(self.day.offices)
        sender = next((unit for unit in sorted(UNITS[office.machine.name]) if office.speaks_for(unit)), "")
        target = numbers.choice([name for name in UNITS if name not in ("centre", office.machine.name)])
        units = [unit for unit in UNITS[target] if unit != CLOSED_AT_HOME and unit in self.world.open_units()]
        if not sender or not units or sender == CLOSED_AT_HOME:
            return
        self.strikes(f"{office.system.name} floods {target}")
        for number in range(FLOOD):
            priority = 3 if number in (FLOOD // 2, FLOOD - 1) else 0
            name = f"flood-{self.count}-{number}"
            await office.hand_in(ordinary(office, sender, (numbers.choice(units),), name, numbers, priority))


class Circulars(Trouble):
    """Lets an office write to all communes."""

    async def run(self) -> None:
        """Strike once or twice a day."""
        await self.day.repeatedly("circulars", 3600.0, self._strike)

    async def _strike(self, numbers: random.Random) -> None:
        office = numbers.choice(self.day.offices)
        sender = next((unit for unit in sorted(UNITS[office.machine.name]) if office.speaks_for(unit)), "")
        recipients = tuple(unit for units in CROWD.values() for unit in units)
        if not sender or sender == CLOSED_AT_HOME:
            return
        self.strikes(f"{office.system.name} writes to {len(recipients)} communes")
        await office.hand_in(ordinary(office, sender, recipients, f"circular-{self.count}", numbers))
