"""truc unit add: a unit, or a whole table of them, into the node's own list; what its closed units refuse, in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli import alias
from node.cli.command import Home, Json
from node.cli.csv_file import Row, read_rows
from node.cli.output import QUIET, STRONG, WARNING, line, mark, next_steps, tell, text
from node.errors import Rejected
from node.model.code import parse_code
from node.model.directory import Unit
from node.model.reason import Reason
from node.ops.home import Home as Place
from node.wording import vietnamese

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from node.directory.zone.zone import ZoneEditor

COLUMNS = ("code", "name", "short_names", "parent")
"""Of a CSV file; the first two are required. Several short names are separated by ;"""
SHOWN_MAX = 200
LIKE_SHOWN_MAX, DRY_SHOWN_MAX = 5, 10


def add(
    home: Home,
    code: Annotated[str | None, typer.Argument(help="Mã định danh, dạng nào cũng được.", metavar="CODE")] = None,
    name: Annotated[str | None, typer.Argument(help="Tên chính thức.", metavar="NAME")] = None,
    short: Annotated[list[str] | None, typer.Option(help="Tên gọi tắt (ghi nhiều lần).")] = None,
    parent: Annotated[str, typer.Option(help="Mã đơn vị cấp trên.")] = "",
    from_file: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Tệp CSV, dòng đầu là tên cột: mã, tên[, tên tắt, cấp trên] hoặc code,name[,short_names,parent].",
            metavar="FILE",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Chỉ kiểm và cho xem sẽ ghi gì, không ghi.")] = False,
    reopen: Annotated[
        bool,
        typer.Option("--reopen", help="Cho đơn vị đã đóng hoạt động lại; ngày đóng và nơi tiếp nhận đã ghi bị bỏ."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Thêm một đơn vị, hoặc cả tệp CSV; cùng mã thì thay, trừ đơn vị đã đóng. Chưa ai thấy cho tới khi công bố."""
    from node.directory.trust.trust import TrustedFolder
    from node.ops.zone import take_over

    if (from_file is None) == (code is None or name is None):
        raise typer.BadParameter("ghi CODE và NAME, hoặc --from FILE")
    place = Place(home)
    with place.editing_zone() as zone, alias.refusals(), in_words():
        take_over(zone, TrustedFolder(place.directory).load())
        units = (
            _units_of_file(zone, from_file, reopen=reopen)
            if from_file
            else [Unit(code or "", name or "", tuple(short or []), parent)]
        )
        changes = _changes(zone, units)
        if dry_run:
            for unit in units:
                zone.check_addition(unit, reopen=reopen)
        else:
            zone.add_units(units, reopen=reopen)
    alike = look_alikes(zone, units)
    document = {
        "added": 0 if dry_run else len(units),
        "units": len(zone.units()),
        "codes": [parse_code(unit.code).text for unit in units[:SHOWN_MAX]],
        "dry_run": dry_run,
        **changes,
        "look_alikes": [list(pair) for pair in alike],
    }
    tell(as_json, document, lambda: _added(units, changes, alike, dry_run=dry_run))


def _units_of_file(zone: "ZoneEditor", path: Path, *, reopen: bool) -> list[Unit]:
    """Read a file's units, and see that the zone takes each; no code may stand there twice. Raises RowsWrong."""
    seen: set[str] = set()

    def check(unit: Unit) -> None:
        code = parse_code(unit.code).text
        if code in seen:
            raise Rejected(Reason.REQUEST_INVALID, f"mã {code} đã có ở một dòng trên")
        seen.add(code)
        with alias.refusals(), in_words():
            zone.check_addition(unit, reopen=reopen)

    return read_rows(path, COLUMNS, 2, _from_row, check)


def _changes(zone: "ZoneEditor", units: list[Unit]) -> dict[str, int]:
    """Count what is new, what is changed and what is as it was."""
    known = {unit.code: unit for unit in zone.units()}
    found = [(unit, known.get(parse_code(unit.code).text)) for unit in units]
    changed = [
        one
        for one, was in found
        if was and (one.name, one.short_names, one.parent) != (was.name, was.short_names, was.parent)
    ]
    new = sum(was is None for _, was in found)
    return {"new": new, "changed": len(changed), "unchanged": len(units) - new - len(changed)}


def _added(
    units: list[Unit], changes: dict[str, int], alike: list[tuple[str, str]], *, dry_run: bool
) -> "list[RenderableType]":
    said = f" {'Sẽ ghi' if dry_run else 'Đã ghi'} {vietnamese.count(len(units))} đơn vị "
    words = {"new": "mới", "changed": "thay đổi", "unchanged": "như cũ"}
    counts = ", ".join(f"{vietnamese.count(number)} {words[what]}" for what, number in changes.items() if number)
    warnings = [
        text(f"! {code} và {other} chỉ khác số 0 đứng đầu; hãy xem có phải cùng một đơn vị không.", WARNING)
        for code, other in alike[:LIKE_SHOWN_MAX]
    ]
    more = len(alike) - LIKE_SHOWN_MAX
    steps = [("Công bố khi đã đủ:", "truc unit publish HOME")]
    return [
        line(mark(None if dry_run else True), said, *(named(units[0]) if len(units) == 1 else [f"({counts})"])),
        *([line("  ", *named(unit)) for unit in units[:DRY_SHOWN_MAX]] if dry_run and len(units) > 1 else []),
        *warnings,
        *([text(f"! … và {more} cặp nữa", WARNING)] if more > 0 else []),
        text("Chưa ghi gì: bỏ --dry-run để ghi.", QUIET) if dry_run else next_steps(steps),
    ]


def look_alikes(zone: "ZoneEditor", units: list[Unit]) -> list[tuple[str, str]]:
    """Return pairs of codes, one of these units', that differ in leading zeros alone: H99.01.5 and H99.01.05."""
    wanted = {parse_code(unit.code).text for unit in units}
    by_number: dict[tuple[str, ...], set[str]] = {}
    for code in wanted | {unit.code for unit in zone.units()}:
        by_number.setdefault(tuple(label.lstrip("0") for label in code.split(".")), set()).add(code)
    alike = [sorted(codes) for codes in by_number.values() if len(codes) > 1 and codes & wanted]
    return sorted((codes[0], other) for codes in alike for other in codes[1:])


@contextmanager
def in_words() -> Iterator[None]:
    """Say in the operator's words what the zone's list refuses of closed units and of their successors."""
    from node.directory.zone.listing import SuccessorUnfit, UnitIsClosed

    try:
        yield
    except UnitIsClosed as closed:
        unit = closed.unit
        raise Rejected(
            Reason.REQUEST_INVALID,
            f"{unit.code} đã ghi đóng từ {vietnamese.day(unit.valid_to_ms)}{heir_of(unit)}; muốn khác thì mở lại trước: "
            f'truc unit add HOME {unit.code} "{unit.name}" --reopen',
        ) from closed
    except SuccessorUnfit as unfit:
        why = "không có trong vùng của nút này; hãy thêm nó trước, hoặc sửa mã"
        if unfit.itself:
            why = "là chính đơn vị bị đóng"
        elif unfit.closed_ms:
            why = f"đã đóng từ {vietnamese.day(unfit.closed_ms)}; hãy chọn đơn vị đang hoạt động"
        raise Rejected(Reason.REQUEST_INVALID, f"đơn vị tiếp nhận {unfit.successor} {why}") from unfit


def heir_of(unit: Unit) -> str:
    """Return who has taken over, in words; "" if nobody is named."""
    return f", thay bằng {unit.successor}" if unit.successor else ""


def named(unit: Unit) -> tuple["Text", "Text"]:
    """Return a unit as parts of a line."""
    return text(parse_code(unit.code), STRONG), text(f" – {unit.name}")


def _from_row(row: Row) -> Unit:
    """Read one unit. Raises Rejected(REQUEST_INVALID or CODE_MALFORMED)."""
    if not row["code"] or not row["name"]:
        raise Rejected(Reason.REQUEST_INVALID, "thiếu mã hoặc tên")
    parse_code(row["code"])
    short_names = tuple(word.strip() for word in row["short_names"].split(";") if word.strip())
    return Unit(row["code"], row["name"], short_names, row["parent"])
