"""Scrub: every body that a packet needs is read again in turns, so that damage is known before somebody asks for the document.

A round goes through the bodies in order of their digests and begins `scrub_every_ms` after the one before began; reading is held to
`scrub_bytes_per_s`, so it never stands in the way of work. Where it stands is written down: a restart goes on, it does not begin anew.

        read whole, compare with its digest -- same --> next
                                            '- differs, missing, unreadable --> noted (row in `m`) until the body is whole or let go

Nothing is removed or changed here: what is damaged is fetched again from others who have it (flow/send/mending.py).
"""

import hashlib
from dataclasses import dataclass

from node.errors import Broken, Fault
from node.flow.bodies import damage
from node.flow.bodies.damage import DamagedBody
from node.flow.loop import OnBug, Tasks
from node.model.policy import MIB, Policy
from node.ports import Ports, Tx
from node.rows import keys

SETTLE_S = 60.0
"""A node that has just started has better things to do."""
STEP_S = 5.0
BODIES_PER_STEP = 32
"""So many bodies share a commit; with a step each five seconds a month is enough for 16 million."""
NOTED_MAX = 1_000
_PLACE = keys.meta("scrub")
_TIME_BYTES = 8


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a round: when it began, and the key from which it goes on (b"": it has ended)."""

    begin_ms: int = 0
    following: bytes = b""


@dataclass(slots=True)
class ScrubCounts:
    """Counts since the start of the process; `damaged` is how many bodies are noted now."""

    bodies: int = 0
    octets: int = 0
    damaged: int = 0
    rounds: int = 0
    mended: int = 0
    """Damaged ones that were fetched again from other nodes (flow/send/mending.py)."""


def read_place(tx: Tx) -> Place:
    """Return where the scrub stands."""
    value = tx.get(_PLACE)
    return Place(int.from_bytes(value[:_TIME_BYTES], "big"), value[_TIME_BYTES:]) if value else Place()


def write_place(tx: Tx, place: Place) -> None:
    """Write down where the scrub stands."""
    tx.put(_PLACE, place.begin_ms.to_bytes(_TIME_BYTES, "big") + place.following)


def next_body(tx: Tx, start: bytes) -> tuple[bytes, bytes] | None:
    """Return the next body that a packet needs, and where the one after it is looked for; None at the end."""
    for key, _ in tx.scan(keys.BODY_REFS, start=start, limit=1):
        body_sha256 = keys.body_of_ref(key)
        return body_sha256, keys.after_refs(body_sha256)
    return None


class Scrub:
    """Reads bodies again, one at a time."""

    def __init__(self, ports: Ports, policy: Policy, on_bug: OnBug) -> None:
        self._ports = ports
        self._policy = policy
        self._tasks = Tasks(on_bug)
        self.counts = ScrubCounts()

    async def start(self) -> None:
        """Go on with the round that was under way."""
        await self.count()
        self._tasks.supervise("scrub", self._run)

    async def stop(self) -> None:
        """Stop. The body that was being read is read again."""
        await self._tasks.stop()

    async def damaged(self, limit: int = NOTED_MAX) -> list[DamagedBody]:
        """Return bodies that are damaged, as far as rounds have come."""
        return await self._ports.store.transact(lambda tx: damage.damaged(tx, limit))

    async def _run(self) -> None:
        await self._ports.clock.sleep(SETTLE_S)
        while True:
            try:
                pause_s = await self.step()
            except Fault as fault:
                # The store takes no writes or cannot be read now; what is to be looked at stays.
                pause_s = max(SETTLE_S, fault.retry_after_ms / 1000)
            await self._ports.clock.sleep(pause_s)

    async def step(self) -> float:
        """Look at the next few bodies, or begin a round that is due; return how many seconds to wait until the next step."""
        now_ms = self._ports.clock.now_ms()
        place = await self._ports.store.transact(read_place)
        if not place.following:
            # A round that begins in the future began before the clock was set back.
            if abs(now_ms - place.begin_ms) < self._policy.scrub_every_ms:
                return SETTLE_S
            place = Place(now_ms, keys.BODY_REFS)
        seen, following = await self._look(place.following)
        after = Place(place.begin_ms, following)
        await self._ports.store.transact(lambda tx: _write(tx, seen, now_ms, after))
        self.counts.rounds += not following
        if self.counts.damaged or not all(seen.values()):
            await self.count()
        return STEP_S

    async def _look(self, start: bytes) -> tuple[dict[bytes, bool], bytes]:
        """Read a few bodies from a key on; return which are whole, and where to go on (b"": there are no more)."""
        seen: dict[bytes, bool] = {}
        octets = 0
        while len(seen) < BODIES_PER_STEP and octets < STEP_S * self._policy.scrub_bytes_per_s:
            found = await self._ports.store.transact(lambda tx, at=start: next_body(tx, at))  # type: ignore[misc]
            if found is None:
                return seen, b""
            body_sha256, start = found
            size_bytes, seen[body_sha256] = await self._read(body_sha256)
            octets += size_bytes
            self.counts.bodies += 1
            self.counts.octets += size_bytes
        return seen, start

    async def is_whole(self, body_sha256: bytes) -> bool:
        """Read a body now, out of its turn, and note whether it is what its digest says."""
        now_ms = self._ports.clock.now_ms()
        _, whole = await self._read(body_sha256)
        await self._ports.store.transact(lambda tx: damage.note(tx, body_sha256, now_ms, whole=whole))
        return whole

    async def count(self) -> None:
        """Count again how many bodies are noted."""
        self.counts.damaged = len(await self.damaged())

    async def _read(self, body_sha256: bytes) -> tuple[int, bool]:
        """Read a body; return how many octets could be read, and whether they are what the digest says."""
        digest, size_bytes = hashlib.sha256(), 0
        try:
            inline = await self._ports.store.transact(lambda tx: tx.get(keys.body(body_sha256)))
            if inline is not None:
                return len(inline), hashlib.sha256(inline).digest() == body_sha256
            while data := await self._ports.bodies.read(body_sha256, size_bytes, MIB):
                await self._ports.workers.run(len(data), lambda piece=data: digest.update(piece))  # type: ignore[misc]
                size_bytes += len(data)
                if size_bytes > MIB:  # a large one holds to the pace by itself
                    await self._ports.clock.sleep(len(data) / self._policy.scrub_bytes_per_s)
        except Broken:
            return size_bytes, False
        return size_bytes, digest.digest() == body_sha256


def _write(tx: Tx, seen: dict[bytes, bool], now_ms: int, place: Place) -> None:
    for body_sha256, whole in seen.items():
        damage.note(tx, body_sha256, now_ms, whole=whole)
    write_place(tx, place)
