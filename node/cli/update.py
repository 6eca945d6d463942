"""truc update: mend a document that was sent, and add or drop recipients, by a packet of edXML type 2."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import As, Json, run_async
from node.cli.submit import Submitted, tell_submitted
from node.office.naming import office_of

if TYPE_CHECKING:
    from node.office.changes import Changes


def update(
    document: Annotated[
        str,
        typer.Argument(
            help="Tệp gói tin gốc (giữ đủ mọi thông tin không sửa), hoặc mã gói, mã lần gửi, DocumentId.",
            metavar="FILE|ID",
        ),
    ],
    credential: As,
    reason: Annotated[str, typer.Option(help="Cập nhật gì, vì sao.")] = "",
    add: Annotated[
        list[str] | None, typer.Option(help="Thêm nơi nhận, có thể kèm '=Tên'; ghi nhiều lần.", metavar="CODE")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Bỏ nơi nhận; ghi nhiều lần.", metavar="CODE")] = None,
    subject: Annotated[str, typer.Option(help="Trích yếu mới.")] = "",
    content: Annotated[str, typer.Option(help="Nội dung tóm tắt mới.")] = "",
    kind: Annotated[str, typer.Option("--type", help="Tên loại văn bản mới.")] = "",
    due: Annotated[str, typer.Option(help="Hạn trả lời mới.")] = "",
    priority: Annotated[str, typer.Option(help="Mức độ khẩn mới, 0 đến 4 hoặc bằng chữ.")] = "",
    attach: Annotated[
        list[Path] | None,
        typer.Option("--attach", "-a", help="Tệp đính kèm; mặc định các tệp của tệp gói tin gốc.", metavar="FILE"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Cập nhật một văn bản đã gửi: sửa thông tin, thêm hoặc bỏ nơi nhận."""
    from node.office.changes import Changes

    changes = Changes(tuple(add or ()), tuple(drop or ()), tuple(attach or ()), subject, content, kind, due, priority)
    if changes.is_empty:
        raise typer.BadParameter("không có gì để cập nhật: thêm --add, --drop, --attach hoặc thông tin mới")
    tell_submitted("document", run_async(_update(credential, document, changes, reason)), credential, as_json)


async def _update(credential: Path, name: str, changes: "Changes", reason: str) -> Submitted:
    from node.office import changes as office_changes
    from node.office.sent import written_as

    async with office_of(credential) as office:
        return [(name, await office_changes.update(office, written_as(name), changes, reason))]
