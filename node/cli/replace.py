"""truc replace: a new document in place of others that were sent, by a packet of edXML type 3 that says where those had gone."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace as changed
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import As, Json, run_async
from node.cli.submit import Submitted, tell_submitted
from node.model.packet import Bussiness, MessageHeader, Organ, OrganIdList, ReplacementInfo, ReplacementInfoList
from node.office.naming import office_of
from node.office.sent import REPLACEMENT, Sent, find, submit_about

if TYPE_CHECKING:
    from node.edxml.attach import NewAttachment


def replace(
    documents: Annotated[
        list[str],
        typer.Argument(
            help="Các văn bản bị thay thế: tệp gói tin gốc, mã gói, mã lần gửi, DocumentId.", metavar="FILE|ID..."
        ),
    ],
    credential: As,
    by: Annotated[
        Path,
        typer.Option("--with", help="Văn bản mới: tệp TOML như của 'truc packet new', hoặc tệp edXML.", metavar="FILE"),
    ],
    reason: Annotated[str, typer.Option(help="Vì sao thay thế.")] = "",
    as_json: Json = False,
) -> None:
    """Gửi một văn bản mới thay thế những văn bản đã gửi. Không ghi nơi nhận thì gửi tới mọi nơi đã nhận văn bản cũ."""
    tell_submitted("document", run_async(_replace(credential, documents, by, reason)), as_json)


async def _replace(credential: Path, names: list[str], by: Path, reason: str) -> Submitted:
    async with office_of(credential) as office:
        with tempfile.TemporaryDirectory(prefix="truc-") as scratch:
            old = [await find(office, name) for name in names]
            header, files = _new_document(by, old, Path(scratch))
            business = Bussiness(
                document_id=header.document_id,
                bussiness_doc_type=REPLACEMENT,
                bussiness_doc_reason=reason,
                paper="0",
                replacement_info_lists=(ReplacementInfoList(tuple(map(_replaced, old))),),
            )
            said = (header.document_id, reason, *(one.key for one in old))
            return [(str(by), await submit_about(office, header, business, files, *said))]


def _new_document(by: Path, old: Sequence[Sent], scratch: Path) -> "tuple[MessageHeader, list[NewAttachment]]":
    from node.cli.packet_new import attached, read_letter
    from node.edxml.letter import packet_of_letter
    from node.office.packet_file import read
    from node.office.sent import attachments_of
    from node.wording.plain import in_vietnam

    if by.suffix != ".toml":
        return read(by).header, attachments_of(by)
    letter = read_letter(by)
    if not letter.to:
        letter = changed(letter, to=_everywhere(old))
    files = [attached(one, scratch) for one in letter.attachments]
    return packet_of_letter(letter, in_vietnam(), files).header, files


def _everywhere(old: Sequence[Sent]) -> tuple[Organ, ...]:
    """All to whom the old documents went, each once."""
    return tuple({one.organ_id: one for sent in old for one in sent.recipients}.values())


def _replaced(sent: Sent) -> ReplacementInfo:
    return ReplacementInfo(sent.header.document_id, OrganIdList(tuple(one.organ_id for one in sent.recipients)))
