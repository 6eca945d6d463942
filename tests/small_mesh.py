"""A mesh in one process and one event loop: real nodes and couriers over stores in memory, for tests that tell a story.

    async with small_mesh() as mesh:
        result = await mesh["g14"].submit("G14.01", document)
        ...

Everything that matters is real (edXML, seal, flow, courier); peers call each other directly, through the wire's codec. The
simulator (tests/sim) is the place for faults; tests/mesh has real processes, sockets and disks.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from secrets import token_bytes
from typing import Any, TypeVar

from node.errors import Deferred
from node.model.code import parse_code
from node.model.directory import Directory, NodeEntry, PublicKey, Role, Unit, Zone, directory_of
from node.model.mesh import Answer, Hello, Parcel, PushItem, Want
from node.model.office import FoundUnit, InboxEntry, Submission, SubmitResult, System, TrackView
from node.model.policy import Policy
from node.model.reason import Reason
from node.model.webhook import Hook, HookMessage
from node.node import Node
from node.ports import Ports
from node.process.loops import Loops
from node.process.system import SystemClock
from node.seal.keyring import Keyring
from node.store.memory.bodies import MemoryBodies
from node.store.memory.store import MemoryStore
from node.wire import codec
from node.wire.truc.v1 import mesh_service_pb2 as pb
from tests.keyrings import new_keyring

T = TypeVar("T")

UNITS = {
    "centre": [],
    "g14": [("G14", "Bộ mẫu"), ("G14.01", "Cục mẫu")],
    "h49": [
        ("H49", "UBND tỉnh mẫu 49"),
        ("H49.22", "Sở mẫu"),
        ("H49.22.05", "Phường mẫu 5"),
        ("H49.22.06", "Phường mẫu 6"),
    ],
    "h37": [("H37", "UBND tỉnh mẫu 37"), ("H37.10", "Xã mẫu 10")],
}
PREFIX = {"g14": "G14", "h49": "H49", "h37": "H37"}


class OsEntropy:
    def token(self, size_bytes: int) -> bytes:
        return token_bytes(size_bytes)

    def jitter(self) -> float:
        return 0.5


class InlineWorkers:
    async def run(self, weight_bytes: int, fn: Callable[[], T]) -> T:
        return fn()


@dataclass
class FixedDirectory:
    directory: Directory

    def current(self) -> Directory:
        return self.directory

    async def search(self, query: str, limit: int) -> list[FoundUnit]:
        return []


@dataclass
class Switchboard:
    """The lines between nodes: pairs in `cut` get no answer."""

    nodes: dict[str, Node] = field(default_factory=dict)
    cut: set[tuple[str, str]] = field(default_factory=set)
    pushes: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass
class FillableDisk:
    """A disk on which everything is durable at once, until it is full."""

    full: bool = False
    refused: int = 0

    def write(self, size_bytes: int) -> None:
        if self.full:
            self.refused += 1
            raise Deferred(Reason.DISK_FULL)

    async def sync(self) -> None:
        return


class DirectPeers:
    """ports.Peers by direct calls, every message through the codec."""

    def __init__(self, own_id: str, board: Switchboard) -> None:
        self._own_id = own_id
        self._board = board

    def _node(self, peer: NodeEntry) -> Node:
        if (self._own_id, peer.node_id) in self._board.cut or peer.node_id not in self._board.nodes:
            cut = Deferred(Reason.PEER_UNREACHABLE, "the line is cut")
            cut.was_sent = False
            raise cut
        return self._board.nodes[peer.node_id]

    async def hello(self, peer: NodeEntry, hello: Hello) -> Hello:
        return await self._node(peer).receive_hello(self._own_id, hello)

    async def push(self, peer: NodeEntry, items: Sequence[PushItem]) -> list[Answer]:
        node = self._node(peer)
        self._board.pushes.append((self._own_id, peer.node_id, len(items)))
        request = codec.push_request_from_proto(pb.PushRequest.FromString(codec.push_request_to_bytes(items)))
        answers = await node.receive_push(self._own_id, request)
        return codec.push_response_from_proto(codec.push_response_to_proto(answers), len(items))

    async def offer(self, peer: NodeEntry, parcel: Parcel) -> Answer | Want:
        return await self._node(peer).receive_offer(self._own_id, parcel)

    async def put_body(self, peer: NodeEntry, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]) -> int:
        return await self._node(peer).receive_body(self._own_id, token, offset_bytes, chunks)

    async def commit(self, peer: NodeEntry, parcel: Parcel) -> Answer:
        return await self._node(peer).receive_commit(self._own_id, parcel)

    async def fetch_body(
        self, peer: NodeEntry, packet_id: bytes, body_sha256: bytes, offset_bytes: int
    ) -> AsyncGenerator[bytes, None]:
        async with aclosing(
            await self._node(peer).give_body(self._own_id, packet_id, body_sha256, offset_bytes)
        ) as pieces:
            async for data in pieces:
                yield data


class NoHooks:
    """No system wants to be told of anything."""

    def all(self) -> Mapping[str, Hook]:
        return _NONE

    async def post(self, system: str, message: HookMessage) -> None:
        raise AssertionError(f"nobody told us where {system} is")


_NONE: Mapping[str, Hook] = {}


@dataclass
class Office:
    """One node with a system that speaks for all of its units."""

    node: Node
    loops: Loops
    ports: Ports
    system: System
    disk: FillableDisk

    async def submit(self, packet: bytes, submission_id: str = "1", **options: Any) -> SubmitResult:
        return await self.node.submit(self.system, Submission(submission_id, **options), packet)

    async def inbox(self, unit: str = "") -> list[InboxEntry]:
        return (await self.node.list_inbox(self.system, unit, 1000, ""))[0]

    async def fetch(self, packet_id: bytes, unit: str = "", offset_bytes: int = 0) -> bytes:
        _, chunks = await self.node.fetch(self.system, packet_id, unit, offset_bytes)
        return b"".join([chunk async for chunk in chunks])

    async def track(self, submission_id: str = "1") -> TrackView:
        return await self.node.track(self.system, submission_id=submission_id)


class SmallMesh:
    def __init__(self, offices: dict[str, Office], board: Switchboard) -> None:
        self.offices = offices
        self.board = board

    def __getitem__(self, node_id: str) -> Office:
        return self.offices[node_id]

    def cut(self, one: str, other: str) -> None:
        self.board.cut |= {(one, other), (other, one)}

    def join(self, one: str, other: str) -> None:
        self.board.cut -= {(one, other), (other, one)}


async def eventually(condition: Callable[[], Awaitable[T]], limit_s: float = 10.0) -> T:
    """Wait until `condition` gives something true; fail after the limit."""
    async with asyncio.timeout(limit_s):
        while not (value := await condition()):
            await asyncio.sleep(0.01)
        return value


def entry_of(node_id: str, keyring: Keyring, roles: frozenset[Role], via_relays: tuple[str, ...] = ()) -> NodeEntry:
    public = keyring.public_keys()
    return NodeEntry(
        node_id=node_id,
        name=node_id,
        mesh_address="127.0.0.1:1",
        via_relays=via_relays,
        tls_certificates=(node_id.encode(),),
        signing_keys=tuple(PublicKey(raw, 1) for raw in public.signing),
        sealing_keys=tuple(PublicKey(raw, 1) for raw in public.sealing),
        roles=roles,
    )


IMPATIENT = Policy(
    back_off_first_ms=20,
    back_off_max_ms=200,
    relay_after_ms=100,
    custody_retry_ms=2_000,
    item_retry_ms=50,
    hello_every_ms=300,
    sweep_every_ms=100,
)
"""Nothing waits longer than a test likes to."""


@asynccontextmanager
async def small_mesh(
    policy: Policy | None = None, via_relays: dict[str, tuple[str, ...]] | None = None
) -> AsyncIterator[SmallMesh]:
    """Start a centre (relay), a ministry and two provinces; stop them at the end."""
    policy = policy or IMPATIENT
    keyrings = {name: new_keyring(name) for name in UNITS}
    roles = {"centre": frozenset({Role.RELAY, Role.DIRECTORY})}
    nodes = [
        entry_of(name, keyring, roles.get(name, frozenset()), (via_relays or {}).get(name, ()))
        for name, keyring in keyrings.items()
    ]
    zones = [
        Zone(parse_code(PREFIX[name]), name, {code: Unit(code, title) for code, title in units})
        for name, units in UNITS.items()
        if name in PREFIX
    ]
    directory = FixedDirectory(directory_of(1, 0, nodes, zones))
    board, offices = Switchboard(), {}
    for name, units in UNITS.items():
        disk = FillableDisk()
        store, bodies = MemoryStore(disk), MemoryBodies()
        ports = Ports(
            SystemClock(),
            OsEntropy(),
            store,
            bodies,
            keyrings[name],
            DirectPeers(name, board),
            InlineWorkers(),
            directory,
        )
        own = Policy(**{**{f: getattr(policy, f) for f in policy.__slots__}, "relay_for_others": name == "centre"})
        node = Node(ports, own)
        board.nodes[name] = node
        system = System(name, frozenset(c for c, _ in units))
        offices[name] = Office(node, Loops(node, NoHooks()), ports, system, disk)
    bugs: list[Exception] = []
    for office in offices.values():
        office.node.signals.bug.connect(bugs.append)
        await office.loops.start()
    try:
        yield SmallMesh(offices, board)
    finally:
        for office in offices.values():
            await office.loops.stop()
        assert not bugs, bugs
