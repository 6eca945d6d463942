"""What must be forgotten is forgotten: a share of the seeds lives with short times of keeping, and when all of them have passed no node
may hold a row or a file of any packet.

Within the day nothing is forgotten (the shortest of these times is longer), so all other laws hold as ever. Then time is put forward
on all clocks at once, as often as one time of keeping begins when another ends.
"""

import asyncio
import dataclasses
from collections import Counter
from unittest.mock import patch

from node.flow.bodies.files import SHELVES
from node.model.policy import DAY_MS, Policy
from tests.sim.ledger import Ledger
from tests.sim.world import Machine, World

EVERY_SEEDS = 4
"""One seed of so many lives with short times."""
LEAPS, LEAP_MS = 8, 3 * DAY_MS
LEAP_S = 1_500.0
"""Virtual time between two leaps: more than two sweeps."""
KEPT = b"mpea"
"""Tables that are not about packets: the store itself, roads to peers, systems that are told of events."""


def forgets(seed: int) -> bool:
    """Tell whether the nodes of a seed forget soon."""
    return seed % EVERY_SEEDS == 0


def forgetful(policy: Policy) -> Policy:
    """Return the policy with times of keeping of a few days."""
    return dataclasses.replace(
        policy,
        expire_after_ms=3 * DAY_MS,
        keep_body_after_ms=DAY_MS,
        keep_records_ms=4 * DAY_MS,
        keep_memory_ms=DAY_MS,
    )


async def check_forgotten(world: World, ledger: Ledger) -> None:
    """Let all times of keeping pass and look at the disks."""
    world.trace("world", "time passes until everything may be forgotten")
    for _ in range(LEAPS):
        for machine in world.machines.values():
            machine.skew.skew_ms += LEAP_MS
        await asyncio.sleep(LEAP_S)
    for machine in world.machines.values():
        await _walk_the_shelves(machine)
        _check_disk(machine, ledger)


async def _walk_the_shelves(machine: Machine) -> None:
    """Go once round the shelves, which takes the node half a month; a file's age is measured by the disk, whose time has not leapt."""
    assert machine.process is not None
    with patch("node.flow.bodies.stale_uploads.UPLOAD_KEEP_MS", 1_000):
        for _ in range(SHELVES):
            await machine.process.call(machine.node.body_files.sweep_shelf(), 60.0)


def _check_disk(machine: Machine, ledger: Ledger) -> None:
    store, bodies = machine.disk.store, machine.disk.bodies
    rows = store.rows_after_crash(store.unsynced)
    left = Counter(chr(key[0]) for key in rows if key[0] not in KEPT)
    if left:
        ledger.breaks("forgetting", f"{machine.name}: rows are left in tables {dict(sorted(left.items()))}")
    if bodies._sealed or bodies._spool:
        ledger.breaks(
            "forgetting", f"{machine.name}: {len(bodies._sealed)} bodies, {len(bodies._spool)} parts are left"
        )
