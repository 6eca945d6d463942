"""Committer: one thread that makes commits durable, for all that wait at once.

RocksDB's own synchronous writes hold Python's lock for the whole fsync; `flush_wal` releases it (mesh.md F1). So the loop
writes unsynced and orders a flush here; the thread flushes, tells the loop once per group, and then notes the commit number
in the witness. The witness comes after the answer because it may lag, and the waiters should not wait for it.

A full disk puts the thread into healing: every half second it looks whether there is space again, and then has the engine
opened anew. Only then may the store go on. No flush of the log is tried in between: after a failed flush nobody knows whether the
log still has what should have become durable.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Protocol

from node.errors import Broken
from node.model.reason import Reason
from node.store.embedded.group_commit import Group
from node.store.files import NoSpace, OnFatal
from node.store.rocks.witness import Witness
from node.store.timing import Histogram

HEAL_EVERY_S = 0.5


class Flushable(Protocol):
    """The engine as the committer uses it, from its thread."""

    def sync(self) -> None:
        """Make every write that was made before the call durable. Raises NoSpace or Broken."""
        ...

    def heal(self) -> int:
        """Start again from what is on disk and return the commit number found. Raises NoSpace while there is none."""
        ...


class Committer:
    """Order flushes with `begin` (on the loop); `group` is told how they ended."""

    def __init__(self, engine: Flushable, witness: Witness, on_fatal: OnFatal) -> None:
        self.flushes = Histogram()
        """The times that successful flushes took; written by the thread."""
        self._engine = engine
        self._witness = witness
        self._on_fatal = on_fatal
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._healing: tuple[asyncio.AbstractEventLoop, Group] | None = None
        self._thread = threading.Thread(target=self._run, name="store-commit", daemon=True)
        self._thread.start()

    def begin(self, group: Group, mark: int) -> None:
        """Flush everything up to `mark`."""
        loop = asyncio.get_running_loop()
        self._orders.put(lambda: self._flush(loop, group, mark))

    def begin_healing(self, group: Group) -> None:
        """Look for space until there is some."""
        loop = asyncio.get_running_loop()
        self._orders.put(lambda: self._start_healing(loop, group))

    def stop(self) -> None:
        """Carry out what was ordered, then end the thread. Blocks: call it from another thread than the loop's."""
        self._orders.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                order = self._orders.get(timeout=self._pause_s())
            except queue.Empty:
                order = self._idle
            if order is None:
                return
            order()

    def _pause_s(self) -> float | None:
        return HEAL_EVERY_S if self._healing else self._witness.sync_in_s()

    def _idle(self) -> None:
        if self._healing:
            self._try_to_heal(*self._healing)
        else:
            self._guarded(self._witness.sync)

    def _flush(self, loop: asyncio.AbstractEventLoop, group: Group, mark: int) -> None:
        begun_s = time.monotonic()
        try:
            self._engine.sync()
        except NoSpace as error:
            self._tell(loop, group.fail, error.reason, str(error))
            self._tell(loop, group.refuse, error.reason, str(error))
            self._start_healing(loop, group)
        except Broken as error:
            if error.reason is Reason.STORE_CORRUPT:
                self._close_to_writing(loop, group, error)
            else:
                self._die(loop, group, error)
        except Exception as error:
            self._die(loop, group, error)
        else:
            self._tell(loop, group.done, mark)
            self.flushes.observe(time.monotonic() - begun_s)
            self._guarded(lambda: self._witness.note(mark))

    def _start_healing(self, loop: asyncio.AbstractEventLoop, group: Group) -> None:
        self._healing = (loop, group)

    def _try_to_heal(self, loop: asyncio.AbstractEventLoop, group: Group) -> None:
        try:
            self._hold_against_witness(self._engine.heal())
        except NoSpace:
            return
        except Exception as error:
            self._die(loop, group, error)
        else:
            self._tell(loop, group.resume)
        self._healing = None

    def _hold_against_witness(self, commit_no: int) -> None:
        witnessed = self._witness.witnessed
        if witnessed is not None and commit_no < witnessed[1]:
            raise Broken(
                Reason.STORE_ROLLED_BACK, f"opened again at commit {commit_no}, the witness has seen {witnessed[1]}"
            )

    def _close_to_writing(self, loop: asyncio.AbstractEventLoop, group: Group, error: Broken) -> None:
        # To begin anew would meet the same damage again, without end; what can be read is worth more.
        self._tell(loop, group.fail, error.reason, error.detail)
        self._tell(loop, group.refuse, error.reason, error.detail)

    def _die(self, loop: asyncio.AbstractEventLoop, group: Group, error: BaseException) -> None:
        self._on_fatal(error)
        # `on_fatal` returns in tests only; the store stays closed to writing then.
        self._tell(loop, group.fail, Reason.IO_FAILED, str(error))
        self._tell(loop, group.refuse, Reason.IO_FAILED, str(error))

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:
            self._on_fatal(error)

    @staticmethod
    def _tell(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *args: object) -> None:
        # On a closed loop nobody waits any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(what, *args)
