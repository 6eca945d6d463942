"""truc system: which software may speak for which units. A credential file is written once; the node keeps only a digest."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from node.cli import vxp as bridge
from node.cli import webhook
from node.cli.command import SYSTEM_VARIABLE, Home, HomeCommand, Json, Noun, given, now_ms, run_async
from node.cli.output import QUIET, STRONG, WARNING, facts, line, mark, next_steps, table, tell, text
from node.model.code import parse_code
from node.model.policy import DAY_MS, MINUTE_MS
from node.model.webhook import HookView
from node.ops.home import Home as Place
from node.wording import vietnamese
from node.wording.plain import iso_time, plain

app = typer.Typer(cls=Noun, no_args_is_help=True)
app.add_typer(webhook.app, name="webhook", help="Báo tin cho hệ thống khi có văn bản đến hoặc có kết quả gửi.")

Name = Annotated[str, typer.Argument(help="Tên hệ thống: chữ thường, số, gạch nối, gạch dưới.", metavar="NAME")]


@app.command(cls=HomeCommand)
def add(
    home: Home,
    name: Name,
    unit: Annotated[
        list[str],
        typer.Option(
            help="Đơn vị mà hệ thống được nói thay (ghi nhiều lần); 'H99.01.*' là mọi đơn vị ở dưới H99.01, cả những đơn vị thêm sau này.",
            metavar="CODE",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Tệp xác thực; mặc định NAME.json ở đây.", metavar="FILE")
    ] = None,
    address: Annotated[str, typer.Option(help="Địa chỉ hệ thống dùng để gọi nút; mặc định theo node.toml.")] = "",
    vxp: Annotated[bool, typer.Option("--vxp", help="Cấp cả secret cho cầu VXP (chỉ hiện một lần).")] = False,
    as_json: Json = False,
) -> None:
    """Nối một hệ thống vào nút và cấp tệp xác thực (chỉ chủ tệp đọc được). Nút đang chạy nhận ra ngay."""
    from node.access.grants import read_grants
    from node.ops.connect import connect, grant, units_not_listed

    place, path = Place(home), out or Path(f"{name}.json")
    quoted = shlex.quote(str(path))
    granting = read_grants(unit)
    unknown = units_not_listed(place, granting)
    connect(place, name, granting.written, path, address)
    granted = grant(place, name, now_ms()) if vxp else None
    document = {"system": name, "units": granting.written, "credential": str(path)}
    tell(
        as_json,
        {**document, "units_not_listed": unknown, "vxp": granted},
        lambda: [
            line(mark(True), " Đã nối hệ thống ", text(name, STRONG)),
            facts([("Đơn vị", ", ".join(granting.written)), ("Tệp xác thực", path)]),
            *[text(_not_listed(place, code), WARNING) for code in unknown],
            *(bridge.shown(granted) if granted else []),
            next_steps([("Dùng:", f"truc inbox --as {quoted}"), ("hoặc:", f"export {SYSTEM_VARIABLE}={quoted}")]),
        ],
    )


def _webhooks(place: Place) -> tuple[dict[str, str], dict[str, HookView]]:
    """Return the addresses that are set, by system, and how the running node's telling goes."""
    if not any(place.systems_folder.glob("*.webhook")):
        return {}, {}
    from node.ops.webhooks import addresses, asked

    return addresses(place), run_async(asked(place)) or {}


def _not_listed(place: Place, code: str) -> str:
    found = place.zone_editor().alias(parse_code(code))
    if found is not None:
        return f"! {code} chỉ là mã tương đương; hãy nối hệ thống với đơn vị {found.unit}."
    return f"! {code} chưa có trong vùng của nút; hãy thêm: {given.completed('truc unit add HOME')} {code} TÊN"


@app.command("list", cls=HomeCommand)
def list_systems(home: Home, as_json: Json = False) -> None:
    """Liệt kê các hệ thống đã nối và đơn vị của chúng."""
    place = Place(home)
    records = place.systems().list()
    told, views = _webhooks(place)
    document = [
        {
            "system": one.system.name,
            "units": one.granted.written,
            "created_ms": one.created_ms,
            "created": iso_time(one.created_ms),
            "webhook": {"url": told[name], "state": plain(views.get(name))}
            if (name := one.system.name) in told
            else None,
        }
        for one in records
    ]
    shown = table(["Hệ thống", "Đơn vị", "Nối từ", *(["Báo tin"] if told else [])], whole=["Hệ thống"])
    for one in records:
        name = one.system.name
        row = [text(name), text(", ".join(one.granted.written)), text(vietnamese.when(one.created_ms))]
        shown.add_row(*row, *([text(webhook.brief(views.get(name)) if name in told else "")] if told else []))
    tell(as_json, {"systems": document}, lambda: [shown, text(f"{len(records)} hệ thống", QUIET)])


@app.command(cls=HomeCommand)
def edit(
    home: Home,
    name: Name,
    add: Annotated[
        list[str] | None,
        typer.Option("--add", help="Giao thêm đơn vị, hoặc 'H99.01.*' (ghi nhiều lần).", metavar="CODE"),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", help="Thu lại, viết như khi giao (ghi nhiều lần).", metavar="CODE")
    ] = None,
    as_json: Json = False,
) -> None:
    """Giao thêm hoặc thu lại đơn vị của một hệ thống đã nối. Nút đang chạy nhận ra ngay; tệp xác thực giữ nguyên."""
    from node.access.grants import read_grants
    from node.ops.connect import units_not_listed

    if not add and not remove:
        raise typer.BadParameter("ghi --add CODE hoặc --remove CODE")
    place = Place(home)
    unknown = units_not_listed(place, read_grants(add or []))
    now = place.systems().edit(name, add=add or [], remove=remove or [])
    tell(
        as_json,
        {"system": name, "units": now.written, "units_not_listed": unknown},
        lambda: [
            line(mark(True), " Hệ thống ", text(name, STRONG), " nay nói thay:"),
            text("  " + ", ".join(now.written)),
            *[text(_not_listed(place, code), WARNING) for code in unknown],
        ],
    )


@app.command(cls=HomeCommand)
def renew(
    home: Home,
    name: Name,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Tệp xác thực; mặc định NAME.json ở đây, thay tệp cũ.", metavar="FILE"),
    ] = None,
    keep_days: Annotated[
        int, typer.Option("--keep", help="Secret cũ còn dùng được bao nhiêu ngày.", metavar="DAYS", min=0, max=90)
    ] = 7,
    certificate_only: Annotated[
        bool, typer.Option("--certificate", help="Chỉ ghi chứng thư mới của nút vào tệp, giữ nguyên secret.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Cấp secret mới cho một hệ thống, ghi cùng chứng thư hiện nay của nút vào tệp xác thực; secret cũ còn dùng được một thời gian."""
    from node.ops.connect import refresh_certificate
    from node.ops.connect import renew as renewed

    place, path, now = Place(home), out or Path(f"{name}.json"), now_ms()
    until_ms = 0 if certificate_only else now + keep_days * DAY_MS
    if certificate_only:
        refresh_certificate(place, name, path)
    else:
        renewed(place, name, path, keep_days * DAY_MS, now)
    old = f"còn dùng được tới {vietnamese.when(until_ms)}" if keep_days else "hết hiệu lực ngay"
    tell(
        as_json,
        {"system": name, "credential": str(path), "former_until_ms": until_ms, "former_until": iso_time(until_ms)},
        lambda: [
            line(mark(True), " Đã ghi ", text(path, STRONG), " cho hệ thống ", text(name, STRONG)),
            facts([("Secret cũ", "" if certificate_only else old), ("Chứng thư", "chứng thư hiện nay của nút")]),
            next_steps([("Thử:", f"truc inbox --as {shlex.quote(str(path))}")]),
        ],
    )


@app.command(cls=HomeCommand)
def revoke(home: Home, name: Name, as_json: Json = False) -> None:
    """Thu hồi quyền của một hệ thống. Có hiệu lực trong vòng một giây, cả khi nút đang chạy."""
    Place(home).systems().revoke(name)
    tell(as_json, {"revoked": name}, lambda: [line(mark(True), " Đã thu hồi hệ thống ", text(name, STRONG))])


@app.command(cls=HomeCommand)
def registrations(
    home: Home,
    name: Name,
    hours: Annotated[
        int, typer.Option("--for", help="Mở trong bao nhiêu giờ; 0 là đóng ngay.", min=0, max=168, metavar="HOURS")
    ],
    as_json: Json = False,
) -> None:
    """Cho phép một hệ thống đăng ký, đổi tên, đóng đơn vị qua cầu VXP trong một thời gian; lúc khác thì không."""
    until_ms = now_ms() + hours * 60 * MINUTE_MS if hours else 0
    Place(home).systems().open_registrations(name, until_ms)
    said = f" được đăng ký đơn vị đến {vietnamese.when(until_ms)}" if hours else " không đăng ký đơn vị được nữa"
    tell(
        as_json,
        {"system": name, "registrations_until_ms": until_ms, "registrations_until": iso_time(until_ms)},
        lambda: [line(mark(True), " Hệ thống ", text(name, STRONG), said)],
    )


@app.command(cls=HomeCommand)
def vxp(home: Home, name: Name, as_json: Json = False) -> None:
    """Cấp secret mới cho cầu VXP cho một hệ thống đã nối; secret cũ hết hiệu lực ngay."""
    from node.ops.connect import grant

    granted = grant(Place(home), name, now_ms())
    tell(
        as_json,
        {"system": name, "vxp": granted},
        lambda: [line(mark(True), " Đã cấp secret cho hệ thống ", text(name, STRONG)), *bridge.shown(granted)],
    )
