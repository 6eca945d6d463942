"""truc drop: an office without software puts files into a folder and finds what came in another; see node/drop/__init__.py."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.command import As, Json, now_ms, run_async
from node.cli.output import QUIET, console, line, mark, show, tell, text
from node.errors import EXIT_OK
from node.wording import vietnamese
from node.wording.plain import json_text

if TYPE_CHECKING:
    from node.drop.paperwork import Event, Tell

PATIENCE_S = 3.0
EVERY_S = 5.0
_WORDS = {
    "sent": "đã gửi",
    "refused": "không gửi được",
    "arrived": "văn bản đến",
    "followed": "biên nhận",
    "left": "để lại",
    "failed": "tạm ngừng",
    "resumed": "tiếp tục",
    "slower": "không được báo",
}
_GOOD = {"refused": False, "failed": False, "left": None, "slower": None}


def drop(
    folder: Annotated[
        Path,
        typer.Argument(help="Thư mục làm việc; các thư mục gui, da-gui, den, loi được lập ở trong.", metavar="FOLDER"),
    ],
    credential: As,
    once: Annotated[bool, typer.Option("--once", help="Làm một lượt rồi thoát.")] = False,
    every: Annotated[
        float,
        typer.Option(help="Bao nhiêu giây nhìn thư mục và hỏi nút một lần.", min=0.1, max=3600, metavar="SECONDS"),
    ] = EVERY_S,
    as_json: Json = False,
) -> None:
    """Gửi, nhận bằng thư mục, cho cơ quan chưa có phần mềm: bỏ tệp vào gui, văn bản đến nằm ở den. Dừng: Ctrl-C."""
    events: list[Event] = []
    run_async(_work(folder, credential, once, every, events.append if once else _teller(as_json)))
    if once:
        document = {"events": [asdict(event) for event in events]}
        tell(as_json, document, lambda: [_shown(event) for event in events] or [text("Không có gì mới.", QUIET)])
    raise typer.Exit(max((event.exit_code for event in events), default=EXIT_OK))


async def _work(folder: Path, credential: Path, once: bool, every_s: float, say: "Tell") -> None:
    import asyncio
    import signal

    from node.client import AsyncOffice, Patience
    from node.drop.folder import DropFolder
    from node.drop.places import Places

    async with AsyncOffice(credential, patience=Patience(limit_s=PATIENCE_S)) as office:
        with Places(folder).prepared():
            at_work = DropFolder(folder, office, say)
            at_work.begin()
            working = asyncio.ensure_future(at_work.run_once() if once else at_work.run(every_s))
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, working.cancel)
            await asyncio.wait([working])
            if not working.cancelled():
                working.result()


def _teller(as_json: bool) -> "Tell":
    """Return what tells events as they happen: a JSON document a line, or a line for people."""

    def say(event: "Event") -> None:
        if as_json:
            print(json_text(asdict(event), indent=None), flush=True)
        else:
            show(console(), _shown(event, vietnamese.when(now_ms())[-8:] + " "))

    return say


def _shown(event: "Event", at: str = "") -> object:
    what = f"{_WORDS[event.kind]}: " if event.name else f"{_WORDS[event.kind]}, "
    name = text(f"{event.name}: " if event.name else "", "bold")
    return line(mark(_GOOD.get(event.kind, True)), text(f" {at}", QUIET), what, name, text(event.sentence))
