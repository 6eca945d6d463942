"""truc outbox: what waits to leave this node, why, and until when."""

from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import Home, Json, now_ms, run_async
from node.cli.output import QUIET, table, tell, text
from node.model.office import OutboxView
from node.office.naming import ID_DIGITS_SHOWN
from node.ops.home import Home as Place
from node.wording import vietnamese
from node.wording.plain import plain

if TYPE_CHECKING:
    from rich.console import RenderableType


def outbox(
    home: Home,
    peer: Annotated[str, typer.Option(help="Chỉ những gì chờ tới nút này.", metavar="NODE")] = "",
    limit: Annotated[int, typer.Option(help="Nhiều nhất bao nhiêu dòng.", min=1, max=1_000)] = 100,
    as_json: Json = False,
) -> None:
    """Xem hộp đi của nút đang chạy."""
    entries, more = run_async(_entries(Place(home), peer, limit))
    tell(as_json, {"entries": plain(entries), "more": more}, lambda: _shown(entries, more))


async def _entries(place: Place, peer: str, limit: int) -> tuple[list[OutboxView], bool]:
    async with place.admin() as admin:
        return await admin.list_outbox(peer, limit)


def _shown(entries: list[OutboxView], more: bool) -> list["RenderableType"]:
    if not entries:
        return [text("Hộp đi trống: không có gì chờ gửi.")]
    now = now_ms()
    columns = ["Tới nút", "Mã gói", "Loại", "Luồng", "Chờ đã", "Vì sao", "Cỡ"]
    shown = table(columns, right=["Cỡ"], whole=["Mã gói", "Chờ đã", "Cỡ"])
    for one in entries:
        kept = f" (nút {one.custody_node} đang giữ hộ)" if one.custody_node else ""
        cells = [
            one.node_id,
            one.packet_id.hex()[:ID_DIGITS_SHOWN],
            vietnamese.WAITING_KINDS.get(one.kind, one.kind),
            one.lane.label,
            vietnamese.span(now - one.since_ms),
            f"{vietnamese.cause(one.reason)}{kept}; {vietnamese.next_attempt(one.next_attempt_ms, now)}",
            vietnamese.size(one.body_bytes) if one.body_bytes else "",
        ]
        shown.add_row(*map(text, cells))
    return [shown, text(f"{len(entries)} lượt chờ" + (" (còn nữa: dùng --limit)" if more else ""), QUIET)]
