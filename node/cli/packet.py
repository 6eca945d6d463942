"""truc packet: look into edXML files, check them by the rules, take the attachments out, make new ones. No node is needed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli import findings, packet_new, packet_show
from node.cli.command import Command, Json, Noun, make_folder
from node.cli.output import BAD, GOOD, QUIET, STRONG, WARNING, line, mark, tell, text
from node.errors import EXIT_OK, Broken, Rejected
from node.model.finding import Finding
from node.model.reason import Reason
from node.office.packet_file import judged, read
from node.wording.plain import plain
from node.wording.vietnamese import size

if TYPE_CHECKING:
    from rich.console import RenderableType

    from node.model.packet import Packet

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
        return self.fault is None and not findings.counted(self.findings)[0]


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
    taken = list(extract_all(file, folder, force))
    document = {
        "attachments": [
            {"name": name, "file": str(path) if path else None, "bytes": octets, "fault": fault}
            for name, path, octets, fault in taken
        ]
    }
    tell(as_json, document, lambda: [_taken(*one) for one in taken] or [text("Gói tin không có tệp đính kèm.")])
    raise typer.Exit(EXIT_BROKEN if any(fault for *_, fault in taken) else EXIT_OK)


def _checked(path: Path) -> Checked:
    try:
        return Checked(path, tuple(judged(path)))
    except Rejected as fault:
        return Checked(path, fault=fault)


def _said(one: Checked) -> dict[str, Any]:
    fault = one.fault
    told = {"reason": fault.reason.name, "advice": fault.advice, "detail": fault.detail} if fault else None
    return {"file": str(one.path), "good": one.is_good, "fault": told, **findings.said(one.findings)}


def _shown(one: Checked) -> list["RenderableType"]:
    name = text(one.path.name, STRONG)
    if one.fault is not None:
        return [
            line(mark(False), " ", name, ": ", text(one.fault.advice, BAD)),
            text(f"  {one.fault.reason.name}: {one.fault.detail}", QUIET),
        ]
    errors, warnings = findings.counted(one.findings)
    counts = ", ".join(f"{number} {what}" for number, what in ((errors, "lỗi"), (warnings, "cảnh báo")) if number)
    style = BAD if errors else WARNING if warnings else GOOD
    sign = False if errors else None if warnings else True
    verdict = line(mark(sign), " ", name, ": ", text(counts or "đúng quy định", style))
    return [verdict, *findings.shown(one.findings)]


def extract_all(file: Path, folder: Path, force: bool) -> Iterator[tuple[str, Path | None, int, dict[str, str] | None]]:
    """Take out one attachment after the other in one pass: (name, file, octets, fault)."""
    from itertools import groupby
    from operator import itemgetter

    from node.edxml.document import content_pieces

    packet = read(file)
    names = _file_names(packet)
    present = [folder / name for name in names if (folder / name).exists()]
    if present and not force:
        raise Broken(Reason.ALREADY_EXISTS, f"{present[0]}; --force replaces it")
    make_folder(folder)
    given_out = groupby(content_pieces(file), key=itemgetter(0))
    following = next(given_out, None)
    for index, attachment in enumerate(packet.attachments):
        if following is None or following[0] != index:
            yield _written(attachment.attachment_name, folder / names[index], iter(()))
            continue
        pieces = (piece for _, piece in following[1])
        yield _written(attachment.attachment_name, folder / names[index], _unpacked(attachment, pieces))
        following = next(given_out, None)


def _unpacked(attachment: Any, pieces: Iterator[bytes]) -> Iterator[bytes]:
    from node.edxml.extract import is_zipped
    from node.edxml.unzip import unzip_one

    return unzip_one(pieces) if is_zipped(attachment) else pieces


def _written(name: str, path: Path, pieces: Iterator[bytes]) -> tuple[str, Path | None, int, dict[str, str] | None]:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    octets = 0
    try:
        with part.open("wb") as out:
            for piece in pieces:
                octets += out.write(piece)
        part.replace(path)
    except Rejected as fault:
        return name, None, 0, {"reason": fault.reason.name, "advice": fault.advice, "detail": fault.detail}
    except OSError as error:
        raise Broken(Reason.IO_FAILED, f"{path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return name, path, octets, None


def _file_names(packet: "Packet") -> list[str]:
    """Names without paths, none of them twice, also where a file system does not tell capitals from small letters."""
    from node.edxml.extract import file_name

    taken: set[str] = set()
    names = []
    for index, attachment in enumerate(packet.attachments):
        name, number = file_name(attachment, index), 1
        stem, dot, ending = name.rpartition(".") if "." in name else (name, "", "")
        while name.casefold() in taken:
            number += 1
            name = f"{stem} ({number}){dot}{ending}"
        taken.add(name.casefold())
        names.append(name)
    return names


def _taken(name: str, path: Path | None, octets: int, fault: dict[str, str] | None) -> "RenderableType":
    if path is None and fault is not None:
        return line(
            mark(False), " ", text(name, STRONG), ": ", text(fault["advice"], BAD), text(f" ({fault['detail']})", QUIET)
        )
    return line(mark(True), " ", text(path or "", STRONG), f"  {size(octets)}")
