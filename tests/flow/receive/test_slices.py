"""A packet for very many units arrives in slices: the same comes of it as if it came at once, whatever breaks off in between."""

from typing import Any

import pytest

from node.errors import Deferred
from node.flow.receive import slices
from node.model.delivery import State
from node.model.policy import DAY_MS, Policy
from node.model.reason import Reason
from node.rows import keys
from tests.clocks import NOW
from tests.flow.acts import Pair, ask_back, replacement, update, withdrawal
from tests.flow.support import Place, place, push_of, run
from tests.papers import document

UNITS = ("H49", "H49.22", "H49.22.05", "H49.22.06")


def policy(at_once: int) -> Policy:
    return Policy(arrive_at_once=at_once)


def breaking_off(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Let the store have no room after so many slices."""
    left, real = [after], slices.serve_next

    def serve_next(tx: Any, **more: Any) -> bool:
        if not left[0]:
            raise Deferred(Reason.DISK_FULL)
        left[0] -= 1
        return real(tx, **more)

    monkeypatch.setattr(slices, "serve_next", serve_next)


async def whole_story(at_once: int) -> tuple[Pair, list[dict[bytes, bytes]]]:
    """A document to units of both nodes, read by one of them, updated, withdrawn, asked back, and another that was replaced."""
    pair = Pair(place("g14", policy(at_once)), place("h49", policy(at_once)))
    both = (*UNITS, "G14.01", "G14")
    sent = await pair.send(document(*both), "1")
    await pair.read(sent)
    await pair.send(update(*both, dropped=("H49.22.05",)), "2")
    await pair.send(withdrawal(*both), "3")
    await pair.send(ask_back("G14"), "4")
    await pair.send(document(*both, number="124"), "5")
    await pair.send(replacement(*both, number="125", replaced="124"), "6")
    return pair, [_told(pair.ministry), _told(pair.province)]


def _told(here: Place) -> dict[bytes, bytes]:
    """All that a node has written, but for what is locked and signed by chance."""
    return {key: value for key, value in here.rows().items() if key[:1] not in b"bfkrolq"}


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_in_slices_the_same_is_written_as_at_once(at_once: int) -> None:
    async def story() -> None:
        _, whole = await whole_story(200)
        pair, sliced = await whole_story(at_once)
        assert [sorted(rows) for rows in sliced] == [sorted(rows) for rows in whole]
        for rows, others in zip(sliced, whole, strict=True):
            assert {key: rows[key] for key in rows if key[:1] in b"diny"} == {
                key: others[key] for key in others if key[:1] in b"diny"
            }
        assert "A" not in pair.ministry.tables() | pair.province.tables()

    run(story())


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_the_receipt_is_given_only_when_all_units_have_it(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    async def story() -> None:
        here, item = place("h49", policy(1)), push_of(document(*UNITS), recipient_units=UNITS)
        with monkeypatch.context() as broken:
            breaking_off(broken, after)
            [answer] = await here.push(item)
            assert (answer.receipt, answer.reason) == (None, Reason.DISK_FULL)
            assert len(await here.inbox()) == after
            [again] = await here.push(item, by="centre")
            assert (again.receipt, again.reason) == (None, Reason.DISK_FULL)
        [answer] = await here.push(item)
        assert answer.receipt is not None
        assert len(await here.inbox()) == len(UNITS)
        assert "A" not in here.tables()
        assert [answer] == await here.push(item, by="centre")

    run(story())


@pytest.mark.parametrize("after", [0, 2])
def test_the_sweeper_goes_on_with_what_a_crash_has_left(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    async def story() -> None:
        here, item = place("h49", policy(1)), push_of(document(*UNITS), recipient_units=UNITS)
        with monkeypatch.context() as broken:
            breaking_off(broken, after)
            await here.push(item)
        assert await here.sweeper().sweep_once() >= 1
        assert len(await here.inbox()) == len(UNITS)
        assert "A" not in here.tables()
        [answer] = await here.push(item)
        assert answer.receipt is not None

    run(story())


def test_the_same_packet_from_two_peers_at_once_is_served_once() -> None:
    async def story() -> None:
        here, item = place("h49", policy(1)), push_of(document(*UNITS), recipient_units=UNITS)
        import asyncio

        (one,), (other,) = await asyncio.gather(here.push(item), here.push(item, by="centre"))
        assert one == other
        assert one.receipt is not None
        assert len(await here.inbox()) == len(UNITS)

    run(story())


def test_what_is_submitted_for_units_of_the_same_node_is_taken_at_once_and_waits_until_it_has_arrived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        here = place("h49", policy(1))
        packet = document(*UNITS[1:], sender="H49")
        with monkeypatch.context() as broken:
            breaking_off(broken, 2)
            first = await here.submit(packet)
            states = [view.state for view in (await here.track()).deliveries]
            assert states == [State.DELIVERED, State.DELIVERED, State.WAITING]
        assert await here.submit(packet) == first
        view = await here.track()
        assert [one.state for one in view.deliveries] == [State.DELIVERED] * 3
        assert all(one.signed_receipt for one in view.deliveries)
        assert len(await here.inbox()) == 3

    run(story())


def test_what_is_still_arriving_does_not_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        here = place("h49", policy(1))
        with monkeypatch.context() as broken:
            breaking_off(broken, 1)
            await here.submit(document(*UNITS[1:], sender="H49"), expire_at_ms=NOW + DAY_MS)
            here.clock.at_ms = NOW + 2 * DAY_MS
            await here.sweeper().sweep_once()
            assert {view.state for view in (await here.track()).deliveries} == {State.DELIVERED, State.WAITING}
        await here.sweeper().sweep_once()
        assert {view.state for view in (await here.track()).deliveries} == {State.DELIVERED}
        assert len(await here.inbox()) == 3
        assert not [key for key in here.rows() if key[:1] == keys.DUE and keys.parse_due(key)[1] == keys.DUE_EXPIRE]

    run(story())
