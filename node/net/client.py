"""Client of an office: its side of the door, used by node/client, the command line, the demo and the bench.

Nothing is retried here. The caller chooses the submission id before the call, so it may simply call again: a repeat gets the first
answer. Every method raises a Fault: Deferred(PEER_UNREACHABLE, PEER_TLS_FAILED) if the node cannot be reached, or what the node says.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from node.access.credential import Credential
from node.model.life import Dossier
from node.model.office import FoundUnit, InboxEntry, Submission, SubmitResult, TrackView
from node.model.reason import Reason
from node.net.client_fetch import Fetched, fetch_bytes, fetch_file
from node.net.client_submit import WHOLE_BYTES_MAX, read_if_small, submit_many, submit_stream, submit_whole
from node.net.errors import faults
from node.net.listener import Option
from node.net.tls import pinned_channel
from node.net.tokens import bearer
from node.seal.tls import certificates_der
from node.wire import office as wire
from node.wire import track as views
from node.wire.truc.v1 import office_service_pb2 as pb
from node.wire.truc.v1.office_service_pb2_grpc import OfficeServiceStub

CALL_S = 60.0
TRACK_PAGE = 1_000
"""Deliveries in one answer."""

CLIENT_OPTIONS: list[Option] = [
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
]

Progress = Callable[[int, int], None]
"""Called with (octets done, octets in all)."""


class OfficeClient:
    """One connection of one system to its node. Use `async with OfficeClient.connect(credential) as office`."""

    def __init__(self, credential: Credential, instance: str = "") -> None:
        """Make a client. `instance` tells it from others that share the credential, for leases; "": it is like no other."""
        certificates = certificates_der(credential.certificate_pem.encode())
        self._channel = pinned_channel(credential.address, certificates, None, CLIENT_OPTIONS)
        self._stub = OfficeServiceStub(self._channel)
        self._metadata = bearer(credential.token)
        self._instance = instance or secrets.token_hex(8)

    @classmethod
    def connect(cls, credential: Credential, instance: str = "") -> Self:
        """Make a client; the connection itself is made by the first call."""
        return cls(credential, instance)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    async def submit(
        self,
        packet: bytes | Path,
        submission_id: str,
        *,
        all_or_nothing: bool = False,
        expire_at_ms: int = 0,
        progress: Progress | None = None,
    ) -> SubmitResult:
        """Hand in a packet, from memory or from a file of any size (256 KiB in memory at a time).

        A refused packet is a result with a reason, not an exception. Raises Deferred: call again with the same id;
        Rejected(REQUEST_INVALID) if the file cannot be read.
        """
        if isinstance(packet, Path):
            packet, size_bytes = await asyncio.to_thread(read_if_small, packet)
        else:
            size_bytes = len(packet)
        submission = Submission(submission_id, size_bytes, all_or_nothing, expire_at_ms)
        with faults():
            if isinstance(packet, bytes) and size_bytes <= WHOLE_BYTES_MAX:
                return await submit_whole(self._stub, self._metadata, submission, packet, CALL_S)
            return await submit_stream(self._stub, self._metadata, submission, packet, progress)

    async def submit_once(self, packet: bytes | Path, submission_id: str) -> SubmitResult:
        """Hand in a packet whose id stands for what it says; if that was said before, in whatever octets, return the first packet's id.

        The result then lacks the refused recipients and findings of the first answer. Raises as `submit`.
        """
        result = await self.submit(packet, submission_id)
        if result.reason is not Reason.ID_REUSED:
            return result
        before = await self.track(submission_id=submission_id)
        return SubmitResult(submission_id, before.packet_id, recipients_served=len(before.deliveries))

    async def submit_many(self, packets: Iterable[tuple[str, bytes]]) -> list[SubmitResult]:
        """Hand in (submission id, octets) one after another in few calls; results in order. Cheaper than one call each."""
        with faults():
            return await submit_many(self._stub, self._metadata, list(packets))

    async def list_inbox(
        self, unit: str = "", *, page_size: int = 0, page_token: str = ""
    ) -> tuple[list[InboxEntry], str]:
        """Return a page of what waits for a unit (all units of the system without one), and the next page's token."""
        request = pb.ListInboxRequest(unit=unit, page_size=page_size, page_token=page_token)
        with faults():
            response = await self._stub.ListInbox(request, metadata=self._metadata, timeout=CALL_S)
        return [wire.inbox_entry_from_proto(entry) for entry in response.entries], response.next_page_token

    async def fetch(self, packet_id: bytes, unit: str = "", *, lease_ms: int = 0) -> Fetched:
        """Fetch a packet into memory and lease it. Raises Denied(BODY_DIGEST_DIFFERS) if the octets are not whole."""
        request = self._fetch_request(packet_id, unit, lease_ms)
        with faults():
            return await fetch_bytes(self._stub, self._metadata, request)

    async def fetch_to(
        self,
        packet_id: bytes,
        path: Path,
        unit: str = "",
        *,
        lease_ms: int = 0,
        progress: Progress | None = None,
    ) -> InboxEntry:
        """Fetch a packet into a file, durably and whole or not at all; goes on where an earlier attempt broke off.

        Raises Broken(ALREADY_EXISTS) if there is such a file, Denied(BODY_DIGEST_DIFFERS), Broken(IO_FAILED).
        """
        request = self._fetch_request(packet_id, unit, lease_ms)
        with faults():
            return await fetch_file(self._stub, self._metadata, request, path, progress)

    def _fetch_request(self, packet_id: bytes, unit: str, lease_ms: int) -> pb.FetchRequest:
        return pb.FetchRequest(packet_id=packet_id, unit=unit, lease_ms=lease_ms, instance=self._instance)

    async def acknowledge(self, packet_ids: Sequence[bytes], unit: str = "") -> int:
        """Take packets that are safely stored out of the inbox; return how many were taken out now."""
        request = pb.AcknowledgeRequest(packet_ids=packet_ids, unit=unit)
        with faults():
            response = await self._stub.Acknowledge(request, metadata=self._metadata, timeout=CALL_S)
        return response.acknowledged

    async def track(self, *, packet_id: bytes = b"", submission_id: str = "", document_id: str = "") -> TrackView:
        """Show a packet's deliveries, named by exactly one of three names. Raises Rejected(NOT_FOUND).

        They come in pages; a node older than these gives all at once.
        """
        request = pb.TrackRequest(
            packet_id=packet_id,
            submission_id=submission_id,
            document_id=document_id,
            page_size=TRACK_PAGE,
            receipts_apart=True,
        )
        reading = views.TrackReader()
        with faults():
            while reading.add(await self._stub.Track(request, metadata=self._metadata, timeout=CALL_S)):
                # By its packet id, for the other names may come to mean another packet meanwhile.
                request = reading.next_request(page_size=TRACK_PAGE)
            return reading.view()

    async def dossier(
        self, *, unit: str = "", author_unit: str = "", document_id: str = "", packet_id: bytes = b""
    ) -> Dossier:
        """Show a document's life as a unit sees it; named by DocumentId (and its author's code), or by any packet about it.

        Raises Rejected(NOT_FOUND).
        """
        request = pb.DossierRequest(unit=unit, author_unit=author_unit, document_id=document_id, packet_id=packet_id)
        with faults():
            return views.dossier_from_proto(await self._stub.Dossier(request, metadata=self._metadata, timeout=CALL_S))

    async def search_units(self, query: str, limit: int = 0) -> list[FoundUnit]:
        """Find units by code or words of their name; 0: 20 of them."""
        request = pb.SearchUnitsRequest(query=query, limit=limit)
        with faults():
            response = await self._stub.SearchUnits(request, metadata=self._metadata, timeout=CALL_S)
        return wire.found_units_from_proto(response)
