"""Poison: a packet that one function of one node cannot stand: what it raises is no Fault, each time, for that packet and no other.

The packet is the first that the function meets on that node after a moment of the day; the poison works until the day is over, as until
the node has been given a mended version. What must hold is that everything else goes on.
"""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from node.errors import Deferred
from node.flow.expiry import sweep
from node.flow.receive import accept
from node.flow.send import packing, receipts
from tests.sim.loop import NoAnswer, current_process
from tests.sim.machine import stream
from tests.sim.troubles import Day, Trouble
from tests.sim.world import Machine


class Poison(Exception):
    """The mistake of our own that is staged."""


PLACES: tuple[tuple[Any, str, Callable[..., bytes]], ...] = (
    (accept, "_store_one", lambda tx, verdict, *_, **__: verdict.envelope.packet_id),
    (receipts, "apply_final", lambda tx, believed, *_, **__: believed.receipt.packet_id),
    (packing, "_load", lambda tx, row: row.packet_id),
    (sweep, "expire", lambda tx, item, *_: item.packet_id),
    (sweep, "forget", lambda tx, item, *_: item.packet_id),
)
"""Functions by which a packet goes, and how to see its id in their arguments."""


class PoisonPill(Trouble):
    """Poisons one packet at one node."""

    def __init__(self, day: Day) -> None:
        super().__init__(day)
        numbers = stream(self.world.seed, "poison")
        self._from_s = numbers.uniform(0.05, 0.6) * day.lasts_s
        self._where = self.someone(numbers).name
        self._place = numbers.choice(PLACES)
        self._victim: bytes | None = None
        self._patches = ExitStack()
        self.world.staged.add("Poison(")

    async def run(self) -> None:
        """Poison from a moment on."""
        await self.day.lasting(self._from_s)
        if self.day.day_over:
            return
        room, name, packet_of = self._place
        real = getattr(room, name)

        def poisoned(*args: Any, **more: Any) -> Any:
            process = current_process()
            if process is not None and process.name == self._where and self._hurts(packet_of(*args, **more), name):
                raise Poison(name)
            return real(*args, **more)

        self._patches.enter_context(patch.object(room, name, poisoned))

    def _hurts(self, packet_id: bytes, name: str) -> bool:
        if self._victim is None:
            self._victim = packet_id
            self.strikes(f"{self._where} cannot stand {packet_id.hex()} in {name}")
        return self._victim == packet_id

    async def mend(self) -> None:
        """Give the node a version without the mistake, and start it."""
        self._patches.close()
        if self._victim is not None:
            machine = self.world.machines[self._where]
            if machine.process is not None:
                self.day.ledger.ended_loops += machine.process.ended_loops
            machine.crash()
            await machine.start()
            await self._release(machine)

    async def _release(self, machine: Machine) -> None:
        """Let what was laid aside go on, as the node's operator does after that."""
        while True:
            try:
                assert machine.process is not None
                found, more = await machine.process.call(machine.node.list_quarantine(100), 30.0)
                for one in found:
                    await machine.process.call(machine.node.release_quarantined(one.name), 30.0)
                if not more:
                    return
            except (Deferred, NoAnswer):
                await asyncio.sleep(1)
