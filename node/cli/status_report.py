"""truc status report: how completely recipients report what becomes of our documents, for the operator's statistics (QĐ 28/2018 Điều 11).

The node is asked for one page of deliveries after another, so that it serves everybody else in between; here the pages are added up.
"""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import Home, Json, run_async
from node.cli.output import BAD, GOOD, QUIET, STRONG, WARNING, table, tell, text
from node.model.calendar import end_of_day_ms, start_of_day_ms
from node.model.completeness import Completeness, UnitReport, merged
from node.ops.home import Home as Place
from node.wording import vietnamese

if TYPE_CHECKING:
    from rich.console import RenderableType

DAY_FORMS = ["%Y-%m-%d", "%d/%m/%Y"]
STYLES = {
    Completeness.FULL: GOOD,
    Completeness.PARTIAL: WARNING,
    Completeness.ARRIVAL_ONLY: WARNING,
    Completeness.NONE: BAD,
}
_CLASSES = sorted(Completeness, reverse=True)


def report(
    home: Home,
    first: Annotated[
        datetime | None, typer.Option("--from", help="Chỉ văn bản gửi từ ngày này.", formats=DAY_FORMS, metavar="DAY")
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", help="Chỉ văn bản gửi tới hết ngày này.", formats=DAY_FORMS, metavar="DAY"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Thống kê mức độ phản hồi trạng thái của từng nơi nhận: đầy đủ, chưa đầy đủ, chỉ báo đến, không có."""
    if first and last and last < first:
        raise typer.BadParameter("ngày cuối sớm hơn ngày đầu", param_hint="'--to'")
    days = (first.date() if first else None, last.date() if last else None)
    reports = run_async(_reports(Place(home), *days))
    tell(as_json, document_of(reports, *days), lambda: _shown(reports))


async def _reports(place: Place, first: date | None, last: date | None) -> list[UnitReport]:
    from_ms = start_of_day_ms(first) if first else 0
    to_ms = end_of_day_ms(last) + 1 if last else 0
    found: list[UnitReport] = []
    page_token = ""
    async with place.admin() as admin:
        while True:
            page, page_token = await admin.count_statuses(from_ms, to_ms, page_token)
            found = merged([*found, *page])
            if not page_token:
                return found


def document_of(reports: list[UnitReport], first: date | None, last: date | None) -> dict[str, object]:
    """Return the report for programs."""
    units = [
        {
            "unit": one.unit,
            "unit_name": one.unit_name,
            "class": one.unit_class.name.lower(),
            "total": one.total,
            **{each.name.lower(): one.counts[each] for each in _CLASSES},
        }
        for one in reports
    ]
    classes = {each.name.lower(): sum(one.unit_class is each for one in reports) for each in _CLASSES}
    return {
        "from": first.isoformat() if first else None,
        "to": last.isoformat() if last else None,
        "units": units,
        "units_by_class": classes,
    }


def _shown(reports: list[UnitReport]) -> list["RenderableType"]:
    if not reports:
        return [text("Không có văn bản nào đã giao trong thời gian này.")]
    columns = ["Đơn vị", "Tên", "Phản hồi", "Đã giao", *(each.label.capitalize() for each in _CLASSES)]
    shown = table(columns, right=columns[3:], whole=["Đơn vị"])
    for one in reports:
        shown.add_row(
            text(one.unit, STRONG),
            text(one.unit_name),
            text(one.unit_class.label, STYLES[one.unit_class]),
            text(vietnamese.count(one.total)),
            *(text(vietnamese.count(one.counts[each])) for each in _CLASSES),
        )
    tally = "; ".join(f"{each.label} {sum(one.unit_class is each for one in reports)}" for each in _CLASSES)
    return [
        shown,
        text(f"{len(reports)} đơn vị: {tally}"),
        text("Xếp loại một đơn vị theo mức mà ít nhất một nửa số văn bản đã giao đạt tới.", QUIET),
    ]
