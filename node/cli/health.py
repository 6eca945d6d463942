"""truc health: is the running node well? One line and an exit code, for container engines and whatever else supervises.

Healthy means that the node can sign, store, knows a directory and keeps time (node/process/health.py); it finds out by doing it.
0: healthy; 78: it runs, but something grave is wrong; 75: it does not answer. `truc doctor` looks at more, and also at a node that
stands still.
"""

from typing import TYPE_CHECKING

import typer

from node.cli.command import Home, Json, run_async
from node.cli.output import BAD, STRONG, WARNING, line, mark, tell, text
from node.errors import EXIT_OK, Broken
from node.model.office import HealthView
from node.ops.home import Home as Place
from node.wording.plain import plain

if TYPE_CHECKING:
    from rich.text import Text


def health(home: Home, as_json: Json = False) -> None:
    """Hỏi nút đang chạy có khỏe không (ký được, ghi được, có danh bạ, giờ đúng). Mã thoát 0 là khỏe."""
    view = run_async(_ask(Place(home)))
    tell(as_json, plain(view), lambda: _shown(view))
    raise typer.Exit(EXIT_OK if view.healthy else Broken.exit_code)


async def _ask(place: Place) -> HealthView:
    async with place.admin() as admin:
        return await admin.health()


def _shown(view: HealthView) -> list["Text"]:
    verdict = " khỏe" if view.healthy else " không khỏe"
    heading = line(
        mark(view.healthy),
        " Nút ",
        text(view.node_id, STRONG),
        verdict,
        f", danh bạ phiên bản {view.directory_version}",
    )
    findings = [text(f"  {one.reason.name}: {one.advice}", BAD if one.grave else WARNING) for one in view.findings]
    return [heading, *findings]
