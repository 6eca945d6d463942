"""Deadlines: what the decrees ask of a document's author and of each recipient, and whether it was done in time.

    kind       who        until                                                       met by
    --------   ---------  ----------------------------------------------------------  ---------------------------------
    SEND       author     12:00 of the working day after the day of signing;          handing the packet to his node
                          urgent: the end of the day of signing (QĐ 28 Điều 6.2)
    RECEIPT    recipient  the end of the day of arrival (NĐ 30 Điều 21.2.c)           01, or any of 02 to 06
    REGISTER   recipient  the end of the working day after the day of arrival;        03 or 02, or any of 04 to 06
                          urgent: `Policy.urgent_within_ms` after arrival
                          (NĐ 30 Điều 4.2.c, Điều 23)
    DUE        recipient  the end of the day in DueDate (QĐ 28 Điều 10.2.o)           06 or 02

A packet has deadlines if it brings a document: a new one or a replacement, not an update, a withdrawal or a status. A date that is
missing, impossible or absurd gives no deadline, and is never an error: the packet is judged elsewhere (node/edxml/rules/dates.py).
A later status counts for an earlier one, since statuses come with gaps (domain.md 4.4).

Both sides come to the same times. A report counts from when the reporting unit handed it to its node, by that node's signed envelope, not
from when the road let it through; arrival is when the recipient's node took the packet. Nothing is stored: everything is worked out
when somebody looks, so correcting the calendar corrects what is shown.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from node.edxml.rules.dates import read_time
from node.flow.document import dossier
from node.model.calendar import YEAR_MAX, YEAR_MIN, Calendar, day_of, end_of_day_ms
from node.model.deadline import Deadline, DeadlineKind
from node.model.header import REPLACEMENT
from node.model.lane import Lane, lane_of_priority
from node.model.life import LifeAct, LifeState
from node.ports import Tx
from node.rows import document_keys
from node.rows.records import HeaderRecord

NEW = 0
DATE_CHARACTERS_MAX = 64
"""Longer texts are no dates, and would fill the memory of those that were read."""
MET_BY: dict[DeadlineKind, frozenset[str]] = {
    DeadlineKind.RECEIPT: frozenset({"01", "02", "03", "04", "05", "06"}),
    DeadlineKind.REGISTER: frozenset({"02", "03", "04", "05", "06"}),
    DeadlineKind.DUE: frozenset({"02", "06"}),
}
"""Statuses that show that a duty was done."""

_NOTHING_MORE_OWED = (LifeState.WITHDRAWN, LifeState.REPLACED)


class Report(NamedTuple):
    """A status that a recipient unit sent; `at_ms` is when the unit handed it to its node, milliseconds since 1970 UTC."""

    code: str
    at_ms: int


def brings_document(header: HeaderRecord) -> bool:
    """Tell whether a packet brings a document, so that somebody owes something for it."""
    return not header.status_code and header.business_type in (NEW, REPLACEMENT)


def of_author(header: HeaderRecord, create_time_ms: int, calendar: Calendar) -> tuple[Deadline, ...]:
    """Return what the author owed for a packet that was handed in at `create_time_ms`, milliseconds since 1970 UTC."""
    signed = read_day(header.promulgation_date)
    if signed is None or not brings_document(header):
        return ()
    # The header gives the day of signing without the hour: "at once" is that day.
    due_at_ms = end_of_day_ms(signed) if is_urgent(header) else calendar.end_of_next_working_morning_ms(signed)
    return (Deadline(DeadlineKind.SEND, due_at_ms, max(create_time_ms, 1)),)


def of_recipient(
    header: HeaderRecord,
    arrive_time_ms: int,
    reports: Sequence[Report],
    calendar: Calendar,
    urgent_within_ms: int,
    life: LifeState = LifeState.IN_FORCE,
) -> tuple[Deadline, ...]:
    """Return what a recipient owes for a packet that reached its inbox at `arrive_time_ms`, in order of kind.

    The recipient owes nothing more for a document that is withdrawn or replaced; what it did is still shown, in time or late.
    """
    if not brings_document(header):
        return ()
    arrived = day_of(arrive_time_ms)
    until = [(DeadlineKind.RECEIPT, end_of_day_ms(arrived))]
    if is_urgent(header):
        until.append((DeadlineKind.REGISTER, arrive_time_ms + urgent_within_ms))
    else:
        until.append((DeadlineKind.REGISTER, calendar.end_of_next_working_day_ms(arrived)))
    due = read_day(header.due_date)
    signed = read_day(header.promulgation_date)
    if due is not None and (signed is None or signed <= due):
        until.append((DeadlineKind.DUE, end_of_day_ms(due)))
    found = [Deadline(kind, due_at_ms, met_at_ms(kind, reports)) for kind, due_at_ms in until]
    return tuple(one for one in found if one.met_at_ms or life not in _NOTHING_MORE_OWED)


def met_at_ms(kind: DeadlineKind, reports: Iterable[Report]) -> int:
    """Return when the first report was made that shows a duty as done; 0 if there is none."""
    return min((max(report.at_ms, 1) for report in reports if report.code in MET_BY[kind]), default=0)


def is_urgent(header: HeaderRecord) -> bool:
    """Tell whether a document is khẩn, thượng khẩn or hỏa tốc (Priority 1 to 4)."""
    return lane_of_priority(header.priority) is not Lane.NORMAL


def read_day(text: str) -> date | None:
    """Return the day that a header's date names, in any form that is tolerated; None if it names none."""
    return _read_day(text) if len(text) <= DATE_CHARACTERS_MAX else None


@lru_cache(maxsize=1024)
def _read_day(text: str) -> date | None:
    found = read_time(text)
    if found is None or not YEAR_MIN <= found.year < YEAR_MAX:
        return None
    return found.date()


def sent_reports(tx: Tx, unit: str, author_unit: str, document_id: str) -> tuple[Report, ...]:
    """Return the statuses that a unit of this node has sent about a document, from its dossier (decision 0006)."""
    if not document_id:
        return ()
    rows = dossier.rows(tx, unit, author_unit, document_keys.document_sha256(document_id), unit)
    return tuple(Report(row.record.status_code, row.record.create_time_ms) for row in rows if row.act is LifeAct.STATUS)
