"""Admission: what this node still takes as its disk fills up, in steps, so that it never comes to a full disk with work half done.

    free on the disk, less what uploads under way were promised
    ------------------------------------------------------------------------------
    admit_large_bytes_min    OPEN      everything
    admit_all_bytes_min      SMALL     no new large bodies
    admit_urgent_bytes_min   URGENT    of small packets only urgent ones and statuses
    less                     DRAIN     statuses and receipts; what was taken before is finished

No peer may keep the room from the others: of what there is for large bodies each is promised a quarter at most, or one body, and few
uploads at once. What is put off is Deferred with a time: it comes again by itself. Nothing that was decided about before is asked here,
so a repeat gets its first answer on a full disk, too. Promises are kept in memory: after a restart each peer offers again.
"""

from enum import IntEnum
from typing import NamedTuple

from node.errors import Deferred
from node.model.lane import Lane
from node.model.policy import MINUTE_MS, Policy
from node.model.reason import Reason
from node.ports import Ports

ASK_AGAIN_MS = 2 * MINUTE_MS
PROMISE_KEPT_MS = 60 * MINUTE_MS
"""An upload that nobody has gone on with for so long is promised nothing any more; it is offered again before it goes on."""
PEER_SHARE = 4
"""A peer that has an upload under way is promised at most this part of the room that there is for large bodies."""
PEER_UPLOADS_MAX = 64
"""So many uploads a peer may have begun and not gone on with; one that is honest sends one at a time."""
_URGENT = (Lane.HOA_TOC, Lane.THUONG_KHAN, Lane.KHAN)


class Step(IntEnum):
    """How far the node has closed itself; a higher one takes less."""

    OPEN = 0
    SMALL = 1
    URGENT = 2
    DRAIN = 3


class _Promise(NamedTuple):
    """Room for an upload: octets still to come, and when it was last heard of (monotonic)."""

    peer_id: str
    size_bytes: int
    heard_ms: int


class Admission:
    """Decides by what is free, and by what was promised."""

    def __init__(self, ports: Ports, policy: Policy) -> None:
        self._ports = ports
        self._policy = policy
        self._promised: dict[bytes, _Promise] = {}

    @property
    def promised_bytes(self) -> int:
        """How many octets uploads under way may still bring."""
        oldest_ms = self._ports.clock.monotonic_ms() - PROMISE_KEPT_MS
        self._promised = {token: one for token, one in self._promised.items() if one.heard_ms >= oldest_ms}
        return sum(one.size_bytes for one in self._promised.values())

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

    def require_share(self, peer_id: str, token: bytes, size_bytes: int) -> None:
        """Admit an upload, new or not, beside the others of its peer. Raises Deferred(PEER_BUSY)."""
        room_bytes = self._ports.free_bytes() - self._policy.admit_large_bytes_min - self.promised_bytes
        others = [one.size_bytes for name, one in self._promised.items() if one.peer_id == peer_id and name != token]
        # What it was promised already is room that the others do not have: its share is of both together.
        share_bytes = (max(0, room_bytes) + sum(others)) // PEER_SHARE
        if len(others) >= PEER_UPLOADS_MAX or (others and sum(others) + size_bytes > share_bytes):
            detail = f"{len(others)} uploads of {peer_id} with {sum(others)} bytes are under way; finish those first"
            raise Deferred(Reason.PEER_BUSY, detail, retry_after_ms=ASK_AGAIN_MS)

    def require_small(self, lane: Lane, size_bytes: int) -> None:
        """Admit a packet that travels in a Push and is new; urgent ones longest, if the store holds them. Raises Deferred(DISK_FULL)."""
        fits_the_store = size_bytes <= self._policy.inline_body_bytes_max
        if lane is Lane.CONTROL and fits_the_store:
            return
        is_urgent = lane in _URGENT and fits_the_store
        self._refuse_from(Step.DRAIN if is_urgent else Step.URGENT, self.step())

    def promise(self, peer_id: str, token: bytes, size_bytes: int) -> None:
        """Keep room for an upload that was offered; a smaller number later says how far it has come.

        Only progress renews a promise: who offers again and again, or sends nothing, keeps no room from the others by that.
        """
        before, now_ms = self._promised.get(token), self._ports.clock.monotonic_ms()
        renewed = before is None or size_bytes < before.size_bytes
        self._promised[token] = _Promise(peer_id, size_bytes, now_ms if before is None or renewed else before.heard_ms)

    def release(self, token: bytes) -> None:
        """Keep no more room for an upload: it has ended."""
        self._promised.pop(token, None)

    def _refuse_from(self, least: Step, step: Step) -> None:
        if step >= least:
            detail = f"little space is left: step {step.name} of admission"
            raise Deferred(Reason.DISK_FULL, detail, retry_after_ms=ASK_AGAIN_MS)
