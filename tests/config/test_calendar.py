"""The table of holidays: the shipped one is right about what was announced, and an operator's own is taken whole or refused whole."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from node.config.calendar import FILE_BYTES_MAX, SHIPPED, load_calendar
from node.config.settings import load_settings
from node.errors import Broken
from node.model.reason import Reason


def mistakes(path: Path) -> list[str]:
    """Lines of the refusal without its heading."""
    with pytest.raises(Broken) as refused:
        load_calendar(path)
    assert refused.value.reason is Reason.SETTINGS_INVALID
    heading, *lines = refused.value.detail.splitlines()
    assert str(path) in heading
    return lines or [heading]


def table(folder: Path, text: str) -> Path:
    path = folder / "ngay-nghi.toml"
    path.write_text(text, "utf-8")
    return path


def working_days(year: int) -> int:
    calendar, day, found = load_calendar(), date(year, 1, 1), 0
    while day.year == year:
        found += calendar.is_working_day(day)
        day += timedelta(days=1)
    return found


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_the_law_gives_eleven_days_off_so_every_confirmed_year_has_as_many_working_days_as_weekdays_less_eleven(
    year: int,
) -> None:
    day, weekdays = date(year, 1, 1), 0
    while day.year == year:
        weekdays += day.weekday() < 5
        day += timedelta(days=1)

    assert load_calendar().is_confirmed(year)
    assert working_days(year) == weekdays - 11


def test_the_shipped_table_knows_tet_and_the_swaps_and_says_which_years_it_does_not_know() -> None:
    calendar = load_calendar()

    assert calendar.next_working_day(date(2025, 1, 24)) == date(2025, 2, 3)
    assert calendar.next_working_day(date(2026, 2, 13)) == date(2026, 2, 23)
    assert calendar.is_working_day(date(2026, 8, 22))
    assert [year for year in range(2023, 2031) if calendar.is_confirmed(year)] == [2024, 2025, 2026]
    assert calendar.years[2027].off == {}


def test_an_operators_year_goes_before_ours_and_other_years_stay(tmp_path: Path) -> None:
    own = table(
        tmp_path,
        '[2027]\nconfirmed = true\noff = [{ from = 2027-02-05, to = 2027-02-11, name = "Tết" }]\n'
        'work = [{ day = 2027-02-20, name = "thay cho thứ Sáu" }]\n',
    )
    calendar = load_calendar(own)

    assert calendar.next_working_day(date(2027, 2, 4)) == date(2027, 2, 12)
    assert calendar.is_working_day(date(2027, 2, 20))
    assert calendar.is_confirmed(2026)


def test_a_copy_of_the_shipped_table_with_a_byte_order_mark_is_as_good(tmp_path: Path) -> None:
    copy = tmp_path / "ngay-nghi.toml"
    copy.write_bytes(b"\xef\xbb\xbf" + SHIPPED.read_bytes().replace(b"\n", b"\r\n"))

    assert load_calendar(copy) == load_calendar()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[nam]\nconfirmed = true\n", "[nam]: phải là một năm"),
        ("[99999]\nconfirmed = true\n", "[99999]: phải là một năm"),
        ("2026 = 1\n", "2026: phải là một nhóm mục"),
        ("[2026]\n", "2026.confirmed: phải là true"),
        ('[2026]\nconfirmed = "true"\n', "2026.confirmed: phải là true"),
        ("[2026]\nconfirmed = true\nsource = 1\n", "2026.source: phải là chuỗi"),
        ("[2026]\nconfirmed = true\nngay = []\n", "2026.ngay: không có mục này"),
        ("[2026]\nconfirmed = true\noff = 2026-02-16\n", "2026.off: phải là một danh sách"),
        ("[2026]\nconfirmed = true\noff = [2026-02-16]\n", "2026.off[1]: phải có dạng"),
        ('[2026]\nconfirmed = true\noff = [{ name = "a" }]\n', "2026.off[1].from: phải là một ngày"),
        (
            '[2026]\nconfirmed = true\noff = [{ from = "2026-02-16", name = "a" }]\n',
            "2026.off[1].from: phải là một ngày",
        ),
        ('[2026]\nconfirmed = true\noff = [{ from = 2026-02-16T00:00:00, name = "a" }]\n', "phải là một ngày"),
        ('[2026]\nconfirmed = true\noff = [{ from = 2025-02-16, name = "a" }]\n', "16/02/2025 không thuộc năm 2026"),
        ("[2026]\nconfirmed = true\noff = [{ from = 2026-02-16 }]\n", "2026.off[1].name: thiếu tên"),
        ('[2026]\nconfirmed = true\noff = [{ from = 2026-02-16, den = 2026-02-17, name = "a" }]\n', "2026.off[1].den"),
        ('[2026]\nconfirmed = true\noff = [{ from = 2026-02-16, to = 2026-02-15, name = "a" }]\n', "sớm hơn ngày đầu"),
        (
            '[2026]\nconfirmed = true\noff = [{ from = 2026-02-16, to = 2026-06-16, name = "a" }]\n',
            "nghỉ liền 121 ngày",
        ),
        ('[2026]\nconfirmed = true\nwork = [{ day = 2026-08-21, name = "a" }]\n', "không phải thứ Bảy hay Chủ nhật"),
        (
            '[2026]\nconfirmed = true\noff = [{ from = 2026-08-22, name = "a" }]\nwork = [{ day = 2026-08-22, name = "a" }]\n',
            "ngày 22/08 vừa nghỉ vừa làm",
        ),
        ("[2026\n", "không đúng cú pháp TOML"),
        ("a = " + "[" * 5_000, "không đúng cú pháp TOML"),
    ],
)
def test_a_wrong_table_is_refused_and_the_place_is_named(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in line for line in mistakes(table(tmp_path, text)))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = table(tmp_path, '[2026]\noff = [{ name = "a" }, 1]\nwork = [{ day = 2026-08-21, name = "b" }]\n[x]\n')

    assert len(mistakes(path)) == 5


def test_a_file_that_is_missing_no_text_or_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"# T\xeat\n")
    (tmp_path / "big.toml").write_bytes(b"#" * (FILE_BYTES_MAX + 1))
    for name, said in (("none.toml", "No such file"), ("latin.toml", "UTF-8"), ("big.toml", "lớn quá")):
        assert said in mistakes(tmp_path / name)[0]


def test_the_settings_name_the_file_from_the_nodes_home(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text('node_id = "a"\nname = "A"\n[calendar]\nfile = "ngay-nghi.toml"\n', "utf-8")

    assert load_settings(tmp_path).calendar.file == tmp_path / "ngay-nghi.toml"
