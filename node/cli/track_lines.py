"""A tracked packet in compact lines: one for each recipient, those that somebody must look at first.

A second line stands under a recipient only if there is something to know that is not as it should be: why it waits, why it failed, what
is overdue, what has become of the document, a receipt that does not fit. `truc track --full` has everything.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from node.cli import deadlines
from node.cli.output import BAD, GOOD, QUIET, STRONG, WARNING, line, text
from node.model.delivery import State
from node.model.finding import Finding, Severity
from node.model.life import LifeState
from node.model.office import DeliveryView
from node.model.status import status_name
from node.office.naming import ID_DIGITS_SHOWN
from node.wording import vietnamese

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

LINES_MAX = 60
"""Recipients that are shown; the rest is counted. A circular goes to thousands."""

LINE_CHARACTERS_MAX = 78
"""What fits beside the name of a recipient stands there."""

Verified = Callable[[DeliveryView], str | None]
"""Tells who has verified a delivery's receipt; None: it does not fit."""


def lines(found: Sequence[DeliveryView], now: int, verified: Verified) -> list["RenderableType"]:
    """Return the recipients for people, and how many there are of each state."""
    ordered = sorted(found, key=lambda one: (_rank(one, now, verified), one.unit))
    shown = [part for one in ordered[:LINES_MAX] for part in _recipient(one, now, verified)]
    rest = len(ordered) - LINES_MAX
    more = [text(f"… và {vietnamese.count(rest)} nơi nữa (--full xem hết)", QUIET)] if rest > 0 else []
    return [*shown, *more, text(_summary(found, verified), QUIET)]


def finding_lines(findings: Sequence[Finding]) -> list["RenderableType"]:
    """Return what the rules found, a line for each."""
    style = {Severity.ERROR: BAD, Severity.WARNING: WARNING}
    return [line(text(f"! {one.code} ", style[one.severity]), text(one.sentence)) for one in findings]


def _rank(one: DeliveryView, now: int, verified: Verified) -> int:
    """Return where a recipient stands: what cannot be right, what failed, what is overdue, what waits, what refused, the others."""
    if one.signed_receipt is not None and verified(one) is None:
        return 0
    if one.state is State.FAILED:
        return 1
    if deadlines.overdue(one.deadlines, now):
        return 2
    if one.state is State.WAITING:
        return 3
    return 4 if one.status_code == "02" or _life(one) else 5


def _recipient(one: DeliveryView, now: int, verified: Verified) -> list["Text"]:
    style, sign = {State.DELIVERED: (GOOD, "✓"), State.FAILED: (BAD, "✗"), State.WAITING: (WARNING, "…")}[one.state]
    first = line(text(f"{sign} ", style), text(one.unit, STRONG), text(f" {one.unit_name}" if one.unit_name else ""))
    notes = _notes(one, now, verified)
    if len(notes) == 1 and len(first.plain) + 3 + len(notes[0].plain) <= LINE_CHARACTERS_MAX:
        return [line(first, " – ", notes[0])]
    return [first, *(line("    ", part) for part in notes)]


def _notes(one: DeliveryView, now: int, verified: Verified) -> list["Text"]:
    notes = [_standing(one, now)]
    if one.signed_receipt is not None and verified(one) is None:
        notes.append(text(f"biên nhận của nút {one.node_id} KHÔNG khớp, hãy báo quản trị", BAD))
    notes += [text(deadlines.sentence(each, now), BAD) for each in deadlines.overdue(one.deadlines, now)]
    notes += [
        text(deadlines.sentence(each, now), WARNING)
        for each in one.deadlines
        if each.met_at_ms and each.is_overdue(now)
    ]
    if life := _life(one):
        notes.append(text(life, WARNING))
    return notes


def _standing(one: DeliveryView, now: int) -> "Text":
    """Return how far it has come: the newest status with its time, or why there is none."""
    if one.state is not State.DELIVERED:
        tries = f" (đã thử {one.attempts} lần)" if one.attempts and one.state is State.WAITING else ""
        style = BAD if one.state is State.FAILED else WARNING
        return text(vietnamese.delivery(one, now) + tries, style)
    if not one.statuses:
        return text(f"đã đến lúc {vietnamese.short_when(one.end_time_ms)}, chưa báo trạng thái", QUIET)
    newest = next((each for each in reversed(one.statuses) if each.code == one.status_code), one.statuses[-1])
    name = status_name(newest.code)
    note = f": {newest.description}" if newest.description not in ("", name) and newest.code != "01" else ""
    said = f"{newest.code} {name} lúc {vietnamese.short_when(newest.accept_time_ms)}{note}"
    return text(said, BAD if newest.code == "02" else "")


def _life(one: DeliveryView) -> str:
    """Return what has become of the document there, and by which packet: that one can be tracked, too."""
    if one.life in (LifeState.UNKNOWN, LifeState.IN_FORCE):
        return ""
    by = f" (gói {one.life_packet_id.hex()[:ID_DIGITS_SHOWN]})" if one.life_packet_id else ""
    return f"văn bản {vietnamese.LIVES[one.life]}{by}"


def _summary(found: Sequence[DeliveryView], verified: Verified) -> str:
    states = [one.state for one in found]
    counts = [f"{vietnamese.count(states.count(state))} {state.label}" for state in State if state in states]
    received = [one for one in found if one.signed_receipt is not None]
    fit = sum(verified(one) is not None for one in received)
    receipts = f"; {vietnamese.count(fit)}/{vietnamese.count(len(received))} biên nhận khớp chữ ký" if received else ""
    return f"{vietnamese.count(len(found))} nơi nhận: {', '.join(counts)}{receipts}"
