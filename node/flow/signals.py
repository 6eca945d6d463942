"""Signals: the wires between those who write rows and the loops that act on them.

A signal carries no work, only the hint that a look into the store may pay now: a lost one costs a loop's idle pause, a false one costs
a look. So the sender needs to know nobody, and a loop that is not there (a fenced node) is not missed.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from node.flow.loop import raise_in_loop
from node.model.mesh import Hello

T = TypeVar("T")


class Signal(Generic[T]):
    """One wire. Listeners are called at once, in the order in which they came, on the loop; they must return quickly."""

    def __init__(self, unheard: Callable[[T], None] | None = None) -> None:
        self._listeners: list[Callable[[T], None]] = []
        self._unheard = unheard

    def connect(self, listener: Callable[[T], None]) -> None:
        """Let `listener` hear everything that is sent from now on."""
        self._listeners.append(listener)

    def send(self, news: T) -> None:
        """Tell all listeners; `unheard` if there are none."""
        if not self._listeners and self._unheard is not None:
            self._unheard(news)
        for listener in self._listeners:
            listener(news)


class Signals:
    """All wires of one node."""

    def __init__(self) -> None:
        self.outbox: Signal[set[str]] = Signal()
        """Something durable waits for these nodes."""
        self.contact: Signal[str] = Signal()
        """This peer has called us: it is up."""
        self.duty: Signal[None] = Signal()
        """The node may owe a status in a unit's name (flow/duties)."""
        self.notice: Signal[None] = Signal()
        """There may be something to tell a system of (flow/webhooks)."""
        self.routed_late: Signal[None] = Signal()
        """A packet was written that is routed by another directory than the one in force."""
        self.newer_directory: Signal[tuple[str, int]] = Signal()
        """This peer trusts the directory in this version, which is newer than ours."""
        self.peer_learned: Signal[str] = Signal()
        """This peer trusts a newer directory than it last said."""
        self.greeted: Signal[tuple[str, Hello]] = Signal()
        """This peer has introduced itself, in its call or in its answer to ours."""
        self.peer_full: Signal[str] = Signal()
        """This peer has put something off because its disk is full."""
        self.doubtful_body: Signal[bytes] = Signal()
        """Something was wrong with this body when it was read, or its peer says so."""
        self.body_mended: Signal[set[str]] = Signal()
        """A body is whole again that waits for these nodes."""
        self.bug: Signal[Exception] = Signal(unheard=raise_in_loop)
        """A loop met an exception that should not be: our own mistake, of which nothing was lost."""
