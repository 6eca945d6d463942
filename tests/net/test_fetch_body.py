"""FetchBody over real gRPC, TLS and files: a damaged file is replaced by what came, and neither side can be busied for nothing."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import grpc
import pytest

from node.errors import Denied, Rejected
from node.model.policy import KIB, MIB
from node.model.reason import Reason
from node.net import mesh_server
from node.net import peers as peers_module
from node.net.errors import peer_fault_of
from node.net.peers import GrpcPeers
from node.store.bodies import FileBodies
from tests.net.support import FakeNode, Source, entry, fault_from, identity, mesh

A, B = identity("a"), identity("b")
BODY = bytes(range(256)) * 4 * KIB * 3
NAME = hashlib.sha256(BODY).digest()
PACKET = b"p" * 16


class Giver(FakeNode):
    """A node that gives a body."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] | None = None
        self.pause: asyncio.Event | None = None
        self.given = 0
        self.closed = 0

    async def give_body(
        self, peer_id: str, packet_id: bytes, body_sha256: bytes, offset_bytes: int
    ) -> AsyncGenerator[bytes, None]:
        self.calls.append(("give_body", peer_id, packet_id, body_sha256, offset_bytes))
        if body_sha256 != NAME:
            raise Rejected(Reason.NOT_FOUND, "no such body for you")
        return self._give(offset_bytes)

    async def _give(self, offset_bytes: int) -> AsyncGenerator[bytes, None]:
        try:
            for piece in self.pieces or [BODY[at : at + 256 * KIB] for at in range(offset_bytes, len(BODY), 256 * KIB)]:
                self.given += len(piece)
                yield piece
                if self.pause is not None:
                    await self.pause.wait()
        finally:
            self.closed += 1


def with_giver(story: Any, make: Any = Giver) -> None:
    async def run() -> None:
        node = make()
        async with mesh(node, Source(entry("a", "", A)), B) as (address, _):
            peers = GrpcPeers(A)
            try:
                await story(node, peers, entry("b", address, B))
            finally:
                await peers.close()

    asyncio.run(run())


async def fetched(peers: GrpcPeers, b: Any, offset_bytes: int = 0, name: bytes = NAME, packet: bytes = PACKET) -> bytes:
    async with aclosing(peers.fetch_body(b, packet, name, offset_bytes)) as pieces:
        return b"".join([piece async for piece in pieces])


def test_a_body_comes_as_it_is_from_any_offset_and_the_caller_is_known_by_its_certificate() -> None:
    async def story(node: Giver, peers: GrpcPeers, b: Any) -> None:
        assert await fetched(peers, b) == BODY
        assert await fetched(peers, b, len(BODY) - 10_000) == BODY[-10_000:]
        assert await fetched(peers, b, len(BODY)) == b""
        assert node.calls[0] == ("give_body", "a", PACKET, NAME, 0)

    with_giver(story)


def test_a_damaged_file_is_replaced_and_kept_apart(tmp_path: Path) -> None:
    async def story(node: Giver, peers: GrpcPeers, b: Any) -> None:
        bodies = FileBodies(tmp_path)
        await bodies.put(NAME, BODY)
        path = bodies.path_of(NAME)
        path.write_bytes(BODY[:-1] + b"x")
        part = await bodies.open_part(b"t" * 16)
        await part.write((await fetched(peers, b))[:-1] + b"y")
        with pytest.raises(Denied):
            await part.replace(NAME)
        assert path.read_bytes() == BODY[:-1] + b"x", "wrong octets replace nothing"
        assert not (tmp_path / "damaged").exists()
        for number in range(2):
            part = await bodies.open_part(b"t" * 16)
            await part.write(await fetched(peers, b))
            await part.replace(NAME)
            assert path.read_bytes() == BODY
            assert sorted(one.name for one in (tmp_path / "damaged").iterdir()) == [
                f"{NAME.hex()}.{at}" for at in range(number + 1)
            ]
        assert (tmp_path / "damaged" / f"{NAME.hex()}.0").read_bytes() == BODY[:-1] + b"x"
        path.unlink()
        part = await bodies.open_part(b"t" * 16)
        await part.write(BODY)
        await part.replace(NAME)
        assert path.read_bytes() == BODY, "a missing file comes back, too"
        assert await bodies.parts() == []
        await bodies.close()

    with_giver(story)


def test_what_is_no_question_and_what_is_not_there_is_refused() -> None:
    async def story(node: Giver, peers: GrpcPeers, b: Any) -> None:
        for packet, name, offset in ((b"p", NAME, 0), (PACKET, b"n", 0), (PACKET, NAME, -1)):
            fault = await fault_from(fetched(peers, b, offset, name, packet))
            assert fault.reason is Reason.REQUEST_INVALID
        assert node.calls == []
        assert (await fault_from(fetched(peers, b, 0, bytes(32)))).reason is Reason.NOT_FOUND

    with_giver(story)


def test_a_peer_is_given_one_body_at_a_time_and_a_fetch_that_is_left_ends_it() -> None:
    async def story(node: Giver, peers: GrpcPeers, b: Any) -> None:
        node.pause = asyncio.Event()
        first = peers.fetch_body(b, PACKET, NAME, 0)
        assert await anext(first)
        assert (await fault_from(fetched(peers, b))).reason is Reason.PEER_BUSY
        await first.aclose()
        node.pause.set()
        async with asyncio.timeout(5):
            while not node.closed:
                await asyncio.sleep(0.01)
            while (await _try(peers, b)) != BODY:
                await asyncio.sleep(0.01)

    with_giver(story)


async def _try(peers: GrpcPeers, b: Any) -> bytes:
    try:
        return await fetched(peers, b)
    except Exception:
        return b""


def test_crumbs_and_silence_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "FETCH_BODY_IDLE_S", 0.3)

    async def story(node: Giver, peers: GrpcPeers, b: Any) -> None:
        node.pieces = [b"x"] * 1_000_000
        assert await fetched(peers, b) == b"x"
        node.pieces, node.pause = None, asyncio.Event()
        fault = await fault_from(fetched(peers, b))
        assert fault.reason in (Reason.PEER_UNREACHABLE, Reason.PEER_BUSY)

    with_giver(story)


def test_an_endless_body_ends_at_the_servers_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh_server, "FETCH_BODY_BYTES_MAX", 2 * MIB)

    async def story(node: Giver, peers: GrpcPeers, b: Any) -> None:
        node.pieces = [bytes(MIB)] * 1_000
        assert len(await fetched(peers, b)) == 2 * MIB

    with_giver(story)


def test_an_older_node_says_that_it_knows_no_such_call() -> None:
    unknown = grpc.aio.AioRpcError(
        grpc.StatusCode.UNIMPLEMENTED, grpc.aio.Metadata(), grpc.aio.Metadata(), "Method not found!"
    )
    fault = peer_fault_of(unknown)
    assert (type(fault), fault.reason) == (Rejected, Reason.REQUEST_INVALID)
