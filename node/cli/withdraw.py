"""truc withdraw: take a document back (QĐ 28/2018 Điều 8 khoản 2), by a packet of edXML type 1 or by status 13 to each recipient."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import As, Json, run_async
from node.cli.submit import Submitted, tell_submitted
from node.model.office import SubmitResult
from node.model.packet import Bussiness, Code, Organ, PromulgationInfo
from node.office.naming import office_of, submit_once
from node.office.sent import WITHDRAWAL, Sent, chosen, find, submit_about
from node.wording.plain import in_vietnam

if TYPE_CHECKING:
    from node.net.client import OfficeClient

ASK_BACK = "13"


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
    tell_submitted("document", run_async(_withdraw(credential, document, reason, to or [], by_status)), as_json)


async def _withdraw(credential: Path, name: str, reason: str, to: list[str], by_status: bool) -> Submitted:
    async with office_of(credential) as office:
        sent = await find(office, name)
        recipients = await chosen(office, sent.recipients, to)
        if by_status:
            return [(one.organ_id, await _ask_back(office, sent, one, reason)) for one in recipients]
        business = Bussiness(
            document_id=sent.header.document_id, bussiness_doc_type=WITHDRAWAL, bussiness_doc_reason=reason, paper="0"
        )
        said = (sent.key, reason, *(one.organ_id for one in recipients))
        return [(name, await submit_about(office, replace(sent.header, to=recipients), business, [], *said))]


async def _ask_back(office: "OfficeClient", sent: Sent, recipient: Organ, reason: str) -> SubmitResult:
    from node.edxml.compose import compose_status

    header = sent.header
    sender = header.sender or Organ()
    packet = compose_status(
        sender=sender.organ_id,
        sender_name=sender.organ_name,
        author=recipient.organ_id,
        document_id=header.document_id,
        code=(header.code or Code()).text,
        date=(header.promulgation_info or PromulgationInfo()).promulgation_date,
        status_code=ASK_BACK,
        description=reason,
        timestamp=in_vietnam().strftime("%Y/%m/%d %H:%M:%S"),
    )
    return await submit_once(office, packet, "ask-back", sent.key, recipient.organ_id, reason)
