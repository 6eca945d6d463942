"""Mending: a body that is damaged here is fetched again from another node of its packet, and replaced once its digest was compared.

    scrub, a reader, the courier --doubt--> read again --damaged--> row (bodies/damage.py) --fetch, compare--> whole, row gone
                                                                      '-- nobody could give it: row says why, and when it is tried again

Asked are: by the origin, who has signed for having it (delivered, custody); by everybody else the origin, which keeps bodies for just this
(`keep_body_after_ms`), and then the relays, one of which may have brought it. Each is asked for less than a minute at a time and must
bring SLOWEST_BYTES_PER_S; who does not is left alone for a while, so that nobody who drips holds up the mending of the rest. What came of
a large body stays in a part, which is gone on with after a restart. The damaged file is kept apart (store/bodies.py).
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from node.errors import Denied, Fault, Rejected
from node.flow.backoff import item_pause_ms
from node.flow.bodies import damage, refs
from node.flow.bodies.damage import DamagedBody
from node.flow.bodies.files import BodyFiles
from node.flow.bodies.scrub import Scrub
from node.flow.loop import Tasks, rest
from node.flow.send.routing import dialable
from node.flow.signals import Signals
from node.log import get_logger
from node.model.directory import NodeEntry
from node.model.envelope import BodyRef, Envelope
from node.model.policy import KIB, Policy
from node.model.reason import Reason
from node.model.receipt import Level
from node.ports import Part, Ports, Tx
from node.rows import keys
from node.rows.access import DAMAGE, load, save
from node.rows.records import PacketRecord, UploadRecord
from node.wire import codec

log = get_logger()

LOOK_EVERY_S = 60.0
PAGE_BODIES = 100
DOUBTS_MAX = 1_000
SOURCES_MAX = 8
"""So many nodes are asked in one attempt; those that gave no answer are left alone, and others of the signers have their turn."""
SIGNERS_MAX = 64
SLOWEST_BYTES_PER_S = 16 * KIB
LEFT_ALONE_MS = 5 * 60_000
"""A node that gave no answer, or drips, is not asked for this long."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A body to be fetched again, for one of the packets that name it. `is_inline`: it lies in the store."""

    body: DamagedBody
    packet_id: bytes
    ref: BodyRef
    is_inline: bool
    sources: tuple[str, ...]


def sources_of(tx: Tx, envelope: Envelope, own_id: str, relays: list[str]) -> list[str]:
    """Return the nodes that may have the body of a packet, those first that surely had it."""
    if envelope.origin_node != own_id:
        return [envelope.origin_node, *relays]
    signers = []
    for level in (Level.DELIVERED, Level.CUSTODY):
        prefix = keys.receipt(envelope.packet_id, level)
        signers += [key[len(prefix) :].decode() for key, _ in tx.scan(prefix, limit=SIGNERS_MAX)]
    return signers


def outboxes_of(tx: Tx, packet_ids: tuple[bytes, ...]) -> set[str]:
    """Return the nodes for which these packets wait."""
    rows = [key for packet_id in packet_ids for key, _ in tx.scan(keys.outbox_index_of(packet_id), limit=1_000)]
    return {keys.parse_outbox_index(key)[0] for key in rows}


class Mending:
    """Fetches damaged bodies again, one at a time."""

    def __init__(self, ports: Ports, policy: Policy, signals: Signals, scrub: Scrub, files: BodyFiles) -> None:
        self._ports = ports
        self._policy = policy
        self._signals = signals
        self._scrub = scrub
        self._files = files
        self._tasks = Tasks(signals.bug.send)
        self._wake = asyncio.Event()
        self._doubts: dict[bytes, None] = {}
        """Bodies with which something was wrong when somebody read them, in that order."""
        self._alone_until_ms: dict[str, int] = {}
        """Nodes that are not asked now, until when (monotonic)."""
        signals.doubtful_body.connect(self._doubt)

    def _doubt(self, body_sha256: bytes) -> None:
        if body_sha256 and len(self._doubts) < DOUBTS_MAX:
            self._doubts[body_sha256] = None
            self._wake.set()

    async def start(self) -> None:
        """Start. What is damaged is found in the store."""
        self._tasks.supervise("mending", self._run)

    async def stop(self) -> None:
        """Stop. What has come of a body stays."""
        await self._tasks.stop()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.mend_once()
            except Fault as fault:
                # The store takes no writes or cannot be read now: what is damaged stays noted, what is in doubt remembered.
                await self._ports.clock.sleep(max(LOOK_EVERY_S, fault.retry_after_ms / 1000))
                continue
            # Somebody who doubts a body meanwhile has woken us already.
            await rest(self._ports.clock, self._wake, LOOK_EVERY_S)

    async def mend_once(self) -> None:
        """Read again what is in doubt, then try what is damaged and due. Raises Fault if our own store fails."""
        while self._doubts:
            body_sha256 = next(iter(self._doubts))
            await self._scrub.is_whole(body_sha256)
            self._doubts.pop(body_sha256, None)
        start = b""
        while page := await self._ports.store.transact(partial(damage.damaged, start=start, limit=PAGE_BODIES)):
            for body in page:
                if self._is_due(body):
                    await self._mend_guarded(body)
            start = page[-1].body_sha256 + b"\0"
        await self._scrub.count()

    async def _mend_guarded(self, body: DamagedBody) -> None:
        try:
            await self._mend(body)
        except Fault:
            raise
        except Exception as bug:
            # A mistake over one body keeps no other from being mended.
            self._signals.bug.send(bug)
            await self._not_yet(body, Reason.FAILED_INSIDE, goes_on=False)

    def _is_due(self, body: DamagedBody) -> bool:
        longest_ms = max(self._policy.item_retry_ms, self._policy.item_retry_max_ms)
        # A time too far ahead was written by a clock that was set back since.
        return not 0 < body.next_attempt_ms - self._ports.clock.now_ms() <= longest_ms

    async def _mend(self, body: DamagedBody) -> None:
        # While a large one comes bit by bit, what is here needs not be read again and again.
        if body.reason is not Reason.QUEUED and await self._scrub.is_whole(body.body_sha256):
            return await self._mended(body, "")
        wanted = await self._ports.store.transact(lambda tx: self._wanted(tx, body))
        reason, may_go_on = Reason.NOT_FOUND if wanted else Reason.STORE_CORRUPT, False
        for source in self._askable(wanted.sources if wanted else ()):
            assert wanted is not None
            try:
                if await self._fetch(source, wanted):
                    return await self._mended(body, source.node_id)
                may_go_on = True
                break
            except Fault as fault:
                reason = fault.reason
                if not isinstance(fault, Rejected):
                    self._alone_until_ms[source.node_id] = self._ports.clock.monotonic_ms() + LEFT_ALONE_MS
        await self._not_yet(body, Reason.QUEUED if may_go_on else reason, goes_on=may_go_on)
        return None

    def _wanted(self, tx: Tx, body: DamagedBody) -> Wanted | None:
        """Return what to ask for and whom, by the first packet that can be read; None if none can."""
        relays = [entry.node_id for entry in self._ports.directory.current().relays()]
        own_id = self._ports.keys.node_id
        first = body.attempts % len(body.packet_ids)
        for packet_id in (*body.packet_ids[first:], *body.packet_ids[:first]):
            try:
                packet = load(tx, keys.packet(packet_id), PacketRecord)
                if packet is None:
                    continue
                envelope = codec.decode_envelope(packet.envelope)
                sources = sources_of(tx, envelope, own_id, relays)
            except (Fault, *DAMAGE):
                continue
            return Wanted(body, packet_id, envelope.body, self._is_inline(tx, envelope.body), tuple(sources))
        return None

    def _is_inline(self, tx: Tx, ref: BodyRef) -> bool:
        try:
            return tx.get(keys.body(ref.body_sha256)) is not None
        except Fault:
            return True

    def _askable(self, names: tuple[str, ...]) -> list[NodeEntry]:
        nodes, own_id = self._ports.directory.current().nodes, self._ports.keys.node_id
        now_ms = self._ports.clock.monotonic_ms()
        entries = [nodes[name] for name in dict.fromkeys(names) if name in nodes and name != own_id]
        free = [one for one in entries if self._alone_until_ms.get(one.node_id, 0) <= now_ms and dialable(one, own_id)]
        return free[:SOURCES_MAX]

    # --- fetch -----------------------------------------------------------------------------------------------

    async def _fetch(self, source: NodeEntry, wanted: Wanted) -> bool:
        """Fetch from a node; return whether the body is whole now, False if it goes on later. Raises Fault if nothing comes of it."""
        if wanted.is_inline:
            return await self._fetch_small(source, wanted)
        part = await self._open(source, wanted)
        try:
            before, began_ms = part.size_bytes, self._ports.clock.monotonic_ms()
            await self._append(part, source, wanted)
            if part.size_bytes < wanted.ref.body_bytes:
                await part.sync()
                self._require_pace(part.size_bytes - before, self._ports.clock.monotonic_ms() - began_ms)
                return False
            await self._replace(part, source, wanted)
            return True
        finally:
            await part.close()

    async def _open(self, source: NodeEntry, wanted: Wanted) -> Part:
        token = _token_of(source, wanted)
        record = UploadRecord(
            packet_id=wanted.packet_id,
            body_sha256=wanted.ref.body_sha256,
            begin_time_ms=self._ports.clock.now_ms(),
            body_bytes=wanted.ref.body_bytes,
        )
        # As long as this row is there the sweep leaves the part alone. It names no peer, so nobody can write to it.
        await self._ports.store.transact(lambda tx: save(tx, keys.upload(token), record))
        return await self._ports.bodies.open_part(token)

    async def _append(self, part: Part, source: NodeEntry, wanted: Wanted) -> None:
        ref = wanted.ref
        async with aclosing(self._ask(source, wanted, part.size_bytes)) as pieces:
            async for data in pieces:
                if part.size_bytes + len(data) > ref.body_bytes:
                    await part.discard()
                    raise Denied(Reason.BODY_DIGEST_DIFFERS, f"more than the {ref.body_bytes} bytes of the envelope")
                await part.write(data)
                if part.size_bytes == ref.body_bytes:
                    break

    def _ask(self, source: NodeEntry, wanted: Wanted, offset_bytes: int) -> AsyncGenerator[bytes, None]:
        return self._ports.peers.fetch_body(source, wanted.packet_id, wanted.ref.body_sha256, offset_bytes)

    def _require_pace(self, size_bytes: int, took_ms: int) -> None:
        if size_bytes * 1000 < SLOWEST_BYTES_PER_S * max(took_ms, 1000):
            raise Denied(Reason.PEER_BUSY, f"{size_bytes} bytes in {took_ms} ms")

    async def _fetch_small(self, source: NodeEntry, wanted: Wanted) -> bool:
        ref, data = wanted.ref, b""
        async with aclosing(self._ask(source, wanted, 0)) as pieces:
            async for piece in pieces:
                data += piece
                if len(data) >= ref.body_bytes:
                    break
        if hashlib.sha256(data).digest() != ref.body_sha256:
            raise Denied(Reason.BODY_DIGEST_DIFFERS, f"{len(data)} bytes that are not the body")

        def write(tx: Tx) -> None:
            # It may have been let go meanwhile.
            if refs.is_held(tx, ref.body_sha256):
                tx.put(keys.body(ref.body_sha256), data)

        await self._ports.store.transact(write)
        return True

    async def _replace(self, part: Part, source: NodeEntry, wanted: Wanted) -> None:
        name = wanted.ref.body_sha256
        async with self._files.locks.holding([name]):
            if await self._ports.store.transact(lambda tx: refs.is_held(tx, name)):
                await part.replace(name)
            else:
                await part.discard()
        token = _token_of(source, wanted)
        await self._ports.store.transact(lambda tx: tx.delete(keys.upload(token)))

    # --- outcome ---------------------------------------------------------------------------------------------

    async def _mended(self, body: DamagedBody, source: str) -> None:
        """Note that a body is whole, and let go at once what waited because it was not."""
        now_ms = self._ports.clock.now_ms()

        def write(tx: Tx) -> set[str]:
            damage.note(tx, body.body_sha256, now_ms, whole=True)
            return outboxes_of(tx, body.packet_ids)

        waiting = await self._ports.store.transact(write)
        if source:
            self._scrub.counts.mended += 1
            log.warning("body.mended", packet_id=body.packet_ids[0].hex(), peer=source)
        if waiting:
            self._signals.body_mended.send(waiting)

    async def _not_yet(self, body: DamagedBody, reason: Reason, *, goes_on: bool) -> None:
        now_ms = self._ports.clock.now_ms()
        due_ms = now_ms if goes_on else now_ms + item_pause_ms(body.attempts, self._policy)
        await self._ports.store.transact(lambda tx: damage.tried(tx, body, reason, due_ms))
        if goes_on:
            self._wake.set()
            return
        if reason is not body.reason:
            log.error("body.unmended", packet_id=body.packet_ids[0].hex(), reason=reason.name)


def _token_of(source: NodeEntry, wanted: Wanted) -> bytes:
    """Return the name of what a node has brought: each has a part of its own, so that one who lies spoils nobody else's."""
    return hashlib.sha256(b"mending\0" + source.node_id.encode() + wanted.ref.body_sha256).digest()[:16]
