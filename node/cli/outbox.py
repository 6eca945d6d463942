"""truc outbox: what waits to leave this node, why, and until when; and what it cannot handle and has laid aside."""

from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import Home, Json, now_ms, run_async
from node.cli.output import QUIET, STRONG, line, mark, table, tell, text
from node.model.office import OutboxView, QuarantineView
from node.office.naming import ID_DIGITS_SHOWN
from node.ops.home import Home as Place
from node.wording import vietnamese
from node.wording.plain import plain

if TYPE_CHECKING:
    from rich.console import RenderableType


def _not_empty(given: str | None) -> str | None:
    """Refuse "", which an empty variable of a script leaves: it would list everything."""
    if given is not None and not given.strip():
        raise typer.BadParameter("không được để trống")
    return given


def outbox(
    home: Home,
    peer: Annotated[
        str | None, typer.Option(help="Chỉ những gì chờ tới nút này.", metavar="NODE", callback=_not_empty)
    ] = None,
    limit: Annotated[int, typer.Option(help="Nhiều nhất bao nhiêu dòng.", min=1, max=1_000)] = 100,
    quarantine: Annotated[bool, typer.Option("--quarantine", help="Những gì nút giữ lại vì không xử lý được.")] = False,
    release: Annotated[
        str | None,
        typer.Option(help="Cho một mục bị giữ lại đi tiếp, theo mã ở --quarantine.", metavar="ID", callback=_not_empty),
    ] = None,
    as_json: Json = False,
) -> None:
    """Xem hộp đi của nút đang chạy; xem và thả những gì bị giữ lại vì lỗi."""
    if release:
        node_id = run_async(_release(Place(home), release))
        said = line(mark(True), " Đã thả ", text(release, STRONG), f", gửi tiếp tới {node_id}." if node_id else ".")
        tell(as_json, {"released": release, "node_id": node_id}, lambda: [said])
        return
    if quarantine:
        aside, more = run_async(_quarantine(Place(home), limit))
        tell(as_json, {"entries": plain(aside), "more": more}, lambda: _shown_aside(aside, more))
        return
    entries, more = run_async(_entries(Place(home), peer or "", limit))
    tell(as_json, {"entries": plain(entries), "more": more}, lambda: _shown(entries, more))


async def _entries(place: Place, peer: str, limit: int) -> tuple[list[OutboxView], bool]:
    async with place.admin() as admin:
        return await admin.list_outbox(peer, limit)


async def _quarantine(place: Place, limit: int) -> tuple[list[QuarantineView], bool]:
    async with place.admin() as admin:
        return await admin.list_quarantine(limit)


async def _release(place: Place, name: str) -> str:
    async with place.admin() as admin:
        return await admin.release_quarantined(name)


def _shown_aside(entries: list[QuarantineView], more: bool) -> list["RenderableType"]:
    if not entries:
        return [text("Không có gì bị giữ lại vì lỗi.")]
    shown = table(["ID", "Tới nút", "Mã gói", "Từ lúc", "Vì sao"], whole=["ID", "Mã gói"])
    for one in entries:
        cells = [
            one.name,
            one.node_id or f"(bảng {one.table})",
            one.packet_id.hex()[:ID_DIGITS_SHOWN],
            vietnamese.when(one.time_ms),
            f"{vietnamese.cause(one.reason)}: {one.detail}" if one.detail else vietnamese.cause(one.reason),
        ]
        shown.add_row(*map(text, cells))
    advice = "Hãy gửi truc support-bundle cho nơi hỗ trợ; sửa xong hoặc nâng cấp xong thì thả: truc outbox --release ID"
    counted = f"{len(entries)} mục bị giữ lại" + (" (còn nữa: dùng --limit)" if more else "")
    return [shown, text(counted, QUIET), text(advice, QUIET)]


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
