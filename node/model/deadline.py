"""Deadlines of the decrees, as words; node/flow/views/deadlines.py works out when they fall."""

from dataclasses import dataclass
from enum import IntEnum


class DeadlineKind(IntEnum):
    """The duties that have a deadline; numbers as in office_service.proto, where the articles stand."""

    SEND = 1
    RECEIPT = 2
    REGISTER = 3
    DUE = 4


@dataclass(frozen=True, slots=True)
class Deadline:
    """One deadline; times in milliseconds since 1970 UTC, `met_at_ms` 0: not met yet."""

    kind: DeadlineKind
    due_at_ms: int
    met_at_ms: int = 0

    def is_overdue(self, now_ms: int) -> bool:
        """Tell whether it was met too late, or is not met and has passed."""
        return (self.met_at_ms or now_ms) > self.due_at_ms
