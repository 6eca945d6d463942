"""Room at peers: who put things off because its disk fills up, and takes them again.

What a peer puts off as DISK_FULL waits for minutes, or the peer would be asked without end. But every Hello says how far the peer has
closed itself (flow/admission.py), so that nothing waits that long after an operator has made room:

    it says less than it said before               it takes more: what it put off may come at once
    it says again that it takes everything, and    that and our push have crossed, or its store needed a moment: the same, but only
    has put something off since it said so first   once, for what is put off after that is too large for what is free
    anything else, or it does not say              what waits keeps its time

Kept in memory only: after a start nothing is known of a peer, and its first word counts as a better one.
"""

OPEN = 0
"""The step at which a peer takes everything."""
UNKNOWN = 1 << 32
"""More than any step that can be said."""


class PeersRoom:
    """How far each peer has closed itself, as it said last."""

    def __init__(self) -> None:
        self._steps: dict[str, int] = {}
        self._just_opened: set[str] = set()
        """Peers that take everything and have put nothing off since they said so first."""

    def refused(self, peer_id: str) -> None:
        """Note that a peer has put something off because its disk is full."""
        if peer_id in self._just_opened:
            self._just_opened.discard(peer_id)
            self._steps[peer_id] = UNKNOWN

    def has_more(self, peer_id: str, step: int | None) -> bool:
        """Note how far a peer says that it has closed itself (None: it does not say); return whether what it put off may come now."""
        if step is None:
            return False
        before = self._steps.get(peer_id)
        self._steps[peer_id] = step
        if step != OPEN:
            self._just_opened.discard(peer_id)
        elif before not in (OPEN, UNKNOWN):
            self._just_opened.add(peer_id)
        return before is None or step < before
