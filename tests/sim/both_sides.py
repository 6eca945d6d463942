"""Both sides of every delivery, read from the disks at rest: the author's row of it, and who has the packet in an inbox.

The laws that compare them stand in files of their own: agree_law.py, once_law.py, expiry_laws.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from node.model.delivery import State
from node.model.reason import Reason
from node.model.receipt import Level, Receipt, SignedReceipt
from node.rows.records import DeliveryRecord, InboxRecord
from node.wire import codec
from tests.sim.world import World

Name = tuple[bytes, str]
"""A delivery: packet id and unit."""


@dataclass
class Sides:
    """What all disks say."""

    origins: dict[Name, tuple[str, DeliveryRecord]] = field(default_factory=dict)
    """The node that sends, and its row."""
    inboxes: dict[Name, dict[str, InboxRecord]] = field(default_factory=dict)
    """Entries by node; one that was taken back unread, or kept out, is one all the same."""
    receipts: dict[tuple[str, bytes], list[SignedReceipt]] = field(default_factory=dict)
    """Receipts by node and packet id."""

    def holders(self, name: Name) -> list[str]:
        """Return the nodes where the unit has or had the packet to read."""
        return sorted(node for node, entry in self.inboxes.get(name, {}).items() if not entry.taken_time_ms)

    def statements(self, node: str, name: Name) -> Iterator[tuple[Receipt, Reason]]:
        """Yield the receipts at a node that speak of a delivery, and what each says of it."""
        for signed in self.receipts.get((node, name[0]), ()):
            receipt = codec.decode_receipt(signed.receipt)
            for outcome in receipt.outcomes:
                if outcome.unit == name[1] and receipt.level is not Level.CUSTODY:
                    yield receipt, outcome.reason


def sides_of(world: World) -> Sides:
    """Read all disks."""
    found = Sides()
    for machine in world.machines.values():
        rows = machine.disk.store.rows_after_crash(machine.disk.store.unsynced)
        for key, value in rows.items():
            name = (key[1:17], key[17:].decode()) if key[:1] in b"dn" else (b"", "")
            if key[:1] == b"d":
                found.origins[name] = (machine.name, DeliveryRecord.FromString(value))
            elif key[:1] == b"n":
                found.inboxes.setdefault(name, {})[machine.name] = InboxRecord.FromString(value)
            elif key[:1] == b"r":
                signed = codec.signed_receipt_from_bytes(value)
                found.receipts.setdefault((machine.name, key[1:17]), []).append(signed)
    return found


def is_delivered(record: DeliveryRecord) -> bool:
    """Tell whether an author's row says so."""
    return State(record.state) is State.DELIVERED
