"""Sweeper: the loop that does what is due: expiry, forgetting, showing what waited too long for its document, files left behind.

It works in slices: a look that finds what is due and states what has expired, one signature under all statements of the slice, and
one commit for all of its items. A slice is short, so that calls are answered in between; while more is due, the next one follows
at once, and the loop rests only when nothing is.
"""

from dataclasses import dataclass, field

from node.errors import Fault
from node.flow.bodies.files import BodyFiles
from node.flow.counters import Counters
from node.flow.expiry import departed, sweep, walk
from node.flow.loop import Tasks
from node.flow.receive import arrival
from node.flow.send import receipts
from node.flow.signals import Signals
from node.model.policy import MINUTE_MS, Policy
from node.model.reason import Reason
from node.ports import Ports, Tx
from node.rows import keys

SLICE_ITEMS_MAX = 32
"""Due rows that share a commit: about 10 ms of the loop, of which calls notice nothing."""
SLICE_UNITS_MAX = 256
"""Recipients named by the statements of one slice, unless a single packet has more."""
LOOK_BACK_MS = 60 * MINUTE_MS
LOOKS_PER_WHOLE = 1_440
"""So often, once a day, the look begins at the head of the table."""
WALK_RESTS_MS = 60 * MINUTE_MS
SLICES_MAX = 1_000
"""After so many slices the other chores have their turn, however much is due."""


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
            await self._ports.clock.sleep(self._policy.sweep_every_ms / 1000)

    async def sweep_once(self) -> int:
        """Do everything that is due, then the other chores; return how many things were done."""
        done = 0
        self._from = self._place_to_begin(self._ports.clock.now_ms())
        while found := await self._round():
            done += found
        await self._walk(self._ports.clock.now_ms())
        await self._body_files.sweep(self._ports.clock.now_ms())
        return done

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
            step = await self._ports.store.transact(lambda tx: walk.step(tx, now_ms, self._policy))
            self._walked_ms = now_ms if step.is_last else None

    async def _round(self) -> int:
        """Do slices until nothing is due or it is time for other chores; return how many things were done."""
        done = 0
        for _ in range(SLICES_MAX):
            found = await self._slice(self._ports.clock.now_ms())
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

    async def _slice(self, now_ms: int) -> int:
        """Do the next few things that are due; return how many."""
        own_id, start = self._ports.keys.node_id, self._from
        items = await self._ports.store.transact(
            lambda tx: sweep.stated(tx, sweep.due(tx, now_ms, SLICE_ITEMS_MAX, start), own_id, now_ms, SLICE_UNITS_MAX)
        )
        if not items:
            return 0
        statements = [item.statement for item in items if item.statement is not None]
        signed = iter(receipts.sign_receipts(self._ports.keys, statements))
        believed = [receipts.Believed(one.statement, next(signed)) if one.statement else None for one in items]
        done = await self._ports.store.transact(lambda tx: self._do(tx, items, believed, now_ms))
        self._from = items[-1].due.key
        self._counters.ended[Reason.EXPIRED] += done.failed
        self._counters.erased += done.erased
        await self._body_files.drop(done.unnamed)
        return len(items)

    def _do(self, tx: Tx, items: list[sweep.Stated], believed: list[receipts.Believed | None], now_ms: int) -> _Done:
        done = _Done()
        for item, statement in zip(items, believed, strict=True):
            if item.due.kind == keys.DUE_EXPIRE:
                done.failed += sweep.expire(tx, item.due, statement, now_ms, self._policy)
            elif item.due.kind == keys.DUE_ERASE:
                done.erased += sweep.erase(tx, item.due, now_ms, self._policy)
            elif (unnamed := sweep.forget(tx, item.due, now_ms, self._policy)) is not None:
                done.unnamed.append(unnamed)
        return done
