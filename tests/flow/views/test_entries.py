"""Entries of a long inbox are opened in slices, between which the loop serves others."""

import asyncio

import pytest

from node.flow.views import in_words
from tests.flow.support import place, push_of, run


def test_a_long_list_lets_the_loop_go_between_slices_and_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        here = place("h49")
        for number in range(10):
            await here.push(push_of(packet_nonce=number.to_bytes(16, "big")))
        whole = await here.inbox("H49.22")
        assert len(whole) == 10
        monkeypatch.setattr(in_words, "ENTRIES_AT_ONCE", 3)
        turns = [0]

        async def others() -> None:
            while True:
                turns[0] += 1
                await asyncio.sleep(0)

        task = asyncio.ensure_future(others())
        await asyncio.sleep(0)
        before = turns[0]
        assert await here.inbox("H49.22") == whole
        assert turns[0] - before >= 4
        task.cancel()

    run(story())
