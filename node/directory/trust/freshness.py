"""Freshness: how old the directory is, in words for operators. Age warns and never stops a node: it keeps delivering to those it knows.

After 24 hours without a new timestamp something on the way to the authority is broken; after 31 days the authority's signature
has run out as well, so an update needs a newer one (layout.TIMESTAMP_DAYS).
"""

from node.directory.layout import TIMESTAMP_DAYS
from node.errors import ADVICE, HealthFinding
from node.model.directory import Directory
from node.model.policy import DAY_MS
from node.model.reason import Reason

FRESH_MS = DAY_MS
HOUR_MS = DAY_MS // 24


def directory_age_ms(directory: Directory, now_ms: int) -> int:
    """Return how long ago the directory was signed; 0 if the clocks disagree."""
    return max(0, now_ms - directory.signed_time_ms)


def age_in_words(age_ms: int) -> str:
    """Return an age in Vietnamese: "3 ngày", "5 giờ" or "dưới 1 giờ"."""
    if age_ms >= DAY_MS:
        return f"{age_ms // DAY_MS} ngày"
    return f"{age_ms // HOUR_MS} giờ" if age_ms >= HOUR_MS else "dưới 1 giờ"


def age_findings(directory: Directory, now_ms: int) -> list[HealthFinding]:
    """Return what an operator should know about the directory's age: grave only if there is no directory at all."""
    if directory.version == 0:
        return [HealthFinding(Reason.DIRECTORY_EMPTY, ADVICE[Reason.DIRECTORY_EMPTY], grave=True)]
    age_ms = directory_age_ms(directory, now_ms)
    if age_ms <= FRESH_MS:
        return []
    old = f"Danh bạ phiên bản {directory.version} đã ký cách đây {age_in_words(age_ms)}; nút vẫn chạy với bản này. "
    if age_ms <= TIMESTAMP_DAYS * DAY_MS:
        return [
            HealthFinding(
                Reason.DIRECTORY_STALE,
                old + "Hãy kiểm tra đường tới nút danh bạ hoặc nạp thư mục danh bạ mới.",
                grave=False,
            )
        ]
    return [
        HealthFinding(
            Reason.DIRECTORY_STALE,
            old + "Chữ ký đã quá hạn; hãy đề nghị đơn vị vận hành danh bạ công bố lại.",
            grave=False,
        )
    ]
