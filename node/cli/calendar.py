"""truc calendar: which days count as working days, so that an operator can see what deadlines are worked out from."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import Command, Json, Noun, OptionalHome, now_ms
from node.cli.output import QUIET, WARNING, facts, table, tell, text
from node.model.calendar import YEAR_MAX, YEAR_MIN, Calendar, day_of
from node.ops.home import Home as Place

if TYPE_CHECKING:
    from rich.console import RenderableType

app = typer.Typer(cls=Noun, no_args_is_help=True)

WEEKDAYS = ("thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy", "Chủ nhật")
NOT_CONFIRMED = (
    "Năm {year} chưa có bảng ngày nghỉ được xác nhận: chỉ tính các ngày nghỉ theo dương lịch, chưa tính Tết Âm lịch, Giỗ Tổ và ngày "
    "hoán đổi. Khi có thông báo chính thức, hãy bổ sung vào tệp ngày nghỉ của nút."
)


@app.callback()
def _noun() -> None:
    """Lịch làm việc mà nút dùng để tính thời hạn."""


@app.command(cls=Command)
def show(
    year: Annotated[
        int | None, typer.Argument(help="Năm; mặc định năm nay.", min=YEAR_MIN, max=YEAR_MAX, metavar="YEAR")
    ] = None,
    home: OptionalHome = None,
    as_json: Json = False,
) -> None:
    """Xem ngày nghỉ lễ, tết và ngày làm bù của một năm. Có --home thì theo tệp ngày nghỉ của nút đó."""
    calendar, path = _calendar(home)
    shown = year or day_of(now_ms()).year
    tell(as_json, document_of(calendar, shown, path), lambda: _shown(calendar, shown, path))


def _calendar(home: Path | None) -> tuple[Calendar, Path]:
    from node.config.calendar import SHIPPED, load_calendar

    own = Place(home).settings().calendar.file if home else None
    return load_calendar(own), own or SHIPPED


def document_of(calendar: Calendar, year: int, path: Path) -> dict[str, object]:
    """Return a year for programs."""
    known = calendar.years.get(year)
    return {
        "year": year,
        "file": str(path),
        "confirmed": calendar.is_confirmed(year),
        "source": known.source if known else "",
        "off": _days(calendar.holidays(year)),
        "worked": _days(calendar.worked(year)),
    }


def _days(days: Mapping[date, str]) -> list[dict[str, str]]:
    return [{"day": day.isoformat(), "name": days[day]} for day in sorted(days)]


def _shown(calendar: Calendar, year: int, path: Path) -> list["RenderableType"]:
    known = calendar.years.get(year)
    shown = table(["Ngày", "Thứ", "", "Tên"], title=f"Ngày nghỉ và ngày làm bù năm {year}")
    days = [(day, "nghỉ", name) for day, name in calendar.holidays(year).items()]
    days += [(day, "làm bù", name) for day, name in calendar.worked(year).items()]
    for day, kind, name in sorted(days):
        shown.add_row(
            text(f"{day:%d/%m/%Y}"),
            text(WEEKDAYS[day.weekday()]),
            text(kind, WARNING if kind != "nghỉ" else ""),
            text(name),
        )
    said = [text(NOT_CONFIRMED.format(year=year), WARNING)] if not calendar.is_confirmed(year) else []
    return [shown, facts([("Căn cứ", known.source if known else ""), ("Tệp", text(path, QUIET))]), *said]
