"""Transfer: carrying what outbox rows stand for to one peer, and turning its answers into settled rows.

Only a receipt that verifies is believed; any other answer puts the row off, with the reason for everyone to see.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from node.errors import Broken, Deferred, Denied, Fault, Rejected
from node.flow.bodies.files import BodyFiles
from node.flow.bodies.reading import PacketReader
from node.flow.counters import Counters
from node.flow.risk import Risk
from node.flow.send import adoption, outbox, packing, receipts, settling
from node.flow.send.packing import Loaded, Unfit
from node.flow.send.routing import Outlook, Road, holder_of
from node.flow.send.settling import Told
from node.flow.send.uploading import Uploader
from node.flow.signals import Signals
from node.log import get_logger
from node.model.code import parse_code
from node.model.directory import NodeEntry
from node.model.envelope import Envelope, envelope_sha256_of
from node.model.mesh import Answer, First, Parcel, PushItem
from node.model.policy import MINUTE_MS, Policy
from node.model.reason import Reason
from node.model.receipt import Level
from node.ports import Ports, Tx
from node.rows import keys
from node.rows.access import DAMAGE, require
from node.rows.records import PacketRecord
from node.seal.wrap import Wrapper
from node.wire import codec

log = get_logger()

UNFIT_PAUSE_MS = 5 * MINUTE_MS
"""A row that cannot be sent for a reason of our own (its body is missing, the directory has no key for it) is put off this long."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The peer's answers to the rows that went to it; and the rows that could not go at all."""

    answered: list[tuple[Loaded, Answer]]
    unfit: list[Unfit]


@dataclass(frozen=True, slots=True)
class TransferParts:
    """The parts that all transfers of a node share, besides ports and policy."""

    reader: PacketReader
    wrapper: Wrapper
    body_files: BodyFiles
    counters: Counters
    signals: Signals
    risk: Risk
    sure_ms: Callable[[], int | None]
    """Agreed time, None while our clock is in doubt (agreed_time.py)."""


class Transfer:
    """Carries rows to one peer, directly or through a relay: `push` or `offer` asks the peer, `settle` writes what it said.

    Asking and writing are two calls because a fault of the first is the road's, and a fault of the second our own store's.
    """

    def __init__(self, peer_id: str, ports: Ports, policy: Policy, parts: TransferParts) -> None:
        self._peer_id = peer_id
        self._ports = ports
        self._policy = policy
        self._parts = parts
        self._uploader = Uploader(ports, policy)
        self._packer = packing.Packer(peer_id, ports, parts.reader, parts.wrapper)

    async def load(self, rows: list[outbox.Row]) -> tuple[list[Loaded], list[Unfit]]:
        """Read what rows stand for. Raises Deferred if the store can be read by nobody now."""
        async with self._parts.risk.step([outbox.name_of(row) for row in rows]):
            return await self._packer.load(rows)

    async def push(self, road: Road, loaded: list[Loaded]) -> Heard:
        """Push small things. Raises Fault if the peer gave no answer."""
        assert road.call is not None
        async with self._parts.risk.step([outbox.name_of(one.row) for one in loaded]):
            packed, unfit = await self._pack(loaded)
        if not packed:
            return Heard([], unfit)
        answers = await self._ask(road.call, [item for _, item in packed])
        return Heard([(one, answer) for (one, _), answer in zip(packed, answers, strict=True)], unfit)

    async def _ask(self, peer: NodeEntry, items: list[PushItem]) -> list[Answer]:
        """Push items; as many answers. A push that fails for something in it is split, until what it fails for is alone."""
        try:
            answers = await self._ports.peers.push(peer, items)
        except (Deferred, Rejected) as fault:
            if fault.reason is not Reason.FAILED_INSIDE and not isinstance(fault, Rejected):
                raise
            if len(items) == 1:
                return [Answer(None, fault.reason, fault.retry_after_ms, fault.detail)]
            half = len(items) // 2
            return await self._ask(peer, items[:half]) + await self._ask_rest(peer, items[half:])
        if len(answers) != len(items):
            raise Denied(Reason.ENVELOPE_MALFORMED, f"{len(answers)} answers to {len(items)} items")
        return answers

    async def _ask_rest(self, peer: NodeEntry, items: list[PushItem]) -> list[Answer]:
        try:
            return await self._ask(peer, items)
        except Fault as fault:
            # Of these perhaps, but others were.
            fault.was_sent = True
            raise

    async def _pack(self, loaded: list[Loaded]) -> tuple[list[tuple[Loaded, PushItem]], list[Unfit]]:
        packed: list[tuple[Loaded, PushItem]] = []
        unfit: list[Unfit] = []
        for one in loaded:
            try:
                packed.append((one, await self._packer.item(one)))
            except (Broken, Denied, *DAMAGE) as fault:
                unfit.append(packing.unfit(one.row, fault))
        return packed, unfit

    async def offer(self, road: Road, loaded: list[Loaded]) -> Heard:
        """Offer packets one by one, upload those that are wanted, and commit. Raises Fault if the peer gave no answer to any."""
        assert road.call is not None
        heard = Heard([], [])
        for one in loaded:
            try:
                await self._offer_one(road.call, one, heard)
            except Fault:
                if not heard.answered:
                    raise
                # What was answered is written; the next attempt meets this fault again.
                break
        return heard

    async def _offer_one(self, peer: NodeEntry, one: Loaded, heard: Heard) -> None:
        assert one.packet is not None
        try:
            parcel, envelope = self._packer.parcel(one), _envelope(one.packet)
            is_question = outbox.is_question(one.row.record)
            if not is_question:
                # Found out during the upload, a missing body would count as a failure of the road.
                await self._packer.require_body(one.row)
        except (Broken, Denied, *DAMAGE) as fault:
            heard.unfit.append(packing.unfit(one.row, fault))
        else:
            upload = partial(self._uploader.offer, peer, parcel, envelope)
            answer = await (self._question(peer, one, parcel, envelope) if is_question else upload())
            heard.answered.append((one, answer))

    async def _question(self, peer: NodeEntry, one: Loaded, parcel: Parcel, envelope: Envelope) -> Answer:
        """Ask what a node has decided; if it would take the packet, and still may, send it."""
        row, directory = one.row, self._ports.directory.current()
        if row.kind == keys.OUTBOX_RELAY:
            units, has_moved = list(row.record.asked_units), bool(row.record.directory_version)
        else:
            store = self._ports.store
            units = await store.transact(lambda tx: receipts.awaited_units(tx, row.packet_id, self._peer_id))
            has_moved = any(holder_of(parse_code(unit), directory) != self._peer_id for unit in units)
        # If nothing has moved as far as we know, it does not matter whose directory is the older one.
        version = parcel.directory_version if has_moved else 0
        answer = await self._uploader.ask(peer, replace(parcel, directory_version=version, asked_units=tuple(units)))
        if answer is not None:
            return answer
        sure_ms = self._parts.sure_ms()
        is_in_time = sure_ms is not None and sure_ms < envelope.expire_at_ms
        try:
            if not is_in_time or peer.node_id != self._peer_id:
                return Answer(None, Reason.EXPIRED_UNCONFIRMED if row.record.asks_only else Reason.FORMER_NODE_ASKED)
            await self._packer.require_body(row)
        except (Broken, Denied, *DAMAGE):
            return Answer(None, Reason.EXPIRED_UNCONFIRMED)
        return await self._uploader.offer(peer, parcel, envelope)

    async def put_off(self, rows: list[outbox.Row], reason: Reason, pause_ms: int) -> bool:
        """Put rows off without an answer; return whether any of them was still there."""
        until_ms = self._ports.clock.now_ms() + pause_ms

        def write(tx: Tx) -> bool:
            there = [outbox.put_off(tx, self._peer_id, row.packet_id, row.kind, until_ms, reason) for row in rows]
            return any(there)

        return await self._ports.store.transact(write)

    async def met_exception(self, row: outbox.Row, bug: Exception, pause_ms: int) -> None:
        """Count an exception that a row has met, so that it is laid aside when it has met several in a row."""
        now_ms, detail = self._ports.clock.now_ms(), describe(bug)
        if await self._ports.store.transact(
            lambda tx: outbox.met_exception(tx, row, now_ms + pause_ms, detail, now_ms)
        ):
            self.tell_laid_aside(row.packet_id, Reason.FAILED_INSIDE, detail)

    def tell_laid_aside(self, packet_id: bytes, reason: Reason, detail: str) -> None:
        """Tell the operator of a row that has come to the quarantine."""
        self._parts.counters.laid_aside += 1
        log.error("item.quarantined", packet_id=packet_id.hex(), peer=self._peer_id, reason=reason.name, detail=detail)

    async def _put_off_unfit(self, unfit: Unfit) -> None:
        """Put off a row that cannot go for a reason of our own, and tell the operator of it when it begins."""
        row = unfit.row
        if unfit.reason is Reason.STORE_CORRUPT:
            self._parts.signals.doubtful_body.send(row.record.body_sha256)
        was_there = await self.put_off([row], unfit.reason, UNFIT_PAUSE_MS)
        if was_there and row.record.reason != unfit.reason:
            self._parts.counters.unfit[unfit.reason] += 1
            log.error(
                "item.unfit",
                packet_id=row.packet_id.hex(),
                peer=self._peer_id,
                reason=unfit.reason.name,
                detail=unfit.detail,
            )

    # --- answers to rows -------------------------------------------------------------------------------------

    async def settle(self, road: Road, heard: Heard) -> bool:
        """Write down what the peer has answered; return whether every row is gone. Raises Fault if our own store takes nothing."""
        assert road.call is not None
        for one in heard.unfit:
            await self._put_off_unfit(one)
        if not heard.answered:
            return False
        pairs, caller = heard.answered, road.call.node_id
        async with self._parts.risk.step([outbox.name_of(one.row) for one, _ in pairs]):
            told = await self._ports.workers.run(0, lambda: [self._verify(*pair, caller) for pair in pairs])
        # The time is read after the computing and not before it: couriers rely on rows being written in the order of their times.
        directory, now_ms = self._ports.directory.current(), self._ports.clock.now_ms()
        at = Outlook(self._ports.keys.node_id, directory, now_ms, self._policy)
        peer = settling.Peer(self._peer_id, caller if road.is_relay else "", at)
        written = await self._ports.store.transact(lambda tx: settling.write(tx, peer, told))
        self._count(heard, told, written.ended)
        for refused in (one for one in told if one.reason is Reason.BODY_DIGEST_DIFFERS):
            self._parts.signals.doubtful_body.send(refused.row.record.body_sha256)
        if any(one.reason is Reason.DISK_FULL for one in told):
            # After the rows are written, so that a Hello which is heard from now on finds them.
            self._parts.signals.peer_full.send(caller)
        await self._remove_released([one for one, _ in pairs if one.row.kind == keys.OUTBOX_RELAY])
        if written.nodes:
            self._parts.signals.outbox.send(written.nodes)
        self._parts.signals.notice.send(None)
        return written.gone and not heard.unfit

    def _count(self, heard: Heard, told: list[Told], ended: list[Reason]) -> None:
        counters = self._parts.counters
        counters.have_ended(ended)
        for (_, answer), one in zip(heard.answered, told, strict=True):
            if one.believed is not None:
                counters.receipts_verified[one.believed.receipt.level] += 1
            elif answer.receipt is not None and one.reason:
                counters.receipts_refused[one.reason] += 1

    def _verify(self, loaded: Loaded, answer: Answer, caller: str) -> Told:
        if answer.first is not None and answer.reason is Reason.ENVELOPE_CONFLICT and caller == self._peer_id:
            return self._adopt(loaded, answer.first)
        if answer.receipt is None or loaded.packet is None:
            return Told(loaded.row, None, answer.reason, answer.retry_after_ms)
        directory, now_ms = self._ports.directory.current(), self._ports.clock.now_ms()
        try:
            believed = receipts.believe(answer.receipt, directory, now_ms=now_ms)
            # Only the target can say that it has the packet, by whatever road its receipt comes; custody is the called relay's word.
            signers = [self._peer_id] if believed.receipt.level is Level.DELIVERED else [caller]
            digest = envelope_sha256_of(loaded.packet.envelope)
            receipts.require_about(believed, loaded.row.packet_id, digest, signers)
            _require_level(believed, loaded.row, self._peer_id)
        except Fault as fault:
            return Told(loaded.row, None, fault.reason, 0)
        return Told(loaded.row, believed, Reason.NONE, 0)

    def _adopt(self, loaded: Loaded, first: First) -> Told:
        row, packet = loaded.row, loaded.packet
        conflict = Told(row, None, Reason.ENVELOPE_CONFLICT, 0)
        if packet is None or row.kind != keys.OUTBOX_PACKET:
            return conflict
        directory, now_ms = self._ports.directory.current(), self._ports.clock.now_ms()
        try:
            digest = self._parts.reader.header(packet).packet_sha256
            believed = adoption.believe(first, _envelope(packet), digest, self._peer_id, directory, now_ms)
        except Fault:
            return conflict
        return Told(row, believed, Reason.NONE, 0, first.signed_envelope)

    async def _remove_released(self, relayed: list[Loaded]) -> None:
        """Remove the body files of carried packets that have reached their targets."""
        names = [one.row.packet_id for one in relayed]
        if not names:
            return
        records = await self._ports.store.transact(
            lambda tx: [require(tx, keys.packet(name), PacketRecord) for name in names]
        )
        pairs = zip(relayed, records, strict=True)
        await self._parts.body_files.drop(
            [one.row.record.body_sha256 for one, record in pairs if record.body_forgotten]
        )


def describe(bug: Exception) -> str:
    """Return the type of an exception and the places it came through, without its message, which may quote what it failed on."""
    places = []
    trace = bug.__traceback__
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_filename.rsplit('/', 2)[-1]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(bug).__name__} at {' < '.join(reversed(places[-8:]))}"


def _require_level(believed: receipts.Believed, row: outbox.Row, peer_id: str) -> None:
    level, signer = believed.receipt.level, believed.receipt.signer_node
    if level is Level.FAILED or (level is Level.CUSTODY and (row.kind != keys.OUTBOX_PACKET or signer == peer_id)):
        raise Denied(Reason.RECEIPT_INVALID, f"a {level.name} receipt of {signer} does not answer this")


def _envelope(packet: PacketRecord) -> Envelope:
    return codec.decode_envelope(packet.envelope)
