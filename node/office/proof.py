"""Proof that a delivery arrived: what its receipt says is asked of the receipt itself, and of the directory if we have it.

The node has verified every receipt before it called a delivery final (law 2). A node's folder lets one do it again, without
trusting the running process: signature by the key that the directory names, right packet, right unit, right outcome.
"""

from typing import TYPE_CHECKING

from node.model.delivery import State
from node.model.office import DeliveryView
from node.model.reason import Reason
from node.model.receipt import Level, Receipt

if TYPE_CHECKING:
    from node.model.directory import Directory

BY_NODE, BY_US = "node", "self"


def verified_by(view: DeliveryView, packet_id: bytes, directory: "Directory | None") -> str | None:
    """Return who has verified the receipt: "self" if we could, "node" if only the node has; None if it does not prove the state.

    Also None while there is no receipt. Raises Denied(RECEIPT_INVALID) if it cannot be read.
    """
    from node.wire.receipt import decode_receipt

    if view.signed_receipt is None:
        return None
    if not proves(decode_receipt(view.signed_receipt.receipt), view, packet_id):
        return None
    if directory is None or not directory.version:
        return BY_NODE
    return BY_US if _is_signed(view, directory) else None


def proves(receipt: Receipt, view: DeliveryView, packet_id: bytes) -> bool:
    """Tell whether a receipt says of this unit and packet what the view says."""
    if receipt.packet_id != packet_id:
        return False
    outcome = next((one for one in receipt.outcomes if one.unit == view.unit), None)
    if view.state is State.DELIVERED:
        return receipt.level is Level.DELIVERED and outcome is not None and outcome.reason is Reason.NONE
    refused = outcome is not None and outcome.reason is not Reason.NONE
    return view.state is State.FAILED and (receipt.level is Level.FAILED or refused)


def _is_signed(view: DeliveryView, directory: "Directory") -> bool:
    """Tell whether the node that the receipt names has signed it, with a key that was valid when we accepted it."""
    from node.model.statement import times_of
    from node.seal.signature import RECEIPT_LABEL, verify_by
    from node.wire.receipt import decode_receipt

    signed = view.signed_receipt
    assert signed is not None
    receipt = decode_receipt(signed.receipt)
    signer, times_ms = directory.nodes.get(receipt.signer_node), times_of(receipt.create_time_ms, view.end_time_ms)
    return signer is not None and verify_by(signer, RECEIPT_LABEL, signed.receipt, signed.signature, times_ms)
