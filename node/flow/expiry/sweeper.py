"""Sweeper: the loop that does what is due: expiry, forgetting, showing what waited too long for its document, files left behind.

A look finds what is due and states what has expired; one signature stands under all its statements; then its items are done in slices,
each a short transaction, so that calls are answered in between, all under one flush. While more is due, the next look follows at once,
and the loop rests only when nothing is. A row that cannot be done, by a mistake of ours or because it is damaged, is put aside for a
day, told and counted; all others go on.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from node.errors import Deferred, Fault
from node.flow.bodies.files import BodyFiles
from node.flow.counters import Counters
from node.flow.expiry import departed, sweep, walk
from node.flow.loop import Tasks
from node.flow.receive import arrival
from node.flow.send import receipts
from node.flow.signals import Signals
from node.log import get_logger
from node.model.policy import MINUTE_MS, Policy
from node.model.reason import Reason
from node.ports import Ports, Tx
from node.rows import keys

log = get_logger()

KINDS = {keys.DUE_EXPIRE: "expire", keys.DUE_FORGET: "forget", keys.DUE_ERASE: "erase"}
SLICE_ITEMS_MAX = 32
"""Due rows that share a transaction: about 10 ms of the loop, of which calls notice nothing."""
SLICES_AT_ONCE = 4
"""Slices under way together, which share a look, a signature and a flush of the log: on a busy node a slice waits for the loop far longer
than it works, and a single one at a time would fall behind what comes in."""
LOOK_ITEMS_MAX = SLICES_AT_ONCE * SLICE_ITEMS_MAX
LOOK_UNITS_MAX = 512
"""Recipients named by the statements of one look, unless a single packet has more."""
LOOK_BACK_MS = 60 * MINUTE_MS
LOOKS_PER_WHOLE = 1_440
"""So often, once a day, the look begins at the head of the table."""
WALK_RESTS_MS = 60 * MINUTE_MS
LOOKS_MAX = 250
"""After so many looks the other chores have their turn, however much is due."""


@dataclass(slots=True)
class _Done:
    """What a slice has done; filled anew whenever its transaction runs."""

    failed: int = 0
    erased: int = 0
    unnamed: list[bytes] = field(default_factory=list)
    """Bodies that no packet names any more."""


class Sweeper:
    """Looks every `sweep_every_ms` at what is due, and goes on as long as there is something."""

    def __init__(
        self, ports: Ports, policy: Policy, signals: Signals, counters: Counters, body_files: BodyFiles
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._signals = signals
        self._counters = counters
        self._body_files = body_files
        self._tasks = Tasks(signals.bug.send)
        self._from = b""
        """Place in the table of due rows before which everything was done: deleted rows are not walked over again."""
        self._looks = 0
        self._walked_ms: int | None = None
        """When the walk through all tables came to its end; None: it is under way."""

    async def start(self) -> None:
        """Start with what is due from before."""
        self._tasks.spawn(self._run())

    async def stop(self) -> None:
        """Stop. Due things stay due."""
        await self._tasks.stop()

    async def _run(self) -> None:
        while True:
            try:
                await self.sweep_once()
            except Fault as fault:
                # The store takes no writes now; what is due stays due.
                await self._ports.clock.sleep(max(1.0, fault.retry_after_ms / 1000))
            except Exception as bug:
                # Not even putting aside has helped; the loop lives all the same.
                self._signals.bug.send(bug)
            await self._ports.clock.sleep(self._policy.sweep_every_ms / 1000)

    async def sweep_once(self) -> int:
        """Do everything that is due, then the other chores; return how many things were done."""
        done = 0
        self._from = self._place_to_begin(self._ports.clock.now_ms())
        while found := await self._round():
            done += found
        await self._guarded(self._walk(self._ports.clock.now_ms()))
        await self._guarded(self._body_files.sweep(self._ports.clock.now_ms()))
        return done

    async def _guarded(self, chore: Coroutine[Any, Any, None]) -> None:
        """Do a chore; a mistake in it is told, and keeps nothing else."""
        try:
            await chore
        except Deferred:
            raise
        except Exception as bug:
            self._signals.bug.send(bug)

    def _place_to_begin(self, now_ms: int) -> bytes:
        """Return where a look begins: not long before what was done last, because the engine walks over deleted rows, too.

        Rows come before that place only if the clock was set back; from time to time the look begins at the head all the same.
        """
        self._looks += 1
        last_ms = keys.parse_due(self._from)[0] if len(self._from) > 9 else 0
        if last_ms > now_ms or self._looks % LOOKS_PER_WHOLE == 0:
            return b""
        return keys.due_from(last_ms - LOOK_BACK_MS)

    async def _walk(self, now_ms: int) -> None:
        """Do the slow chores: a page of the walk, and receipts that nobody will take."""
        known = self._ports.directory.current().nodes
        if known:
            await self._ports.store.transact(
                lambda tx: departed.drop_receipts(tx, known, now_ms, self._policy, SLICE_ITEMS_MAX)
            )
        if self._walked_ms is None or abs(now_ms - self._walked_ms) >= WALK_RESTS_MS:
            is_last = await self._walk_page(now_ms)
            self._walked_ms = now_ms if is_last else None

    async def _walk_page(self, now_ms: int) -> bool:
        """Walk over a page; around a row that cannot be looked at, row by row. Returns whether it was the last page."""
        transact, policy = self._ports.store.transact, self._policy
        try:
            return (await transact(lambda tx: walk.step(tx, now_ms, policy))).is_last
        except Deferred:
            raise
        except Exception:
            for _ in range(walk.PAGE):
                try:
                    await transact(lambda tx: walk.step(tx, now_ms, policy, 1))
                except Deferred:
                    raise
                except Exception as bug:
                    await transact(walk.skip)
                    self._tell("walk", "", 0, bug)
                    return False
            return False

    async def _round(self) -> int:
        """Do slices until nothing is due or it is time for other chores; return how many things were done."""
        done = 0
        for _ in range(LOOKS_MAX):
            found = await self._look(self._ports.clock.now_ms())
            done += found
            if not found:
                break
            # A store whose commits are durable at once never lets go of the loop by itself.
            await self._ports.clock.sleep(0)
        shown = await self._show(self._ports.clock.now_ms())
        if done or shown:
            self._signals.notice.send(None)
        return done + shown

    async def _show(self, now_ms: int) -> int:
        shown, obliged = await self._ports.store.transact(
            lambda tx: arrival.show_what_waited(tx, now_ms, self._policy, SLICE_ITEMS_MAX)
        )
        if obliged:
            self._signals.duty.send(None)
        return shown

    async def _look(self, now_ms: int) -> int:
        """Do the next few things that are due; return how many."""
        start = self._from
        try:
            return await self._do_together(now_ms, lambda tx: sweep.due(tx, now_ms, LOOK_ITEMS_MAX, start))
        except Deferred:
            raise
        except Exception:
            # One of them is at fault, and must not keep the others.
            return await self._do_one_by_one(now_ms, start)

    async def _do_one_by_one(self, now_ms: int, start: bytes) -> int:
        items = await self._ports.store.transact(lambda tx: sweep.due(tx, now_ms, LOOK_ITEMS_MAX, start))
        for item in items:
            try:
                await self._do_together(now_ms, lambda tx, item=item: [item])  # type: ignore[misc]
            except Deferred:
                raise
            except Exception as bug:
                await self._ports.store.transact(lambda tx, item=item: sweep.put_aside(tx, item, now_ms))  # type: ignore[misc]
                self._tell(KINDS.get(item.kind, "unknown"), item.packet_id.hex(), item.failures + 1, bug)
                self._from = item.key
        return len(items)

    def _tell(self, kind: str, packet_id: str, attempt: int, bug: Exception) -> None:
        self._counters.put_aside += 1
        log.error("sweep.failed", kind=kind, packet_id=packet_id, attempt=attempt, exc_info=bug)

    async def _do_together(self, now_ms: int, find: Callable[[Tx], list[sweep.Due]]) -> int:
        """Do what is found under one signature, in slices. Returns how many things that were."""
        own_id = self._ports.keys.node_id
        items = await self._ports.store.transact(lambda tx: sweep.stated(tx, find(tx), own_id, now_ms, LOOK_UNITS_MAX))
        if not items:
            return 0
        statements = [item.statement for item in items if item.statement is not None]
        signed = iter(receipts.sign_receipts(self._ports.keys, statements))
        believed = [receipts.Believed(one.statement, next(signed)) if one.statement else None for one in items]
        pairs = list(zip(items, believed, strict=True))
        slices = [pairs[at : at + SLICE_ITEMS_MAX] for at in range(0, len(pairs), SLICE_ITEMS_MAX)]
        outcomes = await asyncio.gather(*(self._slice(one, now_ms) for one in slices), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome
        self._from = items[-1].due.key
        return len(items)

    async def _slice(self, pairs: list[tuple[sweep.Stated, receipts.Believed | None]], now_ms: int) -> None:
        """Do a few things in one transaction."""
        done = await self._ports.store.transact(lambda tx: self._do(tx, pairs, now_ms))
        self._counters.ended[Reason.EXPIRED] += done.failed
        self._counters.erased += done.erased
        await self._body_files.drop(done.unnamed)

    def _do(self, tx: Tx, pairs: list[tuple[sweep.Stated, receipts.Believed | None]], now_ms: int) -> _Done:
        done = _Done()
        for item, statement in pairs:
            if item.due.kind == keys.DUE_EXPIRE:
                done.failed += sweep.expire(tx, item.due, statement, now_ms, self._policy)
            elif item.due.kind == keys.DUE_ERASE:
                done.erased += sweep.erase(tx, item.due, now_ms, self._policy)
            elif (unnamed := sweep.forget(tx, item.due, now_ms, self._policy)) is not None:
                done.unnamed.append(unnamed)
        return done
