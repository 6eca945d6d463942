"""Admission: what this node still takes as its disk fills up, in steps, so that it never comes to a full disk with work half done.

    free on the disk, less what uploads under way were promised
    ------------------------------------------------------------------------------
    admit_large_bytes_min    OPEN      everything
    admit_all_bytes_min      SMALL     no new large bodies
    admit_urgent_bytes_min   URGENT    of small packets only urgent ones and statuses
    less                     DRAIN     statuses and receipts; what was taken before is finished

What is put off is Deferred(DISK_FULL) with a time: it comes again by itself. Nothing that was decided about before is asked here, so a
repeat gets its first answer on a full disk, too. Promises are kept in memory: after a restart each peer offers again.
"""

from enum import IntEnum

from node.errors import Deferred
from node.model.lane import Lane
from node.model.policy import MINUTE_MS, Policy
from node.model.reason import Reason
from node.ports import Ports

ASK_AGAIN_MS = 2 * MINUTE_MS
PROMISE_KEPT_MS = 60 * MINUTE_MS
"""An upload that nobody has gone on with for so long is promised nothing any more; it is offered again before it goes on."""


_URGENT = (Lane.HOA_TOC, Lane.THUONG_KHAN, Lane.KHAN)


class Step(IntEnum):
    """How far the node has closed itself; a higher one takes less."""

    OPEN = 0
    SMALL = 1
    URGENT = 2
    DRAIN = 3


class Admission:
    """Decides by what is free, and by what was promised."""

    def __init__(self, ports: Ports, policy: Policy) -> None:
        self._ports = ports
        self._policy = policy
        self._promised: dict[bytes, tuple[int, int]] = {}
        """Octets still to come by upload, and when it was last heard of (monotonic)."""

    @property
    def promised_bytes(self) -> int:
        """How many octets uploads under way may still bring."""
        oldest_ms = self._ports.clock.monotonic_ms() - PROMISE_KEPT_MS
        self._promised = {token: one for token, one in self._promised.items() if one[1] >= oldest_ms}
        return sum(size_bytes for size_bytes, _ in self._promised.values())

    def step(self, more_bytes: int = 0) -> Step:
        """Return how far the node is closed, were so many octets more promised."""
        return self._step_of(self._ports.free_bytes() - self.promised_bytes - more_bytes)

    def _step_of(self, free_bytes: int) -> Step:
        policy = self._policy
        if free_bytes >= policy.admit_large_bytes_min:
            return Step.OPEN
        if free_bytes >= policy.admit_all_bytes_min:
            return Step.SMALL
        return Step.URGENT if free_bytes >= policy.admit_urgent_bytes_min else Step.DRAIN

    def require_large(self, size_bytes: int) -> None:
        """Admit a large body that is new. Raises Deferred(DISK_FULL)."""
        self._refuse_from(Step.SMALL, self.step(size_bytes))

    def require_small(self, lane: Lane, size_bytes: int) -> None:
        """Admit a packet that travels in a Push and is new; urgent ones longest, if the store holds them. Raises Deferred(DISK_FULL)."""
        if lane is Lane.CONTROL:
            return
        is_urgent = lane in _URGENT and size_bytes <= self._policy.inline_body_bytes_max
        self._refuse_from(Step.DRAIN if is_urgent else Step.URGENT, self.step())

    def promise(self, token: bytes, size_bytes: int) -> None:
        """Keep room for an upload that was offered; a smaller number later says how far it has come."""
        self._promised[token] = (size_bytes, self._ports.clock.monotonic_ms())

    def release(self, token: bytes) -> None:
        """Keep no more room for an upload: it has ended."""
        self._promised.pop(token, None)

    def _refuse_from(self, least: Step, step: Step) -> None:
        if step >= least:
            detail = f"little space is left: step {step.name} of admission"
            raise Deferred(Reason.DISK_FULL, detail, retry_after_ms=ASK_AGAIN_MS)
