"""Starting a sandbox and stopping it, whatever happens: its folder, its settings, its signals. Loaded only when one is started."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

import typer

from node.cli import sandbox_show
from node.cli.command import now_ms
from node.cli.output import tell
from node.cli.sandbox_console import Console
from node.log import configure
from node.sandbox.door import Door
from node.sandbox.remote import SANDBOX_VARIABLE, forget, note
from node.sandbox.running import Options, Sandbox
from node.sandbox.site import FILE, Site
from node.sandbox.world import FIRST_PORT, make_site


def run(
    home: Path | None, options: Options, log_level: str, *, arrival_by_node: bool, port: int | None, as_json: bool
) -> None:
    """Run a sandbox until it is told to end; without a `home` its folder is gone then. Raises what making and starting one raises."""
    _forget_settings_of_others()
    with _folder(home) as folder:
        site = _site(folder, arrival_by_node, port)
        configure(cast(Literal["debug", "info", "warning", "error"], log_level))
        asyncio.run(_serve(site, options, kept=home is not None, as_json=as_json))


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


def _site(folder: Path, arrival_by_node: bool, port: int | None) -> Site:
    """Return the sandbox of a folder, made if there is none. Raises typer.BadParameter for what only a new one can be told."""
    if not (folder / FILE).exists():
        first_port = FIRST_PORT if port is None else port
        return make_site(folder, now_ms(), arrival_by_node=arrival_by_node, first_port=first_port)
    if arrival_by_node or port is not None:
        raise typer.BadParameter(
            f"{folder} đã là hộp cát; --port và --arrival-by-node chỉ ghi được khi lập hộp cát mới"
        )
    return Site.load(folder)


async def _serve(site: Site, options: Options, *, kept: bool, as_json: bool) -> None:
    """Run until SIGTERM, Ctrl-C or `quit`."""
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


def _forget_settings_of_others() -> None:
    """Drop variables that are meant for a real node: they would become settings of the sandbox's."""
    for name in [name for name in os.environ if name.startswith("TRUC_") and "__" in name and name != SANDBOX_VARIABLE]:
        del os.environ[name]
