"""Restart: a node knows what it knew before it ended: outbox, back-off, holds; and late comers get everything."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.model.office import OutboxView, PeerView
from node.model.reason import Reason
from tests.mesh.support import QUICK, delivered, each, eventually, run, views, whole_inbox
from tests.papers import document
from tests.real_mesh import MINISTRY, PROVINCE, RealMesh, admin_client

SLOW = """[times]
back_off_first_ms = 40000
back_off_max_ms = 60000
hello_every_ms = 1000
"""


@pytest.fixture
def slow_pair(tmp_path: Path) -> Iterator[RealMesh]:
    """A ministry that waits long after a failure, and a province that does not run."""
    made = RealMesh(tmp_path / "mesh", [MINISTRY, PROVINCE], toml=SLOW)
    try:
        made["g14"].start()
        yield made
    finally:
        made.close()


@pytest.fixture
def quick_pair(tmp_path: Path) -> Iterator[RealMesh]:
    made = RealMesh(tmp_path / "mesh", [MINISTRY, PROVINCE], toml=QUICK)
    try:
        made["g14"].start()
        yield made
    finally:
        made.close()


async def road_of(mesh: RealMesh, node_id: str) -> PeerView:
    async with admin_client(mesh["g14"]) as operator:
        return next(peer for peer in await operator.list_peers() if peer.node_id == node_id)


async def outbox_of(mesh: RealMesh, node_id: str) -> list[OutboxView]:
    async with admin_client(mesh["g14"]) as operator:
        return (await operator.list_outbox(node_id))[0]


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_restart_keeps_outbox_and_back_off_and_neither_forgets_nor_hurries(slow_pair: RealMesh, how: str) -> None:
    async def story() -> None:
        async with slow_pair.office("g14") as client:
            for number in range(3):
                await client.submit(document("H49.22", number=str(number)), str(number))

        async def failing() -> bool:
            return (await road_of(slow_pair, "h49")).failures > 0

        await eventually(failing)
        before, waiting = await road_of(slow_pair, "h49"), await outbox_of(slow_pair, "h49")
        assert len(waiting) == 3
        if how == "kill":
            slow_pair["g14"].kill()
        else:
            slow_pair["g14"].stop()
        slow_pair["g14"].start()
        after = await road_of(slow_pair, "h49")
        assert (after.failures, after.next_attempt_ms, after.road) == (
            before.failures,
            before.next_attempt_ms,
            "backoff",
        )
        assert await outbox_of(slow_pair, "h49") == waiting
        async with slow_pair.office("g14") as client:
            [view] = (await views(client, "0")).values()
            assert (view.reason, view.next_attempt_ms) == (before.reason, before.next_attempt_ms)

    run(story())


def test_a_recipient_that_starts_after_everything_was_sent_gets_it_all_at_once(slow_pair: RealMesh) -> None:
    # Its own Hello wakes us: nobody waits out the back-off of 40 s.
    async def story() -> None:
        names = [str(number) for number in range(20)]
        async with slow_pair.office("g14") as client:
            for name in names:
                await client.submit(document("H49.22", "H49", number=name), name)

            async def says_why() -> bool:
                return (await views(client, "0"))["H49"].reason is Reason.PEER_UNREACHABLE

            await eventually(says_why)
            slow_pair["h49"].start()
            await each(names, lambda name: eventually(lambda: delivered(client, name), 20))
        async with slow_pair.office("h49") as province:
            for unit in ("H49", "H49.22"):
                assert len(await whole_inbox(province, unit)) == 20

    run(story())


def test_what_an_operator_holds_is_held_after_a_restart(quick_pair: RealMesh) -> None:
    async def story() -> None:
        async with admin_client(quick_pair["g14"]) as operator:
            await operator.hold_peer("h49")
        async with quick_pair.office("g14") as client:
            await client.submit(document("H49.22"), "1")
        quick_pair["g14"].kill()
        quick_pair["g14"].start()
        quick_pair["h49"].start()
        assert (await road_of(quick_pair, "h49")).road == "held"
        async with quick_pair.office("g14") as client:
            [view] = (await views(client, "1")).values()
            assert view.reason is Reason.HELD
            async with admin_client(quick_pair["g14"]) as operator:
                await operator.release_peer("h49")
            await eventually(lambda: delivered(client, "1"))

    run(story())


def test_what_was_delivered_fetched_and_acknowledged_stays_so(quick_pair: RealMesh) -> None:
    async def story() -> None:
        quick_pair["h49"].start()
        async with quick_pair.office("g14") as client:
            first = await client.submit(document("H49.22", number="1"), "1")
            second = await client.submit(document("H49.22", number="2"), "2")
            for name in ("1", "2"):
                await eventually(lambda name=name: delivered(client, name))  # type: ignore[misc]
        async with quick_pair.office("h49") as province:
            await province.fetch(first.packet_id, "H49.22")
            await province.acknowledge([first.packet_id], "H49.22")
            await province.fetch(second.packet_id, "H49.22", lease_ms=600_000)
        for node_id in ("g14", "h49"):
            quick_pair[node_id].kill()
            quick_pair[node_id].start()
        async with quick_pair.office("h49") as province:
            [entry] = await whole_inbox(province)
            assert (entry.packet_id, entry.fetch_count) == (second.packet_id, 1)
            assert entry.lease_until_ms > 0
        async with quick_pair.office("g14") as client:
            assert await client.submit(document("H49.22", number="1"), "1") == first, (
                "the first answer, octet for octet"
            )
            assert await delivered(client, "1")

    run(story())


def test_a_stop_is_quick_and_clean(quick_pair: RealMesh) -> None:
    quick_pair["h49"].start()
    for node_id in ("g14", "h49"):
        assert quick_pair[node_id].stop() == 0
        assert "node.stopping" in quick_pair[node_id].log()
