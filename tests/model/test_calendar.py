"""Calendar: which days Vietnamese offices work, and when a working morning or a day ends."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.model.calendar import Calendar, HolidayYear, day_of, end_of_day_ms, fixed_holidays, start_of_day_ms

TABLE = Calendar(
    {
        2026: HolidayYear(
            confirmed=True,
            off={
                **{date(2026, 2, day): "Tết" for day in range(16, 21)},
                date(2026, 8, 31): "hoán đổi",
                date(2026, 9, 1): "Quốc khánh",
            },
            worked={date(2026, 8, 22): "thay cho 31/8"},
        ),
        2027: HolidayYear(confirmed=False, off={date(2027, 2, 8): "dự kiến"}, worked={date(2027, 2, 13): "dự kiến"}),
    }
)


def vietnam_ms(*moment: int) -> int:
    """A time on the clock in Hà Nội, by way of UTC."""
    return round((datetime(*moment, tzinfo=UTC) - timedelta(hours=7)).timestamp() * 1000)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        (date(2026, 2, 13), True),
        (date(2026, 2, 14), False),
        (date(2026, 2, 16), False),
        (date(2026, 2, 20), False),
        (date(2026, 2, 23), True),
        (date(2026, 4, 30), False),
        (date(2026, 8, 22), True),
        (date(2026, 8, 23), False),
        (date(2026, 8, 31), False),
        (date(2026, 9, 2), False),
        (date(2026, 9, 3), True),
    ],
)
def test_a_confirmed_year_knows_tet_swaps_and_fixed_dates(day: date, worked: bool) -> None:
    assert TABLE.is_working_day(day) is worked


def test_of_a_year_that_is_not_confirmed_only_fixed_dates_count() -> None:
    assert not TABLE.is_confirmed(2027)
    assert TABLE.is_working_day(date(2027, 2, 8))
    assert not TABLE.is_working_day(date(2027, 2, 13))
    assert TABLE.holidays(2027) == TABLE.holidays(2027) == fixed_holidays(2027)
    assert not Calendar().is_confirmed(2026)
    assert Calendar().is_working_day(date(2026, 2, 17))
    assert not Calendar().is_working_day(date(2026, 9, 2))


def test_a_fixed_date_on_a_weekend_gives_the_next_working_day_off() -> None:
    assert fixed_holidays(2022) == {
        date(2022, 1, 1): "Tết Dương lịch",
        date(2022, 1, 3): "nghỉ bù Tết Dương lịch",
        date(2022, 4, 30): "Ngày Chiến thắng",
        date(2022, 5, 1): "Ngày Quốc tế lao động",
        date(2022, 5, 2): "nghỉ bù Ngày Chiến thắng",
        date(2022, 5, 3): "nghỉ bù Ngày Quốc tế lao động",
        date(2022, 9, 2): "Quốc khánh",
    }


@pytest.mark.parametrize(
    ("day", "following"),
    [
        (date(2026, 11, 25), date(2026, 11, 26)),
        (date(2026, 11, 27), date(2026, 11, 30)),
        (date(2026, 2, 13), date(2026, 2, 23)),
        (date(2026, 8, 21), date(2026, 8, 22)),
        (date(2026, 8, 28), date(2026, 9, 3)),
        (date(2026, 12, 31), date(2027, 1, 4)),
    ],
)
def test_the_next_working_day_leaps_over_weekends_and_holidays(day: date, following: date) -> None:
    assert TABLE.next_working_day(day) == following


def test_a_working_morning_ends_at_noon_and_a_day_at_midnight_in_vietnam() -> None:
    friday = date(2026, 11, 27)

    assert TABLE.end_of_next_working_morning_ms(friday) == vietnam_ms(2026, 11, 30, 12)
    assert TABLE.end_of_next_working_day_ms(friday) == vietnam_ms(2026, 12, 1) - 1
    assert end_of_day_ms(friday) == vietnam_ms(2026, 11, 28) - 1
    assert start_of_day_ms(friday) == vietnam_ms(2026, 11, 27)


def test_the_day_is_the_one_in_vietnam_not_in_utc() -> None:
    assert day_of(vietnam_ms(2026, 11, 28) - 1) == date(2026, 11, 27)
    assert day_of(vietnam_ms(2026, 11, 28)) == date(2026, 11, 28)
    assert day_of(0) == date(1970, 1, 1)


@given(st.dates(date(1975, 1, 1), date(2198, 12, 31)))  # no time is shown as later (calendar.TIME_MAX_MS)
def test_every_moment_of_a_day_lies_in_it_and_the_next_working_day_is_soon(day: date) -> None:
    assert day_of(start_of_day_ms(day)) == day_of(end_of_day_ms(day)) == day
    assert end_of_day_ms(day) - start_of_day_ms(day) == 86_400_000 - 1
    following = TABLE.next_working_day(day)
    assert day < following <= day + timedelta(days=12)
    assert TABLE.is_working_day(following)
