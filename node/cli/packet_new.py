"""truc packet new: a packet from options, or from a small TOML file, and files to attach; what the rules refuse is not written."""

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli import findings
from node.cli.command import Json, read_input
from node.cli.output import BAD, STRONG, line, mark, next_steps, tell, text
from node.errors import ADVICE, EXIT_OK, Broken, Rejected
from node.model.finding import Finding, RulesBroken, require_no_errors
from node.model.reason import Reason
from node.office.naming import safe_file_name
from node.office.packet_file import judged
from node.wording.plain import in_vietnam
from node.wording.vietnamese import size

if TYPE_CHECKING:
    from node.edxml.attach import NewAttachment
    from node.edxml.letter import File, Letter
    from node.edxml.write import Content
    from node.model.packet import Packet

EXAMPLE = """# truc packet new cong-van.toml -o cong-van.edxml
sender = "H99.01"
sender_name = "UBND tỉnh Mẫu"
to = ["H99.02", { code = "H99.03", name = "Sở Mẫu" }]
number = "123"
notation = "UBND-VX"
date = 2026-10-05
type = "Công văn"
subject = "V/v liên thông văn bản"
signer = "Nguyễn Văn Mẫu"
position = "Chủ tịch"
competence = "TM. UBND"
priority = "khẩn"              # thường, khẩn, thượng khẩn, hỏa tốc, hỏa tốc hẹn giờ
due = 2026-12-31
attachments = ["cong-van.pdf"]
"""


def new(
    form: Annotated[
        Path | None, typer.Argument(help="Tệp TOML; xem mẫu bằng --example. Tùy chọn thắng tệp.", metavar="FILE.toml")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Ghi vào tệp này; mặc định theo số, ký hiệu.", metavar="FILE")
    ] = None,
    sender: Annotated[
        str, typer.Option("--from", help="Mã định danh nơi gửi, có thể kèm '=Tên'.", metavar="CODE")
    ] = "",
    to: Annotated[
        list[str] | None, typer.Option(help="Nơi nhận, có thể kèm '=Tên'; ghi nhiều lần.", metavar="CODE")
    ] = None,
    number: Annotated[str, typer.Option(help="Số.")] = "",
    notation: Annotated[str, typer.Option(help="Ký hiệu.")] = "",
    date: Annotated[str, typer.Option(help="Ngày ban hành: 2026-10-05 hoặc 05/10/2026.")] = "",
    kind: Annotated[str, typer.Option("--type", help="Tên loại văn bản.")] = "",
    subject: Annotated[str, typer.Option(help="Trích yếu.")] = "",
    signer: Annotated[str, typer.Option(help="Họ tên người ký.")] = "",
    position: Annotated[str, typer.Option(help="Chức vụ người ký.")] = "",
    priority: Annotated[str, typer.Option(help="Mức độ khẩn, 0 đến 4 hoặc bằng chữ.")] = "",
    due: Annotated[str, typer.Option(help="Hạn trả lời.")] = "",
    document_id: Annotated[str, typer.Option("--document-id", help="Mã định danh văn bản.")] = "",
    attach: Annotated[
        list[Path] | None, typer.Option("--attach", "-a", help="Tệp đính kèm; ghi nhiều lần.", metavar="FILE")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Ghi đè tệp đã có.")] = False,
    example: Annotated[bool, typer.Option("--example", help="In một tệp TOML mẫu rồi thoát.")] = False,
    as_json: Json = False,
) -> None:
    """Làm một gói tin văn bản mới, đúng như thư viện của trục quốc gia viết, để gửi bằng 'truc submit'."""
    if example:
        print(EXAMPLE, end="")
        return
    from node.edxml.letter import organ_of

    own = organ_of(sender)
    options = {
        "sender": own.organ_id,
        "sender_name": own.organ_name,
        "number": number,
        "notation": notation,
        "date": date,
        "type": kind,
        "subject": subject,
        "signer": signer,
        "position": position,
        "priority": priority,
        "due": due,
        "document_id": document_id,
    }
    letter = _filled(read_letter(form) if form else None, options, to or [], attach or [])
    aim = out or Path(f"{safe_file_name(f'{letter.number}-{letter.notation}')}.edxml")
    if aim.exists() and not force:
        raise Broken(Reason.ALREADY_EXISTS, f"{aim}; --force replaces it")
    tell_made(aim, make(letter, aim), as_json)


def tell_made(path: Path, found: Sequence[Finding], as_json: bool) -> None:
    """Tell that a packet was made, or why not; ends with the exit code."""
    broken = findings.counted(found)[0] > 0
    reason = Reason.PACKET_BREAKS_RULES
    document: dict[str, Any] = {"file": None if broken else str(path), "reason": reason.name if broken else None}
    verdict = (
        line(mark(False), " ", text(ADVICE[reason], BAD))
        if broken
        else line(mark(True), " ", text(path, STRONG), f"  {size(path.stat().st_size)}")
    )
    steps = [] if broken else [next_steps([("Gửi đi:", f"truc submit --as CRED {path}")])]
    tell(as_json, document | findings.said(found), lambda: [verdict, *findings.shown(found), *steps])
    raise typer.Exit(Rejected.exit_code if broken else EXIT_OK)


def read_letter(path: Path) -> "Letter":
    """Read a letter's TOML file; files to attach are sought beside it. Raises Rejected(REQUEST_INVALID)."""
    from node.edxml.letter import letter_of

    try:
        table = tomllib.loads(read_input(path).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{path}: {error}") from error
    letter = letter_of(table)
    beside = [replace(one, path=str(path.parent / one.path)) for one in letter.attachments]
    return replace(letter, attachments=tuple(beside))


def make(letter: "Letter", aim: Path) -> list[Finding]:
    """Write the packet of a letter, unless it breaks a rule; return what the rules found.

    Raises Rejected(REQUEST_INVALID) for what is no date or file, Broken(IO_FAILED) if it cannot be written.
    """
    import tempfile

    from node.edxml.letter import packet_of_letter

    with tempfile.TemporaryDirectory(prefix="truc-") as scratch:
        files = [attached(one, Path(scratch)) for one in letter.attachments]
        packet = packet_of_letter(letter, in_vietnam(), files)
        return write(packet, [one.content for one in files], aim)


def write(packet: "Packet", contents: "Sequence[Content]", aim: Path) -> list[Finding]:
    """Write a packet into a file, whole or not at all; return what the rules found. With an error nothing is written."""
    from node.edxml.write import write_packet

    part = aim.with_name(aim.name + ".part")
    try:
        with part.open("wb") as out:
            for piece in write_packet(packet, contents):
                out.write(piece)
        found = judged(part)
        require_no_errors(found)
        part.replace(aim)
    except RulesBroken as broken:
        return list(broken.findings)
    except OSError as error:
        raise Broken(Reason.IO_FAILED, f"{aim}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return found


def attached(file: "File", scratch: Path) -> "NewAttachment":
    """Make an attachment of a file. Raises Rejected(REQUEST_INVALID) if it cannot be read."""
    from node.edxml.attach import attach_file

    try:
        return attach_file(Path(file.path), scratch, file.name, file.description)
    except OSError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{file.path}: {error.strerror}") from error


def _filled(letter: "Letter | None", options: dict[str, str], to: list[str], attach: list[Path]) -> "Letter":
    """Put the options over what the file says."""
    from node.edxml.letter import File, Letter, organ_of

    given: dict[str, Any] = {name: value for name, value in options.items() if value}
    if to:
        given["to"] = tuple(map(organ_of, to))
    if attach:
        given["attachments"] = tuple(File(str(path)) for path in attach)
    return replace(letter or Letter(), **given)
