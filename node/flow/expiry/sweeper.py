"""Sweeper: the loop that does what is due: expiry, forgetting, showing what waited too long for its document, files left behind.

A look finds what is due. It is done in slices, of which several are under way together: what has expired is stated, one signature stands
under all statements of a slice, one short transaction does all of it, so that calls are answered in between. While more is due, the next
look follows at once, and the loop rests only when nothing is. A row that cannot be done, by a mistake of ours or because it is damaged,
is put aside for a day, told and counted; all others go on.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from node.errors import Deferred, Fault
from node.flow import agreed_time
from node.flow.bodies.files import BodyFiles
from node.flow.counters import Counters
from node.flow.expiry import departed, sweep, walk
from node.flow.loop import Tasks
from node.flow.receive import arrival
from node.flow.receive.slices import Slices
from node.flow.risk import EndsTheProcess, Risk
from node.flow.send import receipts
from node.flow.signals import Signals
from node.log import get_logger
from node.model.policy import MINUTE_MS, Policy
from node.model.reason import Reason
from node.ports import Ports, Tx
from node.rows import keys

T = TypeVar("T")

log = get_logger()

KINDS = {
    keys.DUE_EXPIRE: "expire",
    keys.DUE_FORGET: "forget",
    keys.DUE_ERASE: "erase",
    keys.DUE_ASK_NO_MORE: "ask no more",
}
SLICE_ITEMS_MAX = 32
"""Due rows that share a signature and a commit: about 10 ms of the loop, of which calls notice nothing."""
SLICE_UNITS_MAX = 256
"""Recipients named by statements that are signed together, unless a single packet has more."""
SLICES_AT_ONCE = 16
"""Slices under way together, each in its own turn of the loop: on a busy node a slice waits for the loop and the disk far longer than it
works, and a single one at a time would fall behind what comes in."""
SLICES_A_TURN = 3
"""Transactions in one turn of the loop while more is due than a look finds: whoever hands in waits up to 30 ms longer, and what is due
does not pile up behind a node at its top speed."""
LOOK_ITEMS_MAX = 2 * SLICES_AT_ONCE * SLICE_ITEMS_MAX
LOOKS_MAX = 64
"""After so many looks the other chores have their turn, however much is due."""
LOOK_BACK_MS = 60 * MINUTE_MS
LOOKS_PER_WHOLE = 1_440
"""So often, once a day, the look begins at the head of the table."""
WALK_RESTS_MS = 60 * MINUTE_MS


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
        self,
        ports: Ports,
        policy: Policy,
        signals: Signals,
        counters: Counters,
        body_files: BodyFiles,
        agreed: agreed_time.AgreedTime,
        slices: Slices,
        look_at_queues: Callable[[], Coroutine[Any, Any, None]],
        risk: Risk,
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._signals = signals
        self._counters = counters
        self._body_files = body_files
        self._agreed_time = agreed
        self._slices = slices
        self._look_at_queues = look_at_queues
        self._risk = risk
        self._tasks = Tasks(signals.bug.send)
        self._from = b""
        """Place in the table of due rows before which everything was done: deleted rows are not walked over again."""
        self._turn = asyncio.Semaphore()
        self._looks = 0
        self._walked_ms: int | None = None
        """When the walk through all tables came to its end; None: it is under way."""

    async def start(self) -> None:
        """Start with what is due from before."""
        last_ms = await self._ports.store.transact(agreed_time.read_last)
        self._agreed_time.go_on_from(last_ms, self._ports.directory.current().signed_time_ms)
        self._tasks.supervise("sweeper", self._run)

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
        self._from = self._place_to_begin(self._ports.clock.now_ms())
        await self._write_time_down()
        # What is still arriving here must have arrived before it can expire.
        await self._guarded(self._look_at_queues())
        done = await self._slices.finish_all()
        while found := await self._round():
            done += found
        await self._guarded(self._walk())
        await self._guarded(self._body_files.sweep(self._ports.clock.now_ms()))
        return done

    async def _write_time_down(self) -> None:
        """Remember how far agreed time has come, for the next start."""
        sure_ms = self._agreed_time.sure_ms()
        if sure_ms is not None:
            await self._ports.store.transact(lambda tx: agreed_time.write_last(tx, sure_ms))

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

    async def _walk(self) -> None:
        """Do the slow chores: a page of the walk, and receipts that nobody will take. Both go by agreed time."""
        now_ms = self._agreed_time.sure_ms()
        if now_ms is None:
            return
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
        # What a clock that erred has dated is dated again only by a time that is not our clock's alone.
        step = partial(
            walk.step, now_ms=now_ms, policy=policy, dates_again=self._agreed_time.confirmed_ms() is not None
        )
        try:
            return (await transact(step)).is_last
        except Deferred:
            raise
        except Exception:
            for _ in range(walk.PAGE):
                try:
                    await transact(partial(step, limit=1))
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
            found = await self._look()
            done += found
            if not found:
                break
            # A store whose commits are durable at once never lets go of the loop by itself.
            await self._ports.clock.sleep(0)
        shown = await self._show()
        if done or shown:
            self._signals.notice.send(None)
        return done + shown

    async def _show(self) -> int:
        """Show what has waited long enough for its document. That is not taken back, so it waits for agreed time, too."""
        now_ms = self._agreed_time.sure_ms()
        if now_ms is None:
            return 0
        shown, obliged = await self._ports.store.transact(
            lambda tx: arrival.show_what_waited(tx, now_ms, self._policy, SLICE_ITEMS_MAX)
        )
        if obliged:
            self._signals.duty.send(None)
        return shown

    async def _look(self) -> int:
        """Do the next things that are due by agreed time, several slices at once; return how many. None while our clock is in doubt."""
        now_ms, start = self._agreed_time.sure_ms(), self._from
        if now_ms is None:
            return 0
        found = await self._ports.store.transact(lambda tx: sweep.due(tx, now_ms, LOOK_ITEMS_MAX, start))
        self._turn = asyncio.Semaphore(SLICES_A_TURN if len(found) == LOOK_ITEMS_MAX else 1)
        slices = iter([found[at : at + SLICE_ITEMS_MAX] for at in range(0, len(found), SLICE_ITEMS_MAX)])

        async def work() -> None:
            for one in slices:
                await self._slice(one, now_ms)

        # To the end even if one fails: what the others have begun is not left behind.
        for outcome in await asyncio.gather(*(work() for _ in range(SLICES_AT_ONCE)), return_exceptions=True):
            if outcome is not None:
                raise outcome
        # Past the last and not at it: what cannot be done yet stays due, and has its turn at the next sweep.
        self._from = found[-1].key + b"\0" if found else self._from
        return len(found)

    async def _slice(self, items: list[sweep.Due], now_ms: int) -> None:
        """Do a few things together; if that fails, one by one, and put aside the one that is at fault. Raises Deferred."""
        suspects = [item for item in items if self._risk.is_suspect(item.key)]
        if suspects:
            items = [item for item in items if item not in suspects]
        try:
            async with self._risk.step([item.key for item in items]):
                await self._do_together(items, now_ms)
        except Deferred:
            raise
        except Exception:
            suspects = [*items, *suspects]
        for item in suspects:
            await self._do_alone(item, now_ms)

    async def _do_alone(self, item: sweep.Due, now_ms: int) -> None:
        try:
            if self._risk.is_over(item.key):
                await self._risk.forget(item.key)
                raise EndsTheProcess
            if await self._in_turn(lambda tx: tx.get(item.key) is not None):
                async with self._risk.step([item.key]):
                    await self._do_together([item], now_ms)
        except Deferred:
            raise
        except Exception as bug:
            await self._ports.store.transact(lambda tx: sweep.put_aside(tx, item, now_ms))
            self._tell(KINDS.get(item.kind, "unknown"), item.packet_id.hex(), item.failures + 1, bug)

    def _tell(self, kind: str, packet_id: str, attempt: int, bug: Exception) -> None:
        self._counters.put_aside += 1
        log.error("sweep.failed", kind=kind, packet_id=packet_id, attempt=attempt, exc_info=bug)

    async def _do_together(self, items: list[sweep.Due], now_ms: int) -> None:
        """State what has expired, sign all of it together, and do everything in one transaction; in several if many units are named."""
        own_id = self._ports.keys.node_id
        while items:
            some = await self._in_turn(
                partial(sweep.stated, found=items, node_id=own_id, now_ms=now_ms, units_max=SLICE_UNITS_MAX)
            )
            statements = [one.statement for one in some if one.statement is not None]
            signed = iter(receipts.sign_receipts(self._ports.keys, statements))
            believed = [receipts.Believed(one.statement, next(signed)) if one.statement else None for one in some]
            done = await self._in_turn(partial(self._do, pairs=list(zip(some, believed, strict=True)), now_ms=now_ms))
            self._counters.ended[Reason.EXPIRED_UNCONFIRMED] += done.failed
            if done.failed:
                # The couriers of their nodes ask at once.
                self._signals.outbox.send(set(self._ports.directory.current().nodes))
            self._counters.erased += done.erased
            await self._body_files.drop(done.unnamed)
            items = items[len(some) :]

    async def _in_turn(self, fn: Callable[[Tx], T]) -> T:
        """Run a transaction in a turn of the loop in which no other slice runs one, or few do."""
        async with self._turn:
            await self._ports.clock.sleep(0)
        return await self._ports.store.transact(fn)

    def _do(self, tx: Tx, pairs: list[tuple[sweep.Stated, receipts.Believed | None]], now_ms: int) -> _Done:
        done = _Done()
        for item, statement in pairs:
            if item.due.kind == keys.DUE_EXPIRE:
                done.failed += sweep.expire(tx, item.due, statement, now_ms, self._policy)
            elif item.due.kind == keys.DUE_ASK_NO_MORE:
                sweep.ask_no_more(tx, item.due)
            elif item.due.kind == keys.DUE_ERASE:
                done.erased += sweep.erase(tx, item.due, now_ms, self._policy)
            elif (unnamed := sweep.forget(tx, item.due, now_ms, self._policy)) is not None:
                done.unnamed.append(unnamed)
        return done
