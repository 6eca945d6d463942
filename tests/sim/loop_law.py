"""L-loops: every loop lives at the end: couriers, greeters, sweeper, duty loop, notifier. Two ways of asking:

none has ended      while its process lived, whatever it met (loop.py notes it)
each makes progress  when it is given something to do (`probe`): a document from every node to every node goes out and is reported
                    and told of, something to a peer that is held expires, and everybody has greeted everybody lately
"""

import asyncio

from node.errors import Fault
from node.model.envelope import PacketKind
from tests.sim.ledger import Ledger
from tests.sim.loop import NoAnswer
from tests.sim.office import Office
from tests.sim.papers import Paper, document
from tests.sim.world import CLOSED_AT_HOME, UNITS, World

LAW = "L-loops"
GREETED_WITHIN_S = 8_200.0
"""The longest pause of the world's policy: 15 times six minutes and a half more. Nobody is away for a day here, but to a clock that was set
two days ahead it seems so (seed 96)."""
EXPIRES_MS = 5 * 60_000


def check_loops(world: World, ledger: Ledger) -> None:
    """Check that no loop has ended, and that greetings go on. The processes must be those of the day."""
    ended = [*ledger.ended_loops]
    for machine in world.machines.values():
        ended += machine.process.ended_loops if machine.process is not None else [f"{machine.name} does not run"]
    for one in dict.fromkeys(ended):
        ledger.breaks(LAW, one)
    now_s = world.loop.time()
    for origin, machine in world.machines.items():
        if machine.process is None or now_s - machine.process.began_s < GREETED_WITHIN_S:
            continue
        for target in world.machines:
            greeted_s = world.network.greeted_s.get((origin, target), -GREETED_WITHIN_S)
            if origin != target and now_s - greeted_s > GREETED_WITHIN_S:
                ledger.breaks(LAW, f"{origin} has not greeted {target} for {now_s - greeted_s:.0f} s")


async def probe(world: World, offices: list[Office]) -> None:
    """Give every loop something to do; that it is done, the other laws see when the world comes to rest again."""
    for office in offices:
        sender = next((unit for unit in sorted(office.system.units) if _writes(office, unit)), "")
        for name in UNITS:
            unit = next((unit for unit in world.open_units() if world.serves_now(name, unit) and unit != sender), "")
            if sender and unit and unit != CLOSED_AT_HOME:
                await office.hand_in(_paper(office, sender, unit, f"probe-{office.machine.name}-{name}"))
    await _let_expire(world, offices)


def _writes(office: Office, unit: str) -> bool:
    return unit != CLOSED_AT_HOME and office.speaks_for(unit)


async def _let_expire(world: World, offices: list[Office]) -> None:
    """Let something expire at each node, for a peer that is held until then."""
    for office in offices:
        sender = next((unit for unit in sorted(office.system.units) if _writes(office, unit)), "")
        name = next(name for name in UNITS if name not in ("centre", office.machine.name))
        unit = next((unit for unit in world.open_units() if world.serves_now(name, unit)), "")
        process, node = office.machine.process, office.machine.node
        if not sender or not unit or unit == CLOSED_AT_HOME or process is None:
            continue
        try:
            await process.call(node.hold_peer(name), 30.0)
            await office.hand_in(_paper(office, sender, unit, f"probe-expiring-{name}", expire_after_ms=EXPIRES_MS))
            await asyncio.sleep(EXPIRES_MS / 1000 + 3 * world.policy.sweep_every_ms / 1000)
        except (Fault, NoAnswer):
            pass
        finally:
            await process.call(node.release_peer(name), 30.0)


def _paper(office: Office, sender: str, unit: str, name: str, expire_after_ms: int = 0) -> Paper:
    packet = document(sender, (unit,), f"{sender},{name}", b"BIMATprobe")
    return Paper(
        office.system.name, name, PacketKind.DOCUMENT, sender, (unit,), (unit,), f"{sender},{name}", b"BIMATprobe", packet,
        expire_after_ms=expire_after_ms,
    )  # fmt: skip
