"""Batching: calls that arrive together are served together.

One private-key operation and one commit cost the same for one packet as for a hundred. So while a group is being made durable, the
calls that arrive meanwhile wait in a list and form the next group: a lone call waits for nobody, and under load groups grow by
themselves. If the last group had company, the next one waits a moment (`pause`) for its own, and again as long as calls keep coming:
a caller of one packet at a time never waits, and many callers at once share far more (decision 0005).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Q = TypeVar("Q")
R = TypeVar("R")

PAUSES_MAX = 6
"""A group waits for company so many times at most (decision 0005)."""


class Batcher(Generic[Q, R]):
    """Collects questions; answers them group by group, at most `groups_max` groups at a time.

    `serve` gets a list of questions and returns as many answers in order. An answer that is an exception is raised for its own
    asker only; an exception from `serve` itself is raised for all of the group.
    """

    def __init__(
        self,
        serve: Callable[[list[Q]], Awaitable[list[R | Exception]]],
        *,
        size_max: int,
        groups_max: int = 1,
        pause: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._serve = serve
        self._size_max = size_max
        self._groups_max = groups_max
        self._pause = pause
        self._had_company = False
        self._waiting: list[tuple[Q, asyncio.Future[R]]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def ask(self, question: Q) -> R:
        """Put a question and wait for its answer."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if len(self._running) < self._groups_max:
            self._start()
        return await future

    def _start(self) -> None:
        task = asyncio.ensure_future(self._run())
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if not task.cancelled() and self._waiting and len(self._running) < self._groups_max:
            self._start()

    async def _run(self) -> None:
        # One turn of the loop lets calls that arrived in the same turn join.
        await asyncio.sleep(0)
        while self._waiting:
            if self._pause is not None and self._had_company:
                await self._wait_for_company(self._pause)
            self._had_company = len(self._waiting) > 1
            group, self._waiting = self._waiting[: self._size_max], self._waiting[self._size_max :]
            await self._serve_group(group)

    async def _wait_for_company(self, pause: Callable[[], Awaitable[None]]) -> None:
        seen = 0
        for _ in range(PAUSES_MAX):
            if not seen < len(self._waiting) < self._size_max:
                return
            seen = len(self._waiting)
            await pause()

    async def _serve_group(self, group: list[tuple[Q, "asyncio.Future[R]"]]) -> None:
        try:
            answers = await self._serve([question for question, _ in group])
            assert len(answers) == len(group)
        except BaseException as error:
            for _, future in group:
                if not future.done():
                    future.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), answer in zip(group, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
