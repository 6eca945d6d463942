"""./dev demo: a ministry, two provinces and a centre on this machine; documents travel, statuses come back, everything is checked.

Everything lives in a temporary folder and is gone afterwards, processes included, whatever happens; `--keep` leaves it running.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from node.cli.command import Command, Json, now_ms
from node.cli.faults import TRACE_VARIABLE, run_tree, tell_failure
from node.cli.output import next_steps
from node.demo.bridge import Bridged
from node.demo.nodes import Nodes, StoryBroken
from node.demo.show import Teller
from node.demo.story import Story, tell
from node.demo.world import BRIDGED_SYSTEM, PLACES, build
from node.errors import EXIT_BUG
from node.ops.world import World

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

ENDED_BY_SIGNAL = 128


@app.command(cls=Command, context_settings={"help_option_names": ["--help", "-h"]})
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Để các nút chạy tiếp, in đường dẫn và lệnh để thử.")] = False,
    as_json: Json = False,
) -> None:
    """Chạy thử: một Bộ, hai tỉnh và một trung tâm gửi nhau văn bản thật trên máy này, rồi dọn sạch."""
    signal.signal(signal.SIGTERM, _end_in_order)
    forget_settings_of_others()
    started_s = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="truc-demo-"))
    nodes, teller = Nodes(folder), Teller(quiet=as_json)
    kept = False
    try:
        teller.opening()
        world = build(folder, now_ms())
        teller.built(world, time.monotonic() - started_s)
        figures = asyncio.run(_play(world, nodes, teller, started_s))
        kept = keep
    except StoryBroken as broken:
        tell_failure(str(broken), as_json)
        raise typer.Exit(EXIT_BUG) from broken
    except asyncio.CancelledError:
        _end_in_order(signal.SIGTERM, None)
    finally:
        if not kept:
            nodes.end()
            shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        print(json.dumps(figures | (_kept(world, nodes) if kept else {}), ensure_ascii=False))
    elif kept:
        teller.say(next_steps(_to_try(world, nodes)))


async def _play(world: World, nodes: Nodes, teller: Teller, started_s: float) -> dict[str, object]:
    """Start the nodes, connect an office to each, tell the story; return the figures. Raises StoryBroken."""
    from node.access.credential import Credential
    from node.net.client import OfficeClient

    begun_s = time.monotonic()
    own = asyncio.current_task()
    assert own is not None
    # Between two steps only, as asyncio does with Ctrl-C: in the middle of starting a process nobody would know of it.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, own.cancel)
    for place in PLACES:
        nodes.start(world.home(place.node_id))
    await nodes.all_ready()
    teller.running(nodes.running, _ports(nodes), time.monotonic() - begun_s)
    with_offices = [place.node_id for place in PLACES if place.units]
    async with AsyncExitStack() as stack:
        credentials = {node_id: Credential.load(world.credential(node_id)) for node_id in with_offices}
        offices = {
            name: await stack.enter_async_context(OfficeClient.connect(one)) for name, one in credentials.items()
        }
        directories = {name: world.directory(name) for name in with_offices}
        story = Story(nodes, offices, Bridged(world.bridges[BRIDGED_SYSTEM]), directories, teller)
        documents = await tell(story)
    story.figures.seconds = round(time.monotonic() - started_s, 3)
    teller.ending(documents, story.figures)
    return asdict(story.figures)


def _ports(nodes: Nodes) -> dict[str, str]:
    return {one.node_id: json.loads(one.out.read_text())["mesh_address"].rpartition(":")[2] for one in nodes.running}


def _kept(world: World, nodes: Nodes) -> dict[str, object]:
    homes = {one.node_id: str(world.home(one.node_id).path) for one in nodes.running}
    credentials = {place.node_id: str(world.credential(place.node_id)) for place in PLACES if place.units}
    return {
        "folder": str(world.folder),
        "homes": homes,
        "credentials": credentials,
        "vxp": dict(world.bridges[BRIDGED_SYSTEM]),
        "pids": [one.pid for one in nodes.running],
    }


def _to_try(world: World, nodes: Nodes) -> Sequence[tuple[str, str]]:
    province, ministry = world.folder / "lang-son", world.credential("bo-noi-vu")
    pids = " ".join(str(one.pid) for one in nodes.running)
    return [
        (f"Bốn nút vẫn chạy trong {world.folder}; 'truc' là './dev run' nếu chưa cài.", ""),
        ("Bộ xem văn bản đã gửi tới đâu:", f"truc track --as {ministry} mau-11-G09"),
        ("Hộp đến của tỉnh Lạng Sơn:", f"truc inbox --as {world.credential('lang-son')}"),
        (f"Xã Hoa Hồi nối bằng cầu VXP {world.bridges[BRIDGED_SYSTEM]['endpoint']}, systemid {BRIDGED_SYSTEM}", ""),
        ("Tìm đơn vị:", f"truc unit search 'xa hoa hoi' --as {ministry}"),
        ("Khám một nút:", f"truc doctor {province}"),
        ("Xem đường tới các nút bạn:", f"truc peer list {province}"),
        ("Dừng và dọn sạch:", f"kill {pids} && rm -r {world.folder}"),
    ]


def forget_settings_of_others() -> None:
    """Drop variables that are meant for another node: they would become settings of ours, and of our processes."""
    for name in [name for name in os.environ if name.startswith("TRUC_") and name != TRACE_VARIABLE]:
        del os.environ[name]


def _end_in_order(number: int, frame: FrameType | None) -> NoReturn:
    """Leave by the way that cleans up."""
    raise SystemExit(ENDED_BY_SIGNAL + number)


if __name__ == "__main__":
    sys.exit(run_tree(app, sys.argv[1:], "./dev demo"))
