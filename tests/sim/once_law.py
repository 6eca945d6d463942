"""L-once: a unit that moves has no packet in two inboxes. Its old node and its new one never both show, or have shown, the same one."""

from tests.sim.both_sides import Sides
from tests.sim.ledger import Ledger

LAW = "L-once"


def check_once(sides: Sides, ledger: Ledger) -> None:
    """Check it from the disks, and from what offices saw."""
    for (packet_id, unit), _ in sorted(sides.inboxes.items()):
        holders = sides.holders((packet_id, unit))
        if len(holders) > 1:
            ledger.breaks(LAW, f"{packet_id.hex()} for {unit} is in the inboxes of {holders}")
    for (unit, packet_id), nodes in ledger.places.items():
        if len(nodes) > 1:
            ledger.breaks(LAW, f"{packet_id.hex()} was shown to {unit} by {sorted(nodes)}")
