"""truc unit alias: other codes (mã tương đương) by which units are reached for a time.

An alias belongs to the zone of its own code: a province gives away its own old codes and nobody else's. It leads to a unit of any zone.
Like everything of a zone it is seen by nobody before `truc unit publish`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import Home, HomeCommand, Json, Noun, day_ms, now_ms
from node.cli.csv_file import Row, read_rows
from node.cli.output import QUIET, STRONG, WARNING, line, mark, next_steps, table, tell, text
from node.errors import Broken, Rejected
from node.model.code import parse_code
from node.model.directory import Alias, Directory
from node.model.reason import Reason
from node.ops.home import Home as Place
from node.wording import vietnamese
from node.wording.plain import plain

if TYPE_CHECKING:
    from rich.text import Text

    from node.directory.zone.zone import ZoneEditor

app = typer.Typer(cls=Noun, no_args_is_help=True)

COLUMNS = ("code", "unit", "from", "to")
"""Of a CSV file; the first two are required, days as in --from and --to."""
SHOWN_MAX = 200
DAY_HELP = "2026-10-05 hoặc 05/10/2026"


@app.command(cls=HomeCommand)
def add(
    home: Home,
    code: Annotated[str | None, typer.Argument(help="Mã tương đương, dạng nào cũng được.", metavar="CODE")] = None,
    unit: Annotated[str | None, typer.Argument(help="Mã của đơn vị mà nó chỉ đến.", metavar="UNIT")] = None,
    first: Annotated[str, typer.Option("--from", help=f"Có hiệu lực từ ngày này ({DAY_HELP}).", metavar="DAY")] = "",
    last: Annotated[str, typer.Option("--to", help="Có hiệu lực đến hết ngày này.", metavar="DAY")] = "",
    from_file: Annotated[
        Path | None, typer.Option("--file", help="Tệp CSV có dòng đầu code,unit[,from,to].", metavar="FILE")
    ] = None,
    as_json: Json = False,
) -> None:
    """Thêm một mã tương đương, hoặc cả tệp CSV; cùng mã thì thay. Chưa ai thấy cho tới khi công bố.

    Mã của một đơn vị đã đóng thì mặc định có hiệu lực từ lúc đóng.
    """
    if (from_file is None) == (code is None or unit is None) or (from_file and (first or last)):
        raise typer.BadParameter("ghi CODE và UNIT, hoặc chỉ --file FILE")
    words_of_file = (
        read_rows(from_file, COLUMNS, 2, _from_row) if from_file else [_alias(code or "", unit or "", first, last)]
    )
    place = Place(home)
    with place.editing_zone() as zone, refusals():
        _check(zone, words_of_file)
        added = zone.add_aliases(words_of_file)
    kept = [one for word in words_of_file[:SHOWN_MAX] if (one := zone.alias(parse_code(word.code))) is not None]
    unseen = _not_in_directory(place, zone, kept)
    tell(
        as_json,
        {"added": added, "aliases": plain(kept), "units_not_in_directory": unseen},
        lambda: [
            line(
                mark(True),
                f" Đã ghi {vietnamese.count(added)} mã tương đương ",
                *(_named(kept[0]) if added == 1 else []),
            ),
            *[
                text(f"! Danh bạ chưa có đơn vị {one} đang hoạt động; mã chỉ dùng được khi có.", WARNING)
                for one in unseen
            ],
            next_steps([("Công bố khi đã đủ:", "truc unit publish HOME")]),
        ],
    )


@app.command("list", cls=HomeCommand)
def list_aliases(home: Home, as_json: Json = False) -> None:
    """Liệt kê mã tương đương trong vùng của nút này."""
    zone = Place(home).zone_editor()
    aliases = zone.aliases()
    shown = table(["Mã tương đương", "Dạng cũ", "Đơn vị", "Hiệu lực"], whole=["Mã tương đương", "Dạng cũ", "Đơn vị"])
    now = now_ms()
    for one in aliases:
        shown.add_row(
            text(one.code),
            text(parse_code(one.code).old_form or ""),
            text(one.unit),
            text(vietnamese.validity(one, now), "" if one.holds_at(now) else QUIET),
        )
    document = {"node_id": zone.node_id, "prefixes": [str(one) for one in zone.prefixes], "aliases": plain(aliases)}
    tell(as_json, document, lambda: [shown, text(f"{vietnamese.count(len(aliases))} mã tương đương", QUIET)])


@app.command(cls=HomeCommand)
def remove(
    home: Home,
    code: Annotated[str, typer.Argument(help="Mã tương đương.", metavar="CODE")],
    as_json: Json = False,
) -> None:
    """Bỏ hẳn một mã tương đương ghi nhầm. Mã hết dùng thì đặt ngày cuối bằng 'truc unit alias add … --to'."""
    found = parse_code(code)
    with Place(home).editing_zone() as zone:
        if zone.alias(found) is None:
            raise Rejected(Reason.REQUEST_INVALID, f"vùng của nút không có mã tương đương {found}")
        zone.remove_alias(found)
    tell(
        as_json,
        {"removed": found.text},
        lambda: [
            line(mark(True), " Đã bỏ mã tương đương ", text(found, STRONG)),
            next_steps([("Công bố:", "truc unit publish HOME")]),
        ],
    )


@contextmanager
def refusals() -> Iterator[None]:
    """Name a refusal of the zone's rules as one of the operator's request: here no directory is bad."""
    try:
        yield
    except Broken as broken:
        if broken.reason is not Reason.DIRECTORY_INVALID:
            raise
        raise Rejected(Reason.REQUEST_INVALID, broken.detail) from broken


def _check(zone: "ZoneEditor", wanted: Sequence[Alias]) -> None:
    """Say the usual mistakes in the operator's words; the rules of a zone say the rest. Raises Rejected(REQUEST_INVALID)."""
    leading = {one.unit: one for one in zone.aliases() if one.holds_at(now_ms())}
    for one in wanted:
        code, unit = parse_code(one.code), parse_code(one.unit)
        open_unit, further = zone.unit(code), zone.alias(unit)
        nearer = leading.get(code.text)
        if code == unit:
            raise Rejected(Reason.REQUEST_INVALID, f"{code} là mã của chính đơn vị đó")
        if open_unit is not None and not open_unit.valid_to_ms:
            steps = f"hãy đóng trước: truc unit close HOME {code} --successor {unit}"
            raise Rejected(Reason.REQUEST_INVALID, f"{code} là mã của đơn vị đang hoạt động; {steps}")
        if further is not None and further.holds_at(max(one.valid_from_ms, now_ms())):
            raise Rejected(
                Reason.REQUEST_INVALID, f"{unit} cũng là mã tương đương; hãy chỉ thẳng đến đơn vị {further.unit}"
            )
        if nearer is not None:
            steps = f"hãy chỉ lại trước: truc unit alias add HOME {nearer.code} {unit}"
            raise Rejected(Reason.REQUEST_INVALID, f"mã tương đương {nearer.code} đang chỉ đến {code}; {steps}")


def _not_in_directory(place: Place, zone: "ZoneEditor", aliases: Sequence[Alias]) -> list[str]:
    """Return those units that neither this zone nor the directory has open now."""
    from node.directory.trust.trust import TrustedFolder

    directory: Directory = TrustedFolder(place.directory).load()
    now, unseen = now_ms(), dict.fromkeys(one.unit for one in aliases)
    for text_of_code in list(unseen):
        found = (zone.unit(parse_code(text_of_code)), directory.unit(parse_code(text_of_code)))
        if any(one is not None and one.holds_at(now) for one in found):
            del unseen[text_of_code]
    return list(unseen)


def _alias(code: str, unit: str, first: str, last: str) -> Alias:
    """Read one alias. Raises Rejected(CODE_MALFORMED), Rejected(REQUEST_INVALID) for a day that is none."""
    begins_ms, ends_ms = day_ms(first), day_ms(last, after=True)
    if ends_ms and begins_ms >= ends_ms:
        raise Rejected(Reason.REQUEST_INVALID, f"ngày cuối {last} ở trước ngày đầu {first}")
    return Alias(parse_code(code).text, parse_code(unit).text, begins_ms, ends_ms)


def _from_row(row: Row) -> Alias:
    """Read one alias. Raises as `_alias`."""
    if not row["code"] or not row["unit"]:
        raise Rejected(Reason.REQUEST_INVALID, "thiếu mã")
    return _alias(row["code"], row["unit"], row["from"], row["to"])


def _named(alias: Alias) -> list["Text"]:
    return [text(alias.code, STRONG), text(f" của {alias.unit}, {vietnamese.validity(alias, now_ms())}")]
