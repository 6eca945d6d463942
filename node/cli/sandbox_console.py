"""The sandbox's interactive line: what is typed into its terminal while it runs. Without a terminal nothing is read."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from node.cli import sandbox_show
from node.cli.output import console, show
from node.errors import Fault

if TYPE_CHECKING:
    from node.sandbox.door import Door

LINE_BYTES_MAX = 4_096


class Console:
    """Carries out one line at a time; `ended` is set by `quit`, and by the end of input."""

    def __init__(self, door: "Door", ended: asyncio.Event) -> None:
        self._door = door
        self._ended = ended
        self._turns: set[asyncio.Task[None]] = set()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Read lines while the block runs, if there is a terminal."""
        if not sys.stdin or not sys.stdin.isatty():
            yield
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin.fileno(), self._read)
        print(sandbox_show.HELP, flush=True)
        try:
            yield
        finally:
            loop.remove_reader(sys.stdin.fileno())

    def _read(self) -> None:
        # A terminal gives one line at a time, or an empty read for Ctrl-D.
        data = os.read(sys.stdin.fileno(), LINE_BYTES_MAX)
        if not data:
            self._ended.set()
            return
        turn = asyncio.ensure_future(self.carry_out(data.decode("utf-8", "replace").strip()))
        self._turns.add(turn)
        turn.add_done_callback(self._turns.discard)

    async def carry_out(self, line: str) -> None:
        """Do what a line says, and say what came of it."""
        try:
            parts = await self._answer(line.split())
        except Fault as fault:
            parts = sandbox_show.complaint(fault.advice, fault.detail)
        screen = console()
        for part in parts:
            show(screen, part)

    async def _answer(self, words: list[str]) -> list[object]:
        if not words:
            return []
        verb, *rest = words
        if verb in ("quit", "exit", "thoát", "q"):
            self._ended.set()
            return []
        if verb == "show":
            state = self._door.state()
            return sandbox_show.shown(state, kept=state["kept"])
        if verb == "send" and rest:
            said = await self._door.send(rest[0], rest[1] if len(rest) > 1 else "")
            return sandbox_show.sent(said["sent"])
        if verb[0].isdigit() or verb[0] == "+" or verb in ("advance", "tiến"):
            span = " ".join(rest) if verb in ("advance", "tiến") else " ".join(words).lstrip("+")
            return sandbox_show.advanced(self._door.advance(span))
        return [sandbox_show.HELP]
