"""Proof that a delivery arrived: what its receipt says is asked of the receipt itself, and of the directory if we have it.

The node has verified every receipt before it called a delivery final (law 2). A node's folder lets one do it again, without
trusting the running process: signature by the key that the directory names, right packet, right unit, right outcome.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from node.model.delivery import State
from node.model.office import DeliveryView
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt, SignedReceipt
from node.model.statement import times_of

if TYPE_CHECKING:
    from node.model.directory import Directory, NodeEntry

BY_NODE, BY_US = "node", "self"


def verified_by(view: DeliveryView, packet_id: bytes, directory: "Directory | None") -> str | None:
    """Return who has verified the receipt: "self" if we could, "node" if only the node has; None if it does not prove the state.

    Also None while there is no receipt. Raises Denied(RECEIPT_INVALID) if it cannot be read.
    """
    if view.signed_receipt is None:
        return None
    receipt, outcomes = read(view.signed_receipt)
    if not proves(receipt, outcomes.get(view.unit), view, packet_id):
        return None
    if directory is None or not directory.version:
        return BY_NODE
    return BY_US if _is_signed(view, directory) else None


@lru_cache(maxsize=256)
def read(signed: SignedReceipt) -> tuple[Receipt, dict[str, Outcome]]:
    """Return what a receipt says, and its outcomes by unit; it is remembered, since one receipt may speak for thousands of deliveries.

    Raises Denied(RECEIPT_INVALID).
    """
    from node.wire.receipt import decode_receipt

    receipt = decode_receipt(signed.receipt)
    return receipt, {one.unit: one for one in receipt.outcomes}


def proves(receipt: Receipt, outcome: Outcome | None, view: DeliveryView, packet_id: bytes) -> bool:
    """Tell whether a receipt, with its outcome for this unit, says of this unit and packet what the view says."""
    if receipt.packet_id != packet_id:
        return False
    if view.state is State.DELIVERED:
        return receipt.level is Level.DELIVERED and outcome is not None and outcome.reason is Reason.NONE
    refused = outcome is not None and outcome.reason is not Reason.NONE
    return view.state is State.FAILED and (receipt.level is Level.FAILED or refused)


def _is_signed(view: DeliveryView, directory: "Directory") -> bool:
    """Tell whether the node that the receipt names has signed it, with a key that was valid when we accepted it."""
    signed = view.signed_receipt
    assert signed is not None
    receipt = read(signed)[0]
    signer, times_ms = directory.nodes.get(receipt.signer_node), times_of(receipt.create_time_ms, view.end_time_ms)
    return signer is not None and _verified(signer, signed, times_ms)


@lru_cache(maxsize=256)
def _verified(signer: "NodeEntry", signed: SignedReceipt, times_ms: tuple[int, ...]) -> bool:
    from node.seal.signature import RECEIPT_LABEL, verify_by

    return verify_by(signer, RECEIPT_LABEL, signed.receipt, signed.signature, times_ms)
