"""Admission: what is still taken as the disk fills, and that nothing is lost by what is put off."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from node.errors import Deferred
from node.flow.admission import PEER_UPLOADS_MAX, PROMISE_KEPT_MS, Admission, Step
from node.flow.send import outbox
from node.model.lane import Lane
from node.model.policy import MIB, Policy
from node.model.reason import Reason
from node.ports import Ports, Tx
from node.store.space import Space
from tests.clocks import SetClock
from tests.papers import document, status_about
from tests.small_mesh import Office, SmallMesh, eventually, small_mesh

POLICY = Policy()
FREE = {
    Step.OPEN: POLICY.admit_large_bytes_min,
    Step.SMALL: POLICY.admit_large_bytes_min - 1,
    Step.URGENT: POLICY.admit_all_bytes_min - 1,
    Step.DRAIN: POLICY.admit_urgent_bytes_min - 1,
}


def leave(ports: Ports, step: Step) -> None:
    """Let so much be free that a node takes what it takes at this step."""
    object.__setattr__(ports, "free_bytes", lambda: FREE[step])


class Outside:
    """The two ports that admission asks."""

    def __init__(self) -> None:
        self.clock = SetClock()
        self.free = FREE[Step.OPEN]

    def free_bytes(self) -> int:
        return self.free


def admitted(admission: Admission, lane: Lane, size_bytes: int) -> bool:
    try:
        admission.require_small(lane, size_bytes)
    except Deferred as fault:
        return fault.retry_after_ms == 0  # it must say when to come again
    return True


@pytest.mark.parametrize(
    ("step", "normal", "urgent", "urgent_and_long", "status"),
    [
        (Step.OPEN, True, True, True, True),
        (Step.SMALL, True, True, True, True),
        (Step.URGENT, False, True, False, True),
        (Step.DRAIN, False, False, False, True),
    ],
)
def test_each_step_takes_less(step: Step, normal: bool, urgent: bool, urgent_and_long: bool, status: bool) -> None:
    outside = Outside()
    outside.free = FREE[step]
    admission = Admission(outside, POLICY)  # type: ignore[arg-type]
    assert admission.step() is step
    assert admitted(admission, Lane.NORMAL, 1_000) is normal
    assert admitted(admission, Lane.HOA_TOC, 1_000) is urgent
    assert admitted(admission, Lane.HOA_TOC, 1_000_000) is urgent_and_long
    assert admitted(admission, Lane.CONTROL, 1_000) is status
    assert admitted(admission, Lane.CONTROL, 1_000_000) is normal, "no status is so long"


def shares(admission: Admission, peer_id: str, token: bytes, size_bytes: int) -> bool:
    try:
        admission.require_share(peer_id, token, size_bytes)
    except Deferred as fault:
        return fault.reason is not Reason.PEER_BUSY or fault.retry_after_ms == 0  # it must say when to come again
    admission.promise(peer_id, token, size_bytes)
    return True


def test_a_peer_is_promised_one_body_and_beside_it_a_quarter_of_the_room_at_most() -> None:
    outside = Outside()
    outside.free += 100 * MIB
    admission = Admission(outside, POLICY)  # type: ignore[arg-type]
    assert shares(admission, "g14", b"large", 60 * MIB), "one may be of any size"
    assert shares(admission, "g14", b"large", 60 * MIB), "also when it is offered again"
    assert not shares(admission, "g14", b"more", MIB)
    assert shares(admission, "h37", b"a", 5 * MIB), "others do not pay for that"
    assert shares(admission, "h37", b"b", 4 * MIB)
    assert not shares(admission, "h37", b"c", 3 * MIB)
    admission.release(b"large")
    assert shares(admission, "h37", b"c", 3 * MIB), "there is more room now"


def test_a_peer_begins_so_many_uploads_at_most_however_small() -> None:
    outside = Outside()
    outside.free += 100 * MIB
    admission = Admission(outside, POLICY)  # type: ignore[arg-type]
    names = [number.to_bytes(2, "big") for number in range(PEER_UPLOADS_MAX + 1)]
    assert [shares(admission, "g14", name, 1) for name in names] == [True] * PEER_UPLOADS_MAX + [False]
    assert shares(admission, "h37", b"h37", 1)


def test_what_was_promised_to_uploads_counts_until_it_is_here_or_forgotten() -> None:
    outside = Outside()
    outside.free += 100 * MIB
    admission = Admission(outside, POLICY)  # type: ignore[arg-type]
    admission.require_large(100 * MIB)
    admission.promise("g14", b"a", 60 * MIB)
    with pytest.raises(Deferred) as full:
        admission.require_large(60 * MIB)
    assert (full.value.reason, full.value.retry_after_ms > 0) == (Reason.DISK_FULL, True)
    admission.promise("g14", b"a", 10 * MIB)
    admission.require_large(60 * MIB)
    admission.promise("g14", b"b", 60 * MIB)
    admission.release(b"b")
    outside.clock.at_ms += PROMISE_KEPT_MS + 1
    assert admission.promised_bytes == 0


def test_only_progress_renews_a_promise() -> None:
    outside = Outside()
    admission = Admission(outside, POLICY)  # type: ignore[arg-type]
    admission.promise("g14", b"a", 60 * MIB)
    for _ in range(3):
        outside.clock.at_ms += PROMISE_KEPT_MS // 2
        admission.promise("g14", b"a", 60 * MIB)  # offered again, or an upload in which nothing came
    assert admission.promised_bytes in (0, 60 * MIB)
    outside.clock.at_ms += PROMISE_KEPT_MS // 2 + 1
    assert admission.promised_bytes == 0, "an hour without an octet"
    admission.promise("g14", b"a", 60 * MIB)
    for left in range(59, 55, -1):
        outside.clock.at_ms += PROMISE_KEPT_MS // 2
        admission.promise("g14", b"a", left * MIB)
    assert admission.promised_bytes == 56 * MIB


async def delivered(office: Office, *submissions: str) -> bool:
    found = [view for one in submissions for view in (await office.track(one)).deliveries]
    return all(view.state.name == "DELIVERED" for view in found)


async def waits_for_space(office: Office, submission: str) -> bool:
    return all(view.reason is Reason.DISK_FULL for view in (await office.track(submission)).deliveries)


async def _narrowing(mesh: SmallMesh) -> None:
    here, there = mesh["g14"], mesh["h49"]
    leave(there.ports, Step.URGENT)
    await here.submit(document("H49.22", number="1"), "normal")
    await here.submit(document("H49.22", number="2", attachments=[("a.pdf", bytes(1_500_000))]), "large")
    await here.submit(document("H49.22", number="3", priority=3), "urgent")
    await eventually(lambda: delivered(here, "urgent"))
    await eventually(lambda: waits_for_space(here, "normal"))
    await eventually(lambda: waits_for_space(here, "large"))
    leave(there.ports, Step.DRAIN)
    await there.submit(status_about("3", "03"), "status")
    await eventually(lambda: delivered(there, "status"))
    with pytest.raises(Deferred):
        await there.submit(document("G14", sender="H49.22", number="4"), "own")


def test_a_peer_with_little_space_takes_what_is_urgent_and_the_rest_waits() -> None:
    async def story() -> None:
        async with small_mesh(Policy(back_off_first_ms=10, item_retry_ms=50)) as mesh:
            await _narrowing(mesh)

    asyncio.run(story())


HELLO_MS = 200
"""So often peers greet; what is put off because a disk is full waits 600 times as long, unless a greeting calls it (ASK_AGAIN_MS)."""


async def _made_room(mesh: SmallMesh, through: str) -> None:
    """Have a node with a full disk put off what others send, then make room there."""
    here, full = mesh["g14"], mesh[through]
    leave(full.ports, Step.DRAIN)
    await here.submit(document("H49.22", number="1"), "small")
    await here.submit(document("H49.22", number="2", attachments=[("a.pdf", bytes(1_500_000))]), "large")
    await eventually(lambda: waits_for_space(here, "small"))
    await eventually(lambda: waits_for_space(here, "large"))
    object.__setattr__(full.ports, "free_bytes", lambda: 2 * FREE[Step.OPEN])
    await eventually(lambda: delivered(here, "small", "large"))


def test_a_peer_that_has_room_again_gets_at_once_what_it_put_off() -> None:
    async def story() -> None:
        async with small_mesh(Policy(back_off_first_ms=10, hello_every_ms=HELLO_MS)) as mesh:
            await _made_room(mesh, "h49")

    asyncio.run(story())


def test_a_relay_that_has_room_again_gets_at_once_what_it_put_off() -> None:
    async def story() -> None:
        policy = Policy(back_off_first_ms=10, hello_every_ms=HELLO_MS)
        async with small_mesh(policy, via_relays={"h49": ("centre",)}) as mesh:
            await _made_room(mesh, "centre")

    asyncio.run(story())


def test_a_peer_that_opens_and_closes_in_every_hello_has_its_rows_looked_through_now_and_then_only() -> None:
    """27,837 items were pushed to such a peer in ten seconds."""
    looks, hasten = [], outbox.hasten

    def counted(tx: Tx, node_id: str, **more: Any) -> tuple[bool, bytes]:
        looks.append(node_id)
        return hasten(tx, node_id, **more)

    async def story() -> None:
        async with small_mesh(Policy(back_off_first_ms=10)) as mesh:
            here, full = mesh["g14"], mesh["h49"]
            leave(full.ports, Step.DRAIN)
            await here.submit(document("H49.22", number="1"), "1")
            await eventually(lambda: waits_for_space(here, "1"))
            hello = await full.node.receive_hello("g14", here.node.hello())
            looks.clear()
            for number in range(200):
                await here.node.receive_hello("h49", replace(hello, admission_step=3 - number % 2))
                for _ in range(100):
                    await asyncio.sleep(0)  # so that all that this one has set off is done
            assert looks.count("h49") <= 5, "once in ten seconds; without a limit these were 100"

    with patch.object(outbox, "hasten", counted):
        asyncio.run(story())


def test_a_repeat_gets_its_first_answer_whatever_is_free() -> None:
    async def story() -> None:
        async with small_mesh(Policy()) as mesh:
            here = mesh["g14"]
            packet = document("H49.22", number="1")
            first = await here.submit(packet, "1")
            leave(here.ports, Step.DRAIN)
            assert (await here.submit(packet, "1")).packet_id == first.packet_id

    asyncio.run(story())


def test_the_reserve_is_made_and_given_up(tmp_path: Path) -> None:
    plenty = Space(tmp_path, give_up_bytes=0, make_bytes=0, reserve_bytes=MIB)
    plenty.make_reserve()
    assert (plenty.has_reserve, (tmp_path / "reserve").stat().st_blocks * 512 >= MIB) == (True, True)
    short = Space(tmp_path, give_up_bytes=1 << 60, make_bytes=1 << 61, reserve_bytes=MIB)
    assert short.free_bytes() < 1 << 60
    assert not short.has_reserve
    never = Space(tmp_path, give_up_bytes=0, make_bytes=0, reserve_bytes=1 << 60)
    never.make_reserve()
    assert list(tmp_path.iterdir()) == []
