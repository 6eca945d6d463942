"""Calls that arrive together are served together, and nobody waits for a timer or suffers for another's fault."""

import asyncio

import pytest

from node.errors import Deferred, Rejected
from node.flow.submit.batching import PAUSES_MAX, Batcher
from node.model.reason import Reason
from tests.flow.support import run


class Counter:
    """Serves by doubling; notes the groups. Waits for `gate` if it is closed."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fault_of: dict[int, Exception] = {}
        self.fault_of_all: Exception | None = None

    async def serve(self, questions: list[int]) -> list[int | Exception]:
        self.groups.append(questions)
        await self.gate.wait()
        if self.fault_of_all:
            raise self.fault_of_all
        return [self.fault_of.get(question, question * 2) for question in questions]


def test_alone_a_call_waits_for_nobody() -> None:
    async def story() -> None:
        counter = Counter()
        batcher = Batcher(counter.serve, size_max=10)
        assert await batcher.ask(1) == 2
        assert await batcher.ask(2) == 4
        assert counter.groups == [[1], [2]]

    run(story())


def test_calls_of_one_turn_of_the_loop_are_one_group() -> None:
    async def story() -> None:
        counter = Counter()
        batcher = Batcher(counter.serve, size_max=10)
        assert await asyncio.gather(*(batcher.ask(n) for n in range(5))) == [0, 2, 4, 6, 8]
        assert [n for group in counter.groups for n in group] == [0, 1, 2, 3, 4]
        assert len(counter.groups) == 1

    run(story())


def test_what_arrives_while_a_group_is_served_forms_the_next_one_in_order_and_bounded() -> None:
    async def story() -> None:
        counter = Counter()
        counter.gate.clear()
        batcher = Batcher(counter.serve, size_max=4, groups_max=1)
        first = asyncio.ensure_future(batcher.ask(0))
        while not counter.groups:
            await asyncio.sleep(0)
        others = [asyncio.ensure_future(batcher.ask(n)) for n in range(1, 8)]
        await asyncio.sleep(0)
        assert counter.groups == [[0]], "groups_max groups at a time and no more"
        counter.gate.set()
        assert await asyncio.gather(first, *others) == [n * 2 for n in range(8)]
        assert counter.groups == [[0], [1, 2, 3, 4], [5, 6, 7]]

    run(story())


def test_who_waits_for_company_waits_a_bounded_time_however_many_come() -> None:
    async def story() -> None:
        counter, pauses = Counter(), 0
        more: list[asyncio.Future[int]] = []

        async def pause() -> None:
            nonlocal pauses
            pauses += 1
            more.append(asyncio.ensure_future(batcher.ask(10 + pauses)))
            await asyncio.sleep(0)

        batcher = Batcher(counter.serve, size_max=100, groups_max=1, pause=pause)
        await asyncio.gather(batcher.ask(0), batcher.ask(1))
        assert await batcher.ask(2) == 4
        assert pauses >= PAUSES_MAX
        assert counter.groups[1] == [2, *range(11, 11 + PAUSES_MAX)]
        for one in more:
            one.cancel()

    run(story())


def test_only_calls_that_had_company_wait_a_moment_for_more() -> None:
    async def story() -> None:
        counter, pauses, more = Counter(), 0, asyncio.Event()

        async def pause() -> None:
            nonlocal pauses
            pauses += 1
            await more.wait()

        batcher = Batcher(counter.serve, size_max=3, groups_max=1, pause=pause)
        assert await batcher.ask(0) == 0
        assert await batcher.ask(1) == 2
        assert pauses == 0, "one after another nobody waits"
        await asyncio.gather(batcher.ask(2), batcher.ask(3))
        assert pauses == 0
        early = asyncio.ensure_future(batcher.ask(4))
        async with asyncio.timeout(5):
            while pauses == 0:
                await asyncio.sleep(0)
        assert pauses == 1, "the last group had company, so this one waits for its own"
        late = asyncio.ensure_future(batcher.ask(5))
        more.set()
        assert await asyncio.gather(early, late) == [8, 10]
        assert counter.groups[-1] == [4, 5]
        assert pauses == 2, "it came while the others waited, so there may be more to come"
        await asyncio.gather(*(batcher.ask(n) for n in range(6, 9)))
        assert pauses == 2, "a full group need not wait"

    run(story())


def test_a_second_group_is_served_beside_the_first_but_no_third() -> None:
    async def story() -> None:
        counter = Counter()
        counter.gate.clear()
        batcher = Batcher(counter.serve, size_max=1, groups_max=2)
        asked = [asyncio.ensure_future(batcher.ask(n)) for n in range(4)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(counter.groups) == 2
        counter.gate.set()
        assert await asyncio.gather(*asked) == [0, 2, 4, 6]

    run(story())


def test_a_fault_of_one_is_raised_for_its_asker_only() -> None:
    async def story() -> None:
        counter = Counter()
        counter.fault_of[1] = Rejected(Reason.ID_REUSED)
        batcher = Batcher(counter.serve, size_max=10)
        results = await asyncio.gather(*(batcher.ask(n) for n in range(3)), return_exceptions=True)
        assert results == [0, counter.fault_of[1], 4]

    run(story())


def test_a_fault_of_all_is_raised_for_every_one_of_the_group_and_the_next_group_is_served() -> None:
    async def story() -> None:
        counter = Counter()
        counter.fault_of_all = Deferred(Reason.DISK_FULL)
        batcher = Batcher(counter.serve, size_max=10)
        results = await asyncio.gather(*(batcher.ask(n) for n in range(3)), return_exceptions=True)
        assert results == [counter.fault_of_all] * 3
        counter.fault_of_all = None
        assert await batcher.ask(5) == 10

    run(story())


def test_a_caller_who_has_gone_away_disturbs_nobody() -> None:
    async def story() -> None:
        counter = Counter()
        counter.gate.clear()
        batcher = Batcher(counter.serve, size_max=10, groups_max=1)
        asked = [asyncio.ensure_future(batcher.ask(n)) for n in range(3)]
        while not counter.groups:
            await asyncio.sleep(0)
        late = asyncio.ensure_future(batcher.ask(7))
        await asyncio.sleep(0)
        asked[1].cancel()
        late.cancel()
        await asyncio.sleep(0)
        counter.gate.set()
        assert await asked[0] == 0
        assert await asked[2] == 4
        assert await batcher.ask(9) == 18
        for gone in (asked[1], late):
            with pytest.raises(asyncio.CancelledError):
                await gone

    run(story())


def test_what_was_asked_is_served_even_if_its_caller_went_away_before_the_group_began() -> None:
    # A submission that is on its way to the disk may well become durable: the caller asks again with the same id.
    async def story() -> None:
        counter = Counter()
        counter.gate.clear()
        batcher = Batcher(counter.serve, size_max=10, groups_max=1)
        first = asyncio.ensure_future(batcher.ask(0))
        while not counter.groups:
            await asyncio.sleep(0)
        second = asyncio.ensure_future(batcher.ask(1))
        await asyncio.sleep(0)
        second.cancel()
        counter.gate.set()
        assert await first == 0
        assert await batcher.ask(2) == 4
        assert sorted(n for group in counter.groups for n in group) == [0, 1, 2]

    run(story())


def test_an_end_of_the_serving_task_ends_the_waiting_too() -> None:
    async def story() -> None:
        async def serve(questions: list[int]) -> list[int | Exception]:
            raise asyncio.CancelledError

        batcher = Batcher(serve, size_max=10)
        with pytest.raises(asyncio.CancelledError):
            await batcher.ask(1)

    run(story())


def test_our_own_mistake_in_serving_reaches_the_askers_and_leaves_nobody_hanging() -> None:
    async def story() -> None:
        async def serve(questions: list[int]) -> list[int | Exception]:
            return []

        batcher = Batcher(serve, size_max=10)
        with pytest.raises(AssertionError):
            await asyncio.wait_for(batcher.ask(1), 2)

    run(story())
