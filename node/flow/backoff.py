"""Back-off: how long to wait after the n-th failure in a row. One small function; the record it fills is durable.

A peer is never given up: the pause grows to half a minute in the first hour (so that what waits is delivered within a minute of the
healing), to two and a half minutes in the first day, to seven and a half after that. Only the road's failures count (no answer,
handshake failed), not a peer's refusal of one item. Several failures of things that were under way together are one failure.
An item's own pause grows from half a minute to ten.
"""

from node.model.policy import DAY_MS, MINUTE_MS, Policy
from node.model.reason import Reason
from node.rows.records import PeerRecord


def pause_ms(failures: int, failing_for_ms: int, jitter: float, policy: Policy) -> int:
    """Return the pause after `failures` failures in a row; `jitter` from 0 to 1 spreads it from a half to one and a half."""
    longest = policy.back_off_max_ms
    if failing_for_ms > DAY_MS:
        longest *= 15
    elif failing_for_ms > 60 * MINUTE_MS:
        longest *= 5
    # The exponent is bounded, or the number would grow by a digit with every third failure of a peer that is away for years.
    pause = min(longest, policy.back_off_first_ms * 2 ** min(failures - 1, 30))
    return int(pause * (0.5 + jitter))


def item_pause_ms(attempts: int, policy: Policy) -> int:
    """Return the pause before an item that was refused, having been tried `attempts` times before, goes to a healthy peer again."""
    longest = max(policy.item_retry_ms, policy.item_retry_max_ms)
    return min(longest, policy.item_retry_ms << min(attempts, 30))


def wait_ms(record: PeerRecord, now_ms: int, policy: Policy) -> int:
    """Return how long the next attempt has to wait; 0: it is due.

    A time further ahead than any pause was written before the clock was set back, and means nothing any more.
    """
    # The longest pause there is: 15 times the ordinary one after a day, spread to at most one and a half of that.
    ahead_ms = record.next_attempt_ms - now_ms
    return ahead_ms if 0 < ahead_ms <= 15 * 1.5 * policy.back_off_max_ms else 0


def after_failure(record: PeerRecord, reason: Reason, now_ms: int, jitter: float, policy: Policy) -> PeerRecord:
    """Return the peer's record after one more failure."""
    later = PeerRecord()
    later.CopyFrom(record)
    later.failures += 1
    later.reason = reason
    if not record.failures:
        later.first_failure_ms = now_ms
    later.next_attempt_ms = now_ms + pause_ms(later.failures, now_ms - later.first_failure_ms, jitter, policy)
    return later


def after_success(record: PeerRecord, now_ms: int) -> PeerRecord:
    """Return the peer's record after a success."""
    return PeerRecord(last_success_ms=now_ms, held=record.held)
