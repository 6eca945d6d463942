"""Walks through all that waits, a million rows perhaps: between two pages the loop is free, for health and for offices."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from node.flow.send import outbox, reroute
from node.model.lane import Lane
from node.model.policy import MINUTE_MS
from node.model.reason import Reason
from node.ports import Tx
from node.rows import keys
from node.rows.access import save
from node.rows.records import OutboxRecord
from tests.flow.send.test_courier import QUICK, move
from tests.flow.support import run
from tests.small_mesh import eventually, small_mesh

ROWS = 1_600


def fill(tx: Tx, due_ms: int) -> None:
    """Let rows wait for `h49` for long, of packets of which nothing is known: nothing moves them, and a look at them writes nothing."""
    for number in range(ROWS):
        packet_id = number.to_bytes(16, "big")
        ready = keys.outbox_row("h49", Lane.NORMAL, 1, packet_id, keys.OUTBOX_PACKET)
        later = keys.later_row(due_ms, ready)
        save(tx, later, OutboxRecord(kind=1, since_ms=1, unit_count=1, not_before_ms=due_ms, reason=Reason.IN_CUSTODY))
        tx.put(keys.outbox_index(packet_id, "h49", keys.OUTBOX_PACKET), later)


@pytest.mark.parametrize(("room", "name", "pages"), [(reroute, "follow_units", 15), (outbox, "hasten", 3)])
def test_between_two_pages_of_a_walk_others_have_their_turn(
    room: Any, name: str, pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, seen = [0], list[tuple[int, object]]()
    page: Callable[..., Any] = getattr(room, name)

    def counted(tx: Tx, *more: Any, **named: Any) -> Any:
        if len(named["start"]) > len(keys.later("h49")):  # all pages but the first ones, of which each node has some
            seen.append((turns[0], asyncio.current_task()))
        return page(tx, *more, **named)

    async def tick() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    async def walked() -> bool:
        return len(seen) >= pages

    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            mesh.cut("g14", "h49")
            ports = mesh["g14"].ports
            due_ms = ports.clock.now_ms() + 30 * MINUTE_MS
            await ports.store.transact(lambda tx: fill(tx, due_ms))
            monkeypatch.setattr(room, name, counted)
            ticking = asyncio.ensure_future(tick())
            move(mesh, "H49.22", "h37")
            await eventually(walked)
            ticking.cancel()
            assert len(set(seen)) == len(seen), "two pages of one walk in one turn of the loop"

    run(story())
