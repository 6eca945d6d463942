"""Reception: what peers bring is verified, written in one transaction, and only then answered.

        push             items with their bodies, many together: packets and receipts
        offer            the announcement of a large packet: decided already, or where its upload goes on
        body, commit     its octets, then the decision

A fault of one item is its own answer, so that the others are served.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

from node.errors import Deferred, Fault
from node.flow.admission import Admission, Step
from node.flow.agreed_time import AgreedTime
from node.flow.bodies.files import BodyFiles, require_size
from node.flow.counters import Counters
from node.flow.document.acts import may_oblige
from node.flow.receive import accept, verify
from node.flow.receive.opening import open_parcel
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

Brought = verify.Verdict | receipts.Believed | Answer
"""The outcome of an item before anything is written."""


class Reception:
    """Takes from peers. `introduce` returns how this node introduces itself."""

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        signals: Signals,
        counters: Counters,
        wrapper: Wrapper,
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
        self._admission = admission
        self._uploads = Uploads(ports, policy, wrapper, body_files, admission)

    async def hello(self, peer_id: str, hello: Hello) -> Hello:
        """Answer a peer's Hello and remember it."""
        self._peers_seen.greeted(peer_id, hello)
        self._agreed_time.hear(peer_id, hello.wall_time_ms)
        self._called_by(peer_id)
        return self._introduce()

    def _called_by(self, peer_id: str) -> None:
        self._peers_seen.called(peer_id)
        self._signals.contact.send(peer_id)

    async def push(self, peer_id: str, items: Sequence[PushItem]) -> list[Answer]:
        """Take packets and receipts from a peer; one answer per item, in order, after everything is durable."""
        self._called_by(peer_id)
        weight = sum(len(item.body) for item in items if isinstance(item, PushPacket))
        is_sure = self._is_sure()
        brought = await self._ports.workers.run(
            weight, lambda: [self._verify(peer_id, item, is_sure=is_sure) for item in items]
        )
        brought = await self._admitted(peer_id, brought)
        answers = await self._uploads.spill(brought, partial(self._settle, peer_id))
        return self._counters.answered(items, answers)

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
                before = self._decided(tx, one.parcel, one.envelope)
            except Fault:
                return one  # settling answers so
            return accept.refusal(fault) if before is None else one
        return one

    async def offer(self, peer_id: str, parcel: Parcel) -> Answer | Want:
        """Answer the announcement of a large packet: decided already, or where the upload goes on."""
        self._called_by(peer_id)
        try:
            envelope = self._check_parcel(peer_id, parcel)
            before = await self._ports.store.transact(lambda tx: self._decided(tx, parcel, envelope))
            if before is not None:
                self._counters.received_again += 1
                return before
            is_late = self._is_late(envelope, is_sure=self._is_sure())
            if is_late and parcel.target_node == self._node_id:
                # Nobody wants its body any more: that we do not have the packet, and will not take it, is signed at once.
                verdict = self._verdict(parcel, envelope, verify.Opened(None, b""), None)
                return (await self._settle(peer_id, [verdict]))[0]
            if parcel.target_node != self._node_id:
                # Refuse before the upload if we would not carry it: that does not depend on the body.
                require_size(envelope.body.packet_bytes, self._policy)
                self._verdict(parcel, envelope, None, None)
            elif envelope.body.packet_bytes > self._policy.packet_bytes_max:
                # Refused for good by our signed receipt, without the upload: no later attempt could end otherwise.
                opened = verify.Opened(None, b"", Reason.PACKET_TOO_LARGE)
                verdict = self._verdict(parcel, envelope, opened, None)
                return (await self._settle(peer_id, [verdict]))[0]
            return await self._uploads.want(peer_id, envelope)
        except Fault as fault:
            return self._counters.refusing(accept.refusal(fault))

    async def body(self, peer_id: str, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]) -> int:
        """Take a piece of a large body; return how many octets are durable. Raises Rejected(NOT_FOUND) for another peer's token."""
        with self._counters.uploading("peer"):
            return await self._uploads.receive(peer_id, token, offset_bytes, chunks)

    async def commit(self, peer_id: str, parcel: Parcel) -> Answer:
        """Decide about a large packet whose body is complete."""
        self._called_by(peer_id)
        try:
            envelope = self._check_parcel(peer_id, parcel)
        except Fault as fault:
            return self._counters.refusing(accept.refusal(fault))
        return self._counters.refusing(
            await self._uploads.decide(peer_id, envelope, lambda: self._commit(peer_id, parcel, envelope))
        )

    async def _commit(self, peer_id: str, parcel: Parcel, envelope: Envelope) -> Answer:
        before = await self._ports.store.transact(lambda tx: self._decided(tx, parcel, envelope))
        if before is not None:
            self._counters.received_again += 1
            return before
        self._is_late(envelope, is_sure=self._is_sure())
        await self._uploads.complete(peer_id, envelope)
        opened = None
        if parcel.target_node == self._node_id:
            opened = await self._uploads.open(parcel, envelope, self._node_id)
        return (await self._settle(peer_id, [self._verdict(parcel, envelope, opened, None)]))[0]

    def _check_parcel(self, peer_id: str, parcel: Parcel) -> Envelope:
        directory, now_ms = self._ports.directory.current(), self._ports.clock.now_ms()
        envelope = verify.check_parcel(parcel, peer_id, directory, now_ms)
        carries_only = parcel.target_node != self._node_id
        require_speaker(envelope, directory, carries_only=carries_only)
        verify.units_served_by(envelope, parcel.target_node, directory)
        return envelope if carries_only else with_known_aliases(envelope, directory)

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

    def _decided(self, tx: Tx, parcel: Parcel, envelope: Envelope) -> Answer | None:
        return accept.decided(
            tx, envelope.packet_id, parcel.signed_envelope.envelope, self._node_id, parcel.target_node
        )

    def _verify(self, peer_id: str, item: PushItem, *, is_sure: bool) -> Brought:
        """Verify one item; a fault becomes its answer, so that the others are served."""
        try:
            if isinstance(item, PushReceipt):
                return receipts.believe(
                    item.signed_receipt, self._ports.directory.current(), now_ms=self._ports.clock.now_ms()
                )
            envelope = self._check_parcel(peer_id, item.parcel)
            self._is_late(envelope, is_sure=is_sure)
            opened = None
            if item.parcel.target_node != self._node_id:
                verify.require_body(envelope, item.body)
            else:
                opened = open_parcel(item.parcel, envelope, item.body, self._node_id, self._wrapper)
            return self._verdict(item.parcel, envelope, opened, item.body)
        except Fault as fault:
            return accept.refusal(fault)

    def _verdict(
        self, parcel: Parcel, envelope: Envelope, opened: verify.Opened | None, body: bytes | None
    ) -> verify.Verdict:
        directory, now_ms = self._ports.directory.current(), self._ports.clock.now_ms()
        if opened is None:
            return verify.custody_verdict(parcel, envelope, body, self._node_id, directory, self._policy, now_ms)
        return verify.delivered_verdict(parcel, envelope, opened, body, self._node_id, directory, now_ms)

    async def _settle(self, peer_id: str, brought: Sequence[Brought]) -> list[Answer]:
        """Sign the receipts of a group together, write everything in one transaction, and answer in order."""
        verdicts = [one for one in brought if isinstance(one, verify.Verdict)]
        signed = receipts.sign_receipts(self._ports.keys, [verdict.receipt for verdict in verdicts])
        pairs = list(zip(verdicts, signed, strict=True))
        told = [one for one in brought if isinstance(one, receipts.Believed)]
        now_ms = self._ports.clock.now_ms()

        def write(tx: Tx) -> tuple[list[Answer], list[Answer], list[Reason]]:
            ended: list[Reason] = []
            taken = [accept.take_receipt(tx, one, peer_id, self._node_id, now_ms, ended) for one in told]
            return accept.store_all(tx, pairs, self._node_id, now_ms, self._policy), taken, ended

        stored, taken, ended = await self._ports.store.transact(write)
        self._counters.have_ended(ended)
        for (verdict, mine), answer in zip(pairs, stored, strict=True):
            self._counters.decided(verdict.envelope.kind, verdict.receipt, mine, answer)
        targets = {verdict.parcel.target_node for verdict in verdicts} - {self._node_id}
        if targets:
            self._signals.outbox.send(targets)
        if any(one.accepted_units and one.header is not None and may_oblige(one.header) for one in verdicts):
            self._signals.duty.send(None)
        self._signals.notice.send(None)
        by_verdict, by_receipt = iter(stored), iter(taken)
        return [
            one
            if isinstance(one, Answer)
            else next(by_verdict)
            if isinstance(one, verify.Verdict)
            else next(by_receipt)
            for one in brought
        ]
