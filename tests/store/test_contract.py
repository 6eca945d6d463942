"""Contract of every store (ports.Store): the same tests for the one in memory and the one on RocksDB."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from node.errors import Deferred, Fault
from node.model.reason import Reason
from node.rows import keys
from tests.store.conftest import until

Story = Callable[[Any], Awaitable[None]]


def play(home: Any, story: Story) -> None:
    async def whole() -> None:
        store = home.open()
        try:
            await story(store)
        finally:
            home.release()
            home.make_room()
            await store.close()

    asyncio.run(whole())


def reason_of(task: "asyncio.Task[Any]") -> Reason:
    error = task.exception()
    assert isinstance(error, Fault)
    return error.reason


def put(key: bytes, value: bytes = b"v") -> Callable[[Any], None]:
    return lambda tx: tx.put(key, value)


def test_a_value_that_was_put_is_read_by_the_next_transaction(home: Any) -> None:
    async def story(store: Any) -> None:
        assert await store.transact(lambda tx: tx.get(b"ka")) is None
        await store.transact(put(b"ka", b"1"))
        assert await store.transact(lambda tx: tx.get(b"ka")) == b"1"
        await store.transact(lambda tx: tx.delete(b"ka"))
        assert await store.transact(lambda tx: tx.get(b"ka")) is None

    play(home, story)


def test_a_transaction_reads_its_own_writes(home: Any) -> None:
    async def story(store: Any) -> None:
        await store.transact(lambda tx: [tx.put(key, b"old") for key in (b"ka", b"kb", b"kc", b"kd")])

        def fn(tx: Any) -> Any:
            tx.put(b"kb", b"new")
            tx.delete(b"kc")
            tx.put(b"kbb", b"new")
            tx.delete(b"absent")
            return tx.get(b"kb"), tx.get(b"kc"), tx.scan(b"k", limit=10), tx.scan(b"k", start=b"kb", limit=2)

        changed, removed, rows, page = await store.transact(fn)
        assert (changed, removed) == (b"new", None)
        assert rows == [(b"ka", b"old"), (b"kb", b"new"), (b"kbb", b"new"), (b"kd", b"old")]
        assert page == [(b"kb", b"new"), (b"kbb", b"new")]

    play(home, story)


def test_many_are_read_together_as_one_by_one_whatever_their_tables(home: Any) -> None:
    digest = b"\x07" * 32
    asked = [b"kb", b"ka", b"absent", keys.body(digest), b"oa", b"kd", b"ka", b"kc", b"new"]

    async def story(store: Any) -> None:
        def fill(tx: Any) -> None:
            for key in (b"ka", b"kb", b"kc", b"kd", b"oa", keys.body(digest)):
                tx.put(key, b"v" + key)

        def fn(tx: Any) -> Any:
            before = tx.get_many(asked)
            tx.put(b"kb", b"changed")
            tx.delete(b"kc")
            tx.put(b"new", b"n")
            return before, tx.get_many(asked), [tx.get(key) for key in asked], tx.get_many([])

        await store.transact(fill)
        before, after, single, none = await store.transact(fn)
        known = [b"vkb", b"vka", None, b"v" + keys.body(digest), b"voa", b"vkd", b"vka", b"vkc", None]
        assert before == known
        assert after == single == [b"changed", *known[1:7], None, b"n"]
        assert none == []

    play(home, story)


def test_who_has_read_many_hears_nothing_before_they_are_durable(home: Any) -> None:
    async def story(store: Any) -> None:
        await store.transact(put(b"kz"))
        home.hold()
        writer = asyncio.create_task(store.transact(put(b"ka")))
        await until(lambda: home.syncs >= 2)
        reader = asyncio.create_task(store.transact(lambda tx: tx.get_many([b"kz", b"ka"])))
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert not reader.done()
        assert await store.transact(lambda tx: tx.get_many([b"kz", b"kb"])) == [b"v", None], "rests on neither"
        home.release()
        assert await reader == [b"v", b"v"]
        await writer

    play(home, story)


def test_a_scan_keeps_to_its_prefix_its_start_and_its_limit_in_order_of_octets(home: Any) -> None:
    inside = [b"o\x00", b"oa", b"oab", b"oa\xff", b"o\xff", b"o\xff\xff"]

    async def story(store: Any) -> None:
        await store.transact(lambda tx: [tx.put(key, b"v" + key) for key in [b"n\xff", *reversed(inside), b"p"]])

        def seen(prefix: bytes, **more: Any) -> Awaitable[list[bytes]]:
            return store.transact(lambda tx: [key for key, _ in tx.scan(prefix, **more)])

        assert await seen(b"o", limit=100) == sorted(inside)
        assert await seen(b"o", limit=2) == sorted(inside)[:2]
        assert await seen(b"o", limit=0) == []
        assert await seen(b"oa", limit=100) == [b"oa", b"oab", b"oa\xff"]
        assert await seen(b"o\xff", limit=100) == [b"o\xff", b"o\xff\xff"]
        assert await seen(b"o", start=b"oab", limit=2) == [b"oab", b"oa\xff"]
        assert await seen(b"o", start=b"a", limit=1) == [b"o\x00"]
        assert await seen(b"o", start=b"p", limit=5) == []

    play(home, story)


def test_small_bodies_are_written_in_the_same_transaction_as_the_rows_that_name_them(home: Any) -> None:
    digest, body = b"\x07" * 32, b"x" * 65_536

    async def story(store: Any) -> None:
        def both(tx: Any) -> None:
            tx.put(keys.body(digest), body)
            tx.put(keys.packet(b"p" * 16), b"row")
            assert tx.get(keys.body(digest)) == body
            raise ValueError("changed my mind")

        with pytest.raises(ValueError, match="changed my mind"):
            await store.transact(both)
        assert await store.transact(lambda tx: tx.get(keys.body(digest))) is None
        await store.transact(lambda tx: (tx.put(keys.body(digest), body), tx.put(b"ka", b"row")))
        assert await store.transact(lambda tx: tx.scan(keys.BODY, limit=5)) == [(keys.body(digest), body)]
        assert await store.transact(lambda tx: [key for key, _ in tx.scan(b"k", limit=5)]) == [b"ka"]

    play(home, story)


def test_an_exception_writes_nothing_and_passes_through(home: Any) -> None:
    async def story(store: Any) -> None:
        def fn(tx: Any) -> None:
            tx.put(b"ka", b"1")
            raise Fault(Reason.ID_REUSED, "same id, other octets")

        with pytest.raises(Fault, match="same id"):
            await store.transact(fn)
        assert await store.transact(lambda tx: tx.scan(b"k", limit=5)) == []

    play(home, story)


def test_nobody_hears_of_a_write_before_it_is_durable(home: Any) -> None:
    """Not its writer, not who read it meanwhile, and not who was refused because of it."""

    async def story(store: Any) -> None:
        def refuse(tx: Any) -> None:
            if tx.get(b"ka"):
                raise ValueError("there already")

        await store.transact(put(b"kz"))
        home.hold()
        writer = asyncio.create_task(store.transact(put(b"ka")))
        await until(lambda: home.syncs >= 2)
        reader = asyncio.create_task(store.transact(lambda tx: tx.get(b"ka")))
        refused = asyncio.create_task(store.transact(refuse))
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert not writer.done()
        assert not reader.done()
        assert not refused.done()
        assert await store.transact(lambda tx: (tx.get(b"kb"), tx.scan(b"l", limit=5))) == (None, []), (
            "rests on neither"
        )
        home.release()
        assert await reader == b"v"
        assert writer.done()
        with pytest.raises(ValueError, match="there already"):
            await refused

    play(home, story)


def test_a_read_with_nothing_pending_costs_no_flush(home: Any) -> None:
    async def story(store: Any) -> None:
        await store.transact(put(b"ka"))
        before = home.syncs
        home.hold()
        assert await store.transact(lambda tx: tx.get(b"ka")) == b"v"
        assert home.syncs == before

    play(home, story)


def test_transactions_that_come_together_share_flushes_and_count_right(home: Any) -> None:
    async def story(store: Any) -> None:
        def count(tx: Any) -> int:
            number = int(tx.get(b"kn") or b"0") + 1
            tx.put(b"kn", str(number).encode())
            return number

        before = home.syncs
        numbers = await asyncio.gather(*(store.transact(count) for _ in range(200)))
        assert sorted(numbers) == list(range(1, 201))
        assert home.syncs - before <= 3

    play(home, story)


def test_a_cancelled_waiter_harms_nobody_else(home: Any) -> None:
    async def story(store: Any) -> None:
        home.hold()
        one = asyncio.create_task(store.transact(put(b"ka")))
        two = asyncio.create_task(store.transact(put(b"kb")))
        await until(lambda: home.syncs >= 1)
        one.cancel()
        home.release()
        await two
        assert one.cancelled()
        assert await store.transact(lambda tx: len(tx.scan(b"k", limit=5))) == 2

    play(home, story)


def test_a_full_disk_refuses_writes_lets_reads_go_on_and_resumes_by_itself(home: Any) -> None:
    async def story(store: Any) -> None:
        await store.transact(put(b"ka"))
        home.fill(at_sync=False)
        for _ in range(3):
            with pytest.raises(Deferred) as refused:
                await store.transact(put(b"kb"))
            assert refused.value.reason == Reason.DISK_FULL
        assert await store.transact(lambda tx: tx.get(b"ka")) == b"v"
        assert await store.transact(lambda tx: tx.get(b"kb")) is None
        home.make_room()
        await _accepted(store, b"kb")

    play(home, story)


def test_after_a_flush_that_met_a_full_disk_nothing_of_it_is_spoken_until_one_succeeds(home: Any) -> None:
    async def story(store: Any) -> None:
        await store.transact(put(b"ka"))
        home.fill(at_sync=True)
        home.hold()
        waiting = [asyncio.create_task(store.transact(put(b"kb"))), asyncio.create_task(store.transact(put(b"kc")))]
        await until(lambda: home.syncs >= 2)
        home.release()
        await asyncio.wait(waiting)
        assert [reason_of(task) for task in waiting] == [Reason.DISK_FULL, Reason.DISK_FULL]
        with pytest.raises(Deferred) as refused:
            await store.transact(lambda tx: tx.get(b"kb"))
        assert refused.value.reason == Reason.DISK_FULL
        home.make_room()
        await _accepted(store, b"kb")
        assert await store.transact(lambda tx: len(tx.scan(b"k", limit=9))) == 3

    play(home, story)


async def _accepted(store: Any, key: bytes) -> None:
    """Try as a sender would, until the store takes it."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await store.transact(put(key))
            except Deferred:
                await asyncio.sleep(0.02)


def test_a_fenced_store_reads_and_does_not_write(home: Any) -> None:
    async def whole() -> None:
        store = await home.open_fenced()
        assert store.fence is not None
        assert await store.transact(lambda tx: tx.get(b"ka")) == b"1"
        with pytest.raises(Deferred) as refused:
            await store.transact(put(b"ka", b"2"))
        assert refused.value.reason == Reason.NODE_FENCED
        assert await store.transact(lambda tx: tx.get(b"ka")) == b"1"
        await store.close()

    asyncio.run(whole())


def test_after_close_everything_told_is_there_and_the_same_process_opens_it_again(home: Any) -> None:
    async def whole() -> None:
        store = home.open()
        for number in range(3):
            tasks = [asyncio.create_task(store.transact(put(b"k%d-%d" % (number, one)))) for one in range(10)]
            await asyncio.sleep(0)
            await store.close()
            await asyncio.wait(tasks)
            assert all(task.exception() is None or reason_of(task) == Reason.SHUTTING_DOWN for task in tasks)
            told = [b"k%d-%d" % (number, one) for one, task in enumerate(tasks) if task.exception() is None]
            assert told
            with pytest.raises(Deferred) as late:
                await store.transact(put(b"kx"))
            assert late.value.reason == Reason.SHUTTING_DOWN
            store = home.open()
            assert store.fence is None
            assert [await store.transact(lambda tx, k=key: tx.get(k)) for key in told] == [b"v"] * len(told)
        await store.close()

    asyncio.run(whole())
