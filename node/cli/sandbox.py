"""truc sandbox: a mesh on this machine for those who write document software, with a clock that can be put forward.

    sandbox.py        its verbs                 sandbox_run.py       start and stop it
    sandbox_show.py   what it tells people      sandbox_door.py      which one a command means
    sandbox_console.py                          what is typed into its terminal

This file is loaded with every command; all that is heavy waits until a sandbox is started.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from node.cli import sandbox_show
from node.cli.command import Command, Json, Noun
from node.cli.output import tell
from node.cli.sandbox_door import Endpoint, remote
from node.errors import Rejected
from node.model.policy import MIB

app = typer.Typer(cls=Noun)


@app.callback(invoke_without_command=True)
def sandbox(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(
            "--home", help="Giữ hộp cát trong thư mục này để lần sau chạy tiếp; mặc định thư mục tạm.", metavar="DIR"
        ),
    ] = None,
    every: Annotated[
        str,
        typer.Option(
            help="Đơn vị mẫu tự gửi cho bạn cách nhau bao lâu theo giờ hộp cát; 0: không tự gửi.", metavar="SPAN"
        ),
    ] = "5m",
    arrival_by_node: Annotated[
        bool, typer.Option("--arrival-by-node", help="Nút báo 01 thay phần mềm của bạn, như nút thật mặc định làm.")
    ] = False,
    largest_mb: Annotated[int, typer.Option(help="Cỡ của gói lớn nhất, MB.", min=1, max=500)] = 50,
    port: Annotated[
        int | None,
        typer.Option(
            help="Cổng đầu trong ba cổng liền nhau: cửa hộp cát, OfficeService, cầu VXP; mặc định 7481. Bận hoặc 0: cổng trống bất kỳ.",
            min=0,
            max=65_533,
        ),
    ] = None,
    log_level: Annotated[str, typer.Option("--log", help="debug, info, warning hoặc error.")] = "warning",
    as_json: Json = False,
) -> None:
    """Hộp cát cho nhà cung cấp phần mềm: ba nút trên máy này, đồng hồ tiến được, đơn vị mẫu tự trả lời."""
    if context.invoked_subcommand is not None:
        return
    if log_level not in ("debug", "info", "warning", "error"):
        raise typer.BadParameter("debug, info, warning hoặc error", param_hint="'--log'")
    from node.cli import sandbox_run
    from node.sandbox.running import Options

    options = Options(_seconds(every), largest_mb * MIB)
    sandbox_run.run(home, options, log_level, arrival_by_node=arrival_by_node, port=port, as_json=as_json)


@app.command(cls=Command)
def advance(
    span: Annotated[str, typer.Argument(help="Tiến bao lâu: 90s, 15m, 3h, 2d, 1w, 1d12h.", metavar="SPAN")],
    endpoint: Endpoint = "",
    as_json: Json = False,
) -> None:
    """Tiến đồng hồ của hộp cát: thời hạn, thử lại, hết hạn xảy ra ngay."""
    time = remote(endpoint).post("advance", span)
    tell(as_json, time, lambda: sandbox_show.advanced(time))


@app.command(cls=Command)
def send(
    kind: Annotated[str, typer.Argument(help=sandbox_show.KINDS_TEXT, metavar="KIND")],
    to: Annotated[str, typer.Option(help="Gửi tới đơn vị nào của bạn; mặc định đơn vị đầu.", metavar="CODE")] = "",
    endpoint: Endpoint = "",
    as_json: Json = False,
) -> None:
    """Cho một đơn vị mẫu gửi cho bạn một gói tin, thường hoặc lạ."""
    said = remote(endpoint).post("send", json.dumps({"kind": kind, "unit": to}))
    tell(as_json, said, lambda: sandbox_show.sent(said["sent"]))


@app.command(cls=Command)
def show(endpoint: Endpoint = "", as_json: Json = False) -> None:
    """Xem lại hộp cát đang chạy: nối vào đâu, mấy giờ, ai trả lời thế nào."""
    said = remote(endpoint).get("state")
    tell(as_json, said, lambda: sandbox_show.shown(said, kept=said["kept"]))


def _seconds(every: str) -> float:
    from node.sandbox.clock import span_ms

    if every.strip() == "0":
        return 0.0
    try:
        return span_ms(every) / 1000
    except Rejected as fault:
        raise typer.BadParameter("ghi 0, hoặc 90s, 15m, 3h, 2d", param_hint="'--every'") from fault
