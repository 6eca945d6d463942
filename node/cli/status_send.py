"""truc status send: report to a document's author what has become of it, as an edXML status packet."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import As, Json, run_async
from node.cli.output import BAD, STRONG, line, mark, tell, text
from node.errors import ADVICE, EXIT_OK, Rejected, kind_of
from node.model.code import parse_code
from node.model.envelope import PacketKind
from node.model.office import InboxEntry, SubmitResult
from node.model.reason import Reason
from node.model.status import STATUS_NAMES, status_name
from node.office.naming import find_packet, office_of, whole_inbox
from node.wording.plain import plain

if TYPE_CHECKING:
    from node.client.reporting import About
    from node.net.client import OfficeClient

REFUSAL = "02"


def send(
    document: Annotated[
        str,
        typer.Argument(
            help="Mã gói của văn bản (32 chữ số, hoặc vài chữ số đầu nếu còn ở hộp đến), hoặc DocumentId.", metavar="ID"
        ),
    ],
    code: Annotated[
        str, typer.Argument(help=", ".join(f"{one} {name}" for one, name in STATUS_NAMES.items()), metavar="CODE")
    ],
    credential: As,
    note: Annotated[str, typer.Option(help="Ý kiến kèm theo, cho nơi gửi đọc.")] = "",
    unit: Annotated[str, typer.Option(help="Đơn vị báo cáo, nếu hệ thống có nhiều đơn vị nhận.", metavar="CODE")] = "",
    as_json: Json = False,
) -> None:
    """Báo trạng thái xử lý của một văn bản đã nhận cho nơi gửi."""
    if code not in STATUS_NAMES:
        raise typer.BadParameter(f"{code!r}; các mã: {', '.join(STATUS_NAMES)}", param_hint="'CODE'")
    if code == REFUSAL and not note.strip():
        raise typer.BadParameter("từ chối nhận thì phải nêu lý do (QĐ 28/2018 Điều 5 khoản 4)", param_hint="'--note'")
    entry, about, result = run_async(_report(credential, document, parse_code(unit).text if unit else "", code, note))
    said = {
        "document": {
            "packet_id": entry.packet_id.hex(),
            "unit": entry.unit,
            "document_id": about.document_id,
            "author": about.author,
        },
        "status_code": code,
        "status_name": status_name(code),
        "result": plain(result),
    }
    tell(as_json, said, lambda: [_shown(entry, about, code, result)])
    raise typer.Exit(kind_of(result.reason).exit_code if result.reason else EXIT_OK)


async def _report(
    credential: Path, name: str, unit: str, code: str, note: str
) -> tuple[InboxEntry, "About", SubmitResult]:
    from node.client.reporting import document_of, report

    async with office_of(credential) as office:
        entry, about = await document_of(office, await _packet_id(office, name, unit), unit)
        result = await report(office, entry, about, code, note)
        return entry, about, result


async def _packet_id(office: "OfficeClient", name: str, unit: str) -> bytes:
    """Return the packet of a document named by its packet id or DocumentId. Raises Rejected(NOT_FOUND)."""
    try:
        return await find_packet(office, name, unit)
    except Rejected as error:
        entries, _ = await whole_inbox(office, unit)
        found = [one for one in entries if one.document_id == name and one.kind is PacketKind.DOCUMENT]
        if not found:
            raise Rejected(Reason.NOT_FOUND, f"nothing in the inbox is named {name!r}") from error
        return found[0].packet_id


def _shown(entry: InboxEntry, about: "About", code: str, result: SubmitResult) -> object:
    if result.reason:
        return line(
            mark(False), " ", text(ADVICE[result.reason], BAD), "\n  ", text(f"{result.reason.name}: {result.detail}")
        )
    what = text(f"{code} {status_name(code)}", STRONG)
    return line(
        mark(True),
        " ",
        text(entry.unit),
        " báo ",
        what,
        " cho ",
        text(about.author),
        " về văn bản ",
        text(about.code or about.document_id),
    )
