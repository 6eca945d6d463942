"""Peers seen: what peers have said of themselves, and when they last called us, since the process started. Decides nothing.

The road to a peer is a durable record (flow/send/peer_health.py); only its calls show whether the peer finds the road to us.
"""

from collections.abc import Callable
from dataclasses import replace

from node.model.mesh import Hello
from node.model.office import PeerView

SOFTWARE_CHARACTERS_MAX = 64


class PeersSeen:
    """Last Hello and last call of each peer."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._hellos: dict[str, tuple[Hello, int]] = {}
        self._called_ms: dict[str, int] = {}

    def greeted(self, peer_id: str, hello: Hello) -> bool:
        """Remember what a peer said of itself, in its call or in its answer to ours; return whether its directory is newer than it was."""
        before = self._hellos.get(peer_id)
        self._hellos[peer_id] = (hello, self._now_ms())
        return before is None or hello.directory_version > before[0].directory_version

    def called(self, peer_id: str) -> None:
        """Remember that a peer has called us."""
        self._called_ms[peer_id] = self._now_ms()

    def completed(self, view: PeerView) -> PeerView:
        """Return the road to a peer with what was seen of it."""
        view = replace(view, last_contact_ms=self._called_ms.get(view.node_id, 0))
        hello, at_ms = self._hellos.get(view.node_id, (None, 0))
        if hello is None:
            return view
        return replace(
            view,
            clock_skew_ms=hello.wall_time_ms - at_ms,
            directory_version=hello.directory_version,
            software=hello.software[:SOFTWARE_CHARACTERS_MAX],
        )
