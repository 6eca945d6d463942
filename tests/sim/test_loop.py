"""Virtual time and processes: what the whole simulation stands on."""

import asyncio

import pytest

from tests.sim.loop import Deadlock, NoAnswer, Process, VirtualLoop, run_virtual


def test_a_day_of_sleep_costs_no_time_and_ends_at_the_right_moment() -> None:
    async def main(loop: VirtualLoop) -> float:
        await asyncio.sleep(86_400)
        return loop.time()

    assert run_virtual(main) == pytest.approx(86_400)


def test_timers_fire_in_order_of_time_whatever_the_order_of_their_making() -> None:
    async def main(loop: VirtualLoop) -> list[int]:
        seen: list[int] = []

        async def after(seconds: int) -> None:
            await asyncio.sleep(seconds)
            seen.append(seconds)

        await asyncio.gather(*(after(seconds) for seconds in (5, 1, 3, 2, 4)))
        return seen

    assert run_virtual(main) == [1, 2, 3, 4, 5]


def test_timers_for_one_moment_fire_in_the_order_of_their_making_but_for_those_taken_back() -> None:
    async def main(loop: VirtualLoop) -> list[int]:
        seen: list[int] = []
        timers = [loop.call_later(1, seen.append, number) for number in range(6)]
        timers[0].cancel()
        timers[3].cancel()
        await asyncio.sleep(2)
        return seen

    assert run_virtual(main) == [1, 2, 4, 5]


def test_waiting_for_what_nobody_will_ever_do_is_a_deadlock_and_not_a_hang() -> None:
    async def main(loop: VirtualLoop) -> None:
        await loop.create_future()

    with pytest.raises(Deadlock, match="nothing is scheduled"):
        run_virtual(main)


def test_a_loop_that_spins_without_time_passing_is_found() -> None:
    async def main(loop: VirtualLoop) -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Deadlock, match="time stands still"):
        run_virtual(main)


def test_time_has_a_limit() -> None:
    async def main(loop: VirtualLoop) -> None:
        while True:
            await asyncio.sleep(60)

    with pytest.raises(Deadlock, match="limit"):
        run_virtual(main, limit_s=3600)


def test_a_crash_ends_every_task_that_the_process_has_started_and_no_other() -> None:
    async def main(loop: VirtualLoop) -> list[str]:
        ended: list[str] = []

        async def work(name: str, *, nested: bool = False) -> None:
            children = [asyncio.create_task(work(f"{name}'s child"))] if nested else []
            try:
                await asyncio.sleep(1000)
                ended.append(f"{name} finished")
            except asyncio.CancelledError:
                ended.append(f"{name} died")
                raise
            await asyncio.gather(*children)

        process, other = Process("a", loop), Process("b", loop)
        process.start(work("parent", nested=True))
        survivor = other.start(work("neighbour"))
        await asyncio.sleep(1)
        process.crash()
        await survivor
        return ended

    assert run_virtual(main) == ["parent died", "parent's child died", "neighbour finished"]


def test_whoever_calls_a_process_that_dies_gets_no_answer() -> None:
    async def main(loop: VirtualLoop) -> None:
        process = Process("a", loop)
        loop.call_later(5, process.crash)
        with pytest.raises(NoAnswer):
            await process.call(asyncio.sleep(10), 60)
        assert loop.time() == pytest.approx(5)
        with pytest.raises(NoAnswer):
            await process.call(asyncio.sleep(10), 60)

    run_virtual(main)


def test_a_caller_that_hangs_up_cancels_the_call() -> None:
    async def main(loop: VirtualLoop) -> None:
        process, ended = Process("a", loop), []

        async def slow() -> None:
            try:
                await asyncio.sleep(100)
            finally:
                ended.append(loop.time())

        with pytest.raises(NoAnswer):
            await process.call(slow(), 7)
        await asyncio.sleep(0)
        assert ended == [pytest.approx(7)]

    run_virtual(main)


def test_an_exception_that_is_no_fault_is_noted_as_a_bug_of_the_process() -> None:
    async def main(loop: VirtualLoop) -> list[str]:
        async def wrong() -> None:
            raise ZeroDivisionError("a mistake of ours")

        Process("a", loop).start(wrong())
        await asyncio.sleep(1)
        return loop.bugs

    bugs = run_virtual(main)
    assert any("a mistake of ours" in bug and "test_loop.py" in bug for bug in bugs)


def test_threads_are_forbidden() -> None:
    async def main(loop: VirtualLoop) -> None:
        await asyncio.to_thread(print)

    with pytest.raises(AssertionError, match="thread"):
        run_virtual(main)
