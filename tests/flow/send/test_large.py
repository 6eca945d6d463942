"""Large bodies as they go out: what is durable at the peer is never sent again, however often the line breaks."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from node.errors import Deferred
from node.flow.send import outbox
from node.flow.send.packing import load_rows
from node.flow.send.routing import Road
from node.model.directory import NodeEntry
from node.model.lane import Lane
from node.model.mesh import Answer, Parcel, Want
from node.model.reason import Reason
from tests.clocks import NOW
from tests.flow.large_support import CHUNK, PACKET, POLICY, pieces
from tests.flow.support import Place, place, run


@dataclass
class Wire:
    """The line from one place to another: counts octets, and breaks where the test says."""

    target: Place
    breaks: list[int] = field(default_factory=list)
    """After so many octets of an upload, one break for each upload; none left: it holds."""
    lost_answers: int = 0
    """So many uploads arrive, but their answer does not."""
    sent_bytes: int = 0
    offers: list[int] = field(default_factory=list)
    commits: int = 0

    async def offer(self, peer: NodeEntry, parcel: Parcel) -> Answer | Want:
        answer = await self.target.node.receive_offer("g14", parcel)
        self.offers.append(answer.offset_bytes if isinstance(answer, Want) else -1)
        return answer

    async def put_body(self, peer: NodeEntry, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]) -> int:
        limit = self.breaks.pop(0) if self.breaks else None
        durable = await self.target.node.receive_body("g14", token, offset_bytes, self._through(chunks, limit))
        if self.lost_answers:
            self.lost_answers -= 1
            raise Deferred(Reason.PEER_UNREACHABLE, "the answer was lost")
        return durable

    async def _through(self, chunks: AsyncIterator[bytes], limit: int | None) -> AsyncIterator[bytes]:
        passed = 0
        async for chunk in chunks:
            if limit is not None and passed + len(chunk) > limit:
                raise Deferred(Reason.PEER_UNREACHABLE, "the line broke")
            passed += len(chunk)
            self.sent_bytes += len(chunk)
            yield chunk

    async def commit(self, peer: NodeEntry, parcel: Parcel) -> Answer:
        self.commits += 1
        return await self.target.node.receive_commit("g14", parcel)


async def sender() -> tuple[Place, int]:
    """A ministry with one large packet for h49; and the size of its body."""
    here = place("g14", POLICY)
    await here.submit(pieces(PACKET))
    [row] = await here.do(lambda tx: outbox.ready(tx, "h49", Lane.BULK, b"", 10))
    assert await here.bodies.has(row.record.body_sha256)
    return here, row.record.body_bytes


async def carry(here: Place, wire: Any) -> bool:
    object.__setattr__(here.ports, "peers", wire)
    transfer = here.transfer("h49", POLICY)
    rows = await here.do(lambda tx: load_rows(tx, outbox.ready(tx, "h49", Lane.BULK, b"", 1)))
    road = Road(here.directory.current().nodes["h49"])
    return await transfer.settle(road, await transfer.offer(road, rows))


async def carry_until_done(here: Place, wire: Wire, attempts_max: int = 20) -> int:
    """Try again as the courier does; return how many attempts failed."""
    for failed in range(attempts_max):
        try:
            assert await carry(here, wire)
            return failed
        except Deferred:
            continue
    raise AssertionError("it never arrives")


def test_a_large_packet_is_sent_once_over_a_line_that_holds() -> None:
    async def story() -> None:
        (here, size), there = await sender(), place("h49", POLICY)
        wire = Wire(there)
        assert await carry_until_done(here, wire) == 0
        assert (wire.sent_bytes, wire.offers, wire.commits) == (size, [0, size], 1)
        [entry] = await there.inbox()
        assert await there.fetch(entry.packet_id) == PACKET

    run(story())


@pytest.mark.parametrize("breaks", [[CHUNK], [0, 5 * CHUNK, CHUNK + 1, 10 * CHUNK], [0, 0, 0]])
def test_over_a_line_that_breaks_nothing_is_sent_twice(breaks: list[int]) -> None:
    async def story() -> None:
        (here, size), there = await sender(), place("h49", POLICY)
        wire = Wire(there, list(breaks))
        assert await carry_until_done(here, wire) == len(breaks)
        assert wire.sent_bytes == size
        assert wire.offers == sorted(wire.offers)
        [view] = (await here.track()).deliveries
        assert view.state.is_final

    run(story())


def test_an_answer_lost_after_the_last_octet_costs_no_second_upload() -> None:
    async def story() -> None:
        (here, size), there = await sender(), place("h49", POLICY)
        wire = Wire(there, lost_answers=1)
        assert await carry_until_done(here, wire) == 1
        assert (wire.sent_bytes, wire.offers) == (size, [0, size])

    run(story())


def test_a_receiver_that_takes_a_piece_at_a_time_is_fed_until_it_has_all() -> None:
    class Piecewise(Wire):
        async def put_body(self, peer: NodeEntry, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]) -> int:
            async def few() -> AsyncIterator[bytes]:
                taken = 0
                async for chunk in chunks:
                    yield chunk
                    taken += 1
                    if taken == 3:
                        return

            return await super().put_body(peer, token, offset_bytes, few())

    async def story() -> None:
        (here, size), there = await sender(), place("h49", POLICY)
        wire = Piecewise(there)
        assert await carry(here, wire)
        assert wire.sent_bytes == size
        assert wire.offers == [*range(0, size, 3 * CHUNK), size]

    run(story())


def test_an_upload_without_progress_is_put_off_and_does_not_spin() -> None:
    class Deaf(Wire):
        async def put_body(self, peer: NodeEntry, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]) -> int:
            return offset_bytes

    async def story() -> None:
        (here, _), there = await sender(), place("h49", POLICY)
        wire = Deaf(there)
        assert not await carry(here, wire)
        assert len(wire.offers) == 2
        [view] = (await here.track()).deliveries
        assert (view.reason, view.next_attempt_ms) == (Reason.PEER_BUSY, NOW + POLICY.item_retry_ms)

    run(story())
