"""L-kept: nothing is forgotten before its time. A day is shorter than any time of keeping, so whatever a unit was given to read is known
at its node in the evening, with its body, whatever the clocks have said meanwhile."""

from node.rows import keys
from node.rows.records import PacketRecord
from tests.sim.both_sides import Sides
from tests.sim.ledger import Ledger
from tests.sim.world import World

LAW = "L-kept"


def check_kept(world: World, sides: Sides, ledger: Ledger) -> None:
    """Check it from the disks."""
    disks = {name: one.disk.store.rows_after_crash(one.disk.store.unsynced) for name, one in world.machines.items()}
    for name in sorted(sides.inboxes):
        for node in sides.holders(name):
            row = disks[node].get(keys.packet(name[0]))
            if row is None:
                ledger.breaks(LAW, f"{node} knows nothing any more of {name[0].hex()}, which {name[1]} has got")
            elif PacketRecord.FromString(row).body_forgotten:
                ledger.breaks(LAW, f"{node} has forgotten the body of {name[0].hex()}, which {name[1]} has got")
