"""Uploading: one packet whose body travels apart from it, by Offer, PutBody and Commit.

The peer is asked first and says how far it has the body durably, so nothing that it has is sent again, by whatever the last attempt ended.
"""

from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from node.errors import Deferred, Rejected
from node.flow.bodies.reading import inline_body
from node.model.directory import NodeEntry
from node.model.envelope import Envelope
from node.model.mesh import Answer, Parcel, Want
from node.model.policy import Policy
from node.model.reason import Reason
from node.ports import Ports

A = TypeVar("A")

UPLOADS_PER_CARRY_MAX = 1_000
"""A large body is broken off and resumed at most this often before the row is put off; each upload must make progress."""


class Uploader:
    """Offers packets and uploads what is wanted of them."""

    def __init__(self, ports: Ports, policy: Policy) -> None:
        self._ports = ports
        self._policy = policy

    async def offer(self, peer: NodeEntry, parcel: Parcel, envelope: Envelope) -> Answer:
        """Offer a packet, upload what is wanted, and commit. Raises Fault if the peer gave no answer."""
        return await self._told(self._upload(peer, parcel, envelope))

    async def ask(self, peer: NodeEntry, parcel: Parcel) -> Answer | None:
        """Ask what a peer has decided; None: nothing, and it would take the packet. Raises Fault if it gave no answer."""
        return await self._told(self._question(peer, parcel))

    async def _told(self, call: Coroutine[Any, Any, A]) -> A | Answer:
        try:
            return await call
        except (Deferred, Rejected) as fault:
            if fault.reason is not Reason.FAILED_INSIDE and not isinstance(fault, Rejected):
                raise
            # The peer is there: the cause is something in the call, not the road.
            return Answer(None, fault.reason, detail=fault.detail)

    async def _question(self, peer: NodeEntry, parcel: Parcel) -> Answer | None:
        offered = await self._ports.peers.offer(peer, parcel)
        return offered if isinstance(offered, Answer) else None

    async def _upload(self, peer: NodeEntry, parcel: Parcel, envelope: Envelope) -> Answer:
        offset_bytes, body = -1, envelope.body
        for _ in range(UPLOADS_PER_CARRY_MAX):
            offered = await self._ports.peers.offer(peer, parcel)
            if isinstance(offered, Answer):
                return offered
            if offered.offset_bytes >= body.body_bytes:
                return await self._ports.peers.commit(peer, parcel)
            if offered.offset_bytes <= offset_bytes:
                break
            offset_bytes = offered.offset_bytes
            await self._ports.peers.put_body(peer, offered.token, offset_bytes, self._chunks(envelope, offered))
        return Answer(None, Reason.PEER_BUSY, detail="the upload makes no progress")

    async def _chunks(self, envelope: Envelope, want: Want) -> AsyncIterator[bytes]:
        offset_bytes, size_bytes = want.offset_bytes, self._policy.chunk_bytes
        inline = await inline_body(self._ports, envelope.body)
        while offset_bytes < envelope.body.body_bytes:
            if inline is not None:
                data = inline[offset_bytes : offset_bytes + size_bytes]
            else:
                data = await self._ports.bodies.read(envelope.body.body_sha256, offset_bytes, size_bytes)
            if not data:
                # Our copy is shorter than it was: to go on would be to send nothing for ever.
                return
            offset_bytes += len(data)
            yield data
