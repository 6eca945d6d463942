"""Agreed time: may something that cannot be taken back rest on what our clock says now?

A clock that is a month ahead for twenty minutes would sign away everything that waits. So nothing irrevocable (expiry, erasing, a signed
refusal for being late) is done on the word of one clock:

    three or more peers heard lately    our clock must agree with the median of theirs, which no single peer can move
    one or two                          one of them must agree with us; two that agree with each other against us are believed
    nobody                              our clock must have run steadily, against the monotonic one and against the last agreed
                                        time in the store, for ALONE_MS since it last jumped; for ALONE_BACK_MS if it is behind
                                        what was agreed before (a dead battery sets a clock back at every start). One that is
                                        ALONE_FAR_MS ahead of that waits for a peer: by a clock that is months off no certificate
                                        is good, so whoever errs that much is alone, and would forget everything it has

In doubt the node waits and says so. What it says itself meanwhile it dates by the others, if at least two agree with each other against it,
and never before the last agreed time or that of our directory (`best_ms`): by its own clock it might be over for everybody before it is
sent. What a clock that erred has dated is dated again only by a time that somebody else confirms (`confirmed_ms`). Peers tell their time in
every Hello; what is heard ages by the monotonic clock, which a jump of ours does not touch.
"""

from dataclasses import dataclass

from node.model.policy import DAY_MS, MINUTE_MS
from node.model.thresholds import CLOCK_SKEW_MS_MAX
from node.ports import Clock, Tx
from node.rows import keys

FRESH_MS = 60 * MINUTE_MS
"""So long a Hello tells the time: the monotonic clock of a machine is good enough for an hour."""
ALONE_MS = 60 * MINUTE_MS
"""So long a clock that nobody confirms must have run steadily."""
ALONE_BACK_MS = DAY_MS
"""And so long one that is behind what was agreed before: it may be that which erred, but a clock that was set back does so more often."""
ALONE_FAR_MS = 7 * DAY_MS
"""How far ahead of what was agreed before and has passed since a clock is believed that nobody confirms."""
PEERS_MAX = 4_096
_LAST = keys.meta("agreed time")


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why our clock is not believed: how far it is from the others' (0: nobody else is heard), and how long it has run steadily.

    `ahead_of_agreed_ms`: how far it is from the time that was agreed before and has passed since, as far as we know of that.
    `is_outvoted`: two others or more agree with each other against it, and more than agree with it; one alone may be the one that errs.
    """

    ahead_ms: int
    steady_for_ms: int
    is_outvoted: bool = False
    ahead_of_agreed_ms: int = 0


class AgreedTime:
    """The time on which what cannot be taken back may rest."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heard: dict[str, tuple[int, int]] = {}
        """By peer: what its clock said, and our monotonic time then."""
        self._steady_since_ms = clock.monotonic_ms()
        self._seen = (clock.now_ms(), self._steady_since_ms)
        self._continues = False
        """True if the clock goes on from the last agreed time that the store knows, so that it need not prove itself anew."""
        self._said: tuple[tuple[int, int], Doubt | None] | None = None
        """The last verdict, and when it was given; None if something was heard since. A packet asks thrice within a millisecond."""
        self._agreed: tuple[int, int] | None = None
        """A time that has passed (agreed here, or before the restart, or when the directory was signed), and our monotonic time then."""

    def hear(self, peer_id: str, wall_time_ms: int) -> None:
        """Take note of a peer's clock."""
        self._said = None
        if peer_id in self._heard or len(self._heard) < PEERS_MAX:
            self._heard[peer_id] = (wall_time_ms, self._clock.monotonic_ms())

    def go_on_from(self, last_ms: int | None, signed_ms: int = 0) -> None:
        """At start-up: go on from the last agreed time in the store. None: there is none, and a store that is new has nothing to lose.

        `signed_ms` is when our directory was signed: before that it is not, though we may never have agreed on any time.
        """
        self._said = None
        now_ms = self._clock.now_ms()
        gap_ms = 0 if last_ms is None else now_ms - last_ms
        self._continues = -CLOCK_SKEW_MS_MAX <= gap_ms <= ALONE_MS and signed_ms - now_ms <= CLOCK_SKEW_MS_MAX
        earliest_ms = max(last_ms or 0, signed_ms)
        self._agreed = (earliest_ms, self._clock.monotonic_ms()) if earliest_ms else None

    def sure_ms(self) -> int | None:
        """Return our time if something irrevocable may rest on it, else None."""
        if self.doubt() is not None:
            return None
        self._agreed = self._seen
        return self._seen[0]

    def confirmed_ms(self) -> int | None:
        """Return our time if it may be relied on and some peer's clock says the same, else None."""
        sure_ms = self.sure_ms()
        return sure_ms if any(abs(one) <= CLOCK_SKEW_MS_MAX for one in self._others()) else None

    def best_ms(self) -> int:
        """Return the time for what we say ourselves: ours, or, if at least two others agree against us, theirs; not before what was agreed.

        What we hand in must not be over for everybody else because our clock is a month behind.
        """
        doubt = self.doubt()
        now_ms = self._seen[0]
        if doubt is None:
            return now_ms
        if doubt.is_outvoted:
            return now_ms - doubt.ahead_ms
        return now_ms + self._behind_ms()

    def doubt(self) -> Doubt | None:
        """Return why our time is not believed, or None if it is."""
        self._look()
        if self._said is None or self._said[0] != self._seen:
            self._said = self._seen, self._judge()
        return self._said[1]

    def _judge(self) -> Doubt | None:
        others = self._others()
        steady_for_ms = self._seen[1] - self._steady_since_ms
        is_steady = self._continues or self._is_believed_alone(steady_for_ms)
        if len(others) >= 3:
            middle = others[len(others) // 2] if len(others) % 2 else _nearer(others)
            if abs(middle) <= CLOCK_SKEW_MS_MAX:
                return None
            against = sum(abs(one - middle) <= CLOCK_SKEW_MS_MAX for one in others)
            with_us = 1 + sum(abs(one) <= CLOCK_SKEW_MS_MAX for one in others)
            # Two against two says nothing of who errs; that our clock has jumped just now does.
            is_outvoted = against > with_us or (against == with_us and not is_steady)
            return Doubt(-middle, steady_for_ms, is_outvoted=against >= 2 and is_outvoted)
        if any(abs(one) <= CLOCK_SKEW_MS_MAX for one in others):
            return None
        if len(others) == 2 and others[1] - others[0] <= CLOCK_SKEW_MS_MAX:
            return Doubt(-others[0], steady_for_ms, is_outvoted=True)
        if is_steady:
            return None
        return Doubt(-others[0] if others else 0, steady_for_ms, ahead_of_agreed_ms=self._ahead_of_agreed_ms())

    def _others(self) -> list[int]:
        """Return how far the peers' clocks that were heard lately are ahead of ours, in order."""
        now_ms, monotonic_ms = self._seen
        return sorted(
            wall_ms + (monotonic_ms - at_ms) - now_ms
            for wall_ms, at_ms in self._heard.values()
            if monotonic_ms - at_ms <= FRESH_MS
        )

    def _is_believed_alone(self, steady_for_ms: int) -> bool:
        if self._behind_ms():
            return steady_for_ms >= ALONE_BACK_MS
        return steady_for_ms >= ALONE_MS and self._ahead_of_agreed_ms() <= ALONE_FAR_MS

    def _behind_ms(self) -> int:
        """Return how far our clock is behind what was agreed and has passed since; 0 if by no more than clocks differ."""
        behind_ms = -self._ahead_of_agreed_ms()
        return behind_ms if behind_ms > CLOCK_SKEW_MS_MAX else 0

    def _ahead_of_agreed_ms(self) -> int:
        if self._agreed is None:
            return 0
        now_ms, monotonic_ms = self._seen
        return now_ms - self._agreed[0] - (monotonic_ms - self._agreed[1])

    def _look(self) -> None:
        """Look at wall and monotonic time, and notice whether the one has jumped against the other since the last look."""
        now_ms, monotonic_ms = self._clock.now_ms(), self._clock.monotonic_ms()
        seen_ms, seen_monotonic_ms = self._seen
        if abs((now_ms - seen_ms) - (monotonic_ms - seen_monotonic_ms)) > CLOCK_SKEW_MS_MAX:
            self._steady_since_ms = monotonic_ms
            self._continues = False
        self._seen = (now_ms, monotonic_ms)


def _nearer(others: list[int]) -> int:
    """Of the two in the middle of an even number, the one nearer to ours: with four peers, too, one alone must not move the verdict."""
    half = len(others) // 2
    return min(others[half - 1], others[half], key=abs)


def read_last(tx: Tx) -> int | None:
    """Return the last agreed time that was written down, milliseconds since 1970 UTC, or None."""
    value = tx.get(_LAST)
    return None if value is None else int.from_bytes(value, "big")


def write_last(tx: Tx, sure_ms: int) -> None:
    """Write an agreed time down."""
    tx.put(_LAST, sure_ms.to_bytes(8, "big"))
