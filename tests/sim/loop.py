"""Virtual time: an asyncio loop that never waits, and the processes that live and die on it.

Where asyncio would wait for its next timer, this loop sets its clock to the timer's time: a simulated hour costs as much as what
happens in it. One thread, one clock, callbacks in the order they were scheduled: the same program with the same random numbers
does the same things at the same times, for ever.

A `Process` is one run of a node. Every task started inside it, and every task those start, belongs to it (a context variable is
inherited); a crash marks it dead and cancels them all. Its ports ask `alive` first, so nothing that a dying task still does in an
`except` or `finally` can reach the network or the disk: no clean-up is relied upon.

A process may be paused, as by a stopped virtual machine: whatever of it is ready to run stays ready and does not run, while time goes
on for everybody. That costs nothing while nothing is paused.
"""

import asyncio
import contextvars
import heapq
import itertools
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from node.errors import Fault

T = TypeVar("T")
LOOPS = ("Courier.run", "Greeter.greet", "Sweeper._run", "DutyLoop._run", "Notifier._run")
"""Coroutines that run as long as their process does (L-loops)."""
TURNS_WITHOUT_TIME_MAX = 200_000
"""So many turns of the loop at one moment of virtual time mean that something spins."""


class Deadlock(Exception):
    """Nothing is scheduled although somebody still waits, or the clock ran past its limit, or it stands still."""


class NoAnswer(Exception):
    """The process died, or did not answer in time: the caller knows nothing."""


class NoFiles(selectors.BaseSelector):
    """A selector that is never asked: there are no files and no threads, only the loop's own wake-up socket, which sleeps."""

    def __init__(self) -> None:
        self._files: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Remember a file."""
        key = selectors.SelectorKey(fileobj, fileobj if isinstance(fileobj, int) else fileobj.fileno(), events, data)
        self._files[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Forget a file."""
        return self._files.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Return what is registered."""
        return self._files

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return that nothing has happened."""
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop over virtual time; threads are forbidden."""

    _ready: Any

    def __init__(self) -> None:
        self.now_s = 0.0
        self.limit_s = 400 * 86_400.0
        self._turns = 0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        """A heap: when, and in which order they were set."""
        self._timer_numbers = itertools.count()
        super().__init__(NoFiles())
        self.bugs: list[str] = []
        self.paused: dict[Process, list[asyncio.Handle]] = {}
        """What is ready to run in each process that is paused."""
        self.set_exception_handler(self._note_bug)
        self.set_task_factory(_own_task)  # type: ignore[arg-type]

    def time(self) -> float:
        """Return virtual seconds since the beginning of the world."""
        return self.now_s

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """As asyncio's own, without its checks: this and the next are the busiest of a world."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio's own; of two timers for one moment the one that was set first comes first."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._timer_numbers), timer))
        return timer

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """As `call_at`, from now on."""
        return self.call_at(self.now_s + delay, callback, *args, context=context)

    def _run_once(self) -> None:
        """Take one turn: as asyncio's own, but where that one waits, the clock moves on. Raises Deadlock."""
        ready, timers = self._ready, self._timers
        while timers and timers[0][2]._cancelled:  # type: ignore[attr-defined]
            heapq.heappop(timers)
        if ready:
            self._turns += 1
            if self._turns > TURNS_WITHOUT_TIME_MAX:
                raise Deadlock(f"at {self.now_s:.3f} s the loop turns and turns and time stands still")
        elif timers:
            self._move_on(timers[0][0])
        elif not self._stopping:  # type: ignore[attr-defined]
            raise Deadlock(f"at {self.now_s:.3f} s nothing is scheduled, but work is expected")
        while timers and timers[0][0] <= self.now_s:
            ready.append(heapq.heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled and not (self.paused and self._holds_back(handle)):
                handle._run()

    def _holds_back(self, handle: asyncio.Handle) -> bool:
        process = handle._context.get(_process)  # type: ignore[attr-defined]
        if process not in self.paused:
            return False
        self.paused[process].append(handle)
        return True

    def pause(self, process: "Process") -> None:
        """Let nothing of a process run until `resume`."""
        if process.alive:
            self.paused.setdefault(process, [])

    def resume(self, process: "Process") -> None:
        """Let a process go on where it stood still."""
        self._ready.extend(self.paused.pop(process, ()))

    def _move_on(self, when_s: float) -> None:
        if when_s > self.now_s:
            self.now_s, self._turns = when_s, 0
        if self.now_s > self.limit_s:
            raise Deadlock(f"virtual time passed its limit of {self.limit_s:.0f} s")

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """Raise: a thread would make the history depend on the machine."""
        raise AssertionError(f"a thread was asked for in the simulation: {func}")

    def _note_bug(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        exception = context.get("exception")
        if isinstance(exception, Deadlock):
            return
        self.bugs.append(f"{context.get('message')}: {exception!r}")


class Process:
    """One run of a node, from its start to its stop or crash."""

    def __init__(self, name: str, loop: VirtualLoop) -> None:
        self.name = name
        self.alive = True
        self.began_s = loop.now_s
        self.ended_loops: list[str] = []
        """Loops that have ended although the process lives."""
        self._loop = loop
        self._tasks: dict[asyncio.Task[Any], None] = {}

    @property
    def paused(self) -> bool:
        """True while it stands still."""
        return self in self._loop.paused

    def start(self, coroutine: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Begin a task that dies with this process."""
        context = contextvars.copy_context()
        context.run(_process.set, self)
        return self._loop.create_task(coroutine, context=context)

    async def call(self, coroutine: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """Let this process compute something for somebody outside of it; its faults pass through.

        Raises NoAnswer if it dies first, or after `timeout_s` (then the call is cancelled, as gRPC does with a hung-up client).
        """
        if not self.alive:
            coroutine.close()
            raise NoAnswer(self.name)
        task = self.start(coroutine)
        done, _ = await asyncio.wait([task], timeout=timeout_s)
        if not done:
            task.cancel()
            # Nobody hears any more what came of it.
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        if not done or task.cancelled():
            raise NoAnswer(self.name)
        return task.result()

    def crash(self) -> None:
        """End at once."""
        self.alive = False
        self._loop.resume(self)
        for task in list(self._tasks):
            task.cancel()

    def check_alive(self) -> None:
        """Raise CancelledError in a task of a dead process: whatever it does no longer happens."""
        if not self.alive:
            raise asyncio.CancelledError(f"{self.name} has crashed")

    def within(self, fn: Callable[[], None]) -> None:
        """Call `fn` as a part of this process: tasks that it starts belong to it."""
        context = contextvars.copy_context()
        context.run(_process.set, self)
        context.run(fn)

    def if_alive(self, fn: Callable[[], None]) -> None:
        """Call `fn`, unless this process has died."""
        if self.alive:
            fn()

    def own(self, task: "asyncio.Task[Any]") -> None:
        """Take a new task in."""
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        del self._tasks[task]
        if task.cancelled():
            return
        exception = task._exception  # unlike exception(), leaves "never retrieved" to be noticed
        name = getattr(task.get_coro(), "__qualname__", "")
        if self.alive and name in LOOPS:
            self.ended_loops.append(f"{name} ended with {exception!r}")
        if exception is not None and not isinstance(exception, Fault):
            self._loop.bugs.append(f"{self.name}: {exception!r} {where(exception)}")


_process: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


def current_process() -> Process | None:
    """Return the process whose task is running."""
    return _process.get()


def _own_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T], context: contextvars.Context | None = None
) -> "asyncio.Task[T]":
    task = asyncio.Task(coroutine, loop=loop, context=context)
    process = context.get(_process) if context is not None else _process.get()
    if process is not None:
        process.own(task)
    return task


def where(exception: BaseException) -> str:
    """Return the last files and lines that an exception came through."""
    places = []
    trace = exception.__traceback__
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_filename.rsplit('/', 2)[-1]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " < ".join(reversed(places[-6:]))


def run_virtual(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]], limit_s: float = 400 * 86_400.0) -> T:
    """Run `main(loop)` under virtual time to its end. Raises Deadlock."""
    loop = VirtualLoop()
    loop.limit_s = limit_s
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main(loop))
