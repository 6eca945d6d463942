"""truc update: mend a document that was sent, and add or drop recipients, by a packet of edXML type 2."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from node.cli.command import As, Json, run_async
from node.cli.submit import Submitted, tell_submitted
from node.errors import Rejected
from node.model.packet import (
    Bussiness,
    BussinessDocumentInfo,
    DocumentType,
    MessageHeader,
    Organ,
    OtherInfo,
    Receiver,
    ReceiverList,
)
from node.model.reason import Reason
from node.office.naming import office_of
from node.office.sent import UPDATE, chosen, find, submit_about

DROPPED, ADDED = "0", "1"


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
    fields = {"subject": subject, "content": content, "type": kind, "due": due, "priority": priority}
    changes = {name: value for name, value in fields.items() if value}
    if not (changes or add or drop or attach):
        raise typer.BadParameter("không có gì để cập nhật: thêm --add, --drop, --attach hoặc thông tin mới")
    done = run_async(_update(credential, document, reason, add or [], drop or [], changes, attach or []))
    tell_submitted("document", done, as_json)


async def _update(
    credential: Path,
    name: str,
    reason: str,
    add: list[str],
    drop: list[str],
    changes: dict[str, str],
    attach: list[Path],
) -> Submitted:
    import tempfile

    from node.cli.packet_new import attached
    from node.edxml.letter import File, organ_of

    async with office_of(credential) as office:
        with tempfile.TemporaryDirectory(prefix="truc-") as scratch:
            sent = await find(office, name)
            added, dropped = list(map(organ_of, add)), await chosen(office, sent.recipients, drop) if drop else ()
            files = [attached(File(str(path)), Path(scratch)) for path in attach] or sent.attachments
            if added and not files and sent.file is None:
                # To whom it adds, the update is the document (decision 0006).
                raise Rejected(
                    Reason.REQUEST_INVALID, "who is added gets the document: name its packet file, or --attach"
                )
            header = _changed(replace(sent.header, to=_left(sent.recipients, added, dropped)), changes)
            business = _business(header.document_id, reason, added, dropped, bool(changes or attach))
            said = (sent.key, reason, *add, "", *drop, "", *(f"{key}={value}" for key, value in changes.items()))
            digests = [one.attachment.content_id for one in files]
            return [(name, await submit_about(office, header, business, files, *said, *digests))]


def _left(recipients: Sequence[Organ], added: Sequence[Organ], dropped: Sequence[Organ]) -> tuple[Organ, ...]:
    """To whom the update goes. Raises Rejected(PACKET_NO_RECIPIENT) if nobody is left."""
    left = (*(one for one in recipients if one not in dropped), *added)
    if not left:
        raise Rejected(Reason.PACKET_NO_RECIPIENT, "all recipients are dropped; withdraw the document instead")
    return left


def _business(
    document_id: str, reason: str, added: Sequence[Organ], dropped: Sequence[Organ], changes_fields: bool
) -> Bussiness:
    receivers = (
        *(Receiver(one.organ_id, DROPPED) for one in dropped),
        *(Receiver(one.organ_id, ADDED) for one in added),
    )
    info = BussinessDocumentInfo(
        document_info="1" if changes_fields else "0",
        document_receiver="1" if receivers else "0",
        receiver_list=ReceiverList(receivers) if receivers else None,
    )
    return Bussiness(
        document_id=document_id,
        bussiness_doc_type=UPDATE,
        bussiness_doc_reason=reason,
        paper="0",
        bussiness_document_infos=(info,),
    )


def _changed(header: MessageHeader, changes: dict[str, str]) -> MessageHeader:
    """Put new words into the header. Raises Rejected(REQUEST_INVALID) for a date or a degree of urgency that is none."""
    from node.edxml.letter import date_of, priority_of

    for name, value in changes.items():
        if name == "type":
            header = replace(header, document_type=replace(header.document_type or DocumentType(), type_name=value))
        elif name == "priority":
            header = replace(header, other_info=replace(header.other_info or OtherInfo(), priority=priority_of(value)))
        elif name == "due":
            header = replace(header, due_date=date_of(value))
        elif name == "subject":
            header = replace(header, subject=value)
        else:
            header = replace(header, content=value)
    return header
