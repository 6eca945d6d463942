"""Patience: how long the client tries again, under virtual time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from node.client import Deferred, Denied, Fault, Patience, Reason
from tests.sim.loop import VirtualLoop

T = TypeVar("T")


def run(story: Callable[[], Coroutine[Any, Any, T]]) -> tuple[T, float]:
    """Run a story; return what it gives and how many virtual seconds it took."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(story()), loop.time()
    finally:
        loop.close()


class Door:
    """Refuses with these faults one after another, then opens; the last one stays if it is to."""

    def __init__(self, *faults: Fault, opens: bool = True) -> None:
        self._faults, self._opens = list(faults), opens
        self.times: list[float] = []

    async def knock(self) -> str:
        self.times.append(asyncio.get_running_loop().time())
        if self._faults and (not self._opens or len(self.times) <= len(self._faults)):
            raise self._faults[min(len(self.times), len(self._faults)) - 1]
        return "open"


def test_what_is_deferred_is_tried_again_with_growing_pauses() -> None:
    door = Door(*[Deferred(Reason.PEER_BUSY)] * 6)
    patience = Patience(limit_s=100, first_pause_s=1, longest_pause_s=8)
    said, _ = run(lambda: patience.with_retries(door.knock))
    pauses = [later - earlier for earlier, later in zip(door.times, door.times[1:], strict=False)]

    assert said == "open"
    for pause, about in zip(pauses, (1, 2, 4, 8, 8, 8), strict=True):
        assert 0.5 * about <= pause <= 1.5 * about


def test_patience_has_an_end() -> None:
    door = Door(Deferred(Reason.PEER_UNREACHABLE), opens=False)
    with pytest.raises(Deferred):
        run(lambda: Patience(limit_s=60).with_retries(door.knock))

    assert 30 < door.times[-1] <= 60
    assert len(door.times) > 5


def test_without_patience_everything_is_tried_once() -> None:
    door = Door(Deferred(Reason.PEER_UNREACHABLE), opens=False)
    with pytest.raises(Deferred):
        run(lambda: Patience(limit_s=0).with_retries(door.knock))

    assert len(door.times) == 1


def test_who_must_act_is_told_at_once() -> None:
    door = Door(Denied(Reason.CREDENTIAL_WRONG))
    with pytest.raises(Denied):
        run(lambda: Patience().with_retries(door.knock))

    assert len(door.times) == 1


def test_the_nodes_word_on_when_to_come_again_counts() -> None:
    door = Door(Deferred(Reason.PEER_BUSY, retry_after_ms=20_000))
    _, took_s = run(lambda: Patience(limit_s=60).with_retries(door.knock))
    late = Door(Deferred(Reason.LEASED, retry_after_ms=300_000))
    with pytest.raises(Deferred):
        run(lambda: Patience(limit_s=60).with_retries(late.knock))

    assert took_s >= 20
    assert late.times == [0.0], "what would be too late is not waited for"
