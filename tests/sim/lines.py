"""Lines: how long octets take over the line between two nodes, where it carries only so many a second.

Each direction of a road is one line on which everything queues, the pieces of a large body between all else, as two HTTP/2 connections
share one cable. A line without a limit costs nothing.
"""

HEADERS_BYTES = 150
"""Frames and headers around a message, scaled down as the messages are."""


class Lines:
    """All directed lines; `bytes_per_s` 0: no limit."""

    def __init__(self) -> None:
        self.bytes_per_s = 0
        self.carried_bytes = 0
        self.waited_s = 0.0
        self._free_at_s: dict[tuple[str, str], float] = {}

    def take(self, origin: str, target: str, size_bytes: int, now_s: float) -> float:
        """Occupy the line with a message that begins to leave now; return after how many seconds its last octet is there."""
        if not self.bytes_per_s:
            return 0.0
        begins_s = max(now_s, self._free_at_s.get((origin, target), 0.0))
        ends_s = begins_s + (size_bytes + HEADERS_BYTES) / self.bytes_per_s
        self._free_at_s[origin, target] = ends_s
        self.carried_bytes += size_bytes
        self.waited_s += ends_s - now_s
        return ends_s - now_s
