"""truc store salvage: opens a store whose log is damaged at the last good point (node/store/rocks/salvage.py).

It is the step before `truc node accept-rollback`: this makes the store readable and says what is missing, that decides to go on.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import Home, HomeCommand, Json, Noun, now_ms
from node.cli.output import WARNING, facts, line, mark, next_steps, tell, text
from node.ops import home as homes
from node.wording import vietnamese

if TYPE_CHECKING:
    from rich.console import RenderableType

    from node.store.rocks.salvage import Salvaged

app = typer.Typer(cls=Noun, no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Kho dữ liệu của nút, khi nút đang dừng."""


@app.command(cls=HomeCommand)
def salvage(
    home: Home,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Chỉ xem còn gì, mất gì; không thay đổi gì cả.")] = False,
    as_json: Json = False,
) -> None:
    """Cứu kho có nhật ký ghi bị hỏng: mở lại tới chỗ còn tốt, cất riêng mọi tệp cũ, nói rõ thiếu gì. Nút phải đang dừng."""
    from node.store.rocks.salvage import salvage as salvaged_store

    place = homes.Home(home)
    place.require_real()
    done = salvaged_store(
        place.store, place.witness, place.settings().node_id, None if dry_run else _aside(place, now_ms())
    )
    tell(as_json, _document(home, done), lambda: _told(place, done))


def _aside(place: homes.Home, time_ms: int) -> Path:
    return place.path / f"store.{datetime.fromtimestamp(time_ms / 1000, UTC):%Y%m%dT%H%M%SZ}.cut"


def _document(home: Path, done: "Salvaged") -> dict[str, object]:
    return {
        "home": str(home),
        "damaged": bool(done.damage),
        "detail": done.damage,
        "commit_no": done.commit_no,
        "witness_commit_no": done.witness_commit_no,
        "log_bytes": done.log_bytes,
        "aside": str(done.aside) if done.aside else "",
    }


def _told(place: homes.Home, done: "Salvaged") -> "list[RenderableType]":
    if not done.damage:
        return [line(mark(True), " Nhật ký ghi của kho còn nguyên, không có gì phải cứu.")]
    rows = [
        ("Hỏng", done.damage),
        ("Còn đọc được tới giao dịch", vietnamese.count(done.commit_no)),
        ("Nhân chứng đã thấy tới", vietnamese.count(done.witness_commit_no)),
        ("Chắc chắn thiếu", _missing(done)),
    ]
    if done.aside is None:
        steps = [("Cứu kho:", "truc store salvage HOME")]
        return [
            line(mark(None), " Nhật ký ghi bị hỏng; có thể mở lại tới chỗ còn tốt."),
            facts(rows),
            next_steps(steps),
        ]
    rows.append(("Tệp cũ cất ở", str(done.aside)))
    return [
        line(
            mark(None), " Kho đã mở lại được tới chỗ còn tốt. Nút chỉ đọc cho tới khi quản trị chấp nhận mất phần sau."
        ),
        facts(rows),
        text("Nếu còn bản sao lưu mới hơn thì khôi phục bản đó; thư mục tệp cũ giữ lại, đừng xóa.", WARNING),
        next_steps([("Xem mất gì, rồi quyết định:", "truc node accept-rollback HOME")]),
    ]


def _missing(done: "Salvaged") -> str:
    lost = done.witness_commit_no - done.commit_no
    if lost > 0:
        return f"{vietnamese.count(lost)} giao dịch, từ {done.commit_no + 1} tới {done.witness_commit_no}; có thể có thêm giao dịch sau đó"
    return "ít nhất phần cuối của nhật ký; nhân chứng chưa kịp ghi có bao nhiêu giao dịch"
