"""Uploads: large bodies of peers flow through the node into files instead of lying in its memory.

        peer --offer, body (resumable), commit--> part file --> sealed file --chunks--> open, read

An upload is named by a token that follows from peer, packet and body: after any crash, of either side, the same offer finds
the same part, and what is durable there need not be sent again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TypeVar

from node.errors import Broken, Deferred, Denied, Fault, Rejected
from node.flow.admission import Admission
from node.flow.bodies.files import BodyFiles
from node.flow.receive import accept
from node.flow.receive.opening import LargeOpening
from node.flow.receive.verify import Opened, Verdict
from node.model.envelope import Envelope
from node.model.mesh import Answer, Parcel, Want
from node.model.policy import DAY_MS, MIB, Policy
from node.model.reason import Reason
from node.ports import Part, Ports, Tx
from node.rows import keys
from node.rows.access import load, save
from node.rows.records import UploadRecord
from node.seal.wrap import Wrapper

J = TypeVar("J")
"""Anything that an item has come to; only verdicts have bodies."""


class Uploads:
    """Takes large bodies from peers, piece by piece, and small ones that are too large for the store."""

    def __init__(self, ports: Ports, policy: Policy, wrapper: Wrapper, files: BodyFiles, admission: Admission) -> None:
        self._admission = admission
        self._ports = ports
        self._policy = policy
        self._wrapper = wrapper
        self._files = files

    async def want(self, peer_id: str, envelope: Envelope) -> Want:
        """Say where the upload of a body goes on, and remember who may upload it.

        Raises Deferred: DISK_FULL for a new one, PEER_BUSY for one too many of this peer; Denied(BODY_DIGEST_DIFFERS) for a body under
        way that was another size when it was offered first: room was made for that.
        """
        body, token = envelope.body, token_of(peer_id, envelope)
        if await self._ports.bodies.has(body.body_sha256):
            return Want(token, body.body_bytes)
        known = await self._ports.store.transact(lambda tx: load(tx, keys.upload(token), UploadRecord))
        if known is None:
            self._admission.require_large(body.body_bytes)
        elif known.body_bytes != body.body_bytes:
            raise Denied(Reason.BODY_DIGEST_DIFFERS, f"the body under way has {known.body_bytes} bytes")
        self._admission.require_share(peer_id, token, body.body_bytes)
        record = UploadRecord(
            from_node=peer_id,
            packet_id=envelope.packet_id,
            body_sha256=body.body_sha256,
            begin_time_ms=self._ports.clock.now_ms(),
            body_bytes=body.body_bytes,
        )
        await self._ports.store.transact(lambda tx: _begin(tx, token, record))
        part = await self._ports.bodies.open_part(token)
        offset_bytes = part.durable_bytes
        self._admission.promise(peer_id, token, body.body_bytes - offset_bytes)
        await part.close()
        return Want(token, offset_bytes)

    async def receive(self, peer_id: str, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]) -> int:
        """Append to an upload; return how many octets are durable. Chunks for another offset than its end are not read.

        Raises Rejected(NOT_FOUND) for an upload that is not this peer's, Denied(BODY_DIGEST_DIFFERS) for more than was announced.
        """
        record = await self._ports.store.transact(lambda tx: load(tx, keys.upload(token), UploadRecord))
        if record is None or record.from_node != peer_id:
            raise Rejected(Reason.NOT_FOUND, "no such upload; offer the packet first")
        part = await self._ports.bodies.open_part(token)
        try:
            if offset_bytes == part.size_bytes:
                await self._append(part, record.body_bytes, chunks)
            await part.sync()
            self._admission.promise(peer_id, token, record.body_bytes - part.durable_bytes)
            return part.durable_bytes
        finally:
            await part.close()

    async def _append(self, part: Part, body_bytes: int, chunks: AsyncIterator[bytes]) -> None:
        async for chunk in chunks:
            if part.size_bytes + len(chunk) > body_bytes:
                raise Denied(Reason.BODY_DIGEST_DIFFERS, f"more than the {body_bytes} bytes that the envelope says")
            await part.write(chunk)

    async def complete(self, peer_id: str, envelope: Envelope) -> None:
        """Turn a complete upload into a body. Raises Deferred(PEER_BUSY) if octets are missing, Denied(BODY_DIGEST_DIFFERS)."""
        body = envelope.body
        if await self._ports.bodies.has(body.body_sha256):
            return
        part = await self._ports.bodies.open_part(token_of(peer_id, envelope))
        try:
            if part.size_bytes != body.body_bytes:
                raise Deferred(Reason.PEER_BUSY, f"{part.size_bytes} of {body.body_bytes} bytes are here; offer again")
            await part.seal(body.body_sha256)
        finally:
            # A seal that met a full disk leaves the part open; the next offer must find it free.
            await part.close()

    async def open(self, parcel: Parcel, envelope: Envelope, node_id: str) -> Opened:
        """Open a stored body from end to end and read its header, with flat memory."""
        opening = LargeOpening(parcel, envelope, node_id, self._wrapper)
        offset_bytes = 0
        while offset_bytes < envelope.body.body_bytes:
            data = await self._ports.bodies.read(envelope.body.body_sha256, offset_bytes, MIB)
            if not data:
                break
            offset_bytes += len(data)
            await self._ports.workers.run(len(data), lambda piece=data: opening.feed(piece))  # type: ignore[misc]
        return await self._ports.workers.run(MIB, opening.finish)

    async def decide(self, peer_id: str, envelope: Envelope, commit: Callable[[], Awaitable[Answer]]) -> Answer:
        """Decide about an upload that is complete; nothing is left of it afterwards but a body that a packet names.

        An upload whose decision is put off stays, so that it can be committed again; if nobody does, the sweep ends it.
        """
        async with self._files.locks.holding([envelope.body.body_sha256]):
            try:
                answer = await commit()
            except Fault as fault:
                answer = accept.refusal(fault)
                if isinstance(fault, Deferred | Broken):
                    return answer
            await self._end_upload(peer_id, envelope)
            return answer

    async def _end_upload(self, peer_id: str, envelope: Envelope) -> None:
        await self._files.drop_held([envelope.body.body_sha256])
        token = token_of(peer_id, envelope)
        self._admission.release(token)
        if not await self._ports.store.transact(lambda tx: _end(tx, token)):
            return
        try:
            part = await self._ports.bodies.open_part(token)
        except Deferred:
            # Somebody is writing to the part, or there is no space to open it: it is left to the sweep.
            return
        await part.discard()

    # --- push --------------------------------------------------------------------------------------------------

    async def spill(self, judged: Sequence[J], settle: Callable[[list[J]], Awaitable[list[Answer]]]) -> list[Answer]:
        """Make pushed bodies that are too large for the store files, and settle all; files that nobody names go again."""
        names = [one.envelope.body.body_sha256 for one in judged if isinstance(one, Verdict) and self._is_large(one)]
        if not names:
            return await settle(list(judged))
        # The caller may go away meanwhile; it must be settled all the same whether packets name the files.
        return await self._files.to_the_end(self._spill(names, judged, settle))

    async def _spill(
        self, names: list[bytes], judged: Sequence[J], settle: Callable[[list[J]], Awaitable[list[Answer]]]
    ) -> list[Answer]:
        async with self._files.locks.holding(names):
            try:
                return await settle([await self._spilled(one) for one in judged])
            finally:
                await self._files.drop_held(names)

    async def _spilled(self, one: J) -> J:
        if not isinstance(one, Verdict) or not self._is_large(one) or await self._is_decided(one):
            return one
        assert one.body is not None
        await self._ports.bodies.put(one.envelope.body.body_sha256, one.body)
        return replace(one, body=None)

    def _is_large(self, verdict: Verdict) -> bool:
        body = verdict.body
        return body is not None and verdict.needs_body and len(body) > self._policy.inline_body_bytes_max

    async def _is_decided(self, verdict: Verdict) -> bool:
        """Tell whether this packet was decided about before: then a file made of its body would never be removed."""
        envelope, parcel, own_id = verdict.envelope, verdict.parcel, self._ports.keys.node_id

        def look(tx: Tx) -> bool:
            units = [one.unit for one in verdict.receipt.outcomes]
            return accept.decided(tx, envelope.packet_id, parcel, own_id, units) is not None

        try:
            return await self._ports.store.transact(look)
        except Denied:
            # Another envelope came under this packet id: the transaction to come answers so, and needs no file for it.
            return True


def token_of(peer_id: str, envelope: Envelope) -> bytes:
    """Return the name of an upload: the same peer, packet and body always find the same part."""
    return sha256(peer_id.encode() + b"\0" + envelope.packet_id + envelope.body.body_sha256).digest()[:16]


def _end(tx: Tx, token: bytes) -> bool:
    """Forget who may upload; returns False if nobody might."""
    key = keys.upload(token)
    known = tx.get(key) is not None
    if known:
        tx.delete(key)
    return known


def _begin(tx: Tx, token: bytes, record: UploadRecord) -> None:
    """Remember who may upload. One that goes on after a day is as good as new: its row must not go stale under it."""
    known = load(tx, keys.upload(token), UploadRecord)
    if known is None or abs(record.begin_time_ms - known.begin_time_ms) > DAY_MS:
        save(tx, keys.upload(token), record)
