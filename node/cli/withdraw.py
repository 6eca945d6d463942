"""truc withdraw: take a document back (QĐ 28/2018 Điều 8 khoản 2), by a packet of edXML type 1 or by status 13 to each recipient."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli.command import As, Json, run_async
from node.cli.submit import Submitted, tell_submitted
from node.office.naming import office_of


def withdraw(
    document: Annotated[
        str, typer.Argument(help="Tệp gói tin gốc, hoặc mã gói, mã lần gửi, DocumentId.", metavar="FILE|ID")
    ],
    credential: As,
    reason: Annotated[str, typer.Option(help="Lý do thu hồi, cho nơi nhận đọc.")],
    to: Annotated[
        list[str] | None, typer.Option(help="Chỉ thu hồi ở đơn vị này; ghi nhiều lần.", metavar="CODE")
    ] = None,
    by_status: Annotated[
        bool, typer.Option("--by-status", help="Gửi trạng thái 13 cho từng nơi nhận thay vì gói thu hồi.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Thu hồi một văn bản đã gửi. Nơi chưa lấy thì nút tự thu về; nơi đã lấy thì được hỏi và trả lời."""
    if not reason.strip():
        raise typer.BadParameter("thu hồi thì phải nêu lý do", param_hint="'--reason'")
    tell_submitted(
        "document", run_async(_withdraw(credential, document, reason, to or [], by_status)), credential, as_json
    )


async def _withdraw(credential: Path, name: str, reason: str, to: list[str], by_status: bool) -> Submitted:
    from node.office import changes
    from node.office.sent import written_as

    async with office_of(credential) as office:
        document = written_as(name)
        if by_status:
            asked = await changes.ask_back(office, document, reason, to)
            return [(recipient.organ_id, result) for recipient, result in asked]
        return [(name, await changes.withdraw(office, document, reason, to))]
