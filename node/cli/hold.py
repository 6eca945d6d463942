"""truc hold: packets of which nothing is forgotten, whatever the times of [keep] say, because somebody has asked for them."""

from typing import Annotated

import typer

from node.cli.command import Home, HomeCommand, Json, Noun, run_async
from node.cli.output import STRONG, line, mark, table, tell, text
from node.errors import Rejected
from node.model.hold import HoldView
from node.model.reason import Reason
from node.office.naming import is_packet_id
from node.ops.home import Home as Place
from node.wording import vietnamese
from node.wording.plain import plain

app = typer.Typer(cls=Noun, no_args_is_help=True)

PacketId = Annotated[str, typer.Argument(help="Mã gói tin, 32 chữ số hệ 16 (xem 'truc track').", metavar="ID")]


@app.command("set", cls=HomeCommand)
def set_hold(
    home: Home,
    packet_id: PacketId,
    reason: Annotated[str, typer.Option("--reason", help="Vì sao giữ: số vụ việc, cơ quan yêu cầu.", metavar="TEXT")],
    as_json: Json = False,
) -> None:
    """Giữ nguyên một gói tin: không xóa nội dung và hồ sơ của nó cho đến khi bỏ giữ."""
    run_async(_set(Place(home), _octets(packet_id), reason))
    said = line(mark(True), " Đang giữ ", text(packet_id, STRONG), ". Bỏ giữ bằng 'truc hold lift'.")
    tell(as_json, {"held": packet_id, "reason": reason}, lambda: [said])


@app.command(cls=HomeCommand)
def lift(home: Home, packet_id: PacketId, as_json: Json = False) -> None:
    """Bỏ giữ một gói tin: từ đó nó được xóa theo thời hạn ghi ở mục keep của node.toml."""
    run_async(_lift(Place(home), _octets(packet_id)))
    tell(as_json, {"lifted": packet_id}, lambda: [line(mark(True), " Thôi giữ ", text(packet_id, STRONG))])


@app.command("list", cls=HomeCommand)
def list_holds(home: Home, as_json: Json = False) -> None:
    """Liệt kê các gói tin đang được giữ, vì sao và từ bao giờ."""
    held = run_async(_list(Place(home)))
    shown = table(["Gói tin", "Từ", "Vì sao"], whole=["Gói tin"])
    for one in held:
        shown.add_row(text(one.packet_id.hex(), STRONG), text(vietnamese.when(one.time_ms)), text(one.reason))
    tell(as_json, {"holds": plain(held)}, lambda: [shown if held else text("Không gói tin nào đang được giữ.")])


def _octets(packet_id: str) -> bytes:
    """Read a packet id. Raises Rejected(REQUEST_INVALID): a hold names one packet, so the first few digits are not enough."""
    if not is_packet_id(packet_id):
        raise Rejected(Reason.REQUEST_INVALID, f"{packet_id!r} is no packet id: 32 hexadecimal digits")
    return bytes.fromhex(packet_id)


async def _set(place: Place, packet_id: bytes, reason: str) -> None:
    async with place.admin() as admin:
        await admin.put_hold(packet_id, reason)


async def _lift(place: Place, packet_id: bytes) -> None:
    async with place.admin() as admin:
        await admin.lift_hold(packet_id)


async def _list(place: Place) -> list[HoldView]:
    async with place.admin() as admin:
        return await admin.list_holds()
