"""Refusals: what was refused, from whom, how often in a row, and when it may be tried again: pauses that grow, up to an hour."""

from collections.abc import Collection
from dataclasses import dataclass

from node.errors import ADVICE, Deferred, Fault, HealthFinding
from node.model.policy import MINUTE_MS
from node.model.reason import Reason

FIRST_MS = MINUTE_MS
LONGEST_MS = 60 * MINUTE_MS
LONGEST_DEFERRED_MS = 8 * MINUTE_MS
"""Where only time was lacking (nobody answered, the disk was full)."""
NAMED_MAX = 5


@dataclass(slots=True)
class Refusal:
    """Refusals in a row, the last of them, and when to try again (milliseconds since 1970 UTC)."""

    count: int
    fault: Fault
    due_ms: int


class Refusals:
    """Remembers refusals by who offered what was refused; a success forgets them."""

    def __init__(self) -> None:
        self._known: dict[str, Refusal] = {}

    def note(self, who: str, fault: Fault, now_ms: int) -> int:
        """Note one more; return the pause before the next attempt, milliseconds."""
        was = self._known.get(who)
        count = was.count + 1 if was else 1
        longest_ms = LONGEST_DEFERRED_MS if isinstance(fault, Deferred) else LONGEST_MS
        pause_ms = min(longest_ms, FIRST_MS << min(count - 1, 10))
        self._known[who] = Refusal(count, fault, now_ms + pause_ms)
        return pause_ms

    def forget(self, who: str) -> None:
        """Forget what was refused: something was taken since."""
        self._known.pop(who, None)

    def keep_only(self, whom: Collection[str]) -> None:
        """Forget those who are not there any more."""
        self._known = {who: refusal for who, refusal in self._known.items() if who in whom}

    def is_due(self, who: str, now_ms: int) -> bool:
        """Tell whether to ask: nothing was refused, or the pause is over (or the clock was set back, so that it means nothing)."""
        refusal = self._known.get(who)
        return refusal is None or not 0 < refusal.due_ms - now_ms <= LONGEST_MS

    def is_waiting(self, who: str, now_ms: int) -> bool:
        """Tell whether something was refused and its time to be tried again has come."""
        return who in self._known and self.is_due(who, now_ms)

    def findings(self, folder: str) -> list[HealthFinding]:
        """Return them in words, the folder's (under the name "") first."""
        told = sorted(self._known.items())
        return [_finding(who, refusal, folder) for who, refusal in told[:NAMED_MAX]]


def _finding(who: str, refusal: Refusal, folder: str) -> HealthFinding:
    source = f"nút {who}" if who else f"thư mục {folder}"
    mend = (
        f"Hãy báo quản trị nút {who}; nút này vẫn lấy danh bạ từ các nút khác."
        if who
        else "Hãy xem thư mục đã chép đủ chưa, đĩa còn chỗ không, rồi chạy truc node update --refresh."
    )
    advice = ADVICE[refusal.fault.reason]
    said = f"Danh bạ từ {source} bị từ chối {refusal.count} lần liền ({refusal.fault.detail}). {advice}"
    return HealthFinding(Reason.DIRECTORY_INVALID, f"{said} Nút tự thử lại sau tối đa 1 giờ. {mend}", grave=False)
