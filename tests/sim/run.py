"""One seed from its beginning to its verdict."""

import asyncio
import gc
import logging
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from node.model.delivery import State
from tests.sim import loop_law, urgent_law
from tests.sim.disk import SimStore
from tests.sim.forgetting import check_forgotten, forgetful, forgets
from tests.sim.laws import Watch, check, waits
from tests.sim.ledger import Ledger
from tests.sim.life_laws import owes
from tests.sim.loop import Deadlock, VirtualLoop, run_virtual, where
from tests.sim.machine import stream
from tests.sim.scenario import Plan, Scenario, plan_for
from tests.sim.switches import DEFAULT, FAULTS, Switches
from tests.sim.world import StoreMaker, World, names_alias, tight_limits

QUIET_WITHIN_S = 2 * 3600.0
"""After everything is mended the world must come to rest within this much virtual time."""
DAYS_MAX_S = 30 * 3600.0


@dataclass
class Verdict:
    """The outcome of one seed."""

    seed: int
    broken: list[str] = field(default_factory=list)
    digest: str = ""
    events: int = 0
    virtual_s: float = 0.0
    rest_after_s: float = 0.0
    cpu_s: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    """Those of switches.py that this seed had."""

    @property
    def holds(self) -> bool:
        """True if no law was broken."""
        return not self.broken

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self)


@dataclass(frozen=True)
class Options:
    """Options of a run. Tests of the simulator itself take something out of the nodes or of the watch."""

    show: bool = False
    make_store: StoreMaker = SimStore
    looks_at_disks: bool = True
    plan: Plan | None = None
    switches: Switches = DEFAULT
    forgets: bool | None = None
    """The nodes forget soon, and must have forgotten everything in the end; None: as the seed has it."""
    stops_at_first: bool = False
    """End the day when the first law is broken."""


def run_seed(seed: int, options: Options | None = None) -> Verdict:
    """Live through the day of one seed and judge it. It never raises for what a node does: that is a broken law."""
    options = options or Options()
    verdict = Verdict(seed)
    began_s = time.process_time()
    logging.disable(logging.CRITICAL)
    # When cycles are collected must not depend on what the process did before; what is left of that is not looked at again.
    gc.disable()
    gc.freeze()
    try:
        with tight_limits():
            run_virtual(lambda loop: _day(loop, verdict, options), DAYS_MAX_S)
    except Deadlock as deadlock:
        verdict.broken.append(f"rest: {deadlock}")
    except Exception as mistake:
        verdict.broken.append(f"bug in the simulation: {mistake!r} {where(mistake)}")
    finally:
        gc.enable()
        gc.collect()
        logging.disable(logging.NOTSET)
    verdict.cpu_s = time.process_time() - began_s
    return verdict


async def _day(loop: VirtualLoop, verdict: Verdict, options: Options) -> None:
    plan, asked = options.plan or plan_for(verdict.seed, options.switches), options.switches.laws()
    world = World(
        loop, verdict.seed, show=options.show, make_store=options.make_store, faults=plan.faults, lasts_s=plan.lasts_s
    )
    verdict.faults = tuple(sorted(plan.faults))
    soon = forgets(verdict.seed) if options.forgets is None else options.forgets
    if soon:
        world.policy = forgetful(world.policy)
    ledger = Ledger()
    watch = Watch(world, ledger, looks_at_disks=options.looks_at_disks)
    urgent = urgent_law.UrgentWatch(world, ledger) if urgent_law.LAW in asked else None
    scenario = Scenario(world, ledger, plan)
    enough = asyncio.Event()
    if options.stops_at_first:
        ledger.on_break = enough.set
    living = _live(verdict, world, ledger, scenario, asked, forgets=soon)
    tasks = [loop.create_task(living), loop.create_task(enough.wait())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        bugs = [bug for bug in dict.fromkeys(loop.bugs) if not any(word in bug for word in world.staged)]
        verdict.broken = [*ledger.broken, *(f"bug: {bug}" for bug in bugs)]
        verdict.virtual_s = loop.time()
        verdict.events = world.trace.events
        _sum_up(verdict, world, ledger, watch, scenario)
        verdict.counts["urgent_waited"] = urgent.most if urgent is not None else 0
        verdict.digest = world.trace.digest()
        for machine in world.machines.values():
            machine.crash()
        await asyncio.sleep(0)


async def _live(
    verdict: Verdict, world: World, ledger: Ledger, scenario: Scenario, asked: frozenset[str], *, forgets: bool
) -> None:
    await world.start_all()
    await scenario.run()
    mended_s = world.loop.time()
    if not await _rest(world, ledger, scenario):
        await _say_what_waits(world, ledger, scenario)
        return
    verdict.rest_after_s = world.loop.time() - mended_s
    if "probe" in world.faults:
        await loop_law.probe(world, scenario.offices)
        if not await _rest(world, ledger, scenario):
            await _say_what_waits(world, ledger, scenario)
            return
    if loop_law.LAW in asked:
        loop_law.check_loops(world, ledger)
    await _lose_power_everywhere(world, ledger, scenario)
    astray = bool(scenario.troubles.jumps or world.faults & {"clocks", "wrong-clock", "pauses"})
    await check(world, ledger, clocks_jump=astray, asked=asked)
    if forgets and not ledger.broken:
        await check_forgotten(world, ledger)


async def _rest(world: World, ledger: Ledger, scenario: Scenario) -> bool:
    """Let the offices read until nothing moves any more; False if that takes longer than QUIET_WITHIN_S."""
    ends_s = world.loop.time() + QUIET_WITHIN_S
    for office in scenario.readers:
        office.reads_all = True
    quiet = 0
    while quiet < 2:
        if world.loop.time() > ends_s:
            return False
        await asyncio.sleep(60)
        found = [await office.read() for office in scenario.readers]
        waiting = [await waits(world, name) + await owes(world, name) for name in world.machines]
        busy = any(office.busy for office in scenario.readers)
        quiet = 0 if any(found) or any(waiting) or busy else quiet + 1
    return True


async def _say_what_waits(world: World, ledger: Ledger, scenario: Scenario) -> None:
    for name in world.machines:
        for what in await owes(world, name):
            ledger.breaks("rest", f"{name} still owes or holds {what}")
        for one in await waits(world, name):
            what = f"{one.kind} {one.packet_id.hex()} for {one.node_id}: {one.reason.name}, {one.attempts} attempts"
            ledger.breaks("rest", f"{name} still has {what}, next at {one.next_attempt_ms}")
    for office in scenario.readers:
        left = await office.read()
        if office.busy or left:
            ledger.breaks("rest", f"{office.system.name} has {office.busy} papers on its desk, {left} in its inboxes")


async def _lose_power_everywhere(world: World, ledger: Ledger, scenario: Scenario) -> None:
    """Cut all power at once: what was answered must still be there when only the disks are left."""
    numbers = stream(world.seed, "last crash")
    for machine in world.machines.values():
        machine.crash()
    await asyncio.sleep(numbers.random())
    await world.start_all()
    for office in scenario.readers:
        await office.read()


def _sum_up(verdict: Verdict, world: World, ledger: Ledger, watch: Watch, scenario: Scenario) -> None:
    network, troubles = world.network.counts, scenario.troubles
    verdict.counts = {
        "packets": len(ledger.sent),
        "refused": len(ledger.refused),
        "deliveries": len(ledger.received),
        "statuses": len(ledger.statuses_sent()),
        "changes": sum(not s.is_report and s.paper.kind_of_act != "new" for s in ledger.sent.values()),
        "aliases": sum(names_alias(s.paper) for s in ledger.sent.values()),
        "by_nodes": len(ledger.made_by_nodes),
        "taken_back": sum(one.taken for one in ledger.received.values()),
        "receipts": watch.receipts,
        "calls": network.calls,
        "lost": network.lost,
        "repeated": network.repeated,
        "broken_uploads": network.broken_uploads,
        "uploads": network.uploads,
        "crashes": troubles.crashes,
        "cuts": troubles.cuts,
        "burns": troubles.burns,
        "jumps": troubles.jumps,
        "full_disks": troubles.full_disks,
        "deaf": troubles.deaf,
        "told": sum(len(one.receiver.taken) for one in world.machines.values() if one.receiver is not None),
        "told_again": sum(one.receiver.repeats for one in world.machines.values() if one.receiver is not None),
        "relayed": len(ledger.relayed),
        "failed": sum(state is State.FAILED for state, _ in ledger.finals.values()),
        "superseded": ledger.superseded,
        **{f"seeds with {one.name}": int(one.name in world.faults) for one in FAULTS},
        **{type(fault).__name__.lower(): fault.count for fault in scenario.faults},
    }
