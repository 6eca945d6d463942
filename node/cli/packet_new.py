"""truc packet new: a packet from options, or from a small TOML file, and files to attach; what the rules refuse is not written."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli import findings
from node.cli.command import Json
from node.cli.output import BAD, STRONG, line, mark, next_steps, tell, text
from node.errors import ADVICE, EXIT_OK, Broken, Rejected
from node.model.finding import Finding, counted
from node.model.reason import Reason
from node.office.naming import safe_file_name
from node.wording.plain import in_vietnam
from node.wording.vietnamese import size

if TYPE_CHECKING:
    from node.edxml.letter import Letter

EXAMPLE = """# truc packet new cong-van.toml -o cong-van.edxml
# Tên mục viết không dấu như dưới đây, hoặc bằng tiếng Anh (sender, to, number, subject …).
noi_gui = "H99.01"
ten_noi_gui = "UBND tỉnh Mẫu"
noi_nhan = ["H99.02", { ma = "H99.03", ten = "Sở Mẫu" }]
so = "123"
ky_hieu = "UBND-VX"
ngay = 2026-10-05
loai = "Công văn"
trich_yeu = "V/v liên thông văn bản"
nguoi_ky = "Nguyễn Văn Mẫu"
chuc_vu = "Chủ tịch"
quyen_han_ky = "TM. UBND"
do_khan = "khẩn"               # thường, khẩn, thượng khẩn, hỏa tốc, hỏa tốc hẹn giờ
han_tra_loi = 2026-12-31
# tep_dinh_kem = ["cong-van.pdf"]      # tệp nằm cạnh tệp này; bỏ dấu # ở đầu dòng
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
    from node.office.letters import make, read_letter

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
    tell_made(aim, make(letter, aim, in_vietnam()), as_json)


def tell_made(path: Path, found: Sequence[Finding], as_json: bool) -> None:
    """Tell that a packet was made, or why not; ends with the exit code."""
    broken = counted(found)[0] > 0
    reason = Reason.PACKET_BREAKS_RULES
    document: dict[str, Any] = {"file": None if broken else str(path), "reason": reason.name if broken else None}
    verdict = (
        line(mark(False), " ", text(ADVICE[reason], BAD))
        if broken
        else line(mark(True), " ", text(path, STRONG), f"  {size(path.stat().st_size)}")
    )
    steps = [] if broken else [next_steps([("Gửi đi:", f"truc submit --as TỆP-XÁC-THỰC {shlex.quote(str(path))}")])]
    tell(as_json, document | findings.said(found), lambda: [verdict, *findings.shown(found), *steps])
    raise typer.Exit(Rejected.exit_code if broken else EXIT_OK)


def _filled(letter: "Letter | None", options: dict[str, str], to: list[str], attach: list[Path]) -> "Letter":
    """Put the options over what the file says."""
    from node.edxml.letter import File, Letter, organ_of

    given: dict[str, Any] = {name: value for name, value in options.items() if value}
    if to:
        given["to"] = tuple(map(organ_of, to))
    if attach:
        given["attachments"] = tuple(File(str(path)) for path in attach)
    return replace(letter or Letter(), **given)
