"""A packet too large for a Push, and its way to a place by hand."""

from collections.abc import AsyncIterator
from typing import Any

from node.model.envelope import Envelope
from node.model.lane import Lane
from node.model.mesh import Answer, Parcel, Want
from node.model.policy import KIB, Policy
from tests.flow.support import Place, envelope_for, parcel_for
from tests.papers import document

CHUNK = 64 * KIB
POLICY = Policy(inline_body_bytes_max=4 * KIB, push_body_bytes_max=128 * KIB, chunk_bytes=CHUNK)
PACKET = document("H49.22", attachments=[("lớn.pdf", bytes(range(256)) * 4_096)])
"""Some 1.4 MiB: 22 chunks."""


async def pieces(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def large(packet: bytes = PACKET, *, target: str = "h49", **changes: Any) -> tuple[Envelope, bytes, Parcel]:
    envelope, body = envelope_for(packet, lane=Lane.BULK, **changes)
    return envelope, body, parcel_for(envelope, target=target)


async def want(here: Place, parcel: Parcel, by: str = "g14") -> Want:
    answer = await here.node.receive_offer(by, parcel)
    assert isinstance(answer, Want), answer
    return answer


async def upload(here: Place, token: bytes, body: bytes, at: int = 0, *, by: str = "g14") -> int:
    return await here.node.receive_body(by, token, at, pieces(body[at:]))


async def whole(here: Place, parcel: Parcel, body: bytes, by: str = "g14") -> Answer:
    """Offer, upload and commit."""
    wanted = await want(here, parcel, by)
    if wanted.offset_bytes < len(body):
        await upload(here, wanted.token, body, wanted.offset_bytes, by=by)
    return await here.node.receive_commit(by, parcel)
