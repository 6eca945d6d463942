"""L-agree: a delivery of which both sides know is in the same state on both.

        author: DELIVERED        the recipient's node, and no other, has the packet for that unit, and holds the receipt that says so
        author: FAILED, by the recipient's word        nobody has it for that unit, and the recipient's node holds that receipt
        author: waits            nobody has it (at rest nothing is on its way)
        recipient: has it        the author's row says DELIVERED
        author: EXPIRED, by its own node's word        another law's (expiry_laws.py)

What a document's life takes back unread, or a replacement leaves out, is excused (life_laws.py): delivered, and not to be seen.
"""

from node.model.delivery import State
from node.model.reason import Reason
from tests.sim.both_sides import Name, Sides
from tests.sim.ledger import Ledger

LAW = "L-agree"


def check_agreement(sides: Sides, ledger: Ledger, excused: set[Name], *, swept: bool) -> None:
    """Check all deliveries; `swept`: rows may be gone since, because nothing is kept for long in this world."""
    for name, (origin, record) in sorted(sides.origins.items()):
        holders, state = sides.holders(name), State(record.state)
        shown = f"{name[0].hex()} for {name[1]}: {origin} says {state.name}"
        if record.receipt_node == origin and state is State.FAILED:
            continue  # our own word, an expiry: expiry_laws.py
        if state is not State.DELIVERED and holders:
            ledger.breaks(LAW, f"{shown} ({Reason(record.reason).name}), and {holders} have it")
        if state is State.WAITING or swept:
            continue
        _check_receipt(sides, ledger, name, origin, shown)
        if state is State.DELIVERED and name not in excused and holders != [record.receipt_node]:
            ledger.breaks(LAW, f"{shown} by {record.receipt_node}, and {holders or 'nobody'} has it")


def _check_receipt(sides: Sides, ledger: Ledger, name: Name, origin: str, shown: str) -> None:
    _, record = sides.origins[name]
    wanted = Reason(record.reason)
    for place in (origin, record.receipt_node):
        said = [
            reason for receipt, reason in sides.statements(place, name) if receipt.signer_node == record.receipt_node
        ]
        if said != [wanted]:
            ledger.breaks(LAW, f"{shown}, {wanted.name}, by {record.receipt_node}; the receipts at {place} say {said}")
