"""Supplement: a node's receipt about a packet grows when the node decides about further units of it. Pure.

A unit may come to a node that has given its receipt already, for other recipients of the same packet; and a node may be asked about a
unit that it serves no more. Its word of then stays, and the new one is added: a supplementary receipt says the same of all units as the
first, and more, and takes its place at both ends. So there is one receipt of a node about a packet, and it only grows (law 3).

        first receipt         u1 NONE   u2 EXPIRED
        supplementary one     u1 NONE   u2 EXPIRED   u3 NONE   u4 WRONG_NODE

WRONG_NODE decides nothing, and is the one word that may be followed by another: the unit may come back. But what was on the road when it
was said must not arrive behind it, for the packet may lie at another node by then. So it stands against everything that was addressed by
a directory no newer than the one by which it was said.
"""

from collections.abc import Iterable
from dataclasses import replace

from node.model.receipt import Outcome, Receipt


def open_units(receipt: Receipt, units: Iterable[str], addressed_version: int) -> list[str]:
    """Return those of the units about which a receipt says nothing that stands against what was addressed by a directory."""
    said = {one.unit for one in receipt.outcomes if _stands(one, addressed_version)}
    return [unit for unit in units if unit not in said]


def _stands(outcome: Outcome, addressed_version: int) -> bool:
    return outcome.decides or outcome.directory_version >= addressed_version


def supplemented(first: Receipt, added: Receipt) -> Receipt:
    """Return the first receipt with what another adds. Units that were accepted before stay in their order, the new ones come last."""
    new = {one.unit for one in added.outcomes}
    kept = tuple(one for one in first.outcomes if one.unit not in new)
    assert not any(one.decides for one in first.outcomes if one.unit in new), "what was decided stays"
    return replace(added, outcomes=(*kept, *added.outcomes))


def supplements(first: Receipt, other: Receipt) -> bool:
    """Tell whether another receipt of the same node says all that the first does, and more."""
    says = {one.unit: one for one in other.outcomes}
    if any(one.decides and (one.unit not in says or says[one.unit].reason is not one.reason) for one in first.outcomes):
        return False
    return _extent(other) > _extent(first)


def _extent(receipt: Receipt) -> tuple[int, int, int]:
    """Return a number of what a receipt says that rises with each supplement."""
    words = [one for one in receipt.outcomes if not one.decides]
    decided = len(receipt.outcomes) - len(words)
    return decided, len(words), sum(one.directory_version for one in words)


def agreed(first: Receipt, other: Receipt) -> tuple[Outcome, ...]:
    """Return what another receipt of the same node says that the first one says, too."""
    said = {(one.unit, one.reason) for one in first.outcomes}
    return tuple(one for one in other.outcomes if (one.unit, one.reason) in said)
