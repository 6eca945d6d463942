"""Timing: how long things took, as a histogram in plain numbers, for one writer and any number of readers (web/watch/).

The bounds tell a good disk from a tired one. An observation costs a bisection and three additions; it takes no lock: each histogram is
written by one thread, and a reader that comes in between is wrong by one observation.
"""

from bisect import bisect_left

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Histogram:
    """Observations in seconds. `counts` has one place for each bound (at most that long) and one for longer ones."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def cumulative(self) -> list[tuple[str, int]]:
        """Return (upper bound, how many took at most so long), the last bound "+Inf"."""
        total, rows = 0, []
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), self.counts, strict=True):
            total += count
            rows.append((bound, total))
        return rows
