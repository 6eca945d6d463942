"""Deadlines as people read them: what is still owed and until when, what is overdue, what was done in time or late.

Overdue (quá hạn) is what is not done and should be by now; late (muộn) is what was done after its time.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from node.cli.output import BAD, GOOD, QUIET, WARNING, line, text
from node.model.deadline import Deadline, DeadlineKind
from node.wording import vietnamese
from node.wording.plain import plain

if TYPE_CHECKING:
    from rich.text import Text

DUTIES = {
    DeadlineKind.SEND: "gửi",
    DeadlineKind.RECEIPT: "báo đã nhận",
    DeadlineKind.REGISTER: "đăng ký",
    DeadlineKind.DUE: "trả lời",
}
_LAST_SECOND = "23:59:59"


def overdue(deadlines: Iterable[Deadline], now_ms: int) -> list[Deadline]:
    """Return those that are not met and have passed."""
    return [one for one in deadlines if not one.met_at_ms and one.is_overdue(now_ms)]


def until(time_ms: int) -> str:
    """Return "hết ngày 27/11/2026" or "12:00 30/11/2026"."""
    at = vietnamese.when(time_ms)
    return f"hết ngày {at[:10]}" if at.endswith(_LAST_SECOND) else f"{at[11:16]} {at[:10]}"


def sentence(one: Deadline, now_ms: int) -> str:
    """Return one deadline in words."""
    duty = DUTIES[one.kind]
    if one.met_at_ms:
        late_ms = one.met_at_ms - one.due_at_ms
        return f"{duty} muộn {vietnamese.span(late_ms)}" if late_ms > 0 else f"{duty} đúng hạn"
    if one.is_overdue(now_ms):
        return f"QUÁ HẠN {duty} {vietnamese.span(now_ms - one.due_at_ms)} ({until(one.due_at_ms)})"
    return f"{duty} trước {until(one.due_at_ms)}"


def shown(deadlines: Iterable[Deadline], now_ms: int, *, only_owed: bool = False) -> "Text":
    """Return deadlines line by line; with `only_owed` those that are not met."""
    parts: list[Text | str] = []
    for one in deadlines:
        if only_owed and one.met_at_ms:
            continue
        parts += ["\n"] if parts else []
        parts.append(text(sentence(one, now_ms), _style(one, now_ms)))
    return line(*parts)


def _style(one: Deadline, now_ms: int) -> str:
    if one.met_at_ms:
        return WARNING if one.is_overdue(now_ms) else GOOD
    return BAD if one.is_overdue(now_ms) else QUIET


def documents(deadlines: Iterable[Deadline], now_ms: int) -> list[dict[str, Any]]:
    """Return deadlines for programs, each with whether it is or was overdue."""
    return [{**plain(one), "overdue": one.is_overdue(now_ms)} for one in deadlines]
