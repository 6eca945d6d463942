"""truc serve: run the node that lives in HOME until SIGTERM or Ctrl-C. Logs go to stderr.

With --check nothing is run: it tells whether this version could run that node, also beside one that runs. Upgrades ask it first.
"""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from node import __version__
from node.cli.command import Home, Json
from node.cli.output import line, mark, tell
from node.ops.home import Home as Place

if TYPE_CHECKING:
    from node.process.assembly import RunningNode


def serve(
    home: Home,
    check: Annotated[
        bool, typer.Option("--check", help="Chỉ xem phiên bản này có chạy được nút đó không, không chạy, không đổi gì.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Chạy nút trong HOME cho tới khi được bảo dừng (SIGTERM hoặc Ctrl-C)."""
    from node import log
    from node.process import assembly

    Place(home).require_real()
    settings = Place(home).settings()
    if check:
        assembly.check(home, settings)
        document = {"node_id": settings.node_id, "version": __version__}
        tell(as_json, document, lambda: [line(mark(True), f" truc {__version__} chạy được nút {settings.node_id}.")])
        return
    log.configure(settings.log.level, settings.log.format)

    def say_ready(running: "RunningNode") -> None:
        """Say where it listens, with the ports that were really taken; whoever started us may wait for this line."""
        where = {
            "node_id": running.node_id,
            "mesh_address": running.mesh_address,
            "office_address": running.office_address,
        }
        print(json.dumps(where) if as_json else _sentence(**where), flush=True)

    assembly.run(home, settings, ready=say_ready)


def _sentence(node_id: str, mesh_address: str, office_address: str) -> str:
    return f"✓ Nút {node_id} đang chạy: nút khác gọi {mesh_address}, phần mềm QLVB gọi {office_address}. Dừng: Ctrl-C."
