"""Where a courier's next look at its outbox begins. A row that lies before that place and is not in flight would be sent only when the
courier looks from the beginning, half a minute later: these were found between hosts (tests/containers), on slow disks and cut lines.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from node.errors import Deferred
from node.flow.loop import rest
from node.flow.send import courier, outbox
from node.flow.send.plan import Plan
from node.model.directory import NodeEntry
from node.model.mesh import Answer, PushItem
from node.model.reason import Reason
from node.ports import Clock, Tx
from node.rows import keys
from tests.flow.send.test_courier import QUICK, all_delivered
from tests.flow.support import run
from tests.papers import document
from tests.small_mesh import SmallMesh, eventually, small_mesh

SOON_S = 3.0
"""Well before a courier looks from the beginning (courier.IDLE_S)."""


@pytest.fixture(autouse=True)
def resting(monkeypatch: pytest.MonkeyPatch) -> set[asyncio.Event]:
    """The wakes of those couriers that rest now: nothing is found, nothing is on its way."""
    found: set[asyncio.Event] = set()

    async def seen(clock: Clock, wake: asyncio.Event, seconds: float) -> None:
        found.add(wake)
        try:
            await rest(clock, wake, seconds)
        finally:
            found.discard(wake)

    monkeypatch.setattr(courier, "rest", seen)
    return found


async def warm_up(mesh: SmallMesh, resting: set[asyncio.Event]) -> None:
    """Let the courier have looked from the beginning a moment ago, with something behind it."""
    sender = mesh["g14"].loops.dispatcher._couriers["h49"]

    async def rests() -> bool:
        return sender._wake in resting and not sender._wake.is_set() and not sender._sending

    for name in ("first", "second"):
        await mesh["g14"].submit(document("H49.22", number=name), name)
        await eventually(lambda name=name: all_delivered(mesh, name))  # type: ignore[misc]
        await eventually(rests)


def test_a_row_whose_push_fails_while_the_next_look_waits_for_the_disk_is_sent_soon(
    resting: set[asyncio.Event],
) -> None:
    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            here = mesh["g14"]
            await warm_up(mesh, resting)
            push, transact = here.ports.peers.push, here.ports.store.transact
            health = here.loops.dispatcher.peer_health
            failed = health.failed
            called, fails, noted, planned, durable = (asyncio.Event() for _ in range(5))

            async def failed_and_noted(node_id: str, reason: Reason, started_ms: int) -> None:
                await failed(node_id, reason, started_ms)
                noted.set()

            async def push_that_fails_late(peer: NodeEntry, items: Sequence[PushItem]) -> list[Answer]:
                here.ports.peers.push = push  # type: ignore[method-assign]
                here.ports.store.transact = transact_on_a_slow_disk  # type: ignore[method-assign]
                called.set()
                await fails.wait()
                raise Deferred(Reason.PEER_UNREACHABLE, "the line is cut")

            async def transact_on_a_slow_disk(fn: Callable[[Tx], Any]) -> Any:
                result = await transact(fn)
                if isinstance(result, Plan) and result.rows:
                    here.ports.store.transact = transact  # type: ignore[method-assign]
                    planned.set()
                    await durable.wait()
                return result

            here.ports.peers.push = push_that_fails_late  # type: ignore[method-assign]
            health.failed = failed_and_noted  # type: ignore[method-assign]
            await here.submit(document("H49.22", number="1"), "1")
            await called.wait()
            await here.submit(document("H49.22", number="2"), "2")
            await planned.wait()
            fails.set()

            await noted.wait()
            durable.set()
            await eventually(lambda: all_delivered(mesh, "1", "2"), SOON_S)

    run(story())


def test_a_row_that_travels_alone_is_not_forgotten_behind_those_that_went_before_it(
    monkeypatch: pytest.MonkeyPatch, resting: set[asyncio.Event]
) -> None:
    monkeypatch.setattr(courier, "ALONE_EVERY", 1_000_000)

    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            here = mesh["g14"]
            await warm_up(mesh, resting)
            await here.node.hold_peer("h49")
            await here.submit(document("H49.22", number="1"), "1")
            await put_off_often(mesh, "1")
            await here.submit(document("H49.22", number="2"), "2")
            await here.node.release_peer("h49")
            await eventually(lambda: all_delivered(mesh, "2"), SOON_S)
            await eventually(lambda: all_delivered(mesh, "1"), SOON_S)

    run(story())


async def put_off_often(mesh: SmallMesh, submission_id: str) -> None:
    """Put a delivery off so often that it travels alone, and let its time come again."""
    here = mesh["g14"]
    packet_id = (await here.track(submission_id)).packet_id
    due_ms = here.ports.clock.now_ms()

    def write(tx: Tx) -> None:
        for _ in range(outbox.ALONE_AFTER_ATTEMPTS):
            assert outbox.put_off(tx, "h49", packet_id, keys.OUTBOX_PACKET, due_ms, Reason.PEER_BUSY)

    await here.ports.store.transact(write)


def test_rows_of_one_millisecond_are_sent_soon_in_whatever_order_they_are_written() -> None:
    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            here = mesh["g14"]
            now_ms = here.ports.clock.now_ms()
            here.ports.clock.now_ms = lambda: now_ms  # type: ignore[method-assign]
            # Their order in the outbox is that of their packet ids, which is chance: one of twenty will come before its forerunner.
            for number in range(20):
                await here.submit(document("H49.22", number=str(number)), str(number))
                await eventually(lambda name=str(number): all_delivered(mesh, name), SOON_S)  # type: ignore[misc]

    run(story())
