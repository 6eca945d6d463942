"""A day of chaos: what goes wrong in a world, how often, and what the offices do meanwhile. All of it follows from the seed.

Every seed throws only some of the troubles (as a swarm of different worlds finds more than many equal ones): a lossy network, cut
roads, crashing nodes, failing disks, jumping clocks, a centre that burns down. Each trouble is a task of its own that draws its
moments from its own random numbers. The faults of switches.py are troubles, too (troubles.py).
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from node.errors import Fault
from node.model.envelope import PacketKind
from tests.sim.changes import Case
from tests.sim.clocks import Clocks, Pauses, WrongClock
from tests.sim.crowds import Circulars, Floods
from tests.sim.decay import Eio, Flips
from tests.sim.ledger import Ledger
from tests.sim.loop import NoAnswer
from tests.sim.machine import stream
from tests.sim.office import CrowdOffice, Office
from tests.sim.papers import Paper, document
from tests.sim.poison import PoisonPill
from tests.sim.switches import EDITIONS, Switches
from tests.sim.troubles import Narrow, Post, Trouble
from tests.sim.world import CLOSED_AT_HOME, UNITS, World, spelt

STRANGERS = ("H77.01", "H49.2.99", "G99")
"""Codes that no directory lists."""
SOON_MS = 20 * 60_000
MAKERS: dict[str, type[Trouble]] = {
    **dict.fromkeys(sorted(EDITIONS), Post),
    "clocks": Clocks,
    "wrong-clock": WrongClock,
    "pauses": Pauses,
    "eio": Eio,
    "flips": Flips,
    "poison": PoisonPill,
    "lines": Narrow,
    "floods": Floods,
    "circulars": Circulars,
}
"""Faults (switches.py) to the troubles that they are. The others are the world's: retention, hello, probe."""


@dataclass(frozen=True)
class Plan:
    """The plan of one seed. Times in seconds of virtual time, means of exponential draws; 0: never."""

    lasts_s: float
    papers: int
    lossy: bool
    cut_every_s: float
    parted: tuple[str, str] | None
    """Two nodes that cannot meet but through the centre, for the whole day."""
    crash_every_s: float
    burns: bool
    jump_every_s: float
    disk_full_every_s: float
    sync_s: float
    hold_every_s: float
    changes: float
    """Probability that an author does something with a document that it has sent."""
    deaf_every_s: float = 0.0
    """The address of a system takes nothing for a while."""
    hurried: bool = False
    """Everything expires within twenty minutes, and not only one in nine."""
    faults: frozenset[str] = frozenset()
    """Faults of switches.py."""


def plan_for(seed: int, switches: Switches | None = None) -> Plan:
    """Choose the troubles of a seed."""
    numbers = stream(seed, "plan")
    provinces = [name for name in UNITS if name != "centre"]
    return Plan(
        lasts_s=numbers.uniform(1.5, 3.5) * 3600,
        papers=numbers.randint(5, 12),
        lossy=numbers.random() < 0.6,
        cut_every_s=numbers.choice((0, 1200, 3600)),
        parted=tuple(sorted(numbers.sample(provinces, 2))) if numbers.random() < 0.4 else None,  # type: ignore[arg-type]
        crash_every_s=numbers.choice((0, 600, 1800, 3600)),
        burns=numbers.random() < 0.25,
        jump_every_s=numbers.choice((0, 0, 1800)),
        disk_full_every_s=numbers.choice((0, 0, 900)),
        sync_s=numbers.choice((0.004, 0.004, 0.1, 1.0)),
        hold_every_s=numbers.choice((0, 0, 5400)),
        changes=numbers.choice((0.2, 0.6, 1.0)),
        deaf_every_s=numbers.choice((0, 900, 1800)),
        faults=(switches or Switches()).faults_of(seed),
    )


@dataclass
class Troubles:
    """Counts of what went wrong."""

    crashes: int = 0
    cuts: int = 0
    burns: int = 0
    jumps: int = 0
    full_disks: int = 0
    deaf: int = 0


class Scenario:
    """One seed's day: writers, readers and troubles."""

    def __init__(self, world: World, ledger: Ledger, plan: Plan) -> None:
        self.plan = plan
        self.lasts_s = plan.lasts_s
        self.troubles = Troubles()
        self.offices = [Office(world, ledger, world.machines[name], system) for name, system in world.systems.items()]
        crowd = [CrowdOffice(world, ledger, world.machines[name], system) for name, system in world.crowd.items()]
        self.readers: list[Office] = [*self.offices, *crowd]
        self.day_over = False
        self.world = self._world = world
        self.ledger = self._ledger = ledger
        self.faults: list[Trouble] = []
        self._held: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """Live through the day, then mend everything that can be mended."""
        world, plan = self._world, self.plan
        self._prepare()
        tasks = [
            self._papers(),
            *(self._readings(office) for office in self.readers),
            self._weather(),
            self.repeatedly("cuts", plan.cut_every_s, self._cut),
            self.repeatedly("crashes", plan.crash_every_s, self._crash),
            self.repeatedly("jumps", plan.jump_every_s, self._jump),
            self.repeatedly("disks", plan.disk_full_every_s, self._fill_disk),
            self.repeatedly("holds", plan.hold_every_s, self._hold),
            self.repeatedly("deaf", plan.deaf_every_s, self._deafen),
            self._burn(),
            *(fault.run() for fault in self.faults),
        ]
        running = [world.loop.create_task(task) for task in tasks]
        await asyncio.sleep(plan.lasts_s)
        self.day_over = True
        world.trace("world", "the day is over: everything is mended")
        await self._mend()
        for task in running:
            await task

    def _prepare(self) -> None:
        numbers = stream(self._world.seed, "prepare")
        for machine in self._world.machines.values():
            machine.skew.skew_ms = int(numbers.gauss(0, 2_000))
            machine.disk.sync_s = self.plan.sync_s
        if self.plan.parted is not None:
            self._cut_both(*self.plan.parted, how=numbers.choice(("drop", "reject")))
        makers = dict.fromkeys(MAKERS[name] for name in MAKERS if name in self.plan.faults)
        self.faults = [maker(self) for maker in makers]

    async def _mend(self) -> None:
        world = self._world
        world.network.heal()
        for process in list(world.loop.paused):
            world.loop.resume(process)
        for fault in self.faults:
            await fault.mend()
        for machine in world.machines.values():
            machine.disk.mend()
            # Somebody sets the clocks right: a node whose clock is in doubt ends nothing, however long one waits.
            machine.skew.skew_ms = machine.skew.skew_ms % 1_000
            if machine.receiver is not None:
                machine.receiver.heal()
        while not world.all_up():
            await world.start_all()
            await asyncio.sleep(1)
        for holder, peer in sorted(self._held):
            await self.until_released(holder, peer)
        self._held.clear()

    async def until_released(self, holder: str, peer: str) -> None:
        """Let a node send to a peer again, however often that has to be said."""
        machine = self._world.machines[holder]
        while True:
            try:
                assert machine.process is not None
                await machine.process.call(machine.node.release_peer(peer), 30.0)
                return
            except (Fault, NoAnswer):
                await asyncio.sleep(1)

    # --- offices ---------------------------------------------------------------------------------------------------

    async def _papers(self) -> None:
        """Write papers all day long; each is handed in, tracked, and now and then repeated."""
        numbers = stream(self._world.seed, "papers")
        lives = []
        for number in range(self.plan.papers):
            await asyncio.sleep(numbers.expovariate(self.plan.papers / self.plan.lasts_s / 0.7))
            office = numbers.choice([one for one in self.offices if self._senders(one)])
            paper = self._write(numbers, office, number)
            lives.append(self._world.loop.create_task(self._life_of(office, paper, random.Random(numbers.random()))))
        for life in lives:
            await life

    def _senders(self, office: Office) -> list[str]:
        return [unit for unit in sorted(office.system.units - {CLOSED_AT_HOME}) if office.speaks_for(unit)]

    def _write(self, numbers: random.Random, office: Office, number: int) -> Paper:
        sender = numbers.choice(self._senders(office))
        everybody = [unit for unit in self._world.open_units() if unit != sender]
        recipients = numbers.sample(everybody, numbers.choice((1, 1, 1, 2, 3, 5)))
        if numbers.random() < 0.1:
            recipients.append(numbers.choice(STRANGERS))
        by = office.system.name
        written = tuple(spelt(numbers, code, by) for code in recipients)
        secret = f"BIMAT{numbers.randbytes(8).hex()}".encode()
        size = numbers.choice((0, 0, 0, 300, 1_200, 4_000, 9_000, 14_000))
        document_id = f"{sender},{self._world.seed},{number}"
        called, priority = spelt(numbers, sender, by, as_sender=True), numbers.choice((0, 0, 0, 1, 2, 3))
        packet = document(
            called, written, document_id, secret, priority=priority,
            filler=secret.decode() + numbers.randbytes(size // 2).hex() if size else "",
        )  # fmt: skip
        expire_after_ms = numbers.choice((0, 0, 0, 0, 0, 0, 0, 0, SOON_MS))
        return Paper(
            office.system.name, f"paper-{number}", PacketKind.DOCUMENT, sender, tuple(recipients), written, document_id,
            secret, packet, priority=priority,
            expire_after_ms=SOON_MS if self.plan.hurried else expire_after_ms,
            all_or_nothing=numbers.random() < 0.1,
        )  # fmt: skip

    async def _life_of(self, office: Office, paper: Paper, numbers: random.Random) -> None:
        if await office.hand_in(paper) is None:
            return
        if numbers.random() < self.plan.changes:
            await self._change(office, paper, numbers)
        for _ in range(numbers.choice((0, 1, 2))):
            await asyncio.sleep(numbers.expovariate(1 / 1800))
            if numbers.random() < 0.5:
                await office.repeat(paper)
            await office.track(paper.submission_id)

    async def _change(self, office: Office, paper: Paper, numbers: random.Random) -> None:
        """Let the author do one to three things with its document, some at once, so that they overtake it."""
        case = Case(self._world, self._ledger, paper, numbers)
        for _ in range(numbers.choice((1, 1, 2, 3))):
            await asyncio.sleep(numbers.choice((0.0, numbers.uniform(0, 30), numbers.expovariate(1 / 1200))))
            more = case.next() if office.speaks_for(paper.sender) else None
            if more is not None:
                await office.hand_in(more)

    async def _readings(self, office: Office) -> None:
        numbers = stream(self._world.seed, f"readings {office.system.name}")
        while not self.day_over:
            await asyncio.sleep(numbers.uniform(120, 1800))
            await office.read()

    # --- troubles --------------------------------------------------------------------------------------------------

    async def repeatedly(
        self, name: str, every_s: float, strike: Callable[[random.Random], Coroutine[Any, Any, None]]
    ) -> None:
        numbers = stream(self._world.seed, name)
        while every_s and not self.day_over:
            await asyncio.sleep(numbers.expovariate(1 / every_s))
            if not self.day_over:
                await strike(numbers)

    async def lasting(self, seconds: float) -> None:
        """Wait, but not longer than the day."""
        loop = self._world.loop
        ends_s = loop.time() + seconds
        while loop.time() < ends_s and not self.day_over:
            await asyncio.sleep(min(60.0, ends_s - loop.time()))

    async def _weather(self) -> None:
        numbers, weather = stream(self._world.seed, "weather"), self._world.network.weather
        while self.plan.lossy and not self.day_over:
            storm = numbers.random() < 0.5
            weather.lose_request = numbers.choice((0.02, 0.2, 0.5)) if storm else 0.01
            weather.lose_reply = numbers.choice((0.02, 0.2, 0.5)) if storm else 0.01
            weather.repeat_request = numbers.choice((0.0, 0.1, 0.3))
            weather.break_upload = numbers.choice((0.0, 0.05, 0.2))
            weather.delay_s = numbers.choice((0.005, 0.05, 1.0)) if storm else 0.02
            await self.lasting(numbers.uniform(300, 3600))

    async def _cut(self, numbers: random.Random) -> None:
        """Cut one road, or all roads of one node, in one direction or both, for a while."""
        network, names = self._world.network, sorted(self._world.machines)
        self.troubles.cuts += 1
        alone = numbers.choice(names)
        roads = list(combinations(names, 2)) if numbers.random() < 0.15 else [tuple(numbers.sample(names, 2))]
        if numbers.random() < 0.4:
            roads = [(alone, other) for other in names if other != alone]
        how, both = numbers.choice(("drop", "reject")), numbers.random() < 0.6
        if roads[0][0] == alone and not both and numbers.random() < 0.5:
            # It is heard by all and hears nobody: what it sends arrives, and no receipt comes back.
            roads = [(other, alone) for other in names if other != alone]
        for origin, target in roads:
            network.cut(origin, target, how)
            if both:
                network.cut(target, origin, how)
        self._world.trace("world", f"cut {how} {'both ways' if both else 'one way'}: {roads}")
        await self.lasting(numbers.uniform(60, 3600))
        if not self.day_over:
            self._mend_roads()

    def _mend_roads(self) -> None:
        """Open all roads but those that stay cut for the whole day."""
        self._world.network.cuts.clear()
        if self.plan.parted is not None:
            self._cut_both(*self.plan.parted, how="drop")
        self._world.trace("world", "roads mended")

    def _cut_both(self, one: str, other: str, how: str) -> None:
        self._world.network.cut(one, other, how)
        self._world.network.cut(other, one, how)

    async def _crash(self, numbers: random.Random) -> None:
        machine = self._world.machines[numbers.choice(sorted(self._world.machines))]
        if machine.process is None:
            return
        self.troubles.crashes += 1
        if numbers.random() < 0.1:
            await machine.stop()
        else:
            machine.crash()
        await self.lasting(numbers.choice((1.0, 30.0, numbers.uniform(60, 2400))))
        if machine.process is None and not self.day_over:
            await machine.start()

    async def _jump(self, numbers: random.Random) -> None:
        machine = self._world.machines[numbers.choice(sorted(self._world.machines))]
        by_ms = int(numbers.choice((-1, 1)) * numbers.choice((5_000, 600_000, 6 * 3_600_000)))
        machine.skew.skew_ms += by_ms
        self.troubles.jumps += 1
        self._world.trace(machine.name, f"clock jumps by {by_ms} ms")

    async def _fill_disk(self, numbers: random.Random) -> None:
        machine = self._world.machines[numbers.choice(sorted(self._world.machines))]
        self.troubles.full_disks += 1
        machine.disk.full = numbers.random() < 0.5
        machine.disk.full_at_sync = not machine.disk.full
        self._world.trace(machine.name, f"disk full{' at the sync' if machine.disk.full_at_sync else ''}")
        await self.lasting(numbers.uniform(30, 1200))
        machine.disk.full = machine.disk.full_at_sync = False
        if machine.process is None and not self.day_over:
            await machine.start()

    async def _deafen(self, numbers: random.Random) -> None:
        """Let a system's address be away, refuse, or lose its answers for a while."""
        receiver = numbers.choice([one.receiver for one in self._world.machines.values() if one.receiver is not None])
        self.troubles.deaf += 1
        receiver.down = numbers.random() < 0.4
        receiver.refuses, receiver.loses_answer = numbers.choice((0.0, 0.5, 1.0)), numbers.choice((0.0, 0.3, 0.9))
        self._world.trace(receiver.system.name, f"deaf: {receiver.down} {receiver.refuses} {receiver.loses_answer}")
        await self.lasting(numbers.uniform(60, 3600))
        receiver.heal()

    async def _hold(self, numbers: random.Random) -> None:
        holder, peer = numbers.sample(sorted(self._world.machines), 2)
        process, node = self._world.machines[holder].process, self._world.machines[holder].node
        if process is None:
            return
        self._held.add((holder, peer))
        self._world.trace(holder, f"holds {peer}")
        try:
            await process.call(node.hold_peer(peer), 30.0)
        except (Fault, NoAnswer):
            self._world.trace(holder, f"perhaps does not hold {peer}")
        await self.lasting(numbers.uniform(60, 3600))
        if not self.day_over:
            await self._until_up_and_answered(holder, peer)

    async def _until_up_and_answered(self, holder: str, peer: str) -> None:
        while not self.day_over:
            process, node = self._world.machines[holder].process, self._world.machines[holder].node
            try:
                if process is not None:
                    await process.call(node.release_peer(peer), 30.0)
                    self._held.discard((holder, peer))
                    return
            except (Fault, NoAnswer):
                self._world.trace(holder, f"does not release {peer} yet")
            await self.lasting(10)

    async def _burn(self) -> None:
        """Let the centre burn down while it has packets in custody for a node that nobody can reach."""
        if not self.plan.burns:
            return
        numbers, centre = stream(self._world.seed, "burn"), self._world.machines["centre"]
        await self.lasting(numbers.uniform(0.1, 0.7) * self.plan.lasts_s)
        alone = numbers.choice([name for name in sorted(self._world.machines) if name != "centre"])
        self._world.trace("world", f"{alone} is cut off from everybody")
        for other in sorted(self._world.machines):
            if other != alone:
                self._cut_both(alone, other, how="reject")
        await self.lasting(numbers.uniform(300, 2400))
        if self.day_over:
            return
        self.troubles.burns += 1
        centre.burn()
        await self.lasting(1800)
        if not self.day_over:
            self._mend_roads()
            if centre.process is None:
                await centre.start()
