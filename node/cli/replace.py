"""truc replace: a new document in place of others that were sent, by a packet of edXML type 3 that says where those had gone."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli.command import As, Json, run_async
from node.cli.submit import Submitted, tell_submitted
from node.office.naming import office_of


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
    tell_submitted("document", run_async(_replace(credential, documents, by, reason)), credential, as_json)


async def _replace(credential: Path, names: list[str], by: Path, reason: str) -> Submitted:
    from node.office import changes
    from node.office.sent import written_as

    async with office_of(credential) as office:
        return [(str(by), await changes.replace(office, list(map(written_as, names)), by, reason))]
