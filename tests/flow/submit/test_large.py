"""Large packets as an office hands them in: they flow to the disk, and of what is refused or repeated nothing stays there."""

import asyncio
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from typing import Any

import pytest

from node.errors import Denied, Rejected
from node.model.policy import Policy
from node.model.reason import Reason
from node.rows import keys
from node.rows.access import load
from node.rows.records import PacketRecord
from node.wire import codec
from tests.flow.large_support import PACKET, POLICY, pieces
from tests.flow.support import Place, place, run
from tests.papers import document


def test_a_repeat_of_a_large_submission_gets_the_first_answer_and_leaves_no_second_body() -> None:
    async def story() -> None:
        here = place("g14", POLICY)
        await here.submit(pieces(PACKET))
        first = await here.track()
        again = await here.submit(pieces(PACKET, 4_321))
        assert again.packet_id == first.packet_id
        other = PACKET.replace(b"BM-VP", b"BM-VQ")
        with pytest.raises(Rejected) as refused:
            await here.submit(pieces(other))
        assert refused.value.reason is Reason.ID_REUSED
        assert (len(here.bodies._sealed), len(here.bodies._spool)) == (1, 0)

    run(story())


MIDDLE = document("H49.22", attachments=[("vừa.pdf", bytes(range(256)) * 200)])
"""Small enough to be read whole, too large to lie in the store."""


async def whole_packet(here: Place) -> None:
    await here.submit(MIDDLE)


async def other_packet(here: Place) -> None:
    with pytest.raises(Rejected):
        await here.submit(MIDDLE.replace(b"BM-VP", b"BM-VQ"))


async def at_the_same_time(here: Place) -> None:
    await asyncio.gather(*(here.submit(MIDDLE) for _ in range(4)))


@pytest.mark.parametrize("again", [whole_packet, other_packet, at_the_same_time])
def test_a_repeat_of_a_middling_submission_leaves_no_second_body_either(again: Callable[[Place], Any]) -> None:
    async def story() -> None:
        here = place("g14", POLICY)
        await here.submit(MIDDLE)
        await again(here)
        assert len(here.bodies._sealed) == 1
        packet_id = (await here.track()).packet_id
        record = await here.do(lambda tx: load(tx, keys.packet(packet_id), PacketRecord))
        assert record is not None
        assert await here.body_is_there(codec.decode_envelope(record.envelope))

    run(story())


def test_two_large_submissions_of_one_id_at_the_same_time_are_one() -> None:
    async def story() -> None:
        here = place("g14", POLICY)
        first, second = await asyncio.gather(here.submit(pieces(PACKET)), here.submit(pieces(PACKET)))
        assert first == second
        assert (len(here.bodies._sealed), len(here.bodies._spool)) == (1, 0)
        assert first.packet_sha256 == sha256(PACKET).digest()

    run(story())


@pytest.mark.parametrize(
    "packet", [PACKET[:-40], PACKET.replace(b"H49.22", b"H49.99"), PACKET.replace(b">G14<", b">H37<")]
)
def test_a_large_submission_that_is_refused_leaves_nothing_behind(packet: bytes) -> None:
    async def story() -> None:
        here = place("g14", POLICY)
        with pytest.raises((Rejected, Denied)):
            await here.submit(pieces(packet))
        assert (here.bodies._sealed, here.bodies._spool, here.tables()) == ({}, {}, set())

    run(story())


def test_a_submission_that_breaks_off_leaves_nothing_behind() -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield PACKET[:1_200_000]
        raise ConnectionError

    async def story() -> None:
        here = place("g14", POLICY)
        with pytest.raises(ConnectionError):
            await here.submit(breaking())
        assert (here.bodies._sealed, here.bodies._spool, here.tables()) == ({}, {}, set())

    run(story())


def test_a_stream_over_the_limit_is_refused_while_it_flows_whatever_was_announced() -> None:
    async def story() -> None:
        here = place("g14", Policy(packet_bytes_max=1_300_000))
        seen = 0

        async def watched() -> AsyncIterator[bytes]:
            nonlocal seen
            async for piece in pieces(PACKET * 3):
                seen += len(piece)
                yield piece

        with pytest.raises(Rejected) as refused:
            await here.submit(watched(), packet_bytes=10)
        assert refused.value.reason is Reason.PACKET_TOO_LARGE
        assert seen < 1_500_000
        assert (here.bodies._sealed, here.bodies._spool, here.tables()) == ({}, {}, set())

    run(story())
