"""A child process is killed with SIGKILL at random moments while its parent keeps a ledger of what it was told.

After every restart nothing acknowledged is missing, nothing is there twice, and no body lacks an octet. 20 kills; more with
`--kills 200` or TRUC_KILLS=200. (SIGKILL spares the page cache: what a power cut does is tried in simulation and test_rocks.)
"""

import asyncio
import hashlib
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from node.rows import keys
from node.store.bodies import FileBodies
from node.store.rocks.store import RocksStore
from tests.store.rocks.kill_loop import NODE, body_of, is_large, row_of

IN_FLIGHT = 24


class Ledger:
    """The child's acknowledgements, fsynced line by line, and the submissions it has not answered yet."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self.acknowledged: dict[str, str] = {}
        self.open: list[str] = []
        self._next = 0

    def fresh(self) -> str:
        self._next += 1
        self.open.append(str(self._next))
        return self.open[-1]

    def note(self, identity: str, how: str) -> None:
        self._file.write(f"{identity} {how}\n".encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        if identity in self.open:
            self.open.remove(identity)
        self.acknowledged.setdefault(identity, how)


def run_until_killed(home: Path, ledger: Ledger, after_s: float) -> None:
    """Start the child, keep it busy, kill it; whatever it said before it died counts."""
    program = [sys.executable, "-m", "tests.store.rocks.kill_loop", str(home)]
    child = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    assert child.stdout.readline() == b"ready\n", child.stderr.read().decode()
    killer = threading.Timer(after_s, child.kill)
    killer.start()
    try:
        _submit(child, ledger.open)
        _submit(child, [ledger.fresh() for _ in range(IN_FLIGHT - len(ledger.open))])
        for line in child.stdout:
            if line.endswith(b"\n"):
                ledger.note(*line.decode().split())
                _submit(child, [ledger.fresh()])
    finally:
        killer.cancel()
        child.kill()
        child.communicate()


def _submit(child: "subprocess.Popen[bytes]", identities: list[str]) -> None:
    assert child.stdin is not None
    try:
        for identity in identities:
            child.stdin.write(f"submit {identity}\n".encode())
        child.stdin.flush()
    except BrokenPipeError:
        return


async def value_of(store: RocksStore, key: bytes) -> bytes | None:
    """Read one row."""
    return await store.transact(lambda tx: tx.get(key))


async def examine(home: Path, ledger: Ledger) -> int:
    """Hold the store against the ledger; return how many submissions it holds."""
    store = RocksStore.open(home / "db", home / "WITNESS", node_id=NODE)
    bodies = FileBodies(home)
    assert store.fence is None
    arrivals = [value.decode() for _, value in await store.transact(lambda tx: tx.scan(b"i", limit=1_000_000))]
    rows = await store.transact(lambda tx: tx.scan(b"s", limit=1_000_000))
    assert len(arrivals) == len(set(arrivals)) == len(rows), "something is there twice"
    assert set(ledger.acknowledged) <= set(arrivals), "something acknowledged is missing"
    for identity in arrivals:
        digest = await value_of(store, row_of(identity))
        assert digest is not None
        assert digest == hashlib.sha256(body_of(identity)).digest()
        if is_large(identity):
            body: bytes | None = await bodies.read(digest, 0, 1_000_000)
        else:
            body = await value_of(store, keys.body(digest))
        assert body == body_of(identity)
    await store.close()
    await bodies.close()
    return len(arrivals)


@pytest.mark.timeout(1_200)
def test_what_was_acknowledged_survives_being_killed_again_and_again(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    kills = int(request.config.getoption("--kills", default=None) or os.environ.get("TRUC_KILLS", "20"))
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    ledger = Ledger(tmp_path / "ledger")
    for _ in range(kills):
        run_until_killed(tmp_path / "home", ledger, chance.uniform(0.05, 0.3))
    held = asyncio.run(examine(tmp_path / "home", ledger))
    print(
        f"seed {seed}: {kills} kills, {len(ledger.acknowledged)} acknowledged, {held} held, {len(ledger.open)} unanswered"
    )
    assert len(ledger.acknowledged) > kills
    assert held <= len(ledger.acknowledged) + len(ledger.open)
