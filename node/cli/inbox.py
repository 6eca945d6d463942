"""truc inbox: what waits for the units of a system, the most urgent first, and what these owe for it."""

from typing import TYPE_CHECKING, Annotated

import typer

from node.cli import deadlines
from node.cli.command import As, Json, now_ms, run_async
from node.cli.output import QUIET, STRONG, line, table, tell, text
from node.model.code import parse_code
from node.model.envelope import PacketKind
from node.model.lane import Lane
from node.model.office import InboxEntry
from node.model.status import status_name
from node.office.naming import ID_DIGITS_SHOWN, PAGE_SIZE, office_of, whole_inbox
from node.wording import vietnamese
from node.wording.plain import plain

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from node.net.client import OfficeClient

URGENT = {Lane.HOA_TOC: "bold red", Lane.THUONG_KHAN: "red", Lane.KHAN: "yellow"}


def inbox(
    credential: As,
    unit: Annotated[str, typer.Option(help="Chỉ đơn vị này; mặc định mọi đơn vị của hệ thống.", metavar="CODE")] = "",
    limit: Annotated[int, typer.Option(help="Nhiều nhất bao nhiêu gói.", min=1, max=100_000)] = 100,
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Chỉ những văn bản mà đơn vị đã quá hạn báo nhận, đăng ký hoặc trả lời.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Xem hộp đến: gói tin đang chờ lấy, khẩn trước, và thời hạn đơn vị phải giữ."""
    code, now = parse_code(unit).text if unit else "", now_ms()
    entries, more = run_async(_entries(credential, code, limit, now if overdue else 0))
    said = [{**plain(one), "deadlines": deadlines.documents(one.deadlines, now)} for one in entries]
    tell(as_json, {"entries": said, "more": more}, lambda: _shown(entries, more, now, overdue))


async def _entries(credential: "Path", unit: str, limit: int, overdue_at_ms: int) -> tuple[list[InboxEntry], bool]:
    async with office_of(credential) as office:
        if not overdue_at_ms:
            return await whole_inbox(office, unit, limit)
        return await _overdue(office, unit, limit, overdue_at_ms)


async def _overdue(office: "OfficeClient", unit: str, limit: int, now: int) -> tuple[list[InboxEntry], bool]:
    """Look through the whole inbox, page by page, for what is overdue; stop at the limit."""
    found: list[InboxEntry] = []
    page_token = ""
    while True:
        page, page_token = await office.list_inbox(unit, page_size=PAGE_SIZE, page_token=page_token)
        found += [entry for entry in page if deadlines.overdue(entry.deadlines, now)]
        if not page_token or len(found) > limit:
            return found[:limit], len(found) > limit


def _shown(entries: list[InboxEntry], more: bool, now: int, overdue: bool) -> list["RenderableType"]:
    if not entries:
        return [text("Không có văn bản nào quá hạn." if overdue else "Hộp đến trống.")]
    columns = ["Mã gói", "Nơi gửi", "Văn bản", "Đến lúc", "Thời hạn", "Cỡ"]
    shown = table(columns, right=["Cỡ"], whole=["Mã gói", "Cỡ"])
    for entry in entries:
        where = f"{entry.sender_name or entry.sender_unit} → {entry.unit}"
        taken = (
            f"đang được lấy, giữ tới {vietnamese.when(entry.lease_until_ms)[-8:]}" if entry.lease_until_ms > now else ""
        )
        shown.add_row(
            text(entry.packet_id.hex()[:ID_DIGITS_SHOWN]),
            text(where),
            _about(entry),
            line(vietnamese.when(entry.accept_time_ms), "\n" if taken else "", text(taken, "yellow")),
            deadlines.shown(entry.deadlines, now, only_owed=True),
            text(vietnamese.size(entry.packet_bytes)),
        )
    rest = " (còn nữa: dùng --limit)" if more else ""
    return [shown, text(f"{len(entries)} gói tin{rest}", QUIET)]


def _about(entry: InboxEntry) -> "RenderableType":
    """Tell what a packet is: urgency, status or kind of business, số ký hiệu and trích yếu."""
    from rich.text import Text

    about = Text()
    if entry.lane in URGENT:
        about.append(f"{entry.lane.label.upper()} ", URGENT[entry.lane])
    if entry.kind is PacketKind.STATUS:
        about.append(text(f"{entry.status_code} {status_name(entry.status_code)}: ", "cyan"))
    elif business := vietnamese.BUSINESS_TYPES.get(entry.business_type, ""):
        about.append(text(f"{business}: ", "magenta"))
    about.append(text(entry.document_code or entry.document_id, STRONG))
    return about.append(text(f" {entry.subject}")) if entry.subject else about
