"""Reception: what peers bring is verified, written in one transaction, and only then answered.

        push             items with their bodies, many together: packets and receipts
        offer            the announcement of a large packet: decided already, or where its upload goes on
        body, commit     its octets, then the decision

A fault of one item is its own answer, so that the others are served.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from functools import partial

from node.errors import Fault
from node.flow.bodies.files import BodyFiles, require_size
from node.flow.counters import Counters
from node.flow.document.acts import may_oblige
from node.flow.receive import accept, older, verify
from node.flow.receive.opening import open_parcel
from node.flow.receive.speaker import require_speaker, with_known_aliases
from node.flow.receive.uploads import Uploads
from node.flow.send import receipts
from node.flow.send.peers_seen import PeersSeen
from node.flow.send.resigning import receipts_to_sign_anew
from node.flow.signals import Signals
from node.model.envelope import Envelope
from node.model.mesh import Answer, Hello, Parcel, PushItem, PushPacket, PushReceipt, Want
from node.model.policy import Policy
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
        introduce: Callable[[], Hello],
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._node_id = ports.keys.node_id
        self._signals = signals
        self._counters = counters
        self._wrapper = wrapper
        self._peers_seen = peers_seen
        self._introduce = introduce
        self._uploads = Uploads(ports, policy, wrapper, body_files)

    async def hello(self, peer_id: str, hello: Hello) -> Hello:
        """Answer a peer's Hello and remember it."""
        self._peers_seen.greeted(peer_id, hello)
        self._called_by(peer_id)
        return self._introduce()

    def _called_by(self, peer_id: str) -> None:
        self._peers_seen.called(peer_id)
        self._signals.contact.send(peer_id)

    async def push(self, peer_id: str, items: Sequence[PushItem]) -> list[Answer]:
        """Take packets and receipts from a peer; one answer per item, in order, after everything is durable."""
        self._called_by(peer_id)
        weight = sum(len(item.body) for item in items if isinstance(item, PushPacket))
        brought = await self._ports.workers.run(weight, lambda: [self._verify(peer_id, item) for item in items])
        parcels = [item.parcel for item in items if isinstance(item, PushPacket)]
        self._fetch_if_older(peer_id, parcels, [one for one in brought if isinstance(one, Answer)])
        answers = await self._uploads.spill(brought, partial(self._settle, peer_id))
        return self._counters.answered(items, answers)

    async def offer(self, peer_id: str, parcel: Parcel) -> Answer | Want:
        """Answer the announcement of a large packet: decided already, or where the upload goes on."""
        self._called_by(peer_id)
        try:
            envelope = self._check_parcel(peer_id, parcel)
            before = await self._ports.store.transact(lambda tx: self._decided(tx, parcel, envelope))
            if before is not None:
                self._counters.received_again += 1
                return (await self._verifiable([before]))[0]
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
            return self._refused(peer_id, parcel, fault)

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
            return self._refused(peer_id, parcel, fault)
        answer = await self._uploads.decide(peer_id, envelope, lambda: self._commit(peer_id, parcel, envelope))
        self._fetch_if_older(peer_id, [parcel], [answer])
        return self._counters.refusing(answer)

    def _refused(self, peer_id: str, parcel: Parcel, fault: Fault) -> Answer:
        answer = accept.refusal(fault)
        self._fetch_if_older(peer_id, [parcel], [answer])
        return self._counters.refusing(answer)

    def _fetch_if_older(self, peer_id: str, parcels: Sequence[Parcel], answers: Sequence[Answer]) -> None:
        """Fetch the directory of a caller that was put off because ours is older."""
        if any(answer.reason is Reason.DIRECTORY_OLDER for answer in answers):
            self._signals.newer_directory.send((peer_id, older.newest_named(parcels)))

    async def _commit(self, peer_id: str, parcel: Parcel, envelope: Envelope) -> Answer:
        before = await self._ports.store.transact(lambda tx: self._decided(tx, parcel, envelope))
        if before is not None:
            self._counters.received_again += 1
            return (await self._verifiable([before]))[0]
        await self._uploads.complete(peer_id, envelope)
        opened = None
        if parcel.target_node == self._node_id:
            opened = await self._uploads.open(parcel, envelope, self._node_id)
        return (await self._settle(peer_id, [self._verdict(parcel, envelope, opened, None)]))[0]

    def _check_parcel(self, peer_id: str, parcel: Parcel) -> Envelope:
        directory, now_ms = self._ports.directory.current(), self._ports.clock.now_ms()
        carries_only = parcel.target_node != self._node_id
        with older.putting_off(parcel, directory):
            envelope = verify.check_parcel(parcel, peer_id, directory, now_ms)
            require_speaker(envelope, directory, now_ms, carries_only=carries_only)
            verify.units_served_by(envelope, parcel.target_node, directory)
        return envelope if carries_only else with_known_aliases(envelope, directory, now_ms)

    def _decided(self, tx: Tx, parcel: Parcel, envelope: Envelope) -> Answer | None:
        packet_id, signed = envelope.packet_id, parcel.signed_envelope
        before = accept.decided(tx, packet_id, signed.envelope, self._node_id, parcel.target_node)
        if before is not None and parcel.target_node != self._node_id:
            accept.renew_signature(tx, packet_id, signed)
        return before

    async def _verifiable(self, answers: list[Answer]) -> list[Answer]:
        """Return answers, with kept receipts of our own signed anew that nobody could verify."""
        ports = self._ports
        directory, now_ms = ports.directory.current(), ports.clock.now_ms()
        fresh = receipts_to_sign_anew(answers, ports.keys, directory, now_ms)
        if not fresh:
            return answers

        def write(tx: Tx) -> None:
            for one in fresh.values():
                receipts.sign_again(tx, one)

        await ports.store.transact(write)
        return [
            replace(one, receipt=fresh[one.receipt.receipt].signed)
            if one.receipt is not None and one.receipt.receipt in fresh
            else one
            for one in answers
        ]

    def _verify(self, peer_id: str, item: PushItem) -> Brought:
        """Verify one item; a fault becomes its answer, so that the others are served."""
        try:
            if isinstance(item, PushReceipt):
                return receipts.believe(
                    item.signed_receipt, self._ports.directory.current(), now_ms=self._ports.clock.now_ms()
                )
            envelope = self._check_parcel(peer_id, item.parcel)
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
        directory, now_ms, own_id = self._ports.directory.current(), self._ports.clock.now_ms(), self._node_id
        with older.putting_off(parcel, directory):
            if opened is None:
                return verify.custody_verdict(parcel, envelope, body, own_id, directory, self._policy, now_ms)
            verdict = verify.delivered_verdict(parcel, envelope, opened, body, own_id, directory, now_ms)
        older.require_known(verdict.receipt, parcel, directory)
        return verdict

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
        stored = await self._verifiable(stored)
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
