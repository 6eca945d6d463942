"""Webhook (móc báo tin): a system that wants to be told when something has happened that concerns it.

A notice says that something happened, to whom and when, and nothing of the content: a listener who should not hear it learns ids. The
content is fetched from the node by the ways there always were, which stay sufficient: a notice only spares the waiting.
"""

from dataclasses import dataclass
from enum import IntEnum

from node.model.reason import Reason


class NoticeKind(IntEnum):
    """The kind of an event. It is stored and sent, so numbers and names are only added."""

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
        """The name of the kind in what is posted (deploy/webhook.md)."""
        return _WORDS[self]


_WORDS = {
    NoticeKind.ARRIVED: "inbox.arrived",
    NoticeKind.ENDED: "delivery.ended",
    NoticeKind.REPORTED: "status.reported",
    NoticeKind.LOOK: "inbox.look",
}


@dataclass(frozen=True, slots=True)
class Hook:
    """All that the node must know of a webhook; only the port that posts knows the address and the secret.

    `set_ms` is when the operator set it, milliseconds since 1970 UTC; another time means that it was set anew.
    """

    system: str
    units: frozenset[str]
    set_ms: int


@dataclass(frozen=True, slots=True)
class Notice:
    """One event; `number` counts a system's events, `count` is for how many events it stands (LOOK)."""

    number: int
    kind: NoticeKind
    unit: str
    packet_id: bytes
    time_ms: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """The notices that a system is told at once: the same ones, and so the same id, at every repeat until they have been taken."""

    system: str
    set_ms: int
    notices: tuple[Notice, ...]

    @property
    def is_look(self) -> bool:
        """True of the one notice that stands for many."""
        return self.notices[0].kind is NoticeKind.LOOK

    @property
    def through(self) -> int:
        """Number of its last event."""
        return self.notices[-1].number


@dataclass(frozen=True, slots=True)
class HookMessage:
    """The message that goes out: `body` are the exact octets that are signed with `message_id` and the time of sending."""

    message_id: str
    body: bytes
    time_ms: int


@dataclass(frozen=True, slots=True)
class HookView:
    """The state of telling a system; see HookView in admin_service.proto."""

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
