"""The sweeper's loop: it keeps up with whatever is due, in slices that leave the loop free, and nothing stops it."""

import asyncio
import itertools
from dataclasses import replace

from node.flow.expiry import sweeper
from node.model.policy import DAY_MS, Policy
from node.rows import keys
from tests.clocks import NOW
from tests.flow.support import Place, place, run
from tests.papers import document

SELDOM = replace(Policy(), sweep_every_ms=3_600_000)


async def with_due(count: int, policy: Policy = SELDOM) -> Place:
    """A node with so many packets that expire a second from now."""
    here = place("g14", policy)
    for number in range(count):
        await here.submit(document("H49.22", number=str(number)), str(number), expire_at_ms=NOW + 1_000)
    return here


def due_rows(here: Place, kind: int) -> int:
    return sum(key[:1] == b"z" and keys.parse_due(key)[1] == kind for key in here.rows())


def test_the_loop_goes_on_at_once_while_more_is_due() -> None:
    async def story() -> None:
        here = await with_due(300)
        here.clock.at_ms = NOW + 1_000
        loop = here.sweeper()
        await loop.start()
        async with asyncio.timeout(10):
            while due_rows(here, keys.DUE_EXPIRE):
                await asyncio.sleep(0.01)
        await loop.stop()

    run(story())


def test_the_statements_of_a_slice_share_a_signature_and_a_commit() -> None:
    async def story() -> None:
        here = await with_due(sweeper.SLICE_ITEMS_MAX)
        here.clock.at_ms = NOW + 1_000
        real, signings = here.ports.keys.sign, []

        def counted(label, statements):  # type: ignore[no-untyped-def]
            signings.append(len(statements))
            return real(label, statements)

        loop = sweeper.Sweeper(
            replace(here.ports, keys=Counted(here.ports.keys, counted)),
            SELDOM,
            here.node.signals,
            here.node.counters,
            here.node.body_files,
            here.node.agreed_time,
            here.node.slices,
        )
        assert await loop.sweep_once() == sweeper.SLICE_ITEMS_MAX
        assert signings == [sweeper.SLICE_ITEMS_MAX]

    run(story())


class Counted:
    """Keys whose signatures are counted."""

    def __init__(self, keys, sign) -> None:  # type: ignore[no-untyped-def]
        self.node_id, self.sign = keys.node_id, sign


def test_calls_are_answered_between_two_slices() -> None:
    async def story() -> None:
        here = await with_due(sweeper.SLICE_ITEMS_MAX * 4)
        here.clock.at_ms = NOW + 1_000
        sweeping = asyncio.ensure_future(here.sweeper().sweep_once())
        left = []
        while not sweeping.done():
            left.append(due_rows(here, keys.DUE_EXPIRE))
            await asyncio.sleep(0)
        drops = {before - after for before, after in itertools.pairwise(left)}
        assert max(drops) <= sweeper.SLICE_ITEMS_MAX
        assert len(set(left)) >= 4

    run(story())


def test_a_circular_does_not_share_its_slice_with_more_recipients_than_a_slice_names() -> None:
    async def story() -> None:
        here = place("g14", SELDOM)
        for number in range(3):
            await here.submit(
                document("H49.22", "H49.22.05", number=str(number)), str(number), expire_at_ms=NOW + 1_000
            )
        due = await here.do(lambda tx: sweeper.sweep.due(tx, NOW + 1_000, 10))
        stated = await here.do(lambda tx: sweeper.sweep.stated(tx, due, "g14", NOW + 1_000, 4))
        assert [len(one.statement.outcomes) for one in stated if one.statement] == [2, 2]
        alone = await here.do(lambda tx: sweeper.sweep.stated(tx, due, "g14", NOW + 1_000, 1))
        assert len(alone) == 1, "one packet with more recipients than a slice names is a slice of its own"

    run(story())


def test_what_falls_due_while_a_round_runs_is_done_in_the_same_round() -> None:
    async def story() -> None:
        here = await with_due(5, replace(SELDOM, keep_body_after_ms=0))
        here.clock.at_ms = NOW + 1_000
        assert await here.sweeper().sweep_once() >= 10, "expired, and the body forgotten at once"
        assert not due_rows(here, keys.DUE_EXPIRE) + due_rows(here, keys.DUE_FORGET)
        here.clock.at_ms += DAY_MS

    run(story())
