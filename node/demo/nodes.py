"""The demo's nodes as processes of their own: `truc serve` for each, watched while we wait for anything, ended whatever happens."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import node as package
from node.ops.home import Home

T = TypeVar("T")

READY_S = 30.0
WAIT_S = 30.0
LOOK_EVERY_S = 0.02
END_S = 10.0
LOG_LINES_SHOWN = 25


class StoryBroken(Exception):
    """The demo cannot go on: a node has died, or something awaited did not come. The message is for people."""


@dataclass(frozen=True, slots=True)
class Running:
    """A node's process, and where its words go."""

    node_id: str
    process: "subprocess.Popen[bytes]"
    out: Path
    log: Path

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    def log_tail(self) -> str:
        """Return the last lines of its log."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-LOG_LINES_SHOWN:])


class Nodes:
    """All of them."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self.running: list[Running] = []

    def start(self, home: Home) -> None:
        """Start a node in a session of its own: Ctrl-C is for us, and we end it in order."""
        node_id = home.path.name
        out, log = self._logs / f"{node_id}.out", self._logs / f"{node_id}.log"
        command = [sys.executable, "-P", "-m", "node.cli.main", "serve", str(home.path), "--json"]
        with out.open("wb") as stdout, log.open("wb") as stderr:
            process = subprocess.Popen(  # noqa: S603  our own program
                command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=_environment(),
                start_new_session=True,
            )
        self.running.append(Running(node_id, process, out, log))

    async def all_ready(self) -> None:
        """Wait until every node has said where it listens. Raises StoryBroken."""
        for one in self.running:
            await self.until(partial(_said_ready, one), f"nút {one.node_id} chạy", READY_S)

    async def until(self, look: Callable[[], Awaitable[T | None]], what: str, limit_s: float = WAIT_S) -> T:
        """Look again and again until there is something; return it. Raises StoryBroken after the limit, or if a node dies."""
        end_s = time.monotonic() + limit_s
        while True:
            found = await look()
            if found:
                return found
            self._check_alive()
            if time.monotonic() > end_s:
                raise StoryBroken(f"Chờ {limit_s:.0f} giây mà chưa thấy {what}.\n{self.logs()}")
            await asyncio.sleep(LOOK_EVERY_S)

    def logs(self) -> str:
        """Return the last lines of all logs."""
        return "\n".join(f"--- {one.node_id}\n{one.log_tail()}" for one in self.running)

    def end(self) -> None:
        """End all processes: politely, and after a while not so."""
        for one in self.running:
            one.process.terminate()
        end_s = time.monotonic() + END_S
        for one in self.running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.process.wait(max(0.1, end_s - time.monotonic()))
        for one in self.running:
            if one.process.poll() is None:
                one.process.kill()
                one.process.wait()

    def _check_alive(self) -> None:
        for one in self.running:
            code = one.process.poll()
            if code is not None:
                raise StoryBroken(f"Nút {one.node_id} đã tắt, mã thoát {code}. Nhật ký của nó:\n{one.log_tail()}")


async def _said_ready(one: Running) -> bool:
    return one.out.stat().st_size > 0


def _environment() -> dict[str, str]:
    """Ours, with this very package on the path."""
    return {**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1]), "PYTHONUNBUFFERED": "1"}
