"""Decay: disks on which reading fails, for a time (EIO) or until the operator restores what was there (a flipped bit).

What is raised is what the real store raises (node/store/rocks/engine.py, node/store/bodies.py):

    row, flipped       Broken(STORE_CORRUPT) from the read, and the store is fenced from then on, until it is opened anew
    row, EIO           Broken(IO_FAILED)
    body, EIO          Broken(IO_FAILED)
    body, flipped      nothing: a body file has no checksum of its own, wrong octets are read
    body, gone         Broken(STORE_CORRUPT)
"""

import asyncio
import random
import zlib
from collections.abc import Callable

from node.errors import Broken
from node.model.reason import Reason
from node.rows import keys
from node.store.embedded.overlay import Row, Writes
from node.store.memory.store import MemoryStore
from tests.sim.disk import Disk
from tests.sim.troubles import Day, Trouble

STAGED = "(simulated)"
CORRUPT = f"Corruption: block checksum mismatch {STAGED}"
STEP_S = 20
"""So long the same sectors cannot be read."""
NO_READ = f"IO error: Input/output error {STAGED}"


class Wounds:
    """The damage of one disk. It lies between the rows and who reads them, and outlives every crash until it is healed."""

    def __init__(self, disk: Disk, numbers: random.Random) -> None:
        self.fails = 0.0
        """Share of the rows and bodies of which a read fails in these seconds; always the same ones, so that a repeat meets the same."""
        self.flipped: set[bytes] = set()
        """Keys of rows that are damaged."""
        self.flipped_bodies: set[bytes] = set()
        self._salt = numbers.getrandbits(31)
        disk.read_body = self.read_body
        disk.bodies.on_replaced = self.flipped_bodies.discard
        disk.fit = self.fit
        self.fit(disk.store)

    @property
    def any(self) -> bool:
        """True while there is damage."""
        return bool(self.fails or self.flipped or self.flipped_bodies)

    def fit(self, store: MemoryStore) -> None:
        """Put this between a store and its rows."""
        engine = store._memory
        write = type(engine).write.__get__(engine)
        get, rows = type(engine).get.__get__(engine), type(engine).rows.__get__(engine)

        def wounded_get(key: bytes) -> bytes | None:
            if self.any:
                self._touch(store, (key,))
            value: bytes | None = get(key)
            return value

        def wounded_rows(prefix: bytes, start: bytes, limit: int) -> list[Row]:
            found: list[Row] = rows(prefix, start, limit)
            if self.any:
                self._touch(store, [key for key, _ in found])
            return found

        def mending_write(writes: Writes, commit_no: int) -> None:
            write(writes, commit_no)
            # What is written anew lies elsewhere on the disk.
            self.flipped.difference_update(key for key, value in writes.items() if value and key[:1] == keys.BODY)

        engine.write = mending_write  # type: ignore[method-assign]
        engine.get, engine.rows = wounded_get, wounded_rows  # type: ignore[method-assign]

    def _touch(self, store: MemoryStore, names: "tuple[bytes, ...] | list[bytes]") -> None:
        if self.fails and any(self._fails_now(key) for key in names):
            raise Broken(Reason.IO_FAILED, NO_READ)
        if self.flipped and not self.flipped.isdisjoint(names):
            # A read that meets damage fails for its caller alone; the store goes on (store/rocks/engine.py).
            raise Broken(Reason.STORE_CORRUPT, CORRUPT)

    def read_body(self, body_sha256: bytes, data: bytes) -> bytes:
        """Return what is read of a body file."""
        if self._fails_now(body_sha256):
            raise Broken(Reason.IO_FAILED, NO_READ)
        if body_sha256 in self.flipped_bodies and data:
            return bytes([data[0] ^ 1]) + data[1:]
        return data

    def _fails_now(self, key: bytes) -> bool:
        step = int(asyncio.get_running_loop().time() / STEP_S)
        return zlib.crc32(key, self._salt + step) / 2**32 < self.fails

    def heal(self) -> None:
        """Put everything back as it was."""
        self.fails = 0.0
        self.flipped.clear()
        self.flipped_bodies.clear()


class _Decay(Trouble):
    """Wounds one disk now and then, for a time; then the operator heals it and starts the node anew."""

    name = ""

    def __init__(self, day: Day) -> None:
        super().__init__(day)
        self._wounds: dict[str, Wounds] = day.world.wounds
        # A loop that tells of a disk that cannot be read makes no mistake; one that ends of it breaks L-loops.
        self.world.staged.add(STAGED)

    async def run(self) -> None:
        """Strike now and then."""
        await self.day.repeatedly(self.name, 1800.0, self._strike)

    async def _strike(self, numbers: random.Random) -> None:
        machine = self.someone(numbers)
        wounds = self._wounds.setdefault(machine.name, Wounds(machine.disk, random.Random(numbers.random())))
        what = self.wound(machine.disk, wounds, numbers)
        if not what:
            return
        self.strikes(f"{what} at {machine.name}")
        self.world.wounded.add(machine.name)
        await self.day.lasting(numbers.uniform(60, 2400))
        wounds.heal()
        if not self.day.day_over:
            # A store that has met damage stays fenced until it is opened anew.
            machine.crash()
            await machine.start()

    def wound(self, disk: Disk, wounds: Wounds, numbers: random.Random) -> str:
        """Do damage; return what, "" if there is nothing to damage."""
        raise NotImplementedError

    async def mend(self) -> None:
        """Heal all disks, and open the stores anew."""
        for name, wounds in self._wounds.items():
            wounds.heal()
            machine = self.world.machines[name]
            if machine.disk.store.fence is not None:
                machine.crash()
                await machine.start()


class Eio(_Decay):
    """Lets reads fail for a time."""

    name = "eio"

    def wound(self, disk: Disk, wounds: Wounds, numbers: random.Random) -> str:
        """Let some of the reads fail."""
        wounds.fails = numbers.choice((0.01, 0.05, 0.3))
        return f"{wounds.fails} of all rows cannot be read"


class Flips(_Decay):
    """Damages a row, or a body."""

    name = "flips"

    def wound(self, disk: Disk, wounds: Wounds, numbers: random.Random) -> str:
        """Damage one row of a table, or one body file."""
        rows = sorted(disk.store.rows_after_crash(disk.store.unsynced))
        tables: list[Callable[[bytes], bool]] = [lambda key: key[:1] == b"b", lambda key: key[:1] in b"dikno"]
        chosen = numbers.choice(tables)
        candidates = [key for key in rows if chosen(key)]
        bodies = sorted(disk.bodies._sealed)
        if bodies and numbers.random() < 0.5:
            wounds.flipped_bodies.add(numbers.choice(bodies))
            return "a bit of a body file is flipped"
        if not candidates:
            return ""
        key = numbers.choice(candidates)
        wounds.flipped.add(key)
        return f"a row of table {key[:1].decode()} is damaged"
