"""truc export: a document with its packets, statuses, receipts and history as one folder or zip (node/archive/ tells what is in it)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import As, Json, run_async
from node.cli.output import STRONG, WARNING, line, mark, tell, text
from node.model.code import parse_code
from node.model.life import Dossier
from node.office.naming import is_packet_id, office_of

if TYPE_CHECKING:
    from node.archive.facts import Facts
    from node.net.client import OfficeClient

ZIP_ENDING = ".zip"


def export(
    name: Annotated[str, typer.Argument(help="DocumentId của văn bản, hoặc mã một gói tin về nó.", metavar="ID")],
    credential: As,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Thư mục (chưa có) hoặc tệp .zip để ghi; mặc định theo số, ký hiệu.", metavar="PATH"
        ),
    ] = None,
    as_zip: Annotated[bool, typer.Option("--zip", help="Ghi thành một tệp zip.")] = False,
    unit: Annotated[
        str,
        typer.Option(help="Đơn vị lưu hồ sơ (nơi gửi hoặc nơi nhận), nếu hệ thống có nhiều đơn vị.", metavar="CODE"),
    ] = "",
    author: Annotated[
        str, typer.Option(help="Đơn vị ban hành, khi ghi DocumentId của văn bản đến.", metavar="CODE")
    ] = "",
    as_json: Json = False,
) -> None:
    """Xuất hồ sơ lưu trữ của một văn bản: gói tin, tệp đính kèm, biên nhận, trạng thái, diễn biến; đọc được mà không cần nút."""
    as_unit, of_author = (parse_code(code).text if code else "" for code in (unit, author))
    path, facts = run_async(_export(credential, name, as_unit, of_author, out, as_zip))
    document = {
        "path": str(path),
        "document_id": facts.dossier.document_id,
        "unit": facts.dossier.unit,
        "packets": len(facts.packets),
        "missing": facts.problems,
    }
    tell(as_json, document, lambda: _shown(path, facts))


async def _export(
    credential: Path, name: str, unit: str, author: str, out: Path | None, as_zip: bool
) -> tuple[Path, "Facts"]:
    from node.archive.write import default_name, write

    async with office_of(credential) as office:
        dossier = await _dossier(office, name, unit, author)
        zipped = as_zip or (out is not None and out.suffix.lower() == ZIP_ENDING)
        path = out or Path(default_name(dossier) + (ZIP_ENDING if zipped else ""))
        return path, await write(office, dossier, path, as_zip=zipped)


async def _dossier(office: "OfficeClient", name: str, unit: str, author: str) -> Dossier:
    if is_packet_id(name):
        return await office.dossier(unit=unit, author_unit=author, packet_id=bytes.fromhex(name))
    return await office.dossier(unit=unit, author_unit=author, document_id=name)


def _shown(path: Path, facts: "Facts") -> list[object]:
    said = line(mark(not facts.problems or None), " ", text(path, STRONG), f"  {len(facts.packets)} gói tin")
    return [said, *(text(f"  ! {one}", WARNING) for one in facts.problems)]
