"""Hold: an operator's legal hold, in words."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HoldView:
    """A packet of which nothing is forgotten; since when, milliseconds since 1970 UTC, and why."""

    packet_id: bytes
    reason: str
    time_ms: int
