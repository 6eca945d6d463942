"""truc system: which software may speak for which units. A credential file is written once; the node keeps only a digest."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli import vxp as bridge
from node.cli import webhook
from node.cli.command import SYSTEM_VARIABLE, Home, HomeCommand, Json, Noun, codes
from node.cli.output import QUIET, STRONG, WARNING, facts, line, mark, next_steps, table, tell, text
from node.errors import Broken, Denied, Fault
from node.model.code import Code, parse_code
from node.model.reason import Reason
from node.ops.home import Home as Place
from node.ops.home import office_address
from node.wording import vietnamese
from node.wording.plain import iso_time, plain

app = typer.Typer(cls=Noun, no_args_is_help=True)
app.add_typer(webhook.app, name="webhook", help="Báo tin cho hệ thống khi có văn bản đến hoặc có kết quả gửi.")

Name = Annotated[str, typer.Argument(help="Tên hệ thống: chữ thường, số, gạch nối, gạch dưới.", metavar="NAME")]


@app.command(cls=HomeCommand)
def add(
    home: Home,
    name: Name,
    unit: Annotated[list[str], typer.Option(help="Đơn vị mà hệ thống được nói thay (ghi nhiều lần).", metavar="CODE")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Tệp xác thực; mặc định NAME.json ở đây.", metavar="FILE")
    ] = None,
    address: Annotated[str, typer.Option(help="Địa chỉ hệ thống dùng để gọi nút; mặc định theo node.toml.")] = "",
    vxp: Annotated[bool, typer.Option("--vxp", help="Cấp cả secret cho cầu VXP (chỉ hiện một lần).")] = False,
    as_json: Json = False,
) -> None:
    """Nối một hệ thống vào nút và cấp tệp xác thực (chỉ chủ tệp đọc được). Nút đang chạy nhận ra ngay."""
    place, path = Place(home), out or Path(f"{name}.json")
    units = codes(unit)
    unknown = units_not_listed(place, units)
    connect(place, name, units, path, address)
    granted = bridge.grant(place, name) if vxp else None
    document = {"system": name, "units": sorted(str(code) for code in units), "credential": str(path)}
    tell(
        as_json,
        {**document, "units_not_listed": unknown, "vxp": granted},
        lambda: [
            line(mark(True), " Đã nối hệ thống ", text(name, STRONG)),
            facts([("Đơn vị", ", ".join(sorted(map(str, units)))), ("Tệp xác thực", path)]),
            *[text(_not_listed(place, code), WARNING) for code in unknown],
            *(bridge.shown(granted) if granted else []),
            next_steps([("Dùng:", f"truc inbox --as {path}"), ("hoặc:", f"export {SYSTEM_VARIABLE}={path}")]),
        ],
    )


def _not_listed(place: Place, code: str) -> str:
    found = place.zone_editor().alias(parse_code(code))
    if found is not None:
        return f"! {code} chỉ là mã tương đương; hãy nối hệ thống với đơn vị {found.unit}."
    return f"! {code} chưa có trong vùng của nút; hãy thêm bằng 'truc unit add'."


def units_not_listed(place: Place, units: list[Code]) -> list[str]:
    """Return those units that the zone does not list (yet). Raises Denied(PEER_SPEAKS_FOR_OTHERS) for one under another's prefix."""
    zone = place.zone_editor()
    for code in units:
        if not any(code.is_under(prefix) for prefix in zone.prefixes):
            own = ", ".join(map(str, zone.prefixes)) or "none"
            raise Denied(Reason.PEER_SPEAKS_FOR_OTHERS, f"{code} is under none of this node's prefixes ({own})")
    return [code.text for code in units if zone.unit(code) is None]


def connect(place: Place, name: str, units: list[Code], path: Path, address: str = "") -> None:
    """Create a system and write its credential file; nothing stays if the file cannot be written.

    Raises Broken(ALREADY_EXISTS) if the system or the file exists, Rejected(REQUEST_INVALID) for a name.
    """
    from node.access.credential import Credential
    from node.seal.files import read_public

    if path.exists():
        raise Broken(Reason.ALREADY_EXISTS, str(path))
    certificate = read_public(place.keys / "tls.crt").decode()
    called = address or office_address(place.settings())
    systems = place.systems()
    secret = systems.create(name, [code.text for code in units])
    try:
        Credential(called, certificate, name, secret).save(path)
    except Fault:
        systems.revoke(name)
        raise


@app.command("list", cls=HomeCommand)
def list_systems(home: Home, as_json: Json = False) -> None:
    """Liệt kê các hệ thống đã nối và đơn vị của chúng."""
    place = Place(home)
    records = place.systems().list()
    told = webhook.addresses(place) if any(place.systems_folder.glob("*.webhook")) else {}
    views = (webhook.asked(place) if told else None) or {}
    document = [
        {
            "system": one.system.name,
            "units": sorted(one.system.units),
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
        row = [text(name), text(", ".join(sorted(one.system.units))), text(vietnamese.when(one.created_ms))]
        shown.add_row(*row, *([text(webhook.brief(views.get(name)) if name in told else "")] if told else []))
    tell(as_json, {"systems": document}, lambda: [shown, text(f"{len(records)} hệ thống", QUIET)])


@app.command(cls=HomeCommand)
def revoke(home: Home, name: Name, as_json: Json = False) -> None:
    """Thu hồi quyền của một hệ thống. Có hiệu lực trong vòng một giây, cả khi nút đang chạy."""
    Place(home).systems().revoke(name)
    tell(as_json, {"revoked": name}, lambda: [line(mark(True), " Đã thu hồi hệ thống ", text(name, STRONG))])


@app.command(cls=HomeCommand)
def vxp(home: Home, name: Name, as_json: Json = False) -> None:
    """Cấp secret mới cho cầu VXP cho một hệ thống đã nối; secret cũ hết hiệu lực ngay."""
    granted = bridge.grant(Place(home), name)
    tell(
        as_json,
        {"system": name, "vxp": granted},
        lambda: [line(mark(True), " Đã cấp secret cho hệ thống ", text(name, STRONG)), *bridge.shown(granted)],
    )
