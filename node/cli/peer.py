"""truc peer: the roads to other nodes; an operator may hold one and release it."""

from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import Home, HomeCommand, Json, Noun, now_ms, run_async
from node.cli.output import STRONG, line, mark, table, tell, text
from node.model.office import PeerView
from node.model.reason import Reason
from node.ops.home import Home as Place
from node.wording import vietnamese
from node.wording.plain import plain

if TYPE_CHECKING:
    from rich.text import Text

app = typer.Typer(cls=Noun, no_args_is_help=True)

NodeId = Annotated[str, typer.Argument(help="Mã nút bạn.", metavar="NODE")]
STYLES = {"open": "green", "backoff": "red", "held": "yellow", "relayed": "yellow", "unknown": "dim"}


@app.command("list", cls=HomeCommand)
def list_peers(home: Home, as_json: Json = False) -> None:
    """Liệt kê các nút bạn: đường tới có thông không, bao nhiêu lượt đang chờ."""
    peers = run_async(_list(Place(home)))
    shown = table(["Nút", "Tên", "Tiền tố", "Đường", "Chờ"], right=["Chờ"], whole=["Nút"])
    for peer in peers:
        shown.add_row(
            text(peer.node_id, STRONG), text(peer.name), text(", ".join(peer.prefixes)), _road(peer), text(peer.waiting)
        )
    tell(as_json, {"peers": plain(peers)}, lambda: [shown if peers else text("Danh bạ chưa có nút nào khác.")])


@app.command(cls=HomeCommand)
def hold(home: Home, node_id: NodeId, as_json: Json = False) -> None:
    """Tạm ngừng gửi tới một nút; không mất gì, chỉ chờ."""
    run_async(_hold(Place(home), node_id))
    said = line(
        mark(True), " Đang tạm giữ, không gửi tới ", text(node_id, STRONG), ". Gửi tiếp bằng 'truc peer release'."
    )
    tell(as_json, {"held": node_id}, lambda: [said])


@app.command(cls=HomeCommand)
def release(home: Home, node_id: NodeId, as_json: Json = False) -> None:
    """Gửi tiếp tới một nút đang bị tạm giữ, ngay bây giờ."""
    run_async(_release(Place(home), node_id))
    tell(as_json, {"released": node_id}, lambda: [line(mark(True), " Gửi tiếp tới ", text(node_id, STRONG))])


async def _list(place: Place) -> list[PeerView]:
    async with place.admin() as admin:
        return await admin.list_peers()


async def _hold(place: Place, node_id: str) -> None:
    async with place.admin() as admin:
        await admin.hold_peer(node_id)


async def _release(place: Place, node_id: str) -> None:
    async with place.admin() as admin:
        await admin.release_peer(node_id)


def _road(peer: PeerView) -> "Text":
    """The road in words: whether it is open, since when not, and what comes next."""
    from rich.text import Text

    rows = [text(vietnamese.ROADS.get(peer.road, peer.road), STYLES.get(peer.road, ""))]
    if peer.relay_node:
        rows[0].append(f" {peer.relay_node}")
    if peer.reason not in (Reason.NONE, Reason.HELD):
        again = vietnamese.next_attempt(peer.next_attempt_ms, now_ms())
        rows.append(text(f"{vietnamese.cause(peer.reason)} ({peer.failures} lần); {again}"))
    if peer.last_success_ms:
        rows.append(text(f"thông lần cuối {vietnamese.when(peer.last_success_ms)}", "dim"))
    return Text("\n").join(rows)
