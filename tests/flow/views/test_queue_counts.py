"""Queue counts: what waits is counted by peer and lane, in pages, and the oldest is found among what is put off, too."""

import asyncio
from dataclasses import replace

import pytest

from node.errors import Deferred
from node.flow.send import outbox
from node.flow.views.queue_counts import QueueCounter, Walk, add_page, read_page
from node.model.lane import Lane
from node.model.reason import Reason
from node.ports import Tx
from node.rows import keys
from node.rows.records import OutboxRecord
from tests.small_mesh import small_mesh


def put(tx: Tx, node_id: str, lane: Lane, number: int, since_ms: int) -> None:
    record = OutboxRecord(kind=1, since_ms=since_ms, unit_count=1, reason=Reason.QUEUED)
    assert outbox.enqueue(tx, node_id, lane, number.to_bytes(16, "big"), keys.OUTBOX_PACKET, record)


def fill(tx: Tx) -> None:
    for number in range(10):
        put(tx, "h49", Lane.NORMAL, number, 5_000 + number)
    for number in range(10, 14):
        put(tx, "h37", Lane.HOA_TOC, number, 7_000 + number)
    put(tx, "h49", Lane.BULK, 20, 9_000)
    # The oldest of all is put off for longest: it is the last of the rows that are not ready.
    put(tx, "h49", Lane.NORMAL, 30, 1_000)
    outbox.put_off(tx, "h49", (30).to_bytes(16, "big"), keys.OUTBOX_PACKET, 99_000, Reason.IN_CUSTODY)
    outbox.put_off(tx, "h49", (3).to_bytes(16, "big"), keys.OUTBOX_PACKET, 50_000, Reason.PEER_BUSY)


EXPECTED = {("h49", Lane.NORMAL): (11, 1_000), ("h49", Lane.BULK): (1, 9_000), ("h37", Lane.HOA_TOC): (4, 7_010)}


@pytest.mark.parametrize("page_rows", [1, 2, 7, 16, 17, 1_000])
def test_pages_of_any_size_count_the_same(page_rows: int) -> None:
    async def story() -> None:
        async with small_mesh() as mesh:
            ports = mesh["g14"].ports
            await mesh["g14"].loops.dispatcher.stop()
            await ports.store.transact(fill)
            counted = await QueueCounter(ports, page_rows=page_rows).take()
            assert {place: (one.count, one.oldest_ms) for place, one in counted.places.items()} == EXPECTED
            assert counted.time_ms > 0

    asyncio.run(story())


def test_a_long_queue_is_counted_over_several_calls_and_the_last_whole_count_is_shown() -> None:
    async def story() -> None:
        async with small_mesh() as mesh:
            ports = mesh["g14"].ports
            await mesh["g14"].loops.dispatcher.stop()
            await ports.store.transact(fill)
            census = QueueCounter(ports, page_rows=4, rows_per_call=9)
            first = await census.take()
            assert first.time_ms == 0, "there is no whole count yet"
            assert sum(one.count for one in first.places.values()) == 9
            whole = await census.take()
            assert sum(one.count for one in whole.places.values()) == 16
            await ports.store.transact(lambda tx: put(tx, "h49", Lane.NORMAL, 40, 1))
            assert await census.take() == whole, "shown until the next is done"
            last = await census.take()
            assert last.places["h49", Lane.NORMAL].count == 12
            assert last.places["h49", Lane.NORMAL].oldest_ms == 1

    asyncio.run(story())


def test_an_empty_outbox_is_counted_at_once() -> None:
    async def story() -> None:
        async with small_mesh() as mesh:
            counted = await QueueCounter(mesh["g14"].ports).take()
            assert counted.places == {}
            assert counted.time_ms > 0

    asyncio.run(story())


def test_a_store_that_cannot_be_read_loses_nothing_of_the_walk() -> None:
    async def story() -> None:
        async with small_mesh() as mesh:
            ports = mesh["g14"].ports
            await mesh["g14"].loops.dispatcher.stop()
            await ports.store.transact(fill)
            store = Failing(ports.store, after=2)
            census = QueueCounter(replace(ports, store=store), page_rows=4)
            with pytest.raises(Deferred):
                await census.take()
            counted = await census.take()
            assert {place: one.count for place, one in counted.places.items()} == {
                place: count for place, (count, _) in EXPECTED.items()
            }

    asyncio.run(story())


class Failing:
    """A store that fails once."""

    def __init__(self, store: object, after: int) -> None:
        self.store, self.left = store, after

    async def transact(self, fn: object) -> object:
        self.left -= 1
        if self.left == 0:
            raise Deferred(Reason.DISK_FULL)
        return await self.store.transact(fn)  # type: ignore[attr-defined]

    async def close(self) -> None:
        return


def test_a_page_costs_its_rows_and_no_more() -> None:
    asked: list[int] = []

    class Long:
        def scan(self, prefix: bytes, *, start: bytes = b"", limit: int) -> list[tuple[bytes, bytes]]:
            asked.append(limit)
            row = keys.outbox_row("h49", 5, 1, bytes(16), 1)
            return [(row, b"")] * limit

    count = Walk(following=keys.OUTBOX)
    add_page(count, read_page(Long(), count.following, 100))  # type: ignore[arg-type]
    assert asked == [100]
    assert count.rows == 100
