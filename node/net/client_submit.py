"""Client submit: small packets go whole in one message, large ones in pieces that are read from disk while they are sent."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from node.errors import Deferred, Rejected
from node.model.office import Submission, SubmitResult
from node.model.policy import KIB, MIB
from node.model.reason import Reason
from node.net.upload import conduct
from node.wire import office as wire
from node.wire.truc.v1 import office_service_pb2 as pb

if TYPE_CHECKING:
    from node.wire.truc.v1.office_service_pb2_grpc import OfficeServiceAsyncStub

WHOLE_BYTES_MAX = 1 * MIB
CHUNK_BYTES = 256 * KIB
CALL_PACKETS_MAX = 1_000
"""Packets in one call of `submit_many`."""
STREAM_S_PER_MIB = 10.0
"""A large submission must move at least this fast, over all."""
STREAM_S = 300.0

Metadata = tuple[tuple[str, str], ...]


def read_if_small(path: Path) -> tuple[bytes | Path, int]:
    """Return the octets of a file of at most 1 MiB, or its path again; and its size. Raises Rejected(REQUEST_INVALID)."""
    try:
        size_bytes = path.stat().st_size
        if size_bytes > WHOLE_BYTES_MAX:
            return path, size_bytes
        data = path.read_bytes()
        return data, len(data)
    except OSError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{path}: {error.strerror}") from error


async def submit_whole(
    stub: "OfficeServiceAsyncStub", metadata: Metadata, submission: Submission, data: bytes, timeout_s: float
) -> SubmitResult:
    """Hand in a packet of at most 1 MiB, in the cheapest call there is."""
    response = await stub.SubmitOne(_whole(submission, data), metadata=metadata, timeout=timeout_s)
    return wire.submit_result_from_proto(response)


async def submit_stream(
    stub: "OfficeServiceAsyncStub",
    metadata: Metadata,
    submission: Submission,
    packet: bytes | Path,
    progress: Callable[[int, int], None] | None,
) -> SubmitResult:
    """Hand in a packet of any size. The node may refuse it, and end the call, while it is still being sent."""
    timeout_s = STREAM_S + submission.packet_bytes / MIB * STREAM_S_PER_MIB
    call = stub.Submit(metadata=metadata, timeout=timeout_s)
    response = await conduct(call, _send(call, submission, packet, progress))
    return wire.submit_result_from_proto(response.results[0])


async def submit_many(
    stub: "OfficeServiceAsyncStub", metadata: Metadata, packets: Sequence[tuple[str, bytes]]
) -> list[SubmitResult]:
    """Hand in many packets. A call that the node ended early, at a refused large packet, is followed by another."""
    results: list[SubmitResult] = []
    while len(results) < len(packets):
        group = packets[len(results) : len(results) + CALL_PACKETS_MAX]
        size_mib = sum(len(data) for _, data in group) / MIB
        call = stub.Submit(metadata=metadata, timeout=STREAM_S + size_mib * STREAM_S_PER_MIB)
        response = await conduct(call, _send_group(call, group))
        if not 0 < len(response.results) <= len(group):
            raise Deferred(Reason.PEER_UNREACHABLE, f"{len(response.results)} results for {len(group)} packets")
        results.extend(wire.submit_result_from_proto(result) for result in response.results)
    return results


SubmitStreamCall = grpc.aio.StreamUnaryCall[pb.SubmitRequest, pb.SubmitResponse]


async def _send_group(call: SubmitStreamCall, group: Sequence[tuple[str, bytes]]) -> None:
    for submission_id, data in group:
        submission = Submission(submission_id, len(data))
        if len(data) <= WHOLE_BYTES_MAX:
            await call.write(pb.SubmitRequest(whole=_whole(submission, data)))
        else:
            await _write_packet(call, submission, data, None)
    await call.done_writing()


async def _send(
    call: SubmitStreamCall,
    submission: Submission,
    packet: bytes | Path,
    progress: Callable[[int, int], None] | None,
) -> None:
    await _write_packet(call, submission, packet, progress)
    await call.done_writing()


async def _write_packet(
    call: SubmitStreamCall,
    submission: Submission,
    packet: bytes | Path,
    progress: Callable[[int, int], None] | None,
) -> None:
    digest, sent_bytes = hashlib.sha256(), 0
    await call.write(pb.SubmitRequest(begin=wire.submission_to_proto(submission)))
    async for chunk in _chunks_of(packet):
        digest.update(chunk)
        await call.write(pb.SubmitRequest(data=chunk))
        sent_bytes += len(chunk)
        if progress:
            progress(sent_bytes, submission.packet_bytes)
    await call.write(pb.SubmitRequest(end=pb.SubmitEnd(packet_sha256=digest.digest())))


async def _chunks_of(packet: bytes | Path) -> AsyncIterator[bytes]:
    if isinstance(packet, bytes):
        for begin in range(0, len(packet), CHUNK_BYTES):
            yield packet[begin : begin + CHUNK_BYTES]
        return
    with packet.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk


def _whole(submission: Submission, data: bytes) -> pb.SubmitWhole:
    return pb.SubmitWhole(begin=wire.submission_to_proto(submission), data=data)
