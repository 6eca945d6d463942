"""Loopback: this node as a peer of its own.

A unit may come to this node while a delivery for it waits for another one. The delivery then waits for ourselves, and is carried
like any other: pushed, verified, answered with our own receipt. So there is one way of delivering, not two.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Protocol

from node.errors import Rejected
from node.model.directory import NodeEntry
from node.model.mesh import Answer, Hello, Parcel, PushItem, Want
from node.model.reason import Reason


class Receiver(Protocol):
    """The side that takes from peers, flow/receive/reception.py; a protocol, since that room stands on a floor above this one."""

    async def hello(self, peer_id: str, hello: Hello) -> Hello:
        """Answer a Hello."""
        ...

    async def push(self, peer_id: str, items: Sequence[PushItem]) -> list[Answer]:
        """Take items."""
        ...

    async def offer(self, peer_id: str, parcel: Parcel) -> Answer | Want:
        """Answer an announcement."""
        ...

    async def body(self, peer_id: str, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]) -> int:
        """Take a piece of a body."""
        ...

    async def commit(self, peer_id: str, parcel: Parcel) -> Answer:
        """Decide."""
        ...


class Loopback:
    """The port Peers, with this node at both ends."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def hello(self, peer: NodeEntry, hello: Hello) -> Hello:
        """Introduce ourselves to ourselves."""
        return await self._receiver.hello(peer.node_id, hello)

    async def push(self, peer: NodeEntry, items: Sequence[PushItem]) -> list[Answer]:
        """Hand over items."""
        return await self._receiver.push(peer.node_id, items)

    async def offer(self, peer: NodeEntry, parcel: Parcel) -> Answer | Want:
        """Announce a large packet; its body is here already."""
        return await self._receiver.offer(peer.node_id, parcel)

    async def put_body(self, peer: NodeEntry, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]) -> int:
        """Upload what is missing."""
        return await self._receiver.body(peer.node_id, token, offset_bytes, chunks)

    async def commit(self, peer: NodeEntry, parcel: Parcel) -> Answer:
        """Ask for the decision."""
        return await self._receiver.commit(peer.node_id, parcel)

    async def fetch_body(
        self, peer: NodeEntry, packet_id: bytes, body_sha256: bytes, offset_bytes: int
    ) -> AsyncGenerator[bytes, None]:
        """Give nothing: our own copy is the damaged one."""
        raise Rejected(Reason.NOT_FOUND, "there is no other copy here")
        yield b""
