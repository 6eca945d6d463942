"""Turns: whose turn it is in the next push, and among what is large. Pure; how far they have come is a value that the courier keeps.

What is small takes turns by a wheel: a ring of places, each of one lane, in which a lane has as many as it has weight, evenly spread. A
push is filled by going round from where the last one ended and passing over lanes in which nothing waits. So what waits is passed by no
more picks than lie between two places of its lane, whatever else there is and whatever comes: that is its floor. It needs no history but
one number, and no lane can save up turns. Hỏa tốc has most places; where all fits into one push all goes.

What is large goes one at a time, the most urgent first (a packet that is under way is not broken off). When many have gone in a row while
less urgent ones waited, it is the turn of the oldest of these.
"""

from collections import deque
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import cycle

from node.flow.send.outbox import Row
from node.model.lane import Lane
from node.model.policy import TRIMMINGS_BYTES, Policy
from node.rows import keys

WEIGHTS = {Lane.HOA_TOC: 7, Lane.THUONG_KHAN: 5, Lane.KHAN: 4, Lane.CONTROL: 3, Lane.NORMAL: 1}
"""Of 20 picks, how many a lane has when something waits in all of them. `Policy.urgent_waits_pushes` follows from these."""
BULK_LANES = (Lane.BULK_HOA_TOC, Lane.BULK_THUONG_KHAN, Lane.BULK_KHAN, Lane.BULK)
"""What is large, the most urgent first."""
LARGE_IN_A_ROW = 7
"""So many large packets go before less urgent ones that wait; then one of these goes."""
FAST_LANES = tuple(WEIGHTS)


@dataclass(frozen=True, slots=True)
class Turn:
    """How far the turns of one peer have come: the next place of the wheel, and how many large ones have passed others in a row."""

    place: int = 0
    passed: int = 0


def _wheel(weights: Mapping[Lane, int]) -> tuple[Lane, ...]:
    """Spread places evenly: each lane saves its weight up at every place, and the richest takes the place and pays for all."""
    saved, places = dict.fromkeys(weights, 0), []
    for _ in range(sum(weights.values())):
        saved = {lane: had + weights[lane] for lane, had in saved.items()}
        richest = max(saved, key=saved.__getitem__)
        saved[richest] -= sum(weights.values())
        places.append(richest)
    return tuple(places)


WHEEL = _wheel(WEIGHTS)


def lane_at(place: int, waiting: Set[Lane]) -> Lane:
    """Return the lane whose turn it is, of those in which something waits."""
    return next(lane for lane in (*WHEEL[place:], *WHEEL[:place]) if lane in waiting)


def mix(
    lanes: Mapping[Lane, Sequence[Row]], policy: Policy, place: int = 0, elsewhere: Set[Lane] = frozenset()
) -> tuple[list[Row], int]:
    """Choose what goes into one push, each lane the oldest first; return it, and the place at which the next push begins.

    At most `push_items_max` rows and `push_bytes_max` octets, but at least one row if any waits. The next push begins where this one has
    ended, or at the first place that it had to pass over because what waits there goes by another road (`elsewhere`).
    """
    queues = {lane: deque(rows) for lane, rows in lanes.items() if rows}
    chosen: list[Row] = []
    size_bytes, owed = 0, None
    # Places of lanes in which nothing waits are left out once, not at each round: most often all that waits is in one lane.
    ring = [at for at in (*range(place, len(WHEEL)), *range(place)) if WHEEL[at] in queues or WHEEL[at] in elsewhere]
    for at in cycle(ring):
        if not queues or len(chosen) >= policy.push_items_max:
            break
        if queue := queues.get(WHEEL[at]):
            size_bytes += queue[0].record.body_bytes + TRIMMINGS_BYTES
            if chosen and size_bytes > policy.push_bytes_max:
                break
            chosen.append(queue.popleft())
            place = (at + 1) % len(WHEEL)
            if not queue:
                del queues[WHEEL[at]]
        elif WHEEL[at] in elsewhere and owed is None:
            owed = at
    return chosen, place if owed is None else owed


def next_large(heads: Sequence[Row], passed: int) -> tuple[Row, int]:
    """Choose from the oldest rows of the bulk lanes, the most urgent lane first; return also how many have passed others by then."""
    if len(heads) == 1:
        return heads[0], 0
    if passed < LARGE_IN_A_ROW:
        return heads[0], passed + 1
    return min(heads[1:], key=lambda row: keys.parse_waiting_row(row.key)[2]), 0
