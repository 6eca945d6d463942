"""Risk: what a process dies of is found by the deaths it has caused and laid aside; and nothing else is."""

import asyncio
from collections.abc import Callable, Sequence

from node.flow import quarantine
from node.flow.receive.cautious import cautious_push
from node.flow.risk import CALM_MS, CAREFUL_AFTER, DEATHS_MAX, PAUSE_MS, Risk, marked, name_of_brought
from node.model.mesh import Answer, PushItem
from node.model.reason import Reason
from tests.flow.support import Place, place, push_of, run


class Died(BaseException):
    """The process ends here: nothing of it runs any more."""


DEAD: list[object] = []
"""Steps in which processes have died: they are never left."""


async def started(here: Place) -> Risk:
    risk = Risk(here.ports)
    await risk.start()
    return risk


async def life(here: Place, names: Sequence[bytes], deadly: Callable[[bytes], bool]) -> list[bytes]:
    """Let one process handle names until it dies, as loops do; return those that it has laid aside."""
    risk, over = await started(here), [b""]
    over.clear()
    fresh = [name for name in names if not risk.is_suspect(name)]
    for group in (fresh, *([name] for name in names if name not in fresh)):
        if group and risk.is_over(group[0]):
            over += group
            await risk.forget(group[0])
            continue
        step = risk.step(group)
        await step.__aenter__()
        DEAD.append(step)
        if any(map(deadly, group)):
            return over  # dead: the mark stays
        await step.__aexit__(None, None, None)
    await risk.stop()
    return over


NAMES = [b"one", b"two", b"poison", b"three"]


def test_what_kills_is_laid_aside_after_a_few_deaths_and_its_neighbours_are_not() -> None:
    async def story() -> None:
        here, lives = place("g14"), 0
        while not (over := await life(here, NAMES, lambda name: name == b"poison")):
            lives += 1
            here.clock.at_ms += 20_000
            assert lives < 10
        assert over == [b"poison"]
        assert lives == CAREFUL_AFTER + DEATHS_MAX

    run(story())


def test_a_node_that_was_killed_twice_by_others_lays_nothing_aside_and_is_calm_after_a_while() -> None:
    async def story() -> None:
        here = place("g14")
        for _ in range(2):
            await started(here)
        risk = await started(here)
        assert (risk.deaths, risk.is_careful) == (2, True)
        async with risk.step(NAMES):
            assert set(await here.do(marked)) == set(NAMES)
        assert await here.do(marked) == {}
        here.clock.at_ms += CALM_MS
        async with risk.step(NAMES):
            assert not risk.is_careful
        assert (await started(here)).deaths == 1

    run(story())


def test_who_ends_well_or_lives_for_long_is_not_careful_and_writes_nothing() -> None:
    async def story() -> None:
        here = place("g14")
        for _ in range(4):
            risk = await started(here)
            assert not risk.is_careful
            async with risk.step(NAMES):
                assert await here.do(marked) == {}
            await risk.stop()
        for _ in range(4):
            here.clock.at_ms += CALM_MS + PAUSE_MS
            assert (await started(here)).deaths <= 1

    run(story())


def test_suspects_are_handled_one_at_a_time_in_the_whole_node() -> None:
    async def story() -> None:
        here, at_once, most = place("g14"), [0], [0]
        for _ in range(CAREFUL_AFTER):
            await started(here)
        risk = await started(here)
        DEAD.append(risk.step(NAMES))
        await DEAD[-1].__aenter__()  # type: ignore[attr-defined]
        risk = await started(here)

        async def one(name: bytes) -> None:
            async with risk.step([name]):
                at_once[0] += 1
                most[0] = max(most[0], at_once[0])
                await asyncio.sleep(0.01)
                at_once[0] -= 1

        await asyncio.gather(*map(one, NAMES))
        assert most == [1]
        assert await here.do(marked) == dict.fromkeys(NAMES, 1), "it is not forgotten by having been survived once"

    run(story())


def test_what_a_peer_brings_and_the_node_dies_of_is_refused_and_can_be_released() -> None:
    async def story() -> None:
        here = place("h49")
        good, poison = push_of(packet_nonce=b"g" * 16), push_of(packet_nonce=b"p" * 16)
        dead: list[bool] = []

        async def push(peer_id: str, items: Sequence[PushItem]) -> list[Answer]:
            if poison in items:
                dead.append(True)
                raise Died
            return [Answer(None, Reason.NONE) for _ in items]

        for _ in range(20):
            risk = await started(here)
            here.clock.at_ms += 20_000
            answers = await _pushed(risk, push, [good, poison], dead)
            if answers is not None:
                break
        assert [one.reason for one in answers or []] == [Reason.NONE, Reason.FAILED_INSIDE]
        assert await here.do(quarantine.count) == 1
        # In a later life, also a careless one, it is refused until it is released.
        await risk.stop()
        later = await started(here)
        assert not later.is_careful
        assert (await cautious_push(later, push, "g14", [poison]))[0].reason is Reason.FAILED_INSIDE
        [(name, _)] = await here.do(lambda tx: quarantine.held(tx, 9))
        await here.do(lambda tx: quarantine.release(tx, name))
        await later.look()
        assert later.banned == set()
        assert name_of_brought(b"") != name_of_brought(b"x")

    run(story())


async def _pushed(risk: Risk, push: object, items: list[PushItem], dead: list[bool]) -> list[Answer] | None:
    """Push; None if the process has died of it: then the mark stays, as on a disk."""
    marks = risk._mark
    dead.clear()

    def sticky(tx: object, names: Sequence[bytes], more: int) -> None:
        if not dead:
            marks(tx, names, more)  # type: ignore[arg-type]

    try:
        risk._mark = sticky  # type: ignore[method-assign, assignment]
        return await cautious_push(risk, push, "g14", items)  # type: ignore[arg-type]
    except Died:
        return None
