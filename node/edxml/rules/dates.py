"""Dates and times: Vietnamese time, yyyy/MM/dd and yyyy/MM/dd HH:mm:ss (QĐ 28/2018 Điều 14.4, edxml.md section 1).

Programs in use read other forms as no date or as one in the year 11, so those are warned of; texts stay as they are. A DocumentId
is opaque even where it looks as if it held a date.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from node.edxml.rules.rule import ANY, QD_28, Broken, Case, warning
from node.model.packet import Packet, PromulgationInfo

_DIEU_14 = f"{QD_28} Điều 14 khoản 4"
_FORM = re.compile(
    r"(?P<year>\d{4})(?P<mark>[/-])(?P<month>\d\d)(?P=mark)(?P<day>\d\d)"
    r"(?:[ T](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d{1,9})?)?(?P<zone>Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
_CHARACTERS_MAX = 40
"""No form that is tolerated is longer."""
_IN_IDENTIFIER = re.compile(r"(?<!\d)\d{4}[/-]\d\d[/-]\d\d(?!\d)", re.ASCII)
_STANDARD_DATE = re.compile(r"\d{4}/\d\d/\d\d", re.ASCII)
_STANDARD_TIME = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", re.ASCII)


class _Written(NamedTuple):
    path: str
    text: str
    is_time: bool = False


def read_time(text: str) -> datetime | None:
    """Read a date or a time in any form that is tolerated, as it stands on the clock; None if it is none or impossible."""
    written = text.strip()
    return _time_of(written) if len(written) <= _CHARACTERS_MAX else None


@lru_cache(maxsize=4_096)
def _time_of(written: str) -> datetime | None:
    """Read a date; remembered, because a packet says the same few dates many times over, and the packets of a day do so, too."""
    found = _FORM.fullmatch(written)
    if found is None:
        return None
    parts = found.groupdict(default="0")
    try:
        return datetime(*(int(parts[name]) for name in ("year", "month", "day", "hour", "minute", "second")))  # type: ignore[arg-type] # noqa: DTZ001
    except ValueError:
        return None


@warning(50, _DIEU_14, ANY)
def dates_can_be_read(case: Case) -> Broken:
    """A date is written in one of the forms that can be read."""
    for path, text, _ in _written(case.packet):
        if read_time(text) is None and not _FORM.fullmatch(text.strip()):
            yield path, "Không đọc được ngày; dạng đúng: 2026/10/05 hoặc 2026/10/05 09:30:15."


@warning(51, _DIEU_14, ANY)
def dates_are_possible(case: Case) -> Broken:
    """A date exists: no 30 February, no 25 o'clock."""
    for path, text, _ in _written(case.packet):
        if read_time(text) is None and _FORM.fullmatch(text.strip()):
            yield path, f"Ngày giờ {text.strip()[:40]} không có thật; được giữ nguyên như đã viết."


@warning(52, _DIEU_14, ANY)
def dates_have_the_usual_form(case: Case) -> Broken:
    """Other forms are readable here, but not for the programs in use."""
    for path, text, is_time in _written(case.packet):
        usual = _STANDARD_TIME if is_time else _STANDARD_DATE
        if not usual.fullmatch(text.strip()) and read_time(text) is not None:
            form = "yyyy/MM/dd HH:mm:ss" if is_time else "yyyy/MM/dd"
            yield path, f"Ngày {text.strip()[:40]} không theo dạng {form}; nhiều phần mềm sẽ không đọc được."


@warning(53, f"{QD_28} Điều 10 khoản 2 điểm o")
def due_date_is_not_before_issue(case: Case) -> Broken:
    """An answer cannot be due before the question was written."""
    header = case.packet.header
    issued = read_time((header.promulgation_info or PromulgationInfo()).promulgation_date)
    due = read_time(header.due_date)
    if issued and due and due.date() < issued.date():
        yield "MessageHeader/DueDate", "Hạn trả lời sớm hơn ngày ban hành."


@warning(54, f"{QD_28} Điều 10 khoản 2 điểm b", ANY)
def identifiers_hold_possible_dates(case: Case) -> Broken:
    """A date in an identifier should exist; the identifier is kept as it is all the same, and compared as a whole."""
    for path, text in _identifiers(case.packet):
        for found in _IN_IDENTIFIER.findall(text):
            if read_time(found) is None:
                yield path, f"Mã định danh văn bản có ngày không có thật {found}; vẫn dùng nguyên văn làm mã."


@warning(55, f"{QD_28} Điều 6 khoản 2")
def document_is_not_of_tomorrow(case: Case) -> Broken:
    """A document is not issued on a day that has not begun in Vietnam."""
    issued = read_time((case.packet.header.promulgation_info or PromulgationInfo()).promulgation_date)
    if issued and case.today and issued.date() > case.today:
        yield "MessageHeader/PromulgationInfo/PromulgationDate", "Ngày ban hành ở tương lai."


def _written(packet: Packet) -> Iterator[_Written]:
    return (one for one in _dates(packet) if one.text.strip())


def _dates(packet: Packet) -> Iterator[_Written]:
    header = packet.header
    if header.promulgation_info:
        path = "MessageHeader/PromulgationInfo/PromulgationDate"
        yield _Written(path, header.promulgation_info.promulgation_date)
    yield _Written("MessageHeader/DueDate", header.due_date)
    yield _Written("MessageHeader/Timestamp", header.timestamp, is_time=True)
    for place, one in enumerate(header.response_for, 1):
        yield _Written(f"MessageHeader/ResponseFor[{place}]/PromulgationDate", one.promulgation_date)
    for place, station in enumerate(packet.trace.trace_headers if packet.trace else (), 1):
        yield _Written(f"TraceHeaderList/TraceHeader[{place}]/Timestamp", station.timestamp, is_time=True)


def _identifiers(packet: Packet) -> Iterator[tuple[str, str]]:
    yield "MessageHeader/DocumentId", packet.header.document_id
    for place, one in enumerate(packet.header.response_for, 1):
        yield f"MessageHeader/ResponseFor[{place}]/DocumentId", one.document_id


RULES = (
    dates_can_be_read,
    dates_are_possible,
    dates_have_the_usual_form,
    due_date_is_not_before_issue,
    identifiers_hold_possible_dates,
    document_is_not_of_tomorrow,
)
