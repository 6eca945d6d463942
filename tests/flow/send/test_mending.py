"""Mending: a damaged body is whole again without anybody's doing, from whoever has it; and nobody gets a body that is not his."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from node.errors import Deferred, Rejected
from node.flow.bodies import damage, stale_uploads
from node.flow.bodies.damage import DamagedBody
from node.flow.send.mending import Mending
from node.model.directory import NodeEntry
from node.model.reason import Reason
from node.node import Node
from node.ports import Ports, Tx
from node.rows import keys
from node.rows.access import require
from node.rows.records import PacketRecord
from node.wire import codec
from tests.flow.bodies.test_scrub import all_bodies
from tests.papers import document
from tests.small_mesh import IMPATIENT, Office, SmallMesh, eventually, small_mesh

SMALL, LARGE = 1_000, 300_000
Give = Callable[[int], AsyncGenerator[bytes, None]]


def packet(size: int, sender: str = "G14", recipient: str = "H49.22") -> bytes:
    return document(recipient, sender=sender, attachments=[("a.pdf", hashlib.sha256(b"").digest() * (size // 32))])


async def delivered(mesh: SmallMesh, size: int, sender: str = "g14", recipient: str = "h49") -> tuple[bytes, bytes]:
    """Send a document; return the packet's id and its body's digest once it is delivered."""
    to = {"h49": "H49.22", "g14": "G14"}[recipient]
    result = await mesh[sender].submit(packet(size, sender.upper(), to), str(size))

    async def is_there() -> bool:
        return any(entry.packet_id == result.packet_id for entry in await mesh[recipient].inbox(to))

    await eventually(is_there)
    return result.packet_id, await body_of(mesh[sender], result.packet_id)


async def body_of(office: Office, packet_id: bytes) -> bytes:
    record = await office.ports.store.transact(lambda tx: require(tx, keys.packet(packet_id), PacketRecord))
    return codec.decode_envelope(record.envelope).body.body_sha256


async def flip(office: Office, body_sha256: bytes) -> None:
    """Damage a body, wherever it lies."""

    def write(tx: Tx) -> bool:
        body = tx.get(keys.body(body_sha256))
        if body is not None:
            tx.put(keys.body(body_sha256), body[:-1] + bytes([body[-1] ^ 1]))
        return body is not None

    if not await office.ports.store.transact(write):
        sealed: dict[bytes, bytes] = office.ports.bodies._sealed  # type: ignore[attr-defined]
        whole = sealed[body_sha256]
        sealed[body_sha256] = whole[:-1] + bytes([whole[-1] ^ 1])


async def read(office: Office, packet_id: bytes) -> bytes:
    """Read without a lease."""
    _, pieces = await office.node.fetch(office.system, packet_id, "H49.22", lease_ms=-1)
    return b"".join([piece async for piece in pieces])


async def noted(office: Office) -> list[DamagedBody]:
    return await office.ports.store.transact(lambda tx: damage.damaged(tx, 10))


def mending_of(office: Office, peers: Any = None) -> Mending:
    """Return a mending of its own, whose loop does not run, so that each step is the test's."""
    ports = replace(office.ports, peers=peers) if peers is not None else office.ports
    return Mending(ports, IMPATIENT, office.node.signals, office.node.scrub, office.node.body_files)


def tell(story: Callable[[SmallMesh], Awaitable[None]]) -> None:
    async def run() -> None:
        async with small_mesh() as mesh:
            await story(mesh)

    asyncio.run(run())


class Lying:
    """Peers that give what a test wants."""

    def __init__(self, give: Give) -> None:
        self.give = give
        self.offsets: list[int] = []

    async def fetch_body(self, peer: NodeEntry, packet_id: bytes, body_sha256: bytes, offset_bytes: int) -> Any:
        self.offsets.append(offset_bytes)
        async with aclosing(self.give(offset_bytes)) as pieces:
            async for piece in pieces:
                yield piece


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("who", ["recipient", "origin"])
def test_a_body_that_is_damaged_after_delivery_is_fetched_again(size: int, who: str) -> None:
    async def story(mesh: SmallMesh) -> None:
        packet_id, body = await delivered(mesh, size)
        office = mesh["h49" if who == "recipient" else "g14"]

        async def has_receipt() -> bool:
            prefix = keys.receipts(packet_id)
            return bool(await mesh["g14"].ports.store.transact(lambda tx: tx.scan(prefix, limit=1)))

        await eventually(has_receipt)
        await flip(office, body)
        office.node.signals.doubtful_body.send(body)

        async def is_mended() -> bool:
            return office.node.scrub.counts.mended == 1

        await eventually(is_mended)
        assert await office.node.scrub.is_whole(body)
        assert await noted(office) == []
        whole = packet(size)
        assert await office.fetch(packet_id, "H49.22" if who == "recipient" else "G14") == whole
        apart = getattr(office.ports.bodies, "apart")  # noqa: B009 - of the memory's bodies
        assert len(apart) == (size == LARGE), "the damaged file is kept"

    tell(story)


def test_who_fetches_a_damaged_document_starts_the_mending() -> None:
    async def story(mesh: SmallMesh) -> None:
        packet_id, body = await delivered(mesh, LARGE)
        await flip(mesh["h49"], body)
        with pytest.raises(Exception, match="segment"):
            await read(mesh["h49"], packet_id)

        async def can_be_fetched() -> bool:
            return mesh["h49"].node.scrub.counts.mended == 1

        await eventually(can_be_fetched)
        assert await read(mesh["h49"], packet_id) == packet(LARGE)

    tell(story)


def test_a_relay_whose_copy_is_damaged_gets_it_from_the_origin_and_delivers() -> None:
    async def story(mesh: SmallMesh) -> None:
        mesh.cut("g14", "h49")
        await mesh["centre"].node.hold_peer("h49")  # so that no push has read the body before it is damaged
        result = await mesh["g14"].submit(packet(LARGE), "1")
        centre = mesh["centre"]

        async def has_custody() -> bool:
            return bool(await centre.ports.store.transact(lambda tx: tx.scan(keys.packet(result.packet_id), limit=1)))

        await eventually(has_custody)
        [body] = await centre.ports.store.transact(all_bodies)
        await flip(centre, body)
        await centre.node.release_peer("h49")

        async def is_there() -> bool:
            return bool(await mesh["h49"].inbox("H49.22"))

        await eventually(is_there)
        assert centre.node.scrub.counts.mended == 1
        assert await read(mesh["h49"], result.packet_id) == packet(LARGE)

    tell(story)


def test_what_nobody_else_has_stays_noted_with_the_reason_and_is_tried_less_often() -> None:
    async def story(mesh: SmallMesh) -> None:
        mesh.cut("g14", "h49")
        mesh.cut("g14", "centre")
        result = await mesh["g14"].submit(packet(LARGE), "1")
        body, office = await body_of(mesh["g14"], result.packet_id), mesh["g14"]
        await office.loops.mending.stop()
        await flip(office, body)
        assert not await office.node.scrub.is_whole(body)
        mending = mending_of(office)
        await mending.mend_once()
        [first] = await noted(office)
        assert (first.reason, first.attempts, first.packet_ids) == (Reason.NOT_FOUND, 1, (result.packet_id,))
        assert first.next_attempt_ms > 0

    tell(story)


def test_a_body_that_was_only_unreadable_for_a_while_is_left_as_it_is() -> None:
    async def story(mesh: SmallMesh) -> None:
        _, body = await delivered(mesh, LARGE)
        office = mesh["h49"]
        await office.loops.mending.stop()
        await office.ports.store.transact(lambda tx: damage.note(tx, body, 1, whole=False))
        await mending_of(office, Lying(_nothing)).mend_once()
        assert await noted(office) == []
        assert office.node.scrub.counts.mended == 0

    tell(story)


async def _nothing(offset_bytes: int) -> AsyncGenerator[bytes, None]:
    raise AssertionError("nobody is asked")
    yield b""


async def _damaged_at_recipient(mesh: SmallMesh, size: int) -> tuple[bytes, bytes]:
    packet_id, body = await delivered(mesh, size)
    await mesh["h49"].loops.mending.stop()
    await flip(mesh["h49"], body)
    assert not await mesh["h49"].node.scrub.is_whole(body)
    return packet_id, body


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("lie", ["wrong", "too much", "endless", "drips", "nothing", "refuses", "is silent"])
def test_a_lying_giver_changes_nothing_and_costs_no_more_than_the_body(size: int, lie: str) -> None:
    async def story(mesh: SmallMesh) -> None:
        _, body = await _damaged_at_recipient(mesh, size)
        office, given = mesh["h49"], [0]
        packet_id = (await noted(office))[0].packet_ids[0]
        pieces = await mesh["g14"].node.give_body("h49", packet_id, body, 0)
        body_octets = b"".join([piece async for piece in pieces])

        async def give(offset_bytes: int) -> AsyncGenerator[bytes, None]:
            if lie == "refuses":
                raise Rejected(Reason.REQUEST_INVALID, "an older node")
            if lie == "is silent":
                raise Deferred(Reason.PEER_UNREACHABLE)
            size_bytes = len(body_octets)
            total = {"wrong": size_bytes, "too much": size_bytes + 1, "endless": 1 << 40, "drips": 100, "nothing": 0}[
                lie
            ]
            piece = 1 if lie == "drips" else 10_007
            for at in range(0, total, piece):
                some = min(piece, total - at)
                given[0] += some
                yield bytes(some)

        peers = Lying(give)
        mending = mending_of(office, peers)
        await mending.mend_once()
        assert given[0] <= len(peers.offsets) * (len(body_octets) + 10_007), "it is broken off where the body ends"
        [one] = await noted(office)
        expected = {"refuses": Reason.REQUEST_INVALID, "is silent": Reason.PEER_UNREACHABLE}
        others = (Reason.BODY_DIGEST_DIFFERS, Reason.PEER_BUSY)
        assert one.reason in ((expected[lie],) if lie in expected else others)
        assert not await office.node.scrub.is_whole(body)
        later = mending_of(office)
        await office.ports.store.transact(lambda tx: tx.put(keys.damaged_body(body), bytes(8)))
        await later.mend_once()
        if not await office.node.scrub.is_whole(body):
            # What that node dripped before lay in its part: found wrong as a whole, it is thrown away, and the next attempt begins anew.
            assert lie == "drips"
            await office.ports.store.transact(lambda tx: tx.put(keys.damaged_body(body), bytes(8)))
            await mending_of(office).mend_once()
        assert await office.node.scrub.is_whole(body)

    tell(story)


def test_a_fetch_that_breaks_off_goes_on_after_a_restart_where_it_stood() -> None:
    async def story(mesh: SmallMesh) -> None:
        packet_id, body = await _damaged_at_recipient(mesh, LARGE)
        office, origin = mesh["h49"], mesh["g14"]
        whole = b"".join([piece async for piece in await origin.node.give_body("h49", packet_id, body, 0)])

        async def half(offset_bytes: int) -> AsyncGenerator[bytes, None]:
            yield whole[offset_bytes : offset_bytes + 100_000]

        peers = Lying(half)
        await mending_of(office, peers).mend_once()
        [one] = await noted(office)
        assert one.reason is Reason.QUEUED
        tokens = await office.ports.bodies.parts()
        left = await office.ports.store.transact(lambda tx: stale_uploads.without_upload(tx, tokens))
        assert left == [], "the sweep takes the part for nobody's"
        while await noted(office):
            await mending_of(office, peers).mend_once()
        assert peers.offsets == list(range(0, len(whole), 100_000))
        assert await office.node.scrub.is_whole(body)
        assert await office.ports.bodies.parts() == []

    tell(story)


def test_a_process_that_ends_in_the_middle_leaves_the_old_file_or_the_new_one() -> None:
    async def story(mesh: SmallMesh) -> None:
        packet_id, body = await _damaged_at_recipient(mesh, LARGE)
        office = mesh["h49"]

        async def slow(offset_bytes: int) -> AsyncGenerator[bytes, None]:
            pieces = await mesh["g14"].node.give_body("h49", packet_id, body, offset_bytes)
            async with aclosing(pieces):
                async for piece in pieces:
                    yield piece[:50_000]
                    await asyncio.sleep(3600)

        task = asyncio.ensure_future(mending_of(office, Lying(slow)).mend_once())
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await office.ports.bodies.has(body), "the name is never without a file"
        await mending_of(office).mend_once()
        assert await office.node.scrub.is_whole(body)

    tell(story)


def test_a_packet_that_is_let_go_meanwhile_leaves_nothing_behind() -> None:
    async def story(mesh: SmallMesh) -> None:
        packet_id, body = await _damaged_at_recipient(mesh, LARGE)
        office = mesh["h49"]

        async def forgotten(offset_bytes: int) -> AsyncGenerator[bytes, None]:
            await office.ports.store.transact(lambda tx: tx.delete(keys.body_ref(body, packet_id)))
            await office.ports.bodies.remove(body)
            async for piece in await mesh["g14"].node.give_body("h49", packet_id, body, offset_bytes):
                yield piece

        await mending_of(office, Lying(forgotten)).mend_once()
        assert not await office.ports.bodies.has(body)
        assert await office.ports.bodies.parts() == []
        assert await noted(office) == []

    tell(story)


def test_a_mistake_of_ours_over_one_body_keeps_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(mesh: SmallMesh) -> None:
        bodies = [(await delivered(mesh, size))[1] for size in (LARGE, LARGE + 32_000)]
        office, bugs = mesh["h49"], []
        await office.loops.mending.stop()
        for body in bodies:
            await flip(office, body)
            assert not await office.node.scrub.is_whole(body)
        real, first = Mending._wanted, min(bodies)

        def wanted(self: Mending, tx: Tx, body: DamagedBody) -> Any:
            if body.body_sha256 == first:
                raise ValueError("a mistake")
            return real(self, tx, body)

        monkeypatch.setattr(Mending, "_wanted", wanted)
        told = office.node.signals.bug
        monkeypatch.setattr(told, "_listeners", [bugs.append])
        await mending_of(office).mend_once()
        assert [type(bug) for bug in bugs] == [ValueError]
        [left] = await noted(office)
        assert (left.body_sha256, left.reason) == (first, Reason.FAILED_INSIDE)

    tell(story)


# --- who may have it ----------------------------------------------------------------------------------------------------


async def _given(node: Node, peer_id: str, packet_id: bytes, body: bytes, offset_bytes: int = 0) -> int | None:
    """Return how many octets a node gives; None for a refusal, which tells nothing of what there is."""
    try:
        pieces = await node.give_body(peer_id, packet_id, body, offset_bytes)
    except Rejected as refusal:
        if (refusal.reason, refusal.detail) != (Reason.NOT_FOUND, "no such body for you"):
            raise
        return None
    return sum([len(piece) async for piece in pieces])


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_only_nodes_of_the_packet_are_given_its_body(size: int) -> None:
    async def story(mesh: SmallMesh) -> None:
        packet_id, body = await delivered(mesh, size)
        origin, target = mesh["g14"].node, mesh["h49"].node
        ports: Ports = mesh["g14"].ports
        await eventually(lambda: ports.store.transact(lambda tx: bool(tx.scan(keys.receipts(packet_id), limit=1))))
        size_bytes = await _given(origin, "h49", packet_id, body)
        assert size_bytes is not None
        assert size_bytes > size
        assert await _given(target, "g14", packet_id, body) == size_bytes
        assert await _given(origin, "h49", packet_id, body, size_bytes) == 0
        for node, peer in ((origin, "h37"), (origin, "centre"), (target, "h37"), (target, "centre"), (origin, "")):
            assert await _given(node, peer, packet_id, body) is None, f"{peer} is no node of this packet"
        other_id, other = await delivered(mesh, size + 64, "h49", "g14")
        assert await _given(origin, "h49", packet_id, other) is None, "the body of another packet"
        assert await _given(origin, "h49", other_id, body) is None
        assert await _given(origin, "h49", bytes(16), body) is None
        assert await _given(origin, "h49", packet_id, body, size_bytes + 1) is None

    tell(story)


def test_a_forgotten_body_is_not_given_even_if_another_packet_still_needs_the_same() -> None:
    async def story(mesh: SmallMesh) -> None:
        packet_id, body = await delivered(mesh, LARGE)

        def forget(tx: Tx) -> None:
            record = require(tx, keys.packet(packet_id), PacketRecord)
            record.body_forgotten = True
            tx.put(keys.packet(packet_id), record.SerializeToString())

        await mesh["g14"].ports.store.transact(forget)
        assert await _given(mesh["g14"].node, "h49", packet_id, body) is None

    tell(story)
