"""Node: the verbs, in the order in which a document meets them. Each is: read, judge, one transaction, answer.

        submit          an office hands a packet in
        receive_*       a peer brings packets, receipts, large bodies
        list_inbox, fetch, acknowledge, track, search_units     an office looks and takes
        list_outbox, list_peers, list_hooks, hold_peer, release_peer, count_statuses        an operator looks and decides

Decisions live in flow/, sending in flow/send/courier.py. Law 1 holds because every answer leaves after `store.transact` has returned.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from functools import partial

from node.errors import Fault
from node.flow.bodies.files import BodyFiles
from node.flow.counters import Counters
from node.flow.document.acts import may_oblige
from node.flow.document.aliases import author_names, meant_by, require_own_name
from node.flow.inbox import inbox
from node.flow.receive import accept, verify
from node.flow.receive.opening import open_parcel
from node.flow.receive.uploads import LargeBodies
from node.flow.send import receipts
from node.flow.send.peers_seen import PeersSeen
from node.flow.send.routing import Outlook
from node.flow.submit.intake import Intake
from node.flow.views import completeness, deadlines, history, operator, track
from node.flow.views.in_words import Unsealer
from node.flow.webhooks import notices
from node.model.calendar import Calendar
from node.model.completeness import UnitReport
from node.model.envelope import Envelope
from node.model.life import Dossier
from node.model.mesh import Answer, Hello, Parcel, PushItem, PushPacket, PushReceipt, Want
from node.model.office import FoundUnit, InboxEntry, OutboxView, PeerView, Submission, SubmitResult, System, TrackView
from node.model.policy import Policy
from node.model.reason import Reason
from node.model.receipt import Level, SignedReceipt
from node.model.webhook import HookView
from node.ports import Ports, Tx
from node.seal.wrap import Wrapper

PROTOCOL_VERSION = 1
RECOUNT_BYTES = 10_000
"""What opening the header of one packet of a dossier weighs for the workers."""
__all__ = ["Node", "Ports"]


class Node:
    """One installation's front: everything that others ask of it."""

    def __init__(
        self, ports: Ports, policy: Policy, *, software: str = "truc", calendar: Calendar | None = None
    ) -> None:
        self.ports = ports
        self.policy = policy
        self.node_id = ports.keys.node_id
        self.wrapper = Wrapper(ports.keys, ports.clock.now_ms)
        self.unsealer = Unsealer(ports, self.wrapper, calendar or Calendar(), policy.urgent_within_ms)
        self.peers_seen = PeersSeen(ports.clock.now_ms)
        self.counters = Counters()
        self.on_outbox: Callable[[set[str]], None] = lambda nodes: None
        """Called when something durable waits for these nodes."""
        self.on_contact: Callable[[str], None] = lambda node_id: None
        """Called when a peer has called us: it is up."""
        self.on_duty: Callable[[], None] = lambda: None
        """Called when the node may owe a status in a unit's name (flow/duties/duty_loop.py)."""
        self.on_notice: Callable[[], None] = lambda: None
        """Called when there may be something to tell a system of (flow/webhooks/notifier.py)."""
        self._software = software
        self.body_files = BodyFiles(ports)
        self._large = LargeBodies(ports, policy, self.wrapper, self.body_files)
        self._intake = Intake(
            ports,
            policy,
            self.wrapper,
            self._large,
            self.body_files,
            self.counters,
            lambda nodes: self.on_outbox(nodes),
            lambda: self.on_duty(),
            lambda: self.on_notice(),
        )

    # --- an office hands a packet in ---------------------------------------------------------------------------

    async def submit(
        self, system: System, submission: Submission, packet: bytes | AsyncIterator[bytes]
    ) -> SubmitResult:
        """Take a packet for delivery; returns when it is durable.

        A repeat of a submission id gets the first answer. Raises Rejected or Denied for the packet's own faults, of which
        nothing is stored (RulesBroken with what the rules found), and Deferred when the node cannot take anything now.
        """
        return await self._intake.submit(system, submission, packet)

    # --- a peer brings something ---------------------------------------------------------------------------------

    async def receive_hello(self, peer_id: str, hello: Hello) -> Hello:
        """Answer a peer's Hello and remember it."""
        self.peers_seen.greeted(peer_id, hello)
        self._called_by(peer_id)
        return self.hello()

    def _called_by(self, peer_id: str) -> None:
        self.peers_seen.called(peer_id)
        self.on_contact(peer_id)

    def hello(self) -> Hello:
        """Return how this node introduces itself."""
        version = self.ports.directory.current().version
        now_ms = self.ports.clock.now_ms()
        return Hello(self.node_id, PROTOCOL_VERSION, PROTOCOL_VERSION, now_ms, version, (), self._software)

    async def receive_push(self, peer_id: str, items: Sequence[PushItem]) -> list[Answer]:
        """Take packets and receipts from a peer; one answer per item, in order, after everything is durable."""
        self._called_by(peer_id)
        weight = sum(len(item.body) for item in items if isinstance(item, PushPacket))
        judged = await self.ports.workers.run(weight, lambda: [self._judge(peer_id, item) for item in items])
        answers = await self._large.spill(judged, partial(self._settle, peer_id))
        return self.counters.answered(items, answers)

    async def receive_offer(self, peer_id: str, parcel: Parcel) -> Answer | Want:
        """Answer the announcement of a large packet: decided already, or where the upload goes on."""
        self._called_by(peer_id)
        try:
            envelope = self._check_parcel(peer_id, parcel)
            before = await self.ports.store.transact(lambda tx: self._decided(tx, parcel, envelope))
            if before is not None:
                self.counters.received_again += 1
                return before
            if parcel.target_node != self.node_id:
                # Said before the upload: whether we carry it at all does not depend on the body.
                self._large.check_size(envelope.body.packet_bytes)
                self._verdict(parcel, envelope, None, None)
            elif envelope.body.packet_bytes > self.policy.packet_bytes_max:
                opened = verify.Opened(None, b"", Reason.PACKET_TOO_LARGE)
                verdict = self._verdict(parcel, envelope, opened, None)
                return (await self._settle(peer_id, [verdict]))[0]
            return await self._large.want(peer_id, envelope)
        except Fault as fault:
            return self.counters.refusing(accept.refusal(fault))

    async def receive_body(self, peer_id: str, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]) -> int:
        """Take a piece of a large body; return how many octets are durable. Raises Rejected(NOT_FOUND) for a token of another's."""
        with self.counters.uploading("peer"):
            return await self._large.receive(peer_id, token, offset_bytes, chunks)

    async def receive_commit(self, peer_id: str, parcel: Parcel) -> Answer:
        """Decide about a large packet whose body is complete."""
        self._called_by(peer_id)
        try:
            envelope = self._check_parcel(peer_id, parcel)
        except Fault as fault:
            return self.counters.refusing(accept.refusal(fault))
        return self.counters.refusing(
            await self._large.decide(peer_id, envelope, lambda: self._commit(peer_id, parcel, envelope))
        )

    async def _commit(self, peer_id: str, parcel: Parcel, envelope: Envelope) -> Answer:
        before = await self.ports.store.transact(lambda tx: self._decided(tx, parcel, envelope))
        if before is not None:
            self.counters.received_again += 1
            return before
        await self._large.complete(peer_id, envelope)
        opened = None
        if parcel.target_node == self.node_id:
            opened = await self._large.open(parcel, envelope, self.node_id)
        return (await self._settle(peer_id, [self._verdict(parcel, envelope, opened, None)]))[0]

    def _check_parcel(self, peer_id: str, parcel: Parcel) -> Envelope:
        directory, now_ms = self.ports.directory.current(), self.ports.clock.now_ms()
        envelope = verify.check_parcel(parcel, peer_id, directory, now_ms)
        verify.units_served_by(envelope, parcel.target_node, directory)
        if parcel.target_node == self.node_id:
            # Not at a relay: its directory may be the oldest, and it delivers nothing.
            require_own_name(envelope, directory)
        return envelope

    def _decided(self, tx: Tx, parcel: Parcel, envelope: Envelope) -> Answer | None:
        return accept.decided(tx, envelope.packet_id, parcel.signed_envelope.envelope, self.node_id, parcel.target_node)

    def _judge(self, peer_id: str, item: PushItem) -> verify.Verdict | receipts.Believed | Answer:
        """Judge one item; a fault becomes its answer, so that the others are served."""
        try:
            if isinstance(item, PushReceipt):
                return receipts.believe(
                    item.signed_receipt, self.ports.directory.current(), now_ms=self.ports.clock.now_ms()
                )
            envelope = self._check_parcel(peer_id, item.parcel)
            opened = None
            if item.parcel.target_node != self.node_id:
                verify.require_body(envelope, item.body)
            else:
                opened = open_parcel(item.parcel, envelope, item.body, self.node_id, self.wrapper)
            return self._verdict(item.parcel, envelope, opened, item.body)
        except Fault as fault:
            return accept.refusal(fault)

    def _verdict(
        self, parcel: Parcel, envelope: Envelope, opened: verify.Opened | None, body: bytes | None
    ) -> verify.Verdict:
        directory, now_ms = self.ports.directory.current(), self.ports.clock.now_ms()
        if opened is None:
            return verify.custody_verdict(parcel, envelope, body, self.node_id, directory, self.policy, now_ms)
        return verify.delivered_verdict(parcel, envelope, opened, body, self.node_id, directory, now_ms)

    async def _settle(
        self, peer_id: str, judged: Sequence[verify.Verdict | receipts.Believed | Answer]
    ) -> list[Answer]:
        """Sign the receipts of a group together, write everything in one transaction, and answer in order."""
        verdicts = [one for one in judged if isinstance(one, verify.Verdict)]
        signed = receipts.sign_receipts(self.ports.keys, [verdict.receipt for verdict in verdicts])
        pairs = list(zip(verdicts, signed, strict=True))
        brought = [one for one in judged if isinstance(one, receipts.Believed)]
        now_ms = self.ports.clock.now_ms()

        def write(tx: Tx) -> tuple[list[Answer], list[Answer], list[Reason]]:
            ended: list[Reason] = []
            taken = [accept.take_receipt(tx, one, peer_id, self.node_id, now_ms, ended) for one in brought]
            return accept.store_all(tx, pairs, self.node_id, now_ms, self.policy), taken, ended

        stored, taken, ended = await self.ports.store.transact(write)
        self.counters.have_ended(ended)
        self.counters.settled(pairs, stored)
        targets = {verdict.parcel.target_node for verdict in verdicts} - {self.node_id}
        if targets:
            self.on_outbox(targets)
        if any(one.accepted_units and one.header is not None and may_oblige(one.header) for one in verdicts):
            self.on_duty()
        self.on_notice()
        by_verdict, by_receipt = iter(stored), iter(taken)
        return [
            one
            if isinstance(one, Answer)
            else next(by_verdict)
            if isinstance(one, verify.Verdict)
            else next(by_receipt)
            for one in judged
        ]

    # --- an office looks and takes ---------------------------------------------------------------------------------

    def _units_asked(self, system: System, unit: str) -> list[str]:
        meant = meant_by(system, unit, self.ports.directory.current(), self.ports.clock.now_ms())
        return inbox.units_asked(system, meant)

    async def list_inbox(
        self, system: System, unit: str, page_size: int, page_token: str
    ) -> tuple[list[InboxEntry], str]:
        """Return a page of what waits for a unit (or all of the system's), and the token of the next page."""
        units = self._units_asked(system, unit)
        limit = min(page_size or 100, 1000)
        start = inbox.row_of_token(page_token)
        held, following = await self.ports.store.transact(lambda tx: inbox.page(tx, units, start, limit))
        return await self.unsealer.entries(held), following.hex()

    async def fetch(
        self, system: System, packet_id: bytes, unit: str, offset_bytes: int = 0, lease_ms: int = 0, instance: str = ""
    ) -> tuple[InboxEntry, AsyncIterator[bytes]]:
        """Lease a packet to an instance of the software and return its exact octets from an offset on.

        An offset above 0 goes on after a break and takes no new lease; `lease_ms` -1 reads without one. A packet that one of the
        system's own units submitted is given out as well, without a lease.
        """
        units = self._units_asked(system, unit)
        now_ms = self.ports.clock.now_ms()

        def take(tx: Tx) -> tuple[inbox.Held, SignedReceipt | None]:
            held = inbox.find(tx, packet_id, units)
            if held.is_sent:
                return held, None
            inbox.give_out(tx, held, offset_bytes, lease_ms, instance, now_ms, self.policy)
            return held, receipts.kept(tx, packet_id, Level.DELIVERED, self.node_id)

        held, signed = await self.ports.store.transact(take)
        entry = replace(self.unsealer.entry(held), signed_receipt=signed)
        return entry, self.unsealer.packet(held.packet, offset_bytes)

    async def acknowledge(self, system: System, packet_ids: Sequence[bytes], unit: str) -> int:
        """Take packets out of the inbox; returns how many entries that were."""
        units = self._units_asked(system, unit)
        now_ms = self.ports.clock.now_ms()
        return await self.ports.store.transact(lambda tx: inbox.acknowledge(tx, packet_ids, units, now_ms))

    async def track(
        self, system: System, packet_id: bytes = b"", submission_id: str = "", document_id: str = ""
    ) -> TrackView:
        """Return the state and the statuses of each recipient of a packet that one of the system's units sent."""
        outlook = self._outlook()

        def look(tx: Tx) -> track.Tracked:
            found = track.find_packet(tx, system, packet_id, submission_id, document_id)
            return track.track(tx, found, outlook)

        return self.unsealer.tracked(await self.ports.store.transact(look), system)

    async def dossier(
        self, system: System, unit: str = "", author_unit: str = "", document_id: str = "", packet_id: bytes = b""
    ) -> Dossier:
        """Return a document's life as one of the system's units sees it (decision 0006).

        Raises Rejected: NOT_FOUND if the unit knows nothing of it, REQUEST_INVALID if it is not clear which unit looks.
        """
        units = self._units_asked(system, unit)
        authors = author_names(author_unit, self.ports.directory.current(), self.ports.clock.now_ms())
        asked = history.Asked(units, authors, document_id, packet_id)
        found = await self.ports.store.transact(lambda tx: history.find(tx, asked))
        return await self.ports.workers.run(len(found.rows) * RECOUNT_BYTES, lambda: self.unsealer.dossier(found))

    async def search_units(self, query: str, limit: int) -> list[FoundUnit]:
        """Find units by code or name."""
        return await self.ports.directory.search(query, min(limit or 20, 200))

    # --- an operator looks and decides -----------------------------------------------------------------------------

    async def list_outbox(self, node_id: str, limit: int) -> tuple[list[OutboxView], bool]:
        """Return what waits, and whether there is more."""
        size, outlook = min(limit or 100, 1000), self._outlook()
        views = await self.ports.store.transact(lambda tx: operator.list_outbox(tx, node_id, size + 1, outlook))
        return views[:size], len(views) > size

    async def list_peers(self, *, counting: bool = True) -> list[PeerView]:
        """Return the road to every peer, with what its last Hello said; cheap if what waits need not be counted."""
        outlook = self._outlook()
        views = await self.ports.store.transact(lambda tx: operator.list_peers(tx, outlook, counting=counting))
        return [self.peers_seen.completed(view) for view in views]

    async def list_hooks(self) -> list[HookView]:
        """Return how the telling of systems goes."""
        return await self.ports.store.transact(notices.views)

    async def count_statuses(self, from_ms: int, to_ms: int, page_token: str) -> tuple[list[UnitReport], str]:
        """Return how completely recipients report on a page of deliveries, and the token of the next page; times 0: no bound."""
        start, until_ms = inbox.row_of_token(page_token), to_ms or self.ports.clock.now_ms() + 1
        found, following = await self.ports.store.transact(lambda tx: completeness.page(tx, start, from_ms, until_ms))
        documents = [one for one in found if deadlines.brings_document(self.unsealer.header(one.packet))]
        return completeness.reports(documents, self.ports.directory.current()), following.hex()

    def _outlook(self) -> Outlook:
        return Outlook(self.node_id, self.ports.directory.current(), self.ports.clock.now_ms(), self.policy)

    async def hold_peer(self, node_id: str) -> None:
        """Stop sending to a peer until it is released."""
        directory = self.ports.directory.current()
        await self.ports.store.transact(lambda tx: operator.set_held(tx, node_id, directory, held=True))

    async def release_peer(self, node_id: str) -> None:
        """Send to a peer again, at once."""
        directory = self.ports.directory.current()
        await self.ports.store.transact(lambda tx: operator.set_held(tx, node_id, directory, held=False))
        self.on_outbox({node_id})
