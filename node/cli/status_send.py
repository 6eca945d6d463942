"""truc status send: report to a document's author what has become of it, as an edXML status packet."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import As, Json, run_async
from node.cli.office import find_packet, office_of, submit_once, whole_inbox
from node.cli.output import BAD, STRONG, line, mark, tell, text
from node.cli.plain import in_vietnam, plain
from node.errors import ADVICE, EXIT_OK, Deferred, Rejected, kind_of
from node.model.code import parse_code
from node.model.envelope import PacketKind
from node.model.office import NO_LEASE, InboxEntry, SubmitResult
from node.model.reason import Reason
from node.model.status import STATUS_NAMES, status_name

if TYPE_CHECKING:
    from node.model.header import PacketHeader
    from node.net.client import OfficeClient

LOOK_LEASE_MS = NO_LEASE
"""We only want to read: whoever fetches next must not have to wait for us."""
REFUSAL = "02"
PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class About:
    """The document that a status is about, in the words of its own packet."""

    unit: str
    """Who reports, as the document addressed it."""
    author: str
    document_id: str
    code: str
    date: str


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
) -> tuple[InboxEntry, About, SubmitResult]:
    async with office_of(credential) as office:
        entry, about = await _document(office, await _packet_id(office, name, unit), unit)
        result = await report(office, entry, about, code, note)
        return entry, about, result


async def report(office: "OfficeClient", entry: InboxEntry, about: About, code: str, note: str = "") -> SubmitResult:
    """Compose the status packet and submit it. The same report again is the same submission: it gets the first answer's packet id.

    Raises Rejected(REQUEST_INVALID) for characters that XML does not allow, and what `OfficeClient.submit` raises.
    """
    from node.edxml.compose import compose_status

    names = await office.search_units(entry.unit, 1)
    packet = compose_status(
        sender=about.unit,
        sender_name=names[0].name if names and names[0].code == entry.unit else "",
        author=about.author,
        document_id=about.document_id,
        code=about.code,
        date=about.date,
        status_code=code,
        description=note or status_name(code),
        timestamp=in_vietnam().strftime("%Y/%m/%d %H:%M:%S"),
    )
    return await submit_once(office, packet, "status", entry.packet_id.hex(), entry.unit, code, note)


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


async def _document(office: "OfficeClient", packet_id: bytes, unit: str) -> tuple[InboxEntry, About]:
    """Read the packet's own words. While somebody holds it, the inbox's words must do: only the date is missing there."""
    try:
        entry, header = await _header(office, packet_id, unit)
    except Deferred as deferred:
        if deferred.reason is not Reason.LEASED:
            raise
        entries, _ = await whole_inbox(office, unit)
        entry = next(one for one in entries if one.packet_id == packet_id)
        return entry, About(entry.unit, entry.sender_unit, entry.document_id, entry.document_code, "")
    if entry.unit == entry.sender_unit:
        raise Rejected(Reason.NOT_FOUND, f"{packet_id.hex()} was sent by {entry.unit} itself; who receives it reports")
    if header.kind is not PacketKind.DOCUMENT:
        raise Rejected(Reason.REQUEST_INVALID, f"{packet_id.hex()} is a status itself")
    return entry, about_of(header, entry.unit)


def about_of(header: "PacketHeader", unit: str) -> About:
    """Return what a status of `unit` (canonical) says about the document with this header."""
    written = (text for text in header.recipients if _is_unit(text, unit))
    return About(next(written, unit), header.sender, header.document_id, header.document_code, header.promulgation_date)


def _is_unit(text: str, unit: str) -> bool:
    """Tell whether a recipient as written is this unit; what is no code at all is nobody."""
    try:
        return parse_code(text).text == unit
    except Rejected:
        return False


async def _header(office: "OfficeClient", packet_id: bytes, unit: str) -> tuple[InboxEntry, "PacketHeader"]:
    """Fetch a packet of any size and read its header, a piece at a time."""
    from node.edxml.reader import HeaderReader

    with tempfile.TemporaryDirectory(prefix="truc-") as scratch:
        path = Path(scratch) / "packet.edxml"
        entry = await office.fetch_to(packet_id, path, unit, lease_ms=LOOK_LEASE_MS)
        reader = HeaderReader()
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                reader.feed(piece)
        return entry, reader.finish()


def _shown(entry: InboxEntry, about: About, code: str, result: SubmitResult) -> object:
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
