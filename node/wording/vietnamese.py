"""Words of the model in Vietnamese, as tables and sentences show them."""

import unicodedata

from node.errors import ADVICE
from node.model.calendar import moment_of
from node.model.delivery import State
from node.model.directory import Alias, Role
from node.model.envelope import PacketKind
from node.model.life import LifeState
from node.model.office import DeliveryView
from node.model.reason import Reason

ROADS = {
    "open": "thông",
    "backoff": "hỏng, chờ thử lại",
    "relayed": "qua nút chuyển tiếp",
    "held": "tạm giữ",
    "unknown": "chưa thử",
}
WAITING_KINDS = {"packet": "gói tin", "relay": "chuyển hộ", "receipt": "biên nhận"}
PACKET_KINDS = {PacketKind.DOCUMENT: "văn bản", PacketKind.STATUS: "trạng thái"}
ROLES = {Role.RELAY: "chuyển tiếp", Role.DIRECTORY: "danh bạ"}
LIVES = {
    LifeState.UNKNOWN: "",
    LifeState.IN_FORCE: "còn hiệu lực",
    LifeState.WITHDRAWAL_SENT: "đang gửi yêu cầu thu hồi",
    LifeState.WITHDRAWAL_ASKED: "đã yêu cầu thu hồi, chờ trả lời",
    LifeState.WITHDRAWN: "đã thu hồi",
    LifeState.WITHDRAWAL_REFUSED: "không đồng ý thu hồi",
    LifeState.REPLACED: "đã được thay thế",
    LifeState.ABSENT: "không có ở nơi này",
}
BUSINESS_TYPES = {0: "", 1: "thu hồi", 2: "cập nhật", 3: "thay thế"}

_NOT_SHOWN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that have no picture of their own: control, direction and join marks, surrogates, line separators."""
_UNITS = ("byte", "KB", "MB", "GB", "TB")


def clean(text: str) -> str:
    """Return a text from outside as it may be shown: one line, nothing but characters that can be seen."""
    return "".join(" " if unicodedata.category(c) in _NOT_SHOWN else c for c in text)


def size(octets: int) -> str:
    """Return "512 byte", "47,9 KB", "1,5 MB"."""
    number = float(octets)
    for unit in _UNITS[:-1]:
        if number < 1024:
            return _decimal(number, 0 if unit == "byte" else 1) + f" {unit}"
        number /= 1024
    return _decimal(number, 1) + f" {_UNITS[-1]}"


def count(number: int) -> str:
    """Return 125.000."""
    return f"{number:,}".replace(",", ".")


def _decimal(number: float, digits: int) -> str:
    return f"{number:.{digits}f}".replace(".", ",")


def when(time_ms: int) -> str:
    """Return "22/11/2026 18:12:03", Vietnamese time; "" for 0."""
    return moment_of(time_ms).strftime("%d/%m/%Y %H:%M:%S") if time_ms else ""


def short_when(time_ms: int) -> str:
    """Return "18:12 22/11/2026", Vietnamese time; "" for 0."""
    at = when(time_ms)
    return f"{at[11:16]} {at[:10]}" if at else ""


def day(time_ms: int) -> str:
    """Return "22/11/2026"; "" for 0."""
    return when(time_ms)[:10]


def validity(alias: Alias, now_ms: int) -> str:
    """Return when an alias holds: "từ 01/07/2025 đến hết 31/12/2026", "không thời hạn", "… (đã hết hạn)"."""
    begins = f"từ {day(alias.valid_from_ms)}" if alias.valid_from_ms else ""
    # The end is the first moment after the last day.
    ends = f"đến hết {day(alias.valid_to_ms - 1)}" if alias.valid_to_ms else ""
    when_it_holds = " ".join(filter(None, (begins, ends))) or "không thời hạn"
    if alias.holds_at(now_ms):
        return when_it_holds
    return f"{when_it_holds} ({'chưa có hiệu lực' if now_ms < alias.valid_from_ms else 'đã hết hạn'})"


def alias(one: Alias, now_ms: int) -> str:
    """Return an alias beside its unit: its code, and when it holds if that is not now."""
    return one.code if one.holds_at(now_ms) else f"{one.code} {validity(one, now_ms)}"


def span(duration_ms: int) -> str:
    """Return a duration in its largest unit: "12 giây", "3 phút", "5 giờ", "2 ngày"."""
    seconds = max(0, duration_ms) // 1000
    for unit, length in (("ngày", 86_400), ("giờ", 3_600), ("phút", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} giây"


def seconds(duration_s: float) -> str:
    """Return "0,34 giây"."""
    return _decimal(duration_s, 2) + " giây"


def next_attempt(next_attempt_ms: int, now_ms: int) -> str:
    """Return when something is tried again, in words."""
    if next_attempt_ms <= now_ms:
        return "thử ngay khi tới lượt"
    return f"thử lại sau {span(next_attempt_ms - now_ms + 999)}"


def cause(reason: Reason) -> str:
    """Return the first clause of a reason's advice: what is wrong, without what to do."""
    return "" if reason is Reason.NONE else ADVICE[reason].split(". ")[0].split(";")[0].rstrip(".")


def delivery(view: DeliveryView, now_ms: int) -> str:
    """Return a delivery's state as people read it: what it waits for and until when, or why it failed, or when it arrived."""
    if view.state is State.DELIVERED:
        return f"{view.state.label} lúc {when(view.end_time_ms)}"
    if view.state is State.FAILED:
        return f"{view.state.label}: {cause(view.reason)}"
    held_by = f" (nút {view.custody_node} đang giữ hộ)" if view.custody_node else ""
    return f"{view.state.label}{held_by}: {cause(view.reason)}; {next_attempt(view.next_attempt_ms, now_ms)}"
