"""The table of holidays, from a file to a working calendar.

`ngay-nghi.toml` beside this file is what comes with the program; an operator may give a node a copy of his own (`[calendar] file` in
node.toml). A year that stands in his copy is taken from there, the others from ours, so that an upgrade brings new years. A file with a
mistake is refused as a whole, with all its mistakes at once: deadlines by half a table would be wrong without anybody noticing.
"""

import tomllib
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from node.errors import Broken
from node.model.calendar import YEAR_MAX, YEAR_MIN, Calendar, HolidayYear
from node.model.reason import Reason

SHIPPED = Path(__file__).with_name("ngay-nghi.toml")
FILE_BYTES_MAX = 1024 * 1024
SPAN_DAYS_MAX = 31
"""No holiday is longer; a longer one is a slip of the year or the month."""

_YEAR_KEYS = {"confirmed", "source", "off", "work"}
_OFF_KEYS = {"from", "to", "name"}
_WORK_KEYS = {"day", "name"}


class _Mistake(Exception):
    """One line for the operator."""


def load_calendar(file: Path | None = None) -> Calendar:
    """Return the calendar of the shipped table, with the years of an operator's file in place of ours.

    Raises Broken(SETTINGS_INVALID) with one line for each mistake of the file.
    """
    years = _years(SHIPPED)
    return Calendar(years if file is None else {**years, **_years(file)})


def _years(path: Path) -> dict[int, HolidayYear]:
    years: dict[int, HolidayYear] = {}
    mistakes: list[str] = []
    for name, table in _read(path).items():
        try:
            year = _year_number(name)
            years[year] = _year(year, table, mistakes)
        except _Mistake as mistake:
            mistakes.append(str(mistake))
    if mistakes:
        raise Broken(Reason.SETTINGS_INVALID, "\n".join([f"{path}, {len(mistakes)} lỗi:", *mistakes]))
    return years


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            raise Broken(Reason.SETTINGS_INVALID, f"{path}: lớn quá {FILE_BYTES_MAX} byte, không phải bảng ngày nghỉ")
        return tomllib.loads(data.decode("utf-8-sig"))
    except OSError as error:
        raise Broken(Reason.SETTINGS_INVALID, f"calendar.file: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Broken(Reason.SETTINGS_INVALID, f"{path}: không phải văn bản UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Broken(Reason.SETTINGS_INVALID, f"{path}: không đúng cú pháp TOML: {error}") from None


def _year_number(name: str) -> int:
    if not (name.isascii() and name.isdigit() and YEAR_MIN <= int(name) <= YEAR_MAX):
        raise _Mistake(f"[{name[:40]}]: phải là một năm từ {YEAR_MIN} tới {YEAR_MAX}, ví dụ [2026]")
    return int(name)


def _year(year: int, table: object, mistakes: list[str]) -> HolidayYear:
    """Read one year; what is wrong within it is added to `mistakes`. Raises _Mistake if it is no table at all."""
    if not isinstance(table, dict):
        raise _Mistake(f"{year}: phải là một nhóm mục [{year}]")
    mistakes += [
        f"{year}.{key}: không có mục này; các mục có: off, work, confirmed, source" for key in table.keys() - _YEAR_KEYS
    ]
    confirmed, source = table.get("confirmed"), table.get("source", "")
    if not isinstance(confirmed, bool):
        mistakes.append(f"{year}.confirmed: phải là true (đã có thông báo chính thức) hoặc false")
    if not isinstance(source, str):
        mistakes.append(f"{year}.source: phải là chuỗi ký tự trong dấu nháy")
    off: dict[date, str] = {}
    worked: dict[date, str] = {}
    for place, entry in _entries(year, table, "off", mistakes):
        try:
            off.update(_days_off(year, place, entry))
        except _Mistake as mistake:
            mistakes.append(str(mistake))
    for place, entry in _entries(year, table, "work", mistakes):
        try:
            day, name = _day_worked(year, place, entry)
            worked[day] = name
        except _Mistake as mistake:
            mistakes.append(str(mistake))
    mistakes += [f"{year}: ngày {day:%d/%m} vừa nghỉ vừa làm" for day in sorted(off.keys() & worked.keys())]
    return HolidayYear(confirmed is True, str(source), off, worked)


def _entries(year: int, table: dict[str, Any], key: str, mistakes: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give out the entries of a list, each with its name for people."""
    entries = table.get(key, [])
    if not isinstance(entries, list):
        mistakes.append(f"{year}.{key}: phải là một danh sách [ … ]")
        return
    for number, entry in enumerate(entries, 1):
        if isinstance(entry, dict):
            yield f"{year}.{key}[{number}]", entry
        else:
            mistakes.append(f"{year}.{key}[{number}]: phải có dạng {{ … }}")


def _days_off(year: int, place: str, entry: dict[str, Any]) -> dict[date, str]:
    _check_keys(place, entry, _OFF_KEYS)
    first = _day(year, f"{place}.from", entry.get("from"))
    last = _day(year, f"{place}.to", entry["to"]) if "to" in entry else first
    if last < first:
        raise _Mistake(f"{place}: ngày cuối {last:%d/%m} sớm hơn ngày đầu {first:%d/%m}")
    days = (last - first).days + 1
    if days > SPAN_DAYS_MAX:
        raise _Mistake(f"{place}: nghỉ liền {days} ngày, nhiều nhất là {SPAN_DAYS_MAX}")
    name = _name(place, entry)
    return {first + timedelta(days=number): name for number in range(days)}


def _day_worked(year: int, place: str, entry: dict[str, Any]) -> tuple[date, str]:
    _check_keys(place, entry, _WORK_KEYS)
    day = _day(year, f"{place}.day", entry.get("day"))
    if day.weekday() < 5:
        raise _Mistake(f"{place}.day: {day:%d/%m/%Y} không phải thứ Bảy hay Chủ nhật")
    return day, _name(place, entry)


def _check_keys(place: str, entry: dict[str, Any], known: set[str]) -> None:
    for key in sorted(entry.keys() - known):
        raise _Mistake(f"{place}.{key}: không có mục này; các mục có: {', '.join(sorted(known))}")


def _day(year: int, place: str, value: object) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _Mistake(f"{place}: phải là một ngày không có dấu nháy, ví dụ {year}-04-30")
    if value.year != year:
        raise _Mistake(f"{place}: {value:%d/%m/%Y} không thuộc năm {year}")
    return value


def _name(place: str, entry: dict[str, Any]) -> str:
    name = entry.get("name", "")
    if not isinstance(name, str) or not name.strip():
        raise _Mistake(f"{place}.name: thiếu tên ngày nghỉ")
    return name.strip()
