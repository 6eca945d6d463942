"""Fakes for the net room's tests: a node that remembers what it was asked, a directory that can change, real TLS."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import lru_cache

from node.access.systems import Systems
from node.errors import Fault
from node.model.completeness import Completeness, UnitReport
from node.model.directory import Alias, Directory, NodeEntry, directory_of
from node.model.envelope import KeyWrap, PacketKind, Signature, SignedEnvelope
from node.model.hold import HoldView
from node.model.lane import Lane
from node.model.mesh import Answer, Hello, Parcel, PushItem, Want
from node.model.office import (
    DeliveryView,
    FoundUnit,
    HealthView,
    InboxEntry,
    OutboxView,
    PeerView,
    QuarantineView,
    Submission,
    SubmitResult,
    System,
    TrackView,
)
from node.model.policy import Policy
from node.model.reason import Reason
from node.net.mesh_server import BODY_IDLE_S, MeshService, mesh_listener
from node.net.office_server import AdminService, OfficeService, office_listener
from node.seal.tls import TlsIdentity, create_certificate

PACKET_ID = bytes(range(16))
FOUND = FoundUnit("H49.22", "000.00.22.H49", "Sở Hai", "b", (Alias("H49.99", "H49.22", 5, 7), Alias("K49", "H49.22")))
DAY_MS = 86_400_000


@lru_cache
def identity(node_id: str, *, valid_days: int = 30, made_days_ago: int = 0, serial: int = 0) -> TlsIdentity:
    """Return a certificate for a node; another `serial` makes another one under the same name."""
    now_ms = time.time_ns() // 1_000_000
    return create_certificate(node_id, ["127.0.0.1", "localhost"], valid_days, now_ms - made_days_ago * DAY_MS)


def entry(node_id: str, address: str, *identities: TlsIdentity) -> NodeEntry:
    """Return a node as the directory would describe it."""
    return NodeEntry(node_id, node_id, address, (), tuple(i.certificate_der for i in identities), (), ())


class Source:
    """A directory that tests change."""

    def __init__(self, *nodes: NodeEntry) -> None:
        self.set(*nodes)

    def set(self, *nodes: NodeEntry) -> None:
        self._current = directory_of(1, 0, list(nodes), [])

    def current(self) -> Directory:
        return self._current


def parcel(target: str = "b", packet: bytes = b"envelope") -> Parcel:
    """Return a parcel of the right form, whose signature nobody in this room checks."""
    signature = Signature(b"k" * 8, b"s" * 64, 0, 1, ())
    return Parcel(SignedEnvelope(packet, signature), KeyWrap(target, b"k" * 8, b"e" * 32, b"w" * 48), target)


def inbox_entry(packet: bytes) -> InboxEntry:
    """Return what an inbox would say about a packet."""
    digest = hashlib.sha256(packet).digest()
    return InboxEntry(
        PACKET_ID, "H49.22", "G01", PacketKind.DOCUMENT, Lane.KHAN, 5, len(packet), digest,
        "id-1", "12/QĐ", "Trích yếu", "", 0, 1, "Bộ Một", 0,
    )  # fmt: skip


class FakeNode:
    """Answers at once and keeps what it was asked. `faults` maps a submission id, or a verb, to what it raises."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.instances: list[str] = []
        """Which instance asked, of each fetch."""
        self.faults: dict[str, Exception] = {}
        self.deliveries: list[DeliveryView] = []
        self.packets: dict[str, bytes] = {}
        self.piece_bytes: list[int] = []
        self.inbox = b"<edXML/>"
        self.running = 0
        self.running_most = 0
        self.hold: asyncio.Event | None = None
        self.refuse_at_bytes: int | None = None

    async def submit(
        self, system: System, submission: Submission, packet: bytes | AsyncIterator[bytes]
    ) -> SubmitResult:
        self.running += 1
        self.running_most = max(self.running_most, self.running)
        try:
            data = packet if isinstance(packet, bytes) else await self._drain(packet)
            if self.hold is not None:
                await self.hold.wait()
            if submission.submission_id in self.faults:
                raise self.faults[submission.submission_id]
            self.packets[submission.submission_id] = data
            digest = hashlib.sha256(data).digest()
            return SubmitResult(submission.submission_id, digest[:16], packet_sha256=digest, recipients_served=1)
        finally:
            self.running -= 1

    async def _drain(self, packet: AsyncIterator[bytes]) -> bytes:
        pieces, total = [], 0
        async for piece in packet:
            self.piece_bytes.append(len(piece))
            pieces.append(piece)
            total += len(piece)
            if self.refuse_at_bytes is not None and total >= self.refuse_at_bytes:
                raise self.faults["refused while coming"]
        return b"".join(pieces)

    async def list_inbox(
        self, system: System, unit: str, page_size: int, page_token: str
    ) -> tuple[list[InboxEntry], str]:
        self._note("list_inbox", system.name, unit, page_size, page_token)
        return [inbox_entry(self.inbox)], "next"

    async def fetch(
        self, system: System, packet_id: bytes, unit: str, offset_bytes: int = 0, lease_ms: int = 0, instance: str = ""
    ) -> tuple[InboxEntry, AsyncIterator[bytes]]:
        self.instances.append(instance)
        self._note("fetch", system.name, packet_id, unit, offset_bytes, lease_ms)
        return inbox_entry(self.inbox), self._pieces(offset_bytes)

    async def _pieces(self, offset_bytes: int) -> AsyncIterator[bytes]:
        rest = self.inbox[offset_bytes:]
        middle = len(rest) // 2
        yield rest[:middle]
        if "fetch half way" in self.faults:
            raise self.faults["fetch half way"]
        yield rest[middle:]

    async def acknowledge(self, system: System, packet_ids: Sequence[bytes], unit: str) -> int:
        self._note("acknowledge", system.name, tuple(packet_ids), unit)
        return len(packet_ids)

    async def track(
        self,
        system: System,
        packet_id: bytes = b"",
        submission_id: str = "",
        document_id: str = "",
        *,
        page_size: int = 0,
        page_token: str = "",
    ) -> TrackView:
        self._note("track", system.name, packet_id, submission_id, document_id)
        first = int(page_token or 0)
        end = first + page_size if page_size else len(self.deliveries)
        following = str(end) if end < len(self.deliveries) else ""
        view = TrackView(PACKET_ID, "s-1", "id-1", "12/QĐ", "Trích yếu", "G01", 1, 2, tuple(self.deliveries[first:end]))
        return replace(view, next_page_token=following)

    async def search_units(self, query: str, limit: int) -> list[FoundUnit]:
        self._note("search_units", query, limit)
        return [FOUND]

    async def receive_hello(self, peer_id: str, hello: Hello) -> Hello:
        self._note("hello", peer_id, hello.node_id)
        return Hello("b", 1, 1, 7, 3, ("x",), "truc test")

    async def receive_push(self, peer_id: str, items: Sequence[PushItem]) -> list[Answer]:
        self._note("push", peer_id, len(items))
        return [Answer(reason=Reason.QUEUED, retry_after_ms=index) for index in range(len(items))]

    async def receive_offer(self, peer_id: str, parcel: Parcel) -> Answer | Want:
        self._note("offer", peer_id)
        return Want(b"t" * 16, 3)

    async def receive_body(self, peer_id: str, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]) -> int:
        self._note("put_body", peer_id, token)
        return offset_bytes + len(await self._drain(chunks))

    async def receive_commit(self, peer_id: str, parcel: Parcel) -> Answer:
        self._note("commit", peer_id)
        return Answer(reason=Reason.DISK_FULL, detail="full")

    async def list_outbox(self, node_id: str, limit: int) -> tuple[list[OutboxView], bool]:
        self._note("list_outbox", node_id, limit)
        return [OutboxView("b", PACKET_ID, Lane.KHAN, "packet", 1, Reason.QUEUED, 2, 3, "c", 4)], True

    async def list_quarantine(self, limit: int) -> tuple[list[QuarantineView], bool]:
        self._note("list_quarantine", limit)
        return [QuarantineView("ab", "l", "b", PACKET_ID, Reason.FAILED_INSIDE, "ValueError", 5, 6)], True

    async def release_quarantined(self, name: str) -> str:
        self._note("release_quarantined", name)
        return "b"

    async def list_peers(self) -> list[PeerView]:
        self._note("list_peers")
        return [PeerView("b", "Nút B", "b:1", "held", Reason.HELD, 1, 2, 3, "c", 4, ("H49",), 5, 6)]

    async def hold_peer(self, node_id: str) -> None:
        self._note("hold_peer", node_id)

    async def release_peer(self, node_id: str) -> None:
        self._note("release_peer", node_id)

    async def put_hold(self, packet_id: bytes, reason: str) -> None:
        self._note("put_hold", packet_id, reason)

    async def lift_hold(self, packet_id: bytes) -> None:
        self._note("lift_hold", packet_id)

    async def list_holds(self, page_token: str) -> tuple[list[HoldView], str]:
        self._note("list_holds", page_token)
        return [HoldView(PACKET_ID, "vụ việc 12", 7)], "" if page_token else "ab"

    async def count_statuses(self, from_ms: int, to_ms: int, page_token: str) -> tuple[list[UnitReport], str]:
        self._note("count_statuses", from_ms, to_ms, page_token)
        return [STATUSES], "next"

    def _note(self, verb: str, *facts: object) -> None:
        self.calls.append((verb, *facts))
        if verb in self.faults:
            raise self.faults[verb]


STATUSES = UnitReport("H49.22", "Sở Hai", dict(zip(Completeness, (4, 3, 2, 1), strict=True)))
HEALTH = HealthView(True, (), "b", "truc test", 1, 2, 3, 4, 5, 6, 7)


@asynccontextmanager
async def mesh(
    node: FakeNode,
    directory: Source,
    own: TlsIdentity,
    *,
    files: dict[str, bytes] | None = None,
    policy: Policy | None = None,
    limits_s: Mapping[str, float] | None = None,
) -> AsyncIterator[tuple[str, MeshService]]:
    """Run a mesh server; yield its address and service. `limits_s`: other times to wait for a caller."""
    waits = dict(limits_s or {})
    body_idle_s = waits.pop("body_idle_s", BODY_IDLE_S)

    def lacking(have: dict[str, bytes], paths: frozenset[str]) -> list[tuple[str, bytes]]:
        found = [one for one in sorted((files or {}).items()) if not paths or one[0] in paths]
        return [(path, data) for path, data in found if have.get(path) != hashlib.sha256(data).digest()]

    service = MeshService(node, directory, lacking, policy or Policy(), body_idle_s=body_idle_s)
    listener = mesh_listener("127.0.0.1:0", own, directory, service, **waits)
    port = await listener.start()
    try:
        yield f"127.0.0.1:{port}", service
    finally:
        await listener.stop(0)


@asynccontextmanager
async def office(
    node: FakeNode, systems: Systems, own: TlsIdentity, *, policy: Policy | None = None
) -> AsyncIterator[tuple[str, OfficeService]]:
    """Run an office server with the operator's door; yield its address and service."""

    async def health() -> HealthView:
        return HEALTH

    async def refresh() -> int:
        return 42

    service = OfficeService(node, systems, policy or Policy())
    admin = AdminService(node, systems, health, refresh, service.tally)
    listener = office_listener("127.0.0.1:0", own, service, admin, refusal_delay_s=0)
    port = await listener.start()
    await listener.set_serving(True)
    try:
        yield f"127.0.0.1:{port}", service
    finally:
        await listener.stop(0)


async def fault_from(awaitable: object) -> Fault:
    """Return the fault that an awaitable ends with."""
    try:
        result = await awaitable  # type: ignore[misc]
    except Fault as fault:
        return fault
    raise AssertionError(f"no fault but {result!r}")
