"""Statement: by which times something that a node has signed is judged, an envelope or a receipt (decision 0014).

It is good if its signer had the right to make it when it was made, or has it now. The first lets a key end, a prefix move and a unit
close while packets and receipts are on their way; the second lets a packet that has waited long be signed anew. When it was made, only
the signer says, so that time counts only within bounds by our own clock: a key that has ended cannot speak for all times, and one that
is yet to begin cannot be used long before. A right that was revoked is not in the directory any more, and makes nothing good at any
time.
"""

from node.model.calendar import TIME_MAX_MS
from node.model.policy import DAY_MS

AHEAD_MAX_MS = DAY_MS
"""A statement may be dated so far ahead of our clock; one from further ahead is judged by our own time alone."""
AGE_MAX_MS = 400 * DAY_MS
"""Likewise for old statements. Longer than any packet may wait and its receipts are asked for."""

HEARD_WITHIN_MS = 30 * DAY_MS
"""A node whose right has ended may not have heard of it for so long, as its directory may be so old (decision 0019)."""


LIFE_MAX_MS = AGE_MAX_MS
"""A relay keeps nothing that would wait longer from now on, and no system may ask for it."""


def is_possible(said_ms: int) -> bool:
    """Tell whether somebody can have meant a time that he states; a clock may err by years."""
    return said_ms < TIME_MAX_MS


def times_of(said_ms: int, now_ms: int) -> tuple[int, ...]:
    """Return the times by which a statement is judged: when it says that it was made, if that is within bounds, and now."""
    if now_ms - AGE_MAX_MS <= said_ms <= now_ms + AHEAD_MAX_MS:
        return (said_ms, now_ms)
    return (now_ms,)
