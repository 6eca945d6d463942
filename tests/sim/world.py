"""The simulated world: machines with their disks and clocks, the network between them, one directory, and the connected systems.

The centre carries for others and has no offices of its own, so it may burn down. A ministry and three provinces have units;
`H49.66` is a unit that its own node does not know any more (the others' directories are older), which is how a refusal at the
recipient's side comes about. Some units have other codes (decision 0010), of which the node of `H01` has not heard yet.

In a world with editions (editions.py) all of that is what the day begins with.
"""

import dataclasses
import random
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch

from node.errors import Fault
from node.model.code import parse_code
from node.model.directory import Alias, Directory, NodeEntry, PublicKey, Role, Unit, Zone, directory_of
from node.model.office import FoundUnit, System
from node.model.policy import Policy
from node.node import Node
from node.ports import Ports
from node.process.loops import Loops
from tests.sim.disk import Disk, SimBodies, SimStore
from tests.sim.editions import BASE_VERSION, Book, write_book
from tests.sim.hooks import Receiver, SimHooks
from tests.sim.keys import SimKeys
from tests.sim.loop import NoAnswer, Process, VirtualLoop
from tests.sim.machine import SimClock, SimEntropy, SimWorkers, Skew, Trace, stream
from tests.sim.network import Network
from tests.sim.papers import Paper, old_form
from tests.sim.peers import SimPeers
from tests.sim.switches import EDITIONS

UNITS: dict[str, tuple[str, ...]] = {
    "centre": (),
    "g22": ("G22", "G22.01", "G22.01.07"),
    "h49": ("H49", "H49.2", "H49.22.05", "H49.22.06", "H49.66"),
    "h37": ("H37", "H37.11", "H37.11.02"),
    "h01": ("H01", "H01.08"),
}
PREFIXES = {"centre": "A99", "g22": "G22", "h49": "H49", "h37": "H37", "h01": "H01"}
CLOSED_AT_HOME = "H49.66"
"""Listed by everybody else's directory, but no longer by that of its own node."""
ALIASES = {
    "G22.90": "G22.01",
    "H49.90": "H49.22.05",
    "H49.91": "H01.08",
    "H37.90": "H49.2",
    "H37.91": "G22.01.07",
    "H01.90": "H37.11",
}
"""Other codes of units, some given away by other provinces."""
WITHOUT_ALIASES = "h01"
"""Its directory is older."""
CROWD: dict[str, tuple[str, ...]] = {
    name: tuple(f"{prefix}.5{number:03}" for number in range(150)) for name, prefix in (("h37", "H37"), ("h01", "H01"))
}
"""Communes to which circulars go, in worlds that have them."""
POLICY = Policy(
    packet_bytes_max=60_000,
    inline_body_bytes_max=1_200,
    push_body_bytes_max=2_600,
    push_items_max=8,
    push_bytes_max=24_000,
    chunk_bytes=1_024,
    submit_group_max=8,
    ask_first_bytes=600,
    arrive_at_once=1,
    custody_retry_ms=5 * 60_000,
    back_off_max_ms=6 * 60_000,
    hello_every_ms=20 * 60_000,
    sweep_every_ms=10 * 60_000,
    wait_for_document_ms=40 * 60_000,
    arrival_by_software=frozenset({"G22.01", "H49.22.05", "H37.11.02"}),
)
"""Tiny limits, so that small packets go all the roads that large ones go."""
RETENTION: dict[str, Any] = {"keep_body_after_ms": 20 * 60_000}
"""Everything that is kept for a time, for so short a one that it is swept within a day: a policy's fields with their values."""


@contextmanager
def tight_limits() -> Iterator[None]:
    """Let small packets flow as large ones do, and idlers look seldom, which shows every wake-up that was forgotten."""
    with (
        patch("node.flow.submit.intake.SMALL_PACKET_BYTES_MAX", 5_000),
        patch("node.flow.send.plan.IDLE_S", 900.0),
        patch("node.flow.duties.duty_loop.IDLE_S", 900.0),
        patch("node.flow.webhooks.notifier.LOOK_S", 900.0),
        patch("node.flow.webhooks.notices.NOTICES_MAX", 6),
        patch("node.flow.webhooks.notices.BATCH_MAX", 3),
    ):
        yield


StoreMaker = Callable[[Disk, Process], Any]


class Directories:
    """The port `DirectorySource`; a test may exchange the snapshot."""

    def __init__(self, snapshot: Directory) -> None:
        self.snapshot = snapshot

    def current(self) -> Directory:
        """Return the snapshot."""
        return self.snapshot

    async def search(self, query: str, limit: int) -> list[FoundUnit]:
        """Find nothing: offices of the simulation know the codes."""
        return []


class Machine:
    """One node's machine: what survives a crash (disk, keys, clock) and the process that does not."""

    def __init__(self, world: "World", name: str, directory: Directory, keys: SimKeys) -> None:
        self.name = name
        self.disk = Disk(world.loop, stream(world.seed, f"disk {name}"), world.trace, name)
        self.skew = Skew(0)
        self.process: Process | None = None
        self.node: Any = None
        self.keys = keys
        self.starts = 0
        self._world = world
        self.directories = Directories(directory)
        self._entropy = SimEntropy(stream(world.seed, f"entropy {name}"))
        self.loops: Any = None
        self.receiver = _receiver(world, name)
        self.certificate = name.encode()
        """The TLS certificate that it presents."""
        self._fetching = False
        keys.follow(lambda: self.directories.snapshot.nodes.get(name), lambda: self.skew.now_ms(world.loop.now_s))

    async def start(self) -> None:
        """Start the node from what is on its disk. A node that cannot start yet (full disk) stays down; the caller tries again."""
        world, process = self._world, Process(self.name, self._world.loop)
        policy = dataclasses.replace(world.policy, relay_for_others=self.name in world.relays)
        self.starts += 1
        ports = self._ports(process)
        node = Node(ports, policy)
        loops = Loops(node, SimHooks(self.receiver, process, world.trace))
        world.trace(self.name, f"starts ({self.starts})")
        node.signals.newer_directory.connect(lambda news: self.hear_of(*news))
        self.process, self.node, self.loops = process, node, loops
        try:
            # A start makes three commits one after another, each of which waits for one or two syncs of a disk that takes 20 s (SHAKY).
            await process.call(loops.start(), 240.0)
        except Fault as fault:
            world.trace(self.name, f"does not start: {fault}")
            self.crash()

    def _ports(self, process: Process) -> Ports:
        world = self._world
        return Ports(
            clock=SimClock(world.loop, process, self.skew),
            entropy=self._entropy,
            store=world.make_store(self.disk, process),
            bodies=SimBodies(self.disk, process),
            keys=self.keys,
            peers=SimPeers(world.network, process),
            workers=SimWorkers(process, stream(world.seed, f"workers {self.name} {self.starts}")),
            directory=self.directories,
        )

    def take(self, directory: Directory) -> None:
        """Work with a newer edition; a certificate of ours that has been published is presented from now on."""
        if directory.version <= self.directories.snapshot.version:
            return
        self._world.trace(self.name, f"takes edition {directory.version}")
        self.directories.snapshot = directory
        certificates = directory.certificates_of(self.name)
        self.certificate = certificates[-1] if certificates else self.certificate
        if self.process is not None and self.loops is not None:
            self.process.within(self.loops.dispatcher.directory_changed)

    def hear_of(self, peer: str, version: int) -> None:
        """Fetch an edition from a peer that has a newer one, as the feed does (node/directory/trust/feed.py)."""
        if version >= BASE_VERSION and version > self.directories.snapshot.version and not self._fetching:
            assert self.process is not None
            self._fetching = True
            self.process.start(self._fetch(peer, self.process))

    async def _fetch(self, peer: str, process: Process) -> None:
        world = self._world
        served: list[Directory] = []

        async def serve(node: Any) -> bytes:
            served.append(node.ports.directory.current())
            return b""

        try:
            await world.network.call(self.name, peer, "fetch_directory", b"", serve)
            process.check_alive()
            self.take(served[-1])
        except Fault as fault:
            world.trace(self.name, f"does not get the directory from {peer}: {fault}")
        finally:
            self._fetching = False

    async def stop(self) -> None:
        """Stop in good order; what is durable afterwards is still only what the disk made durable."""
        if self.process is not None:
            # A process that stands still is killed when it has not stopped in time.
            with suppress(NoAnswer):
                await self.process.call(self.loops.stop(), 120.0)
            self.crash()

    def crash(self) -> None:
        """Lose the power: all tasks end where they are, and with them everything that was not synced."""
        if self.process is not None:
            self._world.trace(self.name, "crashes")
            self.process.crash()
            self.process = self.node = self.loops = None
            self.disk.crash()

    def burn(self) -> None:
        """Lose the whole disk; the keys are in a safe."""
        self.crash()
        self._world.trace(self.name, "burns down")
        self.disk.burn()


class World:
    """Everything."""

    def __init__(
        self,
        loop: VirtualLoop,
        seed: int,
        *,
        show: bool,
        make_store: StoreMaker = SimStore,
        faults: frozenset[str] = frozenset(),
        lasts_s: float = 0.0,
    ) -> None:
        """Make a world in which nothing runs yet; `faults` are those of its plan (switches.py), and the day lasts so long."""
        self.loop = loop
        self.seed = seed
        self.faults = faults
        self.trace = Trace(loop, show=show)
        self.policy = policy_for(faults)
        self.make_store = make_store
        self.relays = {"centre"}
        """Nodes whose operator lets them carry for others."""
        self.network = Network(loop, stream(seed, "network"), self.trace)
        keys = {name: SimKeys(name, stream(seed, f"keys {name}")) for name in UNITS}
        crowd = CROWD if "circulars" in faults else {}
        self.directory = directory_for(keys, without=frozenset(), crowd=crowd)
        """The newest edition that is published."""
        others = {
            WITHOUT_ALIASES: directory_for(keys, without=frozenset(), aliases={}, crowd=crowd),
            "h49": directory_for(keys, without=frozenset({CLOSED_AT_HOME}), crowd=crowd),
        }
        self.book = Book([self.directory, *others.values()])
        if faults & EDITIONS:
            write_book(self.book, faults & EDITIONS, keys, stream(seed, "editions"), lasts_s)
        self.systems = {name: system for name in UNITS if (system := self._system_of(name, crowd)) is not None}
        self.crowd = {name: System(f"{name}-xa", frozenset(units)) for name, units in crowd.items()}
        """Systems of the communes, by node."""
        self.machines = {name: Machine(self, name, others.get(name, self.directory), keys[name]) for name in UNITS}
        self.network.hosts.update(self.machines)
        self.network.admits = self._admits
        self.staged: set[str] = set()
        """Words by which a bug that a node tells of is known for one that the day has put there."""
        self.wounds: dict[str, Any] = {}
        """Damage of disks, by machine (decay.py)."""
        self.wounded: set[str] = set()
        """Machines whose disks are damaged now, or were: they may say that they are broken."""

    def _system_of(self, name: str, crowd: Mapping[str, tuple[str, ...]]) -> System | None:
        units = (self.book.units_of(name) | set(UNITS[name])) - set(crowd.get(name, ()))
        return System(f"{name}-qlvb", frozenset(units)) if units else None

    def _admits(self, origin: str, target: str) -> bool:
        caller, callee = self.machines[origin], self.machines[target]
        known = callee.directories.snapshot.certificates.get(caller.certificate) == origin
        return known and callee.certificate in caller.directories.snapshot.certificates_of(target)

    def system_for(self, name: str, unit: str) -> System:
        """Return the system that speaks for a unit at a node."""
        crowd = self.crowd.get(name)
        return crowd if crowd is not None and unit in crowd.units else self.systems[name]

    def serves_now(self, name: str, unit: str) -> bool:
        """Tell whether a node serves a unit that is open, as its own directory says."""
        directory, machine = self.machines[name].directories.snapshot, self.machines[name]
        zone, entry = directory.zone_of(parse_code(unit)), directory.unit(parse_code(unit))
        if zone is None or zone.node_id != name:
            return False
        return not self.book.editions or (entry is not None and entry.holds_at(machine.skew.now_ms(self.loop.now_s)))

    def open_units(self) -> list[str]:
        """Return the units to which documents go now; communes only get circulars."""
        if not self.book.editions:
            return [unit for units in UNITS.values() for unit in units]
        communes = {unit for system in self.crowd.values() for unit in system.units}
        units = {code: unit for zone in self.directory.zones.values() for code, unit in zone.units.items()}
        return sorted(code for code, unit in units.items() if not unit.valid_to_ms and code not in communes)

    def machine_of(self, unit: str) -> Machine:
        """Return the machine whose node serves a unit; of one that is not listed any more, the last that did."""
        for directory in (self.directory, *reversed(self.book.directories)):
            zone = directory.zone_of(parse_code(unit))
            if zone is not None and unit in zone.units:
                return self.machines[zone.node_id]
        raise KeyError(unit)

    async def start_all(self) -> None:
        """Start whatever is down."""
        for machine in self.machines.values():
            if machine.process is None:
                await machine.start()

    def all_up(self) -> bool:
        """Tell whether every node runs."""
        return all(machine.process is not None for machine in self.machines.values())


def _receiver(world: World, name: str) -> Receiver | None:
    """Return the address at which a machine's system is told; the centre has none."""
    system = world.systems.get(name)
    return Receiver(system, stream(world.seed, f"receiver {name}")) if system is not None else None


def policy_for(faults: frozenset[str]) -> Policy:
    """Return the limits of a world: with `retention` everything is swept within the day."""
    return dataclasses.replace(POLICY, **RETENTION) if "retention" in faults else POLICY


def spelt(numbers: random.Random, unit: str, by: str, *, as_sender: bool = False) -> str:
    """Spell a unit's code as office software of system `by` might: in the older form, or by an alias that its node knows.

    A sender only uses an alias of its own prefix: another one is put off by nodes that have not heard of it.
    """
    others = [code for code, meant in ALIASES.items() if meant == unit and (not as_sender or code[:3] == unit[:3])]
    chance = numbers.random()
    if others and chance < 0.3 and not by.startswith(WITHOUT_ALIASES):
        code = numbers.choice(others)
        return old_form(code) if chance < 0.1 else code
    return old_form(unit) if chance > 0.8 else unit


def names_alias(paper: Paper) -> bool:
    """Tell whether a packet calls somebody by an alias."""
    return any(f">{form}<".encode() in paper.packet for code in ALIASES for form in (code, old_form(code)))


def directory_for(
    keys: dict[str, SimKeys],
    without: frozenset[str],
    aliases: Mapping[str, str] = ALIASES,
    crowd: Mapping[str, tuple[str, ...]] = types.MappingProxyType({}),
) -> Directory:
    """Make the directory's snapshot; units in `without` are left out of it."""
    nodes = [
        NodeEntry(
            node_id=name,
            name=name.upper(),
            mesh_address=f"{name}.sim:7443",
            via_relays=(),
            tls_certificates=(name.encode(),),
            signing_keys=(PublicKey(keys[name].signing_public, 1),),
            sealing_keys=(PublicKey(keys[name].sealing_public, 1),),
            roles=frozenset({Role.RELAY, Role.DIRECTORY}) if name == "centre" else frozenset(),
        )
        for name in UNITS
    ]
    zones = [
        Zone(
            parse_code(PREFIXES[name]),
            name,
            {unit: Unit(unit, f"Đơn vị {unit}") for unit in (*units, *crowd.get(name, ())) if unit not in without},
            {code: Alias(code, unit) for code, unit in aliases.items() if code.startswith(PREFIXES[name])},
        )
        for name, units in UNITS.items()
    ]
    return directory_of(2 if without else 1, 1_789_000_000_000, nodes, zones)
