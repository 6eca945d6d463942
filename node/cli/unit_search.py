"""truc unit search: find a unit of the directory, by a code it has or had, or by its name."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli.command import Json, OptionalAs, OptionalHome, now_ms, run_async
from node.cli.output import table, tell, text
from node.errors import fault
from node.model.office import FoundUnit
from node.model.reason import Reason
from node.ops.home import Home as Place
from node.wording import vietnamese
from node.wording.plain import plain


def search(
    query: Annotated[
        str, typer.Argument(help="Mã, phần đầu của mã, hoặc vài chữ trong tên, có dấu hay không.", metavar="QUERY")
    ],
    credential: OptionalAs = None,
    home: OptionalHome = None,
    limit: Annotated[int, typer.Option(help="Nhiều nhất bao nhiêu kết quả.", min=1, max=200)] = 20,
    as_json: Json = False,
) -> None:
    """Tìm đơn vị trong danh bạ: hỏi nút đang chạy (--as) hoặc đọc danh bạ của nút (--home)."""
    if credential is not None:
        found = run_async(_ask_node(credential, query, limit))
    elif home is not None:
        found = _look_at_home(Place(home), query, limit)
    else:
        raise fault(Reason.CREDENTIAL_MISSING, "neither --as nor --home is given")
    tell(as_json, {"query": query, "units": plain(found)}, lambda: [_found(found)])


async def _ask_node(credential: Path, query: str, limit: int) -> list[FoundUnit]:
    from node.access.credential import Credential
    from node.net.client import OfficeClient

    async with OfficeClient.connect(Credential.load(credential)) as office:
        return await office.search_units(query, limit)


def _look_at_home(place: Place, query: str, limit: int) -> list[FoundUnit]:
    from node.directory.lookup.search import SearchIndex
    from node.directory.trust.trust import TrustedFolder

    directory = TrustedFolder(place.directory).load()
    if not directory.version:
        raise fault(Reason.DIRECTORY_EMPTY, str(place.directory))
    return SearchIndex(directory).find(query, limit)


def _found(found: list[FoundUnit]) -> object:
    if not found:
        return text("Không tìm thấy đơn vị nào. Hãy thử ít chữ hơn, hoặc phần đầu của mã.")
    shown = table(["Mã", "Dạng cũ", "Tên", "Nút", "Mã tương đương"], whole=["Mã", "Dạng cũ"])
    now = now_ms()
    for unit in found:
        others = ", ".join(vietnamese.alias(one, now) for one in unit.aliases)
        shown.add_row(*map(text, [unit.code, unit.old_code, unit.name, unit.node_id, others]))
    return shown
