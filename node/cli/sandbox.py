"""truc sandbox: a mesh on this machine for those who write document software, with a clock that can be put forward.

sandbox.py         start and stop it, its verbs          sandbox_world.py   its folders
sandbox_show.py    what it tells people                  sandbox_door.py    how the verbs reach the one that runs
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli import sandbox_show
from node.cli.command import Command, Json, Noun, now_ms
from node.cli.output import tell
from node.cli.sandbox_console import Console
from node.cli.sandbox_door import SANDBOX_VARIABLE, Endpoint, forget, note, remote
from node.errors import Rejected
from node.model.policy import MIB

if TYPE_CHECKING:
    from node.sandbox.running import Options
    from node.sandbox.site import Site

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
    from node.log import configure
    from node.sandbox.running import Options

    if log_level not in ("debug", "info", "warning", "error"):
        raise typer.BadParameter("debug, info, warning hoặc error", param_hint="'--log'")
    forget_settings_of_others()
    options = Options(_seconds(every), largest_mb * MIB)
    with _folder(home) as folder:
        site = _site(folder, arrival_by_node, port)
        configure(log_level)  # type: ignore[arg-type]  # one of the four, as was just checked
        asyncio.run(_serve(site, options, kept=home is not None, as_json=as_json))


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


@contextlib.contextmanager
def _folder(home: Path | None) -> Iterator[Path]:
    """Give the folder that the user named, or one that is gone afterwards."""
    if home is not None:
        yield home.absolute()
        return
    folder = Path(tempfile.mkdtemp(prefix="truc-hop-cat-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _site(folder: Path, arrival_by_node: bool, port: int | None) -> "Site":
    """Return the sandbox of a folder, made if there is none. Raises typer.BadParameter for what only a new one can be told."""
    from node.cli.sandbox_world import FIRST_PORT, make_site
    from node.sandbox.site import FILE, Site

    if not (folder / FILE).exists():
        first_port = FIRST_PORT if port is None else port
        return make_site(folder, now_ms(), arrival_by_node=arrival_by_node, first_port=first_port)
    if arrival_by_node or port is not None:
        raise typer.BadParameter(
            f"{folder} đã là hộp cát; --port và --arrival-by-node chỉ ghi được khi lập hộp cát mới"
        )
    return Site.load(folder)


async def _serve(site: "Site", options: "Options", *, kept: bool, as_json: bool) -> None:
    """Run until SIGTERM, Ctrl-C or `quit`."""
    from node.sandbox.door import Door
    from node.sandbox.running import Sandbox

    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    running = await Sandbox.start(site, options)
    door = Door(running, kept=kept)
    web = door.web_door()
    try:
        await web.start()
        note(site.endpoint)
        state: dict[str, Any] = door.state()
        tell(as_json, state | {"pid": os.getpid()}, lambda: sandbox_show.shown(state, kept=kept))
        with Console(door, ended).listening():
            await ended.wait()
    finally:
        forget(site.endpoint)
        await web.stop()
        await running.stop()
    if not as_json:
        print("Đã dừng hộp cát / the sandbox has stopped.", file=sys.stderr)


def forget_settings_of_others() -> None:
    """Drop variables that are meant for a real node: they would become settings of the sandbox's."""
    for name in [name for name in os.environ if name.startswith("TRUC_") and "__" in name and name != SANDBOX_VARIABLE]:
        del os.environ[name]
