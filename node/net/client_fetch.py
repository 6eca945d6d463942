"""Client fetch: packets come into memory, or into a file that appears only when it is whole, durable and checked.

A fetch into a file that broke off leaves `<name>.<packet id>.part` beside it; the next one goes on at its end.
"""

import asyncio
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from node.errors import Broken, Deferred, Denied
from node.model.office import InboxEntry
from node.model.policy import MIB
from node.model.reason import Reason
from node.net.client_submit import Metadata
from node.wire import office as wire
from node.wire.truc.v1 import office_service_pb2 as pb

if TYPE_CHECKING:
    from node.wire.truc.v1.office_service_pb2_grpc import OfficeServiceAsyncStub

FETCH_S = 4 * 3600.0
"""Keepalive finds a dead node long before; this bounds only a living one that sends next to nothing."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A packet and what the inbox says about it."""

    entry: InboxEntry
    packet: bytes


async def fetch_bytes(stub: "OfficeServiceAsyncStub", metadata: Metadata, request: pb.FetchRequest) -> Fetched:
    """Fetch into memory. Raises Denied(BODY_DIGEST_DIFFERS)."""
    call, entry = await _open(stub, metadata, request)
    try:
        packet = b"".join([piece.data async for piece in call])
    finally:
        call.cancel()
    if hashlib.sha256(packet).digest() != entry.packet_sha256:
        raise Denied(Reason.BODY_DIGEST_DIFFERS, f"{len(packet)} octets came, {entry.packet_bytes} were due")
    return Fetched(entry, packet)


async def fetch_file(
    stub: "OfficeServiceAsyncStub",
    metadata: Metadata,
    request: pb.FetchRequest,
    path: Path,
    progress: Callable[[int, int], None] | None,
) -> InboxEntry:
    """Fetch into a file. Raises Broken(ALREADY_EXISTS), Denied(BODY_DIGEST_DIFFERS), Broken(IO_FAILED)."""
    if await asyncio.to_thread(path.exists):
        raise Broken(Reason.ALREADY_EXISTS, str(path))
    part = path.with_name(f"{path.name}.{request.packet_id.hex()}.part")
    try:
        with part.open("a+b") as file:
            digest, offset_bytes = await asyncio.to_thread(_digest_of, file)
            request.offset_bytes = offset_bytes
            call, entry = await _open(stub, metadata, request)
            try:
                await _copy(call, file, digest, offset_bytes, entry.packet_bytes, progress)
            finally:
                call.cancel()
            await asyncio.to_thread(_make_durable, file)
        await asyncio.to_thread(_give_name, part, path, digest.digest() == entry.packet_sha256)
    except OSError as error:
        raise Broken(Reason.IO_FAILED, f"{path}: {error}") from error
    return entry


async def _open(stub: "OfficeServiceAsyncStub", metadata: Metadata, request: pb.FetchRequest) -> tuple[Any, InboxEntry]:
    """Begin a fetch; return the call and the entry that its first message carries."""
    call = stub.Fetch(request, metadata=metadata, timeout=FETCH_S)
    async for first in call:
        if first.HasField("entry"):
            return call, wire.inbox_entry_from_proto(first.entry)
        break
    call.cancel()
    raise Deferred(Reason.PEER_UNREACHABLE, "a fetch that begins without its entry")


async def _copy(
    call: Any,
    file: BinaryIO,
    digest: Any,
    done_bytes: int,
    all_bytes: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    async for piece in call:
        digest.update(piece.data)
        await asyncio.to_thread(file.write, piece.data)
        done_bytes += len(piece.data)
        if progress:
            progress(done_bytes, all_bytes)


def _digest_of(file: BinaryIO) -> tuple[Any, int]:
    """Return the digest so far and the size of what an earlier attempt left."""
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(MIB):
        digest.update(chunk)
    return digest, file.tell()


def _make_durable(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _give_name(part: Path, path: Path, whole: bool) -> None:
    """Rename the part, or remove it if its octets are not the packet's."""
    if not whole:
        part.unlink()
        raise Denied(Reason.BODY_DIGEST_DIFFERS, str(path))
    part.rename(path)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
