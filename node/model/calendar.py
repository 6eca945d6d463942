"""Calendar of Vietnamese offices: which days are worked, and when a day or a morning ends.

Offices work from Monday to Friday, except on public holidays (Bộ luật Lao động 2019 Điều 112). Four of these fall on fixed dates and need
no table. The others follow the moon or a yearly decision (Tết, Giỗ Tổ, the second day of Quốc khánh, Fridays that are swapped for a
Saturday), so they are known for a year only when that decision is out: such a year is *confirmed* in the table that a calendar is made
from (node/config/calendar.py). In a year that is not confirmed only the fixed dates count, moved to the next working day where they fall
on a weekend (Điều 111.3); views say so where they show it.

All days are Vietnamese days (UTC+7, QĐ 28/2018 Điều 14.4); times are milliseconds since 1970 UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache

VIETNAM = timezone(timedelta(hours=7))
"""QĐ 28/2018 Điều 14.4; Vietnam has no summer time."""
YEAR_MIN, YEAR_MAX = 1975, 2199
"""Days outside these years are mistakes, not days."""

FIXED_DATES: dict[tuple[int, int], str] = {
    (1, 1): "Tết Dương lịch",
    (4, 30): "Ngày Chiến thắng",
    (5, 1): "Ngày Quốc tế lao động",
    (9, 2): "Quốc khánh",
}
"""(month, day) of the holidays that need no decision (Bộ luật Lao động 2019 Điều 112.1)."""

_EPOCH = datetime(1970, 1, 1, 7, tzinfo=VIETNAM)
TIME_MAX_MS = 7_226_582_400_000
"""The beginning of the year 2199. Nothing is shown as later, and what comes from outside and says that it was made later is refused."""
_ONE_DAY = timedelta(days=1)
_SATURDAY = 5
_NOON = time(12)


@dataclass(frozen=True, slots=True)
class HolidayYear:
    """One year of the table: days off by name, and weekend days that are worked in exchange, with what for.

    Nothing but the `source` is used of a year that is not confirmed.
    """

    confirmed: bool
    source: str = ""
    off: Mapping[date, str] = field(default_factory=dict)
    worked: Mapping[date, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working days; `years` is the table. Without a table weekdays and fixed dates count."""

    years: Mapping[int, HolidayYear] = field(default_factory=dict)

    def is_confirmed(self, year: int) -> bool:
        """Tell whether all holidays of a year are known, not only those on fixed dates."""
        known = self.years.get(year)
        return known is not None and known.confirmed

    def holidays(self, year: int) -> Mapping[date, str]:
        """Return the days off of a year that count here, by name."""
        known = self.years.get(year)
        if known is None or not known.confirmed:
            return fixed_holidays(year)
        return {**_fixed(year), **known.off}

    def worked(self, year: int) -> Mapping[date, str]:
        """Return the weekend days of a year that are worked."""
        known = self.years.get(year)
        return known.worked if known is not None and known.confirmed else {}

    def is_working_day(self, day: date) -> bool:
        """Tell whether offices work on a day."""
        known = self.years.get(day.year)
        if known is None or not known.confirmed:
            return day.weekday() < _SATURDAY and day not in fixed_holidays(day.year)
        if day in known.worked:
            return True
        return day.weekday() < _SATURDAY and day not in known.off and (day.month, day.day) not in FIXED_DATES

    def next_working_day(self, day: date) -> date:
        """Return the first working day after a day."""
        found = day + _ONE_DAY
        while not self.is_working_day(found):
            found += _ONE_DAY
        return found

    def end_of_next_working_morning_ms(self, day: date) -> int:
        """Return 12:00 of the first working day after a day: the "buổi sáng của ngày làm việc tiếp theo" of QĐ 28/2018 Điều 6.2."""
        return _ms(datetime.combine(self.next_working_day(day), _NOON, VIETNAM))

    def end_of_next_working_day_ms(self, day: date) -> int:
        """Return the last millisecond of the first working day after a day."""
        return end_of_day_ms(self.next_working_day(day))


def bounded_ms(time_ms: int) -> int:
    """Return a time that somebody else has said, within what a calendar knows: no such time may break what is shown."""
    return min(max(0, time_ms), TIME_MAX_MS)


def moment_of(time_ms: int) -> datetime:
    """Return a time as Vietnamese clocks show it."""
    return _EPOCH + timedelta(milliseconds=bounded_ms(time_ms))


def day_of(time_ms: int) -> date:
    """Return the Vietnamese day in which a time lies."""
    return moment_of(time_ms).date()


@lru_cache(maxsize=1024)
def end_of_day_ms(day: date) -> int:
    """Return the last millisecond of a Vietnamese day."""
    return _ms(datetime.combine(day + _ONE_DAY, time(), VIETNAM)) - 1


def start_of_day_ms(day: date) -> int:
    """Return the first millisecond of a Vietnamese day."""
    return _ms(datetime.combine(day, time(), VIETNAM))


@lru_cache(maxsize=64)
def fixed_holidays(year: int) -> Mapping[date, str]:
    """Return the holidays on fixed dates, each that falls on a weekend with the day off in its place (Điều 111.3)."""
    days = _fixed(year)
    for day, name in list(days.items()):
        if day.weekday() < _SATURDAY:
            continue
        instead = day + _ONE_DAY
        while instead.weekday() >= _SATURDAY or instead in days:
            instead += _ONE_DAY
        days[instead] = f"nghỉ bù {name}"
    return days


def _fixed(year: int) -> dict[date, str]:
    return {date(year, month, day): name for (month, day), name in FIXED_DATES.items()}


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
