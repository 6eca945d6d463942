"""Reception: what peers bring is verified, written in one transaction, and only then answered.

        push             items with their bodies, many together: packets and receipts
        offer            the announcement of a large packet: decided already, or where its upload goes on
        body, commit     its octets, then the decision

A fault of one item is its own answer, so that the others are served. So is a mistake of ours over one item (FAILED_INSIDE), which is told
as a bug: no packet, however it is made, keeps its neighbours from their receipts.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

from node.errors import Broken, Deferred, Fault
from node.flow.admission import Admission, Step
from node.flow.agreed_time import AgreedTime
from node.flow.bodies.files import BodyFiles, require_size
from node.flow.bodies.reading import PacketReader
from node.flow.counters import Counters
from node.flow.receive import accept, asked, older, verify
from node.flow.receive.deciding import Brought, Deciding
from node.flow.receive.firsts import Firsts
from node.flow.receive.opening import open_parcel
from node.flow.receive.slices import Slices
from node.flow.receive.speaker import require_speaker, with_known_aliases
from node.flow.receive.uploads import Uploads
from node.flow.send import receipts
from node.flow.send.peers_seen import PeersSeen
from node.flow.signals import Signals
from node.model.envelope import Envelope
from node.model.mesh import Answer, Hello, Parcel, PushItem, PushPacket, PushReceipt, Want
from node.model.policy import MINUTE_MS, Policy
from node.model.reason import Reason
from node.ports import Ports, Tx
from node.seal.wrap import Wrapper

ENVELOPE_WEIGHT = 20
"""An octet of an envelope costs as much as so many of a body: each recipient's code is checked, and looked up in the directory."""


class Reception:
    """Takes from peers. `introduce` returns how this node introduces itself."""

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        signals: Signals,
        counters: Counters,
        wrapper: Wrapper,
        slices: Slices,
        body_files: BodyFiles,
        peers_seen: PeersSeen,
        agreed_time: AgreedTime,
        introduce: Callable[[], Hello],
        admission: Admission,
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._node_id = ports.keys.node_id
        self._signals = signals
        self._counters = counters
        self._wrapper = wrapper
        self._peers_seen = peers_seen
        self._agreed_time = agreed_time
        self._introduce = introduce
        self._reader = PacketReader(ports, wrapper)
        self._deciding = Deciding(ports, policy, signals, counters, slices)
        self._firsts = Firsts(ports, self._reader)
        self._admission = admission
        self._uploads = Uploads(ports, policy, wrapper, body_files, admission)

    async def hello(self, peer_id: str, hello: Hello) -> Hello:
        """Answer a peer's Hello and remember it."""
        self._agreed_time.hear(peer_id, hello.wall_time_ms)
        if self._peers_seen.greeted(peer_id, hello):
            self._signals.peer_learned.send(peer_id)
        self._signals.greeted.send((peer_id, hello))
        self._called_by(peer_id)
        return self._introduce()

    def _called_by(self, peer_id: str) -> None:
        self._peers_seen.called(peer_id)
        self._signals.contact.send(peer_id)

    async def push(self, peer_id: str, items: Sequence[PushItem]) -> list[Answer]:
        """Take packets and receipts from a peer; one answer per item, in order, after everything is durable."""
        self._called_by(peer_id)
        weight = sum(_weight(item) for item in items if isinstance(item, PushPacket))
        is_sure = self._is_sure()
        found = await self._ports.workers.run(
            weight, lambda: [self._verify(peer_id, item, is_sure=is_sure) for item in items]
        )
        brought = [self._failed(one) if isinstance(one, Exception) else one for one in found]
        parcels = [item.parcel for item in items if isinstance(item, PushPacket)]
        self._fetch_if_older(peer_id, parcels)
        answers = await self._serve(peer_id, await self._admitted(peer_id, brought))
        return self._counters.answered(items, await self._firsts.added_to(peer_id, items, answers))

    async def _serve(self, peer_id: str, brought: Sequence[Brought]) -> list[Answer]:
        """Settle a group. If that fails because of one of them, settle each by itself, so that it alone gets no receipt."""
        try:
            return await self._uploads.spill(brought, partial(self._deciding.settle, peer_id))
        except Exception as error:
            if isinstance(error, Fault) and not isinstance(error, Broken):
                raise
            if len(brought) == 1:
                return [self._failed(error)]
        return [answer for one in brought for answer in await self._serve(peer_id, [one])]

    def _failed(self, error: Exception) -> Answer:
        """Tell of a mistake of ours over one item, and return what its sender is told: to come again."""
        if isinstance(error, Fault):
            return Answer(None, Reason.FAILED_INSIDE, detail=error.reason.name)
        self._signals.bug.send(error)
        return Answer(None, Reason.FAILED_INSIDE)

    async def _admitted(self, peer_id: str, brought: list[Brought]) -> list[Brought]:
        """Put off what is new and may not come in now; our own packets to ourselves were taken before."""
        if peer_id == self._node_id or self._admission.step() is Step.OPEN:
            return brought
        return await self._ports.store.transact(lambda tx: [self._admit(tx, one) for one in brought])

    def _admit(self, tx: Tx, one: Brought) -> Brought:
        if not isinstance(one, verify.Verdict):
            return one
        try:
            self._admission.require_small(one.envelope.lane, one.envelope.body.body_bytes)
        except Deferred as fault:
            try:
                before = self._decided(tx, one.parcel, one.envelope, [out.unit for out in one.receipt.outcomes])
            except Fault:
                return one  # settling answers so
            return accept.refusal(fault) if before is None else one
        return one

    async def offer(self, peer_id: str, parcel: Parcel) -> Answer | Want:
        """Answer the announcement of a large packet: decided already, or where the upload goes on."""
        self._called_by(peer_id)
        try:
            envelope, units = self._check_parcel(peer_id, parcel)
            if parcel.asked_units and (answer := await self._asked(peer_id, parcel, envelope)) is not None:
                return answer
            before = await self._ports.store.transact(lambda tx: self._decided(tx, parcel, envelope, units))
            if before is not None:
                self._counters.received_again += 1
                return (await self._deciding.verifiable([before]))[0]
            is_late = self._is_late(envelope, is_sure=self._is_sure())
            if is_late and parcel.target_node == self._node_id:
                # Nobody wants its body any more: that we do not have the packet, and will not take it, is signed at once.
                verdict = self._verdict(parcel, envelope, verify.Opened(None, b""), None)
                return (await self._deciding.settle(peer_id, [verdict]))[0]
            if parcel.target_node != self._node_id:
                # Refuse before the upload if we would not carry it: that does not depend on the body.
                require_size(envelope.body.packet_bytes, self._policy)
                self._verdict(parcel, envelope, None, None)
            elif envelope.body.packet_bytes > self._policy.packet_bytes_max:
                # Refused for good by our signed receipt, without the upload: no later attempt could end otherwise.
                opened = verify.Opened(None, b"", Reason.PACKET_TOO_LARGE)
                verdict = self._verdict(parcel, envelope, opened, None)
                return (await self._deciding.settle(peer_id, [verdict]))[0]
            return await self._uploads.want(peer_id, envelope)
        except Fault as fault:
            return await self._refused(peer_id, parcel, fault)
        except Exception as error:
            return self._counters.refusing(self._failed(error))

    async def _asked(self, peer_id: str, parcel: Parcel, envelope: Envelope) -> Answer | None:
        """Answer what we have decided, or will not do (asked.py); None: nothing, and the body is wanted. Raises Fault."""
        ports, now_ms, directory = self._ports, self._ports.clock.now_ms(), self._ports.directory.current()
        if parcel.target_node != self._node_id:
            verify.require_relay(parcel, envelope, self._node_id, directory, self._policy, now_ms)
            judged = asked.as_judged(parcel, is_late=envelope.expire_at_ms <= now_ms)
            handed = await ports.store.transact(lambda tx: asked.hand_on(tx, judged, envelope, now_ms))
            self._signals.outbox.send({parcel.target_node})
            return handed
        judged = asked.as_judged(parcel, is_late=self._is_late(envelope, is_sure=self._is_sure()))
        found = await ports.store.transact(lambda tx: asked.unsaid(tx, judged, envelope.packet_id, self._node_id))
        if isinstance(found, Answer):
            return (await self._deciding.verifiable([found]))[0]
        word = asked.word_about(judged, envelope, found, directory, self._node_id, now_ms)
        return (
            None
            if word is None
            else (await self._deciding.settle(peer_id, [verify.Verdict(judged, envelope, word, None)]))[0]
        )

    async def body(self, peer_id: str, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]) -> int:
        """Take a piece of a large body; return how many octets are durable. Raises Rejected(NOT_FOUND) for another peer's token."""
        with self._counters.uploading("peer"):
            return await self._uploads.receive(peer_id, token, offset_bytes, chunks)

    async def commit(self, peer_id: str, parcel: Parcel) -> Answer:
        """Decide about a large packet whose body is complete."""
        self._called_by(peer_id)
        try:
            envelope, units = self._check_parcel(peer_id, parcel)
            commit = partial(self._commit, peer_id, parcel, envelope, units)
            answer = await self._uploads.decide(peer_id, envelope, commit)
        except Fault as fault:
            return await self._refused(peer_id, parcel, fault)
        except Exception as error:
            answer = self._failed(error)
        self._fetch_if_older(peer_id, [parcel])
        return self._counters.refusing(await self._firsts.added_to_one(peer_id, parcel, answer))

    async def _refused(self, peer_id: str, parcel: Parcel, fault: Fault) -> Answer:
        answer = accept.refusal(fault)
        self._fetch_if_older(peer_id, [parcel])
        return self._counters.refusing(await self._firsts.added_to_one(peer_id, parcel, answer))

    def _fetch_if_older(self, peer_id: str, parcels: Sequence[Parcel]) -> None:
        """Fetch the directory of a caller that has a newer one, whatever becomes of what it brings: we may not know whom to answer."""
        newest = older.newest_named(parcels)
        if newest > self._ports.directory.current().version:
            self._signals.newer_directory.send((peer_id, newest))

    async def _commit(self, peer_id: str, parcel: Parcel, envelope: Envelope, units: Sequence[str]) -> Answer:
        before = await self._ports.store.transact(lambda tx: self._decided(tx, parcel, envelope, units))
        if before is not None:
            self._counters.received_again += 1
            return (await self._deciding.verifiable([before]))[0]
        self._is_late(envelope, is_sure=self._is_sure())
        await self._uploads.complete(peer_id, envelope)
        opened = None
        if parcel.target_node == self._node_id:
            opened = await self._uploads.open(parcel, envelope, self._node_id)
        return (await self._deciding.settle(peer_id, [self._verdict(parcel, envelope, opened, None)]))[0]

    def _check_parcel(self, peer_id: str, parcel: Parcel) -> tuple[Envelope, Sequence[str]]:
        """Verify a parcel; return its envelope as it is read here, and the units for which it is brought."""
        directory, now_ms = self._ports.directory.current(), self._ports.clock.now_ms()
        carries_only = parcel.target_node != self._node_id
        with older.PuttingOff(parcel, directory):
            envelope = verify.check_parcel(parcel, peer_id, directory, now_ms)
            require_speaker(envelope, directory, now_ms, carries_only=carries_only)
            if parcel.asked_units:
                asked.require_meant(parcel, envelope)
                units: Sequence[str] = parcel.asked_units
            else:
                units = verify.units_served_by(envelope, parcel, directory)
        return envelope if carries_only else with_known_aliases(envelope, directory, now_ms), units

    def _is_sure(self) -> bool:
        return self._agreed_time.sure_ms() is not None

    def _is_late(self, envelope: Envelope, *, is_sure: bool) -> bool:
        """Tell whether a packet's time is over. Raises Deferred(CLOCK_UNSURE) if our clock says so and is in doubt (agreed_time.py).

        Our word about a late packet is signed and kept for good, so it must not rest on a clock that errs.
        """
        if envelope.expire_at_ms > self._ports.clock.now_ms():
            return False
        if not is_sure:
            raise Deferred(Reason.CLOCK_UNSURE, "late by our clock, which is in doubt", retry_after_ms=MINUTE_MS)
        return True

    def _decided(self, tx: Tx, parcel: Parcel, envelope: Envelope, units: Sequence[str]) -> Answer | None:
        packet_id, signed = envelope.packet_id, parcel.signed_envelope
        before = accept.decided(tx, packet_id, parcel, self._node_id, units)
        if before is not None and parcel.target_node != self._node_id:
            accept.renew_signature(tx, packet_id, signed)
        return before

    def _verify(self, peer_id: str, item: PushItem, *, is_sure: bool) -> Brought | Exception:
        """Verify one item; a fault becomes its answer, and a mistake of ours is returned: the others are served."""
        try:
            if isinstance(item, PushReceipt):
                return receipts.believe(
                    item.signed_receipt, self._ports.directory.current(), now_ms=self._ports.clock.now_ms()
                )
            envelope, _ = self._check_parcel(peer_id, item.parcel)
            self._is_late(envelope, is_sure=is_sure)
            opened = None
            if item.parcel.target_node != self._node_id:
                verify.require_body(envelope, item.body)
            else:
                opened = open_parcel(item.parcel, envelope, item.body, self._node_id, self._wrapper)
            return self._verdict(item.parcel, envelope, opened, item.body)
        except Fault as fault:
            return accept.refusal(fault)
        except Exception as error:
            return error

    def _verdict(
        self, parcel: Parcel, envelope: Envelope, opened: verify.Opened | None, body: bytes | None
    ) -> verify.Verdict:
        directory, now_ms, own_id = self._ports.directory.current(), self._ports.clock.now_ms(), self._node_id
        with older.PuttingOff(parcel, directory):
            if opened is None:
                return verify.custody_verdict(parcel, envelope, body, own_id, directory, self._policy, now_ms)
            verdict = verify.delivered_verdict(parcel, envelope, opened, body, own_id, directory, now_ms)
        older.require_known(verdict.receipt, parcel, directory)
        return verdict


def _weight(item: PushPacket) -> int:
    """Return the octets that are handled for an item: those of its body, and for a circular to thousands its recipients' codes."""
    return len(item.body) + len(item.parcel.signed_envelope.envelope) * ENVELOPE_WEIGHT
