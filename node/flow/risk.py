"""Risk: rows whose handling ends the process (out of memory, a crash in a library), so that nobody is left to count an exception.

A node that has ended twice in short succession without saying so is careful: what it is about to handle is written down before, and
struck out after. So the next start knows what was under way.

    start: ended well, or lived for long --> nothing of this costs anything
           died twice within CALM_MS each --> careful, until it has lived for CALM_MS
                    mark (durable) --> handle --> mark gone
                       '-- died --> suspect: alone from now on, one at a time in the whole node --died DEATHS_MAX times--> laid aside

Only what computes is marked, never a wait for somebody else: what merely was under way for long must not be blamed for a power cut. What
is laid aside stays visible and can be released (flow/quarantine.py); of what peers bring, and of arrivals in slices, which are no rows to
be moved, a row is laid aside that stands for it.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from hashlib import sha256

from node.errors import Fault
from node.flow import quarantine
from node.log import get_logger
from node.model.policy import MINUTE_MS
from node.model.reason import Reason
from node.ports import Ports, Tx
from node.rows import keys

log = get_logger()

CALM_MS = 10 * MINUTE_MS
PAUSE_MS = 5 * MINUTE_MS
"""The service manager's longest pause before it starts the node again (deploy/server/back-off.conf)."""
CAREFUL_AFTER = 2
"""So many deaths in a row."""
DEATHS_MAX = 3
SUSPECTS_MAX = 10_000
_RUN = keys.meta("run")
_STATE = struct.Struct(">QH")
"""When this run began, and how many before it have died in a row."""


class EndsTheProcess(Exception):
    """A row was under way whenever the process died."""


def begin_run(tx: Tx, now_ms: int) -> int:
    """Write down that a run begins; return how many before it have died in a row, each soon after its start."""
    value, deaths = tx.get(_RUN), 0
    if value is not None and len(value) == _STATE.size:
        began_ms, before = _STATE.unpack(value)
        # A clock that was set back or forward tells nothing: such a run counts as a long one.
        deaths = before + 1 if 0 <= now_ms - began_ms < CALM_MS + PAUSE_MS else 1
    tx.put(_RUN, _STATE.pack(now_ms, min(deaths, 2**16 - 1)))
    return deaths


def end_run(tx: Tx) -> None:
    """Write down that a run ends well."""
    tx.delete(_RUN)


def marked(tx: Tx) -> dict[bytes, int]:
    """Return what was under way when processes died, and at how many of these deaths."""
    rows = tx.scan(keys.UNDER_WAY, limit=SUSPECTS_MAX)
    return {keys.name_under_way(key): int.from_bytes(value, "big") for key, value in rows}


def laid_aside(tx: Tx) -> set[bytes]:
    """Return the names that are not handled any more until they are released."""
    held = quarantine.held(tx, quarantine.COUNTED_MAX)
    return {keys.name_under_way(row.key) for _, row in held if row.key.startswith(keys.UNDER_WAY)}


class Risk:
    """Knows what must not be handled, or only alone. Until `start` nothing is careful."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._careful_until_ms = 0
        self._alone = asyncio.Lock()
        self._suspects: dict[bytes, int] = {}
        self._marked: set[bytes] = set()
        self.banned: set[bytes] = set()
        """Names of what is not handled at all."""
        self.deaths = 0
        """How many runs before this one have died in a row."""

    async def start(self) -> None:
        """Find out how the last run ended. Raises Fault if the store cannot be read."""
        now_ms = self._ports.clock.now_ms()
        with suppress(Fault):
            self.deaths = await self._ports.store.transact(lambda tx: begin_run(tx, now_ms))
        await self.look()
        self._suspects = await self._ports.store.transact(marked)
        if self.deaths >= CAREFUL_AFTER:
            self._careful_until_ms = self._ports.clock.monotonic_ms() + CALM_MS
            log.warning("node.careful", count=self.deaths, items=len(self._suspects))
        elif self._suspects:
            await self._calm()

    async def look(self) -> None:
        """Read again what is not handled any more: something may have been released."""
        self.banned = await self._ports.store.transact(laid_aside)

    async def stop(self) -> None:
        """Write down that this run ends well; what was suspected stays so."""
        with suppress(Fault):
            await self._ports.store.transact(end_run)

    @property
    def is_careful(self) -> bool:
        """True while what is handled is written down before."""
        return self._careful_until_ms > 0

    def is_suspect(self, name: bytes) -> bool:
        """Tell whether something is to be handled alone."""
        return self.is_careful and name in self._suspects

    def is_over(self, name: bytes) -> bool:
        """Tell whether something is to be laid aside, since it was under way at too many deaths."""
        return self.is_careful and self._suspects.get(name, 0) >= DEATHS_MAX

    @asynccontextmanager
    async def step(self, names: Sequence[bytes]) -> AsyncIterator[None]:
        """Within: something is computed that may end the process. A suspect waits until it is the only one."""
        if not self.is_careful or not names:
            yield
            return
        if self._ports.clock.monotonic_ms() >= self._careful_until_ms:
            await self._calm()
            yield
            return
        async with self._alone if any(name in self._suspects for name in names) else nullcontext():
            # A store that takes nothing now cannot mark either; that is no reason to stand still.
            with suppress(Fault):
                await self._ports.store.transact(lambda tx: self._mark(tx, names, 1))
            try:
                yield
            finally:
                with suppress(Fault):
                    await self._ports.store.transact(lambda tx: self._mark(tx, names, 0))

    def _mark(self, tx: Tx, names: Sequence[bytes], more: int) -> None:
        for name in names:
            deaths = self._suspects.get(name, 0) + more
            if deaths:
                tx.put(keys.under_way(name), deaths.to_bytes(2, "big"))
            else:
                tx.delete(keys.under_way(name))

    async def forget(self, name: bytes) -> None:
        """Suspect something no longer: it is laid aside."""
        self._suspects.pop(name, None)
        await self._ports.store.transact(lambda tx: tx.delete(keys.under_way(name)))

    async def ban(self, name: bytes, detail: str) -> None:
        """Lay a row aside that stands for something which is no row, or none that can be moved."""
        key, now_ms = keys.under_way(name), self._ports.clock.now_ms()

        def write(tx: Tx) -> None:
            tx.delete(key)
            quarantine.lay_aside(tx, key, bytes(2), Reason.FAILED_INSIDE, f"EndsTheProcess: {detail}", now_ms)

        await self._ports.store.transact(write)
        self._suspects.pop(name, None)
        self.banned.add(name)
        log.error("item.quarantined", reason=Reason.FAILED_INSIDE.name, detail=detail)

    async def _calm(self) -> None:
        """Be careful no longer: this run has lived for long, so nothing of what was suspected ends the process."""
        now_ms, self._careful_until_ms, self._suspects = self._ports.clock.now_ms(), 0, {}

        def write(tx: Tx) -> None:
            for key, _ in tx.scan(keys.UNDER_WAY, limit=SUSPECTS_MAX):
                tx.delete(key)
            tx.put(_RUN, _STATE.pack(now_ms, 0))

        self.deaths = 0
        with suppress(Fault):
            await self._ports.store.transact(write)


def name_of_brought(octets: bytes) -> bytes:
    """Return the name of what a peer brings: the same octets have the same name after a start."""
    return b"brought" + sha256(octets).digest()[:16]
