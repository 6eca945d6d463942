"""Support of the flow's tests, with parcels and places: everything real but the line, and every field open to forgery.

A `Place` is one node over a store in memory, with a clock that the test sets and no couriers: what comes is what the test hands
it. A `Book` is a store without a loop, for functions that take a transaction.
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from node.errors import Deferred
from node.flow.duties.duty_loop import DutyLoop
from node.flow.expiry.sweeper import Sweeper
from node.flow.send import outbox, turns
from node.flow.send.outbox import Row
from node.flow.send.receipts import sign_receipts
from node.flow.send.routing import Road
from node.flow.send.transfer import Heard, Transfer, TransferParts
from node.flow.webhooks.notifier import Notifier
from node.model.code import parse_code
from node.model.directory import Alias, Directory, NodeEntry, Role, Unit, Zone, directory_of
from node.model.envelope import Envelope, PacketKind, SignedEnvelope, packet_id_of
from node.model.lane import Lane
from node.model.mesh import Answer, Parcel, PushItem, PushPacket
from node.model.office import InboxEntry, Submission, SubmitResult, System, TrackView
from node.model.policy import DAY_MS, Policy
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt, SignedReceipt
from node.node import Node
from node.ports import Hooks, Ports, Tx
from node.seal.body import seal_body
from node.seal.keyring import Keyring
from node.seal.signature import ENVELOPE_LABEL
from node.seal.wrap import Wrapper
from node.store.embedded.overlay import OverlayTx
from node.store.memory.bodies import MemoryBodies
from node.store.memory.store import InstantDisk, MemoryEngine, MemoryStore
from node.wire import codec
from tests.clocks import NOW, SetClock
from tests.keyrings import new_keyring
from tests.papers import document
from tests.small_mesh import PREFIX, UNITS, FixedDirectory, InlineWorkers, OsEntropy, entry_of

T = TypeVar("T")

KEYS = {name: new_keyring(name) for name in UNITS}
STRANGER = new_keyring("stranger")
ROLES = {"centre": frozenset({Role.RELAY, Role.DIRECTORY})}


def run(story: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(story, 30))


# --- the directory ----------------------------------------------------------------------------------------------------


def directory(
    *,
    version: int = 1,
    units: dict[str, Unit] | None = None,
    without: Sequence[str] = (),
    moved: dict[str, str] | None = None,
    entries: dict[str, dict[str, Any]] | None = None,
    aliases: Sequence[Alias] = (),
) -> Directory:
    """The directory of small_mesh, with units (by code) in place of its own, without some nodes, with prefixes moved to other
    nodes, with nodes' fields changed, or with aliases, each in the zone of its code."""
    nodes = [
        replace(entry_of(name, KEYS[name], ROLES.get(name, frozenset())), **(entries or {}).get(name, {}))
        for name in UNITS
        if name not in without
    ]
    zones = []
    for name, prefix in PREFIX.items():
        own = {code: (units or {}).get(code) or Unit(code, title) for code, title in UNITS[name]}
        served_by = (moved or {}).get(prefix, name)
        if served_by not in without:
            listed = {one.code: one for one in aliases if one.code.startswith(prefix)}
            zones.append(Zone(parse_code(prefix), served_by, own, listed))
    for prefix, served_by in (moved or {}).items():
        if prefix not in PREFIX.values():
            zones.append(Zone(parse_code(prefix), served_by, {prefix: Unit(prefix, prefix)}))
    return directory_of(version, 0, nodes, zones)


# --- parcels --------------------------------------------------------------------------------------------------------


def envelope_for(
    packet: bytes, *, key: bytes = b"k" * 32, origin: str = "g14", **changes: Any
) -> tuple[Envelope, bytes]:
    """An envelope over a packet, and the body; `changes` are fields of the envelope."""
    body, ref, _ = seal_body(key, packet)
    nonce = changes.pop("packet_nonce", b"n" * 16)
    envelope = Envelope(
        packet_id=packet_id_of(origin, nonce),
        packet_nonce=nonce,
        origin_node=origin,
        sender_unit="G14",
        recipient_units=("H49.22",),
        kind=PacketKind.DOCUMENT,
        lane=Lane.NORMAL,
        create_time_ms=NOW,
        expire_at_ms=NOW + DAY_MS,
        body=ref,
    )
    return replace(envelope, **changes), body


def parcel_for(
    envelope: Envelope,
    *,
    key: bytes = b"k" * 32,
    target: str = "h49",
    wrapped_for: str = "",
    signer: Keyring | None = None,
) -> Parcel:
    """An envelope signed and wrapped for a node; by default everything is as it should be."""
    octets = codec.encode_envelope(envelope)
    signer = signer or KEYS[envelope.origin_node]
    signed = SignedEnvelope(octets, signer.sign(ENVELOPE_LABEL, [octets])[0])
    holder = wrapped_for or target
    [public] = KEYS[holder].public_keys().sealing
    wrap = Wrapper(signer, lambda: NOW).wrap(key, holder, public, signed.sha256)
    return Parcel(signed, wrap, target)


def push_of(packet: bytes | None = None, *, target: str = "h49", **changes: Any) -> PushPacket:
    """A packet as a peer pushes it, in order in every point unless a change says otherwise."""
    envelope, body = envelope_for(packet or document("H49.22"), **changes)
    return PushPacket(parcel_for(envelope, target=target), body)


def receipt_for(
    envelope_octets: bytes,
    packet_id: bytes,
    *,
    signer: str = "h49",
    level: Level = Level.DELIVERED,
    outcomes: Sequence[Outcome] = (Outcome("H49.22", Reason.NONE),),
    by: Keyring | None = None,
) -> SignedReceipt:
    """A receipt about an envelope, signed by whom the test likes."""
    digest = SignedEnvelope(envelope_octets, None).sha256  # type: ignore[arg-type]
    receipt = Receipt(packet_id, digest, signer, level, tuple(outcomes), NOW)
    return sign_receipts(by or KEYS[signer], [receipt])[0]


# --- places -----------------------------------------------------------------------------------------------------------


class ScriptedPeers:
    """Peers that answer a push with what the test has laid ready."""

    def __init__(self) -> None:
        self.answers: Callable[[NodeEntry, Sequence[PushItem]], list[Answer]] | None = None
        self.pushed: list[tuple[str, list[PushItem]]] = []

    async def push(self, peer: NodeEntry, items: Sequence[PushItem]) -> list[Answer]:
        self.pushed.append((peer.node_id, list(items)))
        if self.answers is None:
            raise Deferred(Reason.PEER_UNREACHABLE, "nobody is there")
        return self.answers(peer, items)


@dataclass
class Place:
    """One node without couriers."""

    node: Node
    ports: Ports
    clock: SetClock
    store: MemoryStore
    bodies: MemoryBodies
    directory: FixedDirectory
    peers: ScriptedPeers
    system: System

    async def push(self, *items: PushItem, by: str = "g14") -> list[Answer]:
        return await self.node.receive_push(by, list(items))

    async def submit(self, packet: Any, submission_id: str = "1", **options: Any) -> SubmitResult:
        return await self.node.submit(self.system, Submission(submission_id, **options), packet)

    async def inbox(self, unit: str = "") -> list[InboxEntry]:
        return (await self.node.list_inbox(self.system, unit, 1000, ""))[0]

    async def fetch(self, packet_id: bytes, unit: str = "", **options: Any) -> bytes:
        _, chunks = await self.node.fetch(self.system, packet_id, unit, **options)
        return b"".join([chunk async for chunk in chunks])

    async def track(self, submission_id: str = "1") -> TrackView:
        return await self.node.track(self.system, submission_id=submission_id)

    async def do(self, fn: Callable[[Tx], T]) -> T:
        return await self.store.transact(fn)

    def rows(self) -> dict[bytes, bytes]:
        return self.store.rows_after_crash()

    def tables(self) -> set[str]:
        """Which tables have rows."""
        return {chr(key[0]) for key in self.rows()}

    async def body_is_there(self, envelope: Envelope) -> bool:
        """Tell whether the body is kept, in the store or as a file."""
        digest = envelope.body.body_sha256
        return b"b" + digest in self.rows() or await self.bodies.has(digest)

    async def carry(self, peer_id: str = "h49", *, through: str = "") -> bool:
        """Send once what is ready for a peer, as its courier would."""
        current = self.directory.current()
        road = Road(current.nodes[through or peer_id], is_relay=bool(through))
        transfer = self.transfer(peer_id)
        loaded, unfit = await transfer.load(await self.do(lambda tx: self._ready(tx, peer_id)))
        heard = await transfer.push(road, loaded)
        return await transfer.settle(road, Heard(heard.answered, [*unfit, *heard.unfit]))

    def _ready(self, tx: Tx, peer_id: str) -> list[Row]:
        lanes = {lane: outbox.ready(tx, peer_id, lane, b"", 64) for lane in turns.FAST_LANES}
        return turns.mix(lanes, self.node.policy)[0]

    def transfer(self, peer_id: str, policy: Policy | None = None) -> Transfer:
        """Return the transfer to one peer."""
        node = self.node
        parts = TransferParts(
            node.reader, node.wrapper, node.body_files, node.counters, node.signals, node.risk, node.agreed_time.sure_ms
        )
        return Transfer(peer_id, self.ports, policy or node.policy, parts)

    def sweeper(self) -> Sweeper:
        """Return the sweeper of the node, without its loop."""
        node, agreed = self.node, self.node.agreed_time
        return Sweeper(
            self.ports,
            node.policy,
            node.signals,
            node.counters,
            node.body_files,
            agreed,
            node.slices,
            node.standstill.look,
            node.risk,
        )

    def duty_loop(self) -> DutyLoop:
        """Return the duty loop of the node, without its loop."""
        return DutyLoop(
            self.ports, self.node.policy, self.node.signals, self.node.reader.header, self.node.submit, self.node.risk
        )

    def notifier(self, hooks: Hooks) -> Notifier:
        """Return the notifier of systems, without its loop."""
        return Notifier(self.ports, self.node.policy, self.node.signals, hooks)


def place(name: str, policy: Policy | None = None, *, known: Directory | None = None) -> Place:
    """A node of the directory by its name."""
    clock, store, bodies, peers = SetClock(), MemoryStore(), MemoryBodies(), ScriptedPeers()
    source = FixedDirectory(known or directory())
    ports = Ports(clock, OsEntropy(), store, bodies, KEYS[name], peers, InlineWorkers(), source)  # type: ignore[arg-type]
    policy = replace(policy or Policy(), relay_for_others=name == "centre")
    system = System(f"qlvb-{name}", frozenset(code for code, _ in UNITS[name]))
    node = Node(ports, policy)
    node.agreed_time.go_on_from(None)  # a store that is new
    return Place(node, ports, clock, store, bodies, source, peers, system)


class Book:
    """A store without a loop: the engine and the view that the real transactions have, one commit per call."""

    def __init__(self) -> None:
        self._engine = MemoryEngine(InstantDisk(), {})
        self._numbers = itertools.count(1)

    def do(self, fn: Callable[[Tx], T]) -> T:
        tx, number = OverlayTx(self._engine), next(self._numbers)
        result = fn(tx)
        self._engine.write(tx.writes, number)
        self._engine.settle(number)
        return result

    def rows(self, prefix: bytes) -> dict[bytes, bytes]:
        return dict(self._engine.rows(prefix, b"", 1_000_000))
