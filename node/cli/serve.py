"""truc serve: run the node that lives in HOME until SIGTERM or Ctrl-C. Logs go to stderr."""

import json
from typing import TYPE_CHECKING

from node.cli.command import Home, Json
from node.cli.home import Home as Place

if TYPE_CHECKING:
    from node.assembly import RunningNode


def serve(home: Home, as_json: Json = False) -> None:
    """Chạy nút trong HOME cho tới khi được bảo dừng (SIGTERM hoặc Ctrl-C)."""
    from node import assembly, log

    Place(home).require_real()
    settings = Place(home).settings()
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
