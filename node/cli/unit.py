"""truc unit: the units of this node, and the way they get into the directory; alias.py and unit_search.py are parts of the noun.

A unit that is added here is in the node's own zone, unsigned and seen by nobody; `publish` signs it into one file for the authority.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli import alias, unit_add, unit_search
from node.cli.command import Command, Home, HomeCommand, Json, Noun, day_ms, now_ms
from node.cli.output import BAD, QUIET, STRONG, facts, line, mark, next_steps, table, tell, text
from node.cli.unit_add import heir_of, in_words, named
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


app = typer.Typer(cls=Noun, no_args_is_help=True)
app.command(cls=HomeCommand)(unit_add.add)
app.add_typer(alias.app, name="alias", help="Mã tương đương: mã cũ hoặc mã khác vẫn gửi đến được một đơn vị.")


@app.command(cls=HomeCommand)
def remove(
    home: Home,
    code: Annotated[str, typer.Argument(help="Mã định danh ghi nhầm.", metavar="CODE")],
    as_json: Json = False,
) -> None:
    """Bỏ hẳn một đơn vị ghi nhầm mà chưa từng công bố. Đơn vị đã công bố thì đóng bằng 'truc unit close'."""
    from node.directory.trust.trust import TrustedFolder

    place, wrong = Place(home), parse_code(code)
    with place.editing_zone() as zone:
        found = zone.unit(wrong)
        if found is not None and TrustedFolder(place.directory).load().unit(wrong) is not None:
            raise Rejected(
                Reason.REQUEST_INVALID,
                f"{wrong} đã có trong danh bạ nên không bỏ được, nơi khác đã thấy; hãy đóng: truc unit close HOME {wrong}",
            )
        zone.remove_unit(wrong)
    assert found is not None, "remove_unit has refused what is not there"
    tell(as_json, {"removed": wrong.text}, lambda: [line(mark(True), " Đã bỏ ", *named(found))])


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
    with place.editing_zone() as zone, in_words():
        changed = zone.close_unit(closed, now, heir, from_ms=day_ms(first), elsewhere=_others(place, zone.node_id))
    unit = zone.unit(closed)
    assert unit is not None
    tell(as_json, {"closed": plain(unit), "changed": changed}, lambda: _closed(home, unit, now, changed=changed))


def _closed(home: Path, unit: Unit, now: int, *, changed: bool) -> "list[RenderableType]":
    day, heir = vietnamese.day(unit.valid_to_ms), unit.successor
    begins = " Đã đóng " if unit.valid_to_ms <= now else f" Sẽ đóng từ {day} "
    said = line(mark(True), begins, *named(unit))
    if not changed:
        was = f" đã đóng từ {day}" if unit.valid_to_ms <= now else f" đã ghi đóng từ {day}"
        said = line(mark(True), " ", *named(unit), f":{was} từ trước, không đổi gì.")
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


def _write(path: Path, update: bytes) -> None:
    from node.directory.files import write_file

    write_file(path, update)


def _take_and_publish(folder: Path, update: bytes) -> int:
    from node.directory.authority.authority import Authority
    from node.net.tls_trial import tls_trial

    authority = Authority.open(folder, tls_trial())
    authority.take(update, now_ms())
    return authority.publish(now_ms())


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
            text(f"đóng từ {vietnamese.day(unit.valid_to_ms)}{heir_of(unit)}", BAD)
            if unit.valid_to_ms
            else text("hoạt động")
        )
        name = unit.name + (f" ({', '.join(unit.short_names)})" if unit.short_names else "")
        also = [text(", ".join(others.get(unit.code, [])))] if others else []
        shown.add_row(text(code), text(code.old_form or ""), text(name), text(unit.parent), state, *also)
    return shown
