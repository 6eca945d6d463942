"""Grown: a node's receipt about a packet may grow, and only grow (decision 0019): of every unit it says what it said, and more.

That a unit is served by another node (WRONG_NODE) is no decision about it, and may be followed by one.
"""

from node.model.reason import Reason
from node.model.receipt import Receipt, SignedReceipt
from node.wire import codec


def has_grown(before: SignedReceipt, after: SignedReceipt) -> bool:
    """Tell whether a receipt says all that an earlier one has decided, in another's place or as it was."""
    if before.receipt == after.receipt:
        return True
    first, second = codec.decode_receipt(before.receipt), codec.decode_receipt(after.receipt)
    same = (first.packet_id, first.envelope_sha256, first.signer_node, first.level)
    if same != (second.packet_id, second.envelope_sha256, second.signer_node, second.level):
        return False
    return decided(first).items() <= decided(second).items() and len(first.outcomes) <= len(second.outcomes)


def decided(receipt: Receipt) -> dict[str, Reason]:
    """Return what a receipt has decided, by unit."""
    return {one.unit: one.reason for one in receipt.outcomes if one.reason is not Reason.WRONG_NODE}
