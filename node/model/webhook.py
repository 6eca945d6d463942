"""Hook (móc báo tin, "webhook"): a system that wants to be told when something has happened that concerns it.

A notice says that, to whom and when, and nothing of the content: whoever overhears it, or gets it by mistake, learns ids. What it is about
is fetched from the node by the ways there always were, which stay sufficient: a notice only spares the waiting.
"""

from dataclasses import dataclass
from enum import IntEnum

from node.model.reason import Reason


class NoticeKind(IntEnum):
    """What has happened. Stored and sent: numbers and names only grow."""

    ARRIVED = 1
    """A packet is in the inbox of `unit`."""
    ENDED = 2
    """The delivery of a packet that the system sent, to `unit`, is delivered or has failed for good."""
    REPORTED = 3
    """`unit` has reported a status about a document that the system sent."""
    LOOK = 4
    """Look at everything: more has happened than is told one by one. Also the first notice of all."""

    @property
    def word(self) -> str:
        """How it is called outside."""
        return _WORDS[self]


_WORDS = {
    NoticeKind.ARRIVED: "inbox.arrived",
    NoticeKind.ENDED: "delivery.ended",
    NoticeKind.REPORTED: "status.reported",
    NoticeKind.LOOK: "inbox.look",
}


@dataclass(frozen=True, slots=True)
class Hook:
    """What the node must know of a webhook; the address and the secret are the business of the port that posts.

    `set_ms` is when the operator set it, milliseconds since 1970 UTC: another time means set anew.
    """

    system: str
    units: frozenset[str]
    set_ms: int


@dataclass(frozen=True, slots=True)
class Notice:
    """One event; `number` counts a system's events. `count`: for how many it stands (LOOK)."""

    number: int
    kind: NoticeKind
    unit: str
    packet_id: bytes
    time_ms: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """What is told to a system at once: the same notices, and so the same id, at every repeat, until it has been taken."""

    system: str
    set_ms: int
    notices: tuple[Notice, ...]

    @property
    def is_look(self) -> bool:
        """Whether it is the one notice that stands for many."""
        return self.notices[0].kind is NoticeKind.LOOK

    @property
    def through(self) -> int:
        """Number of its last event."""
        return self.notices[-1].number


@dataclass(frozen=True, slots=True)
class HookMessage:
    """What goes out: `body` are the exact octets that are signed with `message_id` and the time of sending."""

    message_id: str
    body: bytes
    time_ms: int


@dataclass(frozen=True, slots=True)
class HookView:
    """How the telling of a system goes; see HookView in admin_service.proto."""

    system: str
    waiting: int
    swallowed: int
    told: int
    failures: int
    reason: Reason
    detail: str
    first_failure_ms: int
    next_attempt_ms: int
    last_success_ms: int
    given_up_ms: int
