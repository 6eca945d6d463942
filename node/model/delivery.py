"""Delivery: one packet for one recipient unit, and its state. Everything that affects a state stands in this file.

Three rules:
  1. A delivery is always in exactly one of three states, and WAITING always has a reason.
  2. DELIVERED and FAILED are final. Nothing leads out of them: a second receipt changes nothing.
  3. But FAILED for EXPIRED_UNCONFIRMED is what the origin says alone when the time is over. The recipient's own receipt supersedes it,
     whichever way it goes: DELIVERED, or FAILED for EXPIRED, which that node signs only if it does not have the packet.

                 receipt without reason
        WAITING ------------------------> DELIVERED
           |  \\__________________________> FAILED
           |     receipt with a reason (refused by the recipient's node),
           |     or our own FAILED receipt (time is over, not confirmed)
           '--- custody, delay, "not taken, and will not be": WAITING again, with another reason or for another node

Both final states are entered only with a verified signed receipt, stored by the same transaction (law 2).
"""

from enum import IntEnum

from node.model.reason import Reason
from node.model.receipt import Level


class State(IntEnum):
    """Technical life of a delivery (tình trạng gửi); numbers as in office_service.proto."""

    WAITING = 1
    DELIVERED = 2
    FAILED = 3

    @property
    def is_final(self) -> bool:
        """True once nothing can change any more."""
        return self is not State.WAITING

    @property
    def label(self) -> str:
        """Vietnamese name for people."""
        return {State.WAITING: "đang gửi", State.DELIVERED: "đã đến", State.FAILED: "không gửi được"}[self]


def is_settled(state: State, reason: Reason) -> bool:
    """Tell whether no receipt can change a delivery any more."""
    return state.is_final and reason is not Reason.EXPIRED_UNCONFIRMED


def decides(reason: Reason) -> bool:
    """Tell whether a receipt with this reason can end a delivery. WRONG_NODE cannot: the unit's node of now is still to decide."""
    return reason is not Reason.WRONG_NODE


def after_receipt(state: State, level: Level, reason: Reason, was: Reason = Reason.NONE) -> State:
    """Return the state after a verified receipt that names this delivery's unit with `reason`; `was` is the reason of `state`."""
    if is_settled(state, was) or level is Level.CUSTODY:
        return state
    if level is Level.FAILED or reason is not Reason.NONE:
        return State.FAILED
    return State.DELIVERED
