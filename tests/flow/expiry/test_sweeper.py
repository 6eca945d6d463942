"""The sweeper's loop: it keeps up with whatever is due, in slices that leave the loop free, and nothing stops it."""

import asyncio
import itertools
from dataclasses import replace

import pytest

from node.flow.expiry import sweeper, walk
from node.model.policy import DAY_MS, Policy
from node.model.reason import Reason
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


def test_the_statements_of_a_slice_share_a_signature() -> None:
    async def story() -> None:
        here = await with_due(3 * sweeper.SLICE_ITEMS_MAX)
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
            here.node.standstill.look,
            here.node.risk,
        )
        assert await loop.sweep_once() == 3 * sweeper.SLICE_ITEMS_MAX
        assert signings == [sweeper.SLICE_ITEMS_MAX] * 3

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


def test_a_circular_does_not_share_its_signature_with_more_recipients_than_a_slice_names() -> None:
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
        assert len(alone) == 1, "one packet with more recipients than a slice names is signed alone"

    run(story())


def test_what_falls_due_while_a_round_runs_is_done_in_the_same_round() -> None:
    async def story() -> None:
        here = await with_due(5, replace(SELDOM, keep_body_after_ms=0))
        here.clock.at_ms = NOW + 1_000
        assert await here.sweeper().sweep_once() >= 10, "expired, and the body forgotten at once"
        assert not due_rows(here, keys.DUE_EXPIRE) + due_rows(here, keys.DUE_FORGET)
        here.clock.at_ms += DAY_MS

    run(story())


# --- what cannot be done ------------------------------------------------------------------------------------------------


def poisoned(here: Place, number: int = 0) -> bytes:
    """The packet of that number, its record damaged; returns its key."""
    return sorted(key for key in here.rows() if key[:1] == b"k")[number]


def test_a_row_that_cannot_be_done_is_put_aside_for_a_day_and_all_others_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def story() -> None:
        here = await with_due(50)
        key = poisoned(here, 20)
        whole = here.rows()[key]
        await here.do(lambda tx: tx.put(key, b"\xff"))
        here.clock.at_ms = NOW + 1_000
        loop = here.sweeper()
        await loop.sweep_once()
        assert here.node.counters.ended[Reason.EXPIRED_UNCONFIRMED] == 49
        assert here.node.counters.put_aside >= 1
        assert key[1:].hex() in capsys.readouterr().err
        [(due, failures)] = [(k, v) for k, v in here.rows().items() if k[:1] == b"z" and k.endswith(key[1:])]
        assert keys.parse_due(due)[0] == here.clock.at_ms + DAY_MS
        assert int.from_bytes(failures, "big") == 1
        here.clock.at_ms += DAY_MS
        await loop.sweep_once()
        [failures] = [v for k, v in here.rows().items() if k[:1] == b"z" and k.endswith(key[1:])]
        assert int.from_bytes(failures, "big") == 2
        await here.do(lambda tx: tx.put(key, whole))
        here.clock.at_ms += DAY_MS
        await loop.sweep_once()
        assert here.node.counters.ended[Reason.EXPIRED_UNCONFIRMED] == 50

    run(story())


def test_a_mistake_of_ours_with_one_packet_is_put_aside_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        here = await with_due(5)
        name, real = poisoned(here)[1:], sweeper.sweep.expire

        def expire(tx, item, *rest):  # type: ignore[no-untyped-def]
            assert item.packet_id != name
            return real(tx, item, *rest)

        monkeypatch.setattr(sweeper.sweep, "expire", expire)
        here.clock.at_ms = NOW + 1_000
        await here.sweeper().sweep_once()
        assert here.node.counters.ended[Reason.EXPIRED_UNCONFIRMED] == 4

    run(story())


def test_the_walk_goes_round_a_row_that_it_cannot_look_at() -> None:
    async def story() -> None:
        here = await with_due(5)
        await here.do(lambda tx: tx.put(poisoned(here, 2), b"\xff"))
        loop = here.sweeper()
        await loop.sweep_once()
        assert here.node.counters.put_aside == 1
        await loop.sweep_once()
        assert here.node.counters.put_aside == 1
        assert await here.do(lambda tx: tx.get(walk.PLACE)) == b"k"

    run(story())


def test_the_loop_outlives_a_chore_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        here = await with_due(1)
        bugs: list[Exception] = []
        here.node.signals.bug.connect(bugs.append)
        loop = here.sweeper()

        def fails(*_: object) -> None:
            raise RuntimeError("a mistake")

        monkeypatch.setattr(sweeper.departed, "drop_receipts", fails)
        here.clock.at_ms = NOW + 1_000
        await loop.sweep_once()
        assert here.node.counters.ended[Reason.EXPIRED_UNCONFIRMED] == 1
        assert [type(bug) for bug in bugs] == [RuntimeError]

    run(story())
