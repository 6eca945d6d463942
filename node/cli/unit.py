"""truc unit: the units of this node, and the way they get into the directory; alias.py and unit_search.py are parts of the noun.

A unit that is added here is in the node's own zone, unsigned and seen by nobody; `publish` signs it into one file for the authority.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli import alias, unit_search
from node.cli.command import Command, Home, HomeCommand, Json, Noun, day_ms, now_ms
from node.cli.csv_file import Row, read_rows
from node.cli.output import BAD, QUIET, STRONG, facts, line, mark, next_steps, table, tell, text
from node.errors import Rejected
from node.model.code import Code, parse_code
from node.model.directory import Alias, Unit
from node.model.reason import Reason
from node.ops.describing import describe_anew
from node.ops.home import Home as Place
from node.wording import vietnamese
from node.wording.plain import plain

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

app = typer.Typer(cls=Noun, no_args_is_help=True)
app.add_typer(alias.app, name="alias", help="Mã tương đương: mã cũ hoặc mã khác vẫn gửi đến được một đơn vị.")

COLUMNS = ("code", "name", "short_names", "parent")
"""Of a CSV file; the first two are required. Several short names are separated by ;"""
SHOWN_MAX = 200


@app.command(cls=HomeCommand)
def add(
    home: Home,
    code: Annotated[str | None, typer.Argument(help="Mã định danh, dạng nào cũng được.", metavar="CODE")] = None,
    name: Annotated[str | None, typer.Argument(help="Tên chính thức.", metavar="NAME")] = None,
    short: Annotated[list[str] | None, typer.Option(help="Tên gọi tắt (ghi nhiều lần).")] = None,
    parent: Annotated[str, typer.Option(help="Mã đơn vị cấp trên.")] = "",
    from_file: Annotated[
        Path | None, typer.Option("--from", help="Tệp CSV có dòng đầu code,name[,short_names,parent].", metavar="FILE")
    ] = None,
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
    units = (
        read_rows(from_file, COLUMNS, 2, _from_row)
        if from_file
        else [Unit(code or "", name or "", tuple(short or []), parent)]
    )
    place = Place(home)
    with place.editing_zone() as zone, alias.refusals(), _in_words():
        take_over(zone, TrustedFolder(place.directory).load())
        added = zone.add_units(units, reopen=reopen)
    last = units[-1] if units else None
    tell(
        as_json,
        {
            "added": added,
            "units": len(zone.units()),
            "codes": [parse_code(unit.code).text for unit in units[:SHOWN_MAX]],
        },
        lambda: [
            line(
                mark(True), f" Đã ghi {vietnamese.count(added)} đơn vị ", *(_named(last) if added == 1 and last else [])
            ),
            next_steps([("Công bố khi đã đủ:", "truc unit publish HOME")]),
        ],
    )


@app.command(cls=HomeCommand)
def close(
    home: Home,
    code: Annotated[str, typer.Argument(help="Mã định danh của đơn vị thôi hoạt động.", metavar="CODE")],
    successor: Annotated[str, typer.Option(help="Mã đơn vị tiếp nhận.")] = "",
    first: Annotated[
        str, typer.Option("--from", help=f"Đóng từ ngày này ({alias.DAY_HELP}); mặc định ngay bây giờ.", metavar="DAY")
    ] = "",
    as_json: Json = False,
) -> None:
    """Đóng một đơn vị và ghi đơn vị tiếp nhận. Có hiệu lực với các nút khác khi công bố."""
    closed, heir = parse_code(code), parse_code(successor) if successor else None
    place, now = Place(home), now_ms()
    with place.editing_zone() as zone, _in_words():
        changed = zone.close_unit(closed, now, heir, from_ms=day_ms(first), elsewhere=_others(place, zone.node_id))
    unit = zone.unit(closed)
    assert unit is not None
    tell(as_json, {"closed": plain(unit), "changed": changed}, lambda: _closed(home, unit, now, changed=changed))


def _closed(home: Path, unit: Unit, now: int, *, changed: bool) -> "list[RenderableType]":
    day, heir = vietnamese.day(unit.valid_to_ms), unit.successor
    begins = " Đã đóng " if unit.valid_to_ms <= now else f" Sẽ đóng từ {day} "
    said = line(mark(True), begins, *_named(unit))
    if not changed:
        was = f" đã đóng từ {day}" if unit.valid_to_ms <= now else f" đã ghi đóng từ {day}"
        said = line(mark(True), " ", *_named(unit), f":{was} từ trước, không đổi gì.")
    leads = ("Để mã cũ vẫn gửi đến nơi:", f"truc unit alias add HOME {unit.code} {heir}")
    return [
        said,
        *([line("  Đơn vị tiếp nhận: ", text(heir, STRONG))] if heir else []),
        next_steps([*([leads] if heir else []), ("Công bố:", "truc unit publish HOME")]),
    ]


def _others(place: Place, node_id: str) -> Callable[[Code], Unit | None]:
    """Return what tells the units that the directory has of other nodes: one may hold a part of our prefix."""
    from node.directory.trust.trust import TrustedFolder

    def of_another(code: Code) -> Unit | None:
        directory = TrustedFolder(place.directory).load()
        zone = directory.zone_of(code)
        return directory.unit(code) if zone is not None and zone.node_id != node_id else None

    return of_another


@contextmanager
def _in_words() -> Iterator[None]:
    """Say in the operator's words what the zone's list refuses of closed units and of their successors."""
    from node.directory.zone.listing import SuccessorUnfit, UnitIsClosed

    try:
        yield
    except UnitIsClosed as closed:
        unit = closed.unit
        raise Rejected(
            Reason.REQUEST_INVALID,
            f"{unit.code} đã ghi đóng từ {vietnamese.day(unit.valid_to_ms)}{_heir_of(unit)}; muốn khác thì mở lại trước: "
            f'truc unit add HOME {unit.code} "{unit.name}" --reopen',
        ) from closed
    except SuccessorUnfit as unfit:
        why = "không có trong vùng của nút này; hãy thêm nó trước, hoặc sửa mã"
        if unfit.itself:
            why = "là chính đơn vị bị đóng"
        elif unfit.closed_ms:
            why = f"đã đóng từ {vietnamese.day(unfit.closed_ms)}; hãy chọn đơn vị đang hoạt động"
        raise Rejected(Reason.REQUEST_INVALID, f"đơn vị tiếp nhận {unfit.successor} {why}") from unfit


def _heir_of(unit: Unit) -> str:
    return f", thay bằng {unit.successor}" if unit.successor else ""


@app.command("list", cls=HomeCommand)
def list_units(home: Home, as_json: Json = False) -> None:
    """Liệt kê đơn vị của nút này."""
    zone = Place(home).zone_editor()
    units, aliases = zone.units(), zone.aliases()
    document = {
        "node_id": zone.node_id,
        "prefixes": [str(prefix) for prefix in zone.prefixes],
        "units": plain(units),
        "aliases": plain(aliases),
    }
    counted = text(_counted(len(units), len(aliases)), QUIET)
    tell(as_json, document, lambda: [_units(units, aliases), counted])


def _counted(units: int, aliases: int) -> str:
    return f"{vietnamese.count(units)} đơn vị" + (f", {vietnamese.count(aliases)} mã tương đương" if aliases else "")


@app.command(cls=HomeCommand)
def publish(
    home: Home,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Ghi tệp vùng vào đây.", metavar="FILE")] = None,
    authority: Annotated[
        Path | None,
        typer.Option(
            help="Thư mục cơ quan vận hành danh bạ, nếu có trong máy này: nhận và công bố luôn.", metavar="FOLDER"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Ký vùng (đơn vị, khóa, địa chỉ của nút) thành một tệp để gửi cơ quan vận hành danh bạ."""
    from node.ops.zone import sign_zone

    place = Place(home)
    described_anew = describe_anew(place, now_ms())
    update, version, units = sign_zone(place, now_ms())
    aliases = len(place.zone_editor().aliases())
    path = out or home / f"zone-update-{version:04}.truc"
    _write(path, update)
    published = _take_and_publish(authority, update) if authority else None
    document = {
        "file": str(path),
        "zone_version": version,
        "units": units,
        "aliases": aliases,
        "node_described_anew": described_anew,
    }
    steps = [
        ("Gửi tệp này cho cơ quan vận hành danh bạ:", str(path)),
        ("Ở đó:", f"truc authority take THƯ-MỤC {path.name}"),
    ]
    tell(
        as_json,
        {**document, "directory_version": published},
        lambda: [
            line(mark(True), f" Đã ký vùng phiên bản {version}: {_counted(units, aliases)}"),
            facts([("Tệp", path), ("Nút", "địa chỉ, khóa hoặc chứng thư đã đổi" if described_anew else "")]),
            line(mark(True), f" Đã công bố trong danh bạ phiên bản {published}") if authority else next_steps(steps),
        ],
    )


app.command("search", cls=Command)(unit_search.search)


def _from_row(row: Row) -> Unit:
    """Read one unit. Raises Rejected(REQUEST_INVALID or CODE_MALFORMED)."""
    if not row["code"] or not row["name"]:
        raise Rejected(Reason.REQUEST_INVALID, "thiếu mã hoặc tên")
    parse_code(row["code"])
    short_names = tuple(word.strip() for word in row["short_names"].split(";") if word.strip())
    return Unit(row["code"], row["name"], short_names, row["parent"])


def _write(path: Path, update: bytes) -> None:
    from node.directory.files import write_file

    write_file(path, update)


def _take_and_publish(folder: Path, update: bytes) -> int:
    from node.directory.authority.authority import Authority
    from node.net.tls_trial import tls_trial

    authority = Authority.open(folder, tls_trial())
    authority.take(update, now_ms())
    return authority.publish(now_ms())


def _named(unit: Unit) -> tuple["Text", "Text"]:
    return text(parse_code(unit.code), STRONG), text(f" – {unit.name}")


def _units(units: list[Unit], aliases: list[Alias]) -> object:
    others: dict[str, list[str]] = {}
    now = now_ms()
    for one in aliases:
        others.setdefault(one.unit, []).append(vietnamese.alias(one, now))
    columns = ["Mã", "Dạng cũ", "Tên", "Cấp trên", "Tình trạng", *(["Mã tương đương"] if others else [])]
    shown = table(columns, whole=["Mã"])
    for unit in units:
        code = parse_code(unit.code)
        state = (
            text(f"đóng từ {vietnamese.day(unit.valid_to_ms)}{_heir_of(unit)}", BAD)
            if unit.valid_to_ms
            else text("hoạt động")
        )
        name = unit.name + (f" ({', '.join(unit.short_names)})" if unit.short_names else "")
        also = [text(", ".join(others.get(unit.code, [])))] if others else []
        shown.add_row(text(code), text(code.old_form or ""), text(name), text(unit.parent), state, *also)
    return shown
