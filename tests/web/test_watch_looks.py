"""Looking: bounded in time whatever the store does, bounded in rows however long the queue, and cheap for what is looked at."""

import asyncio
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from node.flow.counters import Counters
from node.model.envelope import PacketKind, Signature
from node.model.mesh import Answer
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt, SignedReceipt
from node.net.peers import PeerTally
from node.rows import keys
from node.rows.records import OutboxRecord
from node.store.damage import Damage
from node.store.disk_usage import Scales, Weights
from node.store.rocks.store import RocksStore
from node.store.timing import Histogram
from node.web.watch.look import Looker, Watched
from node.web.watch.metrics import Metrics
from tests.small_mesh import Office, small_mesh
from tests.web.watching import Scrape

ROWS = 100_000


def watched(office: Office, home: Path, scales: Any = None) -> Watched:
    store: Any = SimpleNamespace(trouble=None, commit_no=0, waits=Histogram(), flushes=Histogram(), damage=Damage())
    return Watched(
        node=office.node,
        store=store,
        peers=PeerTally(),
        services={},
        certificates={},
        home=home,
        scales=scales or Scales(home / "store", home),
        first_commit_no=0,
        version="0",
    )


def test_a_store_that_hangs_leaves_a_scrape_with_what_can_be_told(tmp_path: Path) -> None:
    async def hang(fn: object) -> None:
        await asyncio.Event().wait()

    async def story() -> None:
        async with small_mesh() as mesh:
            office = mesh["g14"]
            seen_from = watched(office, tmp_path)
            real, office.node.ports.store.transact = office.node.ports.store.transact, hang  # type: ignore[method-assign]
            try:
                begun_s = time.monotonic()
                sight = await Looker(seen_from, look_time_s=0.2).look()
                assert time.monotonic() - begun_s < 2
            finally:
                office.node.ports.store.transact = real  # type: ignore[method-assign]
            assert (sight.roads, sight.waiting) == (None, None)
            scrape = Scrape(Metrics(seen_from).text(sight, "")[0].decode())
            assert scrape.value("truc_watch_missing") == 2
            assert scrape.value("truc_directory_nodes") == 4

    asyncio.run(story())


def test_a_disk_that_hangs_holds_one_thread_and_not_one_for_each_scrape(tmp_path: Path) -> None:
    let_go, weighings = threading.Event(), []

    class Stuck:
        def weigh(self) -> Weights:
            weighings.append(1)
            let_go.wait(30)
            return Weights(1, 2, 3, 4)

    async def story() -> None:
        async with small_mesh() as mesh:
            looker = Looker(watched(mesh["g14"], tmp_path, Stuck()), look_time_s=0.1)
            for _ in range(3):
                assert (await looker.look()).weights is None
            let_go.set()
            assert (await looker.look()).weights == Weights(1, 2, 3, 4)
            assert len(weighings) == 1

    try:
        asyncio.run(story())
    finally:
        let_go.set()


def test_a_scrape_of_a_long_queue_is_bounded_and_leaves_the_loop_free(tmp_path: Path) -> None:
    """100,000 rows wait: each look reads 20,000 of them, and between its pages others get their turn."""

    def write(tx: Any, begin: int) -> None:
        for number in range(begin, begin + 5_000):
            row = OutboxRecord(
                kind=1, since_ms=1 + number, unit_count=1, reason=Reason.IN_CUSTODY, body_sha256=bytes(32)
            )
            ready = keys.outbox_row("h49", 5, 1 + number, number.to_bytes(16, "big"), keys.OUTBOX_PACKET)
            tx.put(keys.later_row(4_000_000_000_000 + number, ready), row.SerializeToString())

    async def story() -> None:
        async with small_mesh() as mesh:
            office = mesh["g14"]
            await office.loops.dispatcher.stop()
            store = RocksStore.open(tmp_path / "store", tmp_path / "WITNESS", node_id="g14")
            for begin in range(0, ROWS, 5_000):
                await store.transact(lambda tx, begin=begin: write(tx, begin))  # type: ignore[misc]
            real = office.node.ports.store.transact
            office.node.ports.store.transact = store.transact  # type: ignore[method-assign]
            try:
                looker = Looker(watched(office, tmp_path))
                longest_s = [0.0]
                beat = asyncio.ensure_future(_beat(longest_s))
                times = [await _timed(looker) for _ in range(5)]
                beat.cancel()
                sight = await looker.look()
            finally:
                office.node.ports.store.transact = real  # type: ignore[method-assign]
                await store.close()
            assert sight.waiting is not None
            [waiting] = sight.waiting.places.values()
            assert (waiting.count, waiting.oldest_ms) == (ROWS, 1)
            assert max(times) < 2.0, times
            assert longest_s[0] < 0.5, "no turn of the loop is longer than a page of rows"

    asyncio.run(story())


async def _timed(looker: Looker) -> float:
    begun_s = time.monotonic()
    await looker.look()
    return time.monotonic() - begun_s


async def _beat(longest_s: list[float]) -> None:
    last_s = time.monotonic()
    while True:
        await asyncio.sleep(0)
        now_s = time.monotonic()
        longest_s[0] = max(longest_s[0], now_s - last_s)
        last_s = now_s


def test_counting_costs_a_packet_about_a_microsecond() -> None:
    """The counters' cost for a packet on its whole way, against a bound that only a mistake of another kind would break."""
    counters, calls = Counters(), PeerTally().calls
    receipt = Receipt(bytes(16), bytes(32), "h49", Level.DELIVERED, (Outcome("H49.22", Reason.NONE),), 1)
    signed = SignedReceipt(bytes(100), Signature(bytes(8), bytes(64), 0, 1, ()))
    verdict: Any = SimpleNamespace(envelope=SimpleNamespace(kind=PacketKind.DOCUMENT), receipt=receipt)
    answer = Answer(signed)
    rounds = 20_000
    begun_s = time.process_time()
    for _ in range(rounds):
        counters.submitted[PacketKind.DOCUMENT, False] += 1
        counters.receipts_verified[Level.DELIVERED] += 1
        counters.have_ended([Reason.NONE])
        counters.decided(verdict.envelope.kind, verdict.receipt, signed, answer)
        calls["h49", "push", "OK"] += 1
    each_s = (time.process_time() - begun_s) / rounds
    print(f"{each_s * 1e6:.2f} us for both nodes together")
    assert each_s < 20e-6
