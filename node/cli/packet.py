"""truc packet: look into edXML files, check them by the rules, take the attachments out, make new ones. No node is needed."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli import findings, packet_new, packet_show
from node.cli.command import Command, Json, Noun, now_ms
from node.cli.output import BAD, GOOD, QUIET, STRONG, WARNING, line, mark, tell, text
from node.errors import EXIT_OK, Rejected
from node.model.finding import Finding, counted
from node.office.packet_file import Extracted, extract_all, judged, read
from node.wording.plain import plain
from node.wording.vietnamese import size

if TYPE_CHECKING:
    from rich.console import RenderableType

app = typer.Typer(cls=Noun, no_args_is_help=True)
app.command("new", cls=Command)(packet_new.new)

EXIT_BROKEN = Rejected.exit_code

PacketFile = Annotated[Path, typer.Argument(help="Tệp edXML.", metavar="FILE")]


@dataclass(frozen=True, slots=True)
class Checked:
    """A file with what the rules found in it, or why it cannot be read at all."""

    path: Path
    findings: tuple[Finding, ...] = ()
    fault: Rejected | None = None

    @property
    def is_good(self) -> bool:
        """True if nothing in it would stop a submission."""
        return self.fault is None and not counted(self.findings)[0]


@app.command(cls=Command)
def show(file: PacketFile, as_json: Json = False) -> None:
    """Xem một gói tin: ai gửi, gửi ai, văn bản gì, nghiệp vụ gì, tệp nào kèm theo."""
    packet = read(file)
    tell(as_json, {"file": str(file), **plain(packet)}, lambda: packet_show.shown(packet, file.stat().st_size))


@app.command(cls=Command)
def check(
    files: Annotated[list[Path], typer.Argument(help="Các tệp edXML.", metavar="FILE...")], as_json: Json = False
) -> None:
    """Kiểm gói tin theo QCVN 102, QĐ 28/2018 và NĐ 30/2020. Có lỗi thì mã thoát là 65; chỉ có cảnh báo thì 0."""
    checked = [_checked(path) for path in files]
    tell(as_json, {"files": list(map(_said, checked))}, lambda: [part for one in checked for part in _shown(one)])
    raise typer.Exit(EXIT_OK if all(one.is_good for one in checked) else EXIT_BROKEN)


@app.command(cls=Command)
def extract(
    file: PacketFile,
    folder: Annotated[Path, typer.Option("--dir", "-d", help="Ghi vào thư mục này.", metavar="DIR")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Ghi đè tệp đã có.")] = False,
    as_json: Json = False,
) -> None:
    """Lấy các tệp đính kèm ra, đã giải nén. Tệp nén không an toàn thì không lấy, và nói vì sao."""
    taken = list(extract_all(file, folder, force=force))
    document = {
        "attachments": [
            {
                "name": one.name,
                "file": str(one.path) if one.path else None,
                "bytes": one.size_bytes,
                "fault": _fault(one.fault),
            }
            for one in taken
        ]
    }
    tell(as_json, document, lambda: list(map(_taken, taken)) or [text("Gói tin không có tệp đính kèm.")])
    raise typer.Exit(EXIT_BROKEN if any(one.fault for one in taken) else EXIT_OK)


def _checked(path: Path) -> Checked:
    try:
        return Checked(path, tuple(judged(path, now_ms())))
    except Rejected as fault:
        return Checked(path, fault=fault)


def _said(one: Checked) -> dict[str, Any]:
    return {"file": str(one.path), "good": one.is_good, "fault": _fault(one.fault), **findings.said(one.findings)}


def _shown(one: Checked) -> list["RenderableType"]:
    name = text(one.path.name, STRONG)
    if one.fault is not None:
        return [
            line(mark(False), " ", name, ": ", text(one.fault.advice, BAD)),
            text(f"  {one.fault.reason.name}: {one.fault.detail}", QUIET),
        ]
    errors, warnings = counted(one.findings)
    counts = ", ".join(f"{number} {what}" for number, what in ((errors, "lỗi"), (warnings, "cảnh báo")) if number)
    style = BAD if errors else WARNING if warnings else GOOD
    sign = False if errors else None if warnings else True
    verdict = line(mark(sign), " ", name, ": ", text(counts or "đúng quy định", style))
    return [verdict, *findings.shown(one.findings)]


def _taken(one: Extracted) -> "RenderableType":
    if one.fault is not None:
        said = one.fault
        # A fault with a sentence of its own has said all; the general one needs its detail.
        detail = text(f" ({said.detail})", QUIET) if type(said) is Rejected else ""
        return line(mark(False), " ", text(one.name, STRONG), ": ", text(said.advice, BAD), detail)
    return line(mark(True), " ", text(one.path or "", STRONG), f"  {size(one.size_bytes)}")


def _fault(fault: Rejected | None) -> dict[str, str] | None:
    return {"reason": fault.reason.name, "advice": fault.advice, "detail": fault.detail} if fault else None
