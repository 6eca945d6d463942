"""Node: the verbs, in the order in which a document meets them. Each is: read, judge, one transaction, answer.

        submit          an office hands a packet in
        receive_*       a peer brings packets, receipts, large bodies
        list_inbox, fetch, acknowledge, track, search_units     an office looks and takes
        list_outbox, list_peers, list_hooks, hold_peer, release_peer, count_statuses, *_hold        an operator looks and decides

Decisions live in flow/, sending in flow/send/. Law 1 holds because every answer leaves after `store.transact` has returned.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from functools import partial

from node.errors import Rejected
from node.flow import quarantine
from node.flow.admission import Admission
from node.flow.agreed_time import AgreedTime
from node.flow.bodies import giving
from node.flow.bodies.files import BodyFiles
from node.flow.bodies.reading import PacketReader
from node.flow.bodies.scrub import Scrub
from node.flow.counters import Counters
from node.flow.document.aliases import author_names, meant_by
from node.flow.expiry import holds
from node.flow.inbox import inbox
from node.flow.receive.cautious import cautious_push
from node.flow.receive.reception import Reception
from node.flow.receive.slices import Slices
from node.flow.risk import Risk
from node.flow.send import outbox, receipts
from node.flow.send.peers_seen import PeersSeen
from node.flow.send.routing import Outlook
from node.flow.signals import Signals
from node.flow.submit.intake import Intake
from node.flow.views import completeness, deadlines, history, operator, track
from node.flow.views.in_words import Views
from node.flow.views.standstill import Standstill
from node.flow.views.track import Tracked
from node.flow.webhooks import notices
from node.model.calendar import Calendar
from node.model.completeness import UnitReport
from node.model.hold import HoldView
from node.model.life import Dossier
from node.model.mesh import Answer, Hello, Parcel, PushItem, Want
from node.model.office import (
    FoundUnit,
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
from node.model.receipt import Level, SignedReceipt
from node.model.webhook import HookView
from node.ports import Ports, Tx
from node.seal.wrap import Wrapper

PROTOCOL_VERSION = 1
RECOUNT_BYTES = 10_000
"""Weight of opening the header of one packet of a dossier, for the workers."""
__all__ = ["Node", "Ports"]


class Node:
    """One installation's front: everything that others ask of it."""

    def __init__(
        self, ports: Ports, policy: Policy, *, software: str = "truc", calendar: Calendar | None = None
    ) -> None:
        self.ports = ports
        self.policy = policy
        self.node_id = ports.keys.node_id
        self.signals = Signals()
        self.counters = Counters()
        self.peers_seen = PeersSeen(ports.clock.now_ms)
        self.agreed_time = AgreedTime(ports.clock)
        self.wrapper = Wrapper(ports.keys, ports.clock.now_ms)
        self.reader = PacketReader(ports, self.wrapper, self.signals.doubtful_body.send)
        self.body_files = BodyFiles(ports)
        self.risk = Risk(ports)
        self.slices = Slices(ports, policy, self.signals, self.reader, self.risk)
        self.scrub = Scrub(ports, policy, self.signals.bug.send)
        self.standstill = Standstill(ports)
        self.admission = Admission(ports, policy)
        self.reception = Reception(
            ports,
            policy,
            self.signals,
            self.counters,
            self.wrapper,
            self.slices,
            self.body_files,
            self.peers_seen,
            self.agreed_time,
            self.hello,
            self.admission,
        )
        self._software = software
        self._views = Views(ports, self.reader, calendar or Calendar(), policy.urgent_within_ms)
        self._intake = Intake(
            ports,
            policy,
            self.signals,
            self.counters,
            self.wrapper,
            self.slices,
            self.body_files,
            self.admission,
            self.agreed_time,
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
        return await self.reception.hello(peer_id, hello)

    async def receive_push(self, peer_id: str, items: Sequence[PushItem]) -> list[Answer]:
        """Take packets and receipts from a peer; one answer per item, in order, after everything is durable."""
        return await cautious_push(self.risk, self.reception.push, peer_id, items)

    async def receive_offer(self, peer_id: str, parcel: Parcel) -> Answer | Want:
        """Answer the announcement of a large packet: decided already, or where the upload goes on."""
        return await self.reception.offer(peer_id, parcel)

    async def receive_body(self, peer_id: str, token: bytes, offset_bytes: int, chunks: AsyncIterator[bytes]) -> int:
        """Take a piece of a large body; return how many octets are durable. Raises Rejected(NOT_FOUND) for another peer's token."""
        return await self.reception.body(peer_id, token, offset_bytes, chunks)

    async def receive_commit(self, peer_id: str, parcel: Parcel) -> Answer:
        """Decide about a large packet whose body is complete."""
        return await self.reception.commit(peer_id, parcel)

    async def give_body(
        self, peer_id: str, packet_id: bytes, body_sha256: bytes, offset_bytes: int
    ) -> AsyncGenerator[bytes, None]:
        """Return a body's octets for another node of its packet whose copy is damaged. Raises Rejected(NOT_FOUND)."""
        return await giving.give(self.ports, peer_id, packet_id, body_sha256, offset_bytes)

    def hello(self) -> Hello:
        """Return how this node introduces itself."""
        version = self.ports.directory.current().version
        now_ms = self.ports.clock.now_ms()
        step = int(self.admission.step())
        return Hello(self.node_id, PROTOCOL_VERSION, PROTOCOL_VERSION, now_ms, version, (), self._software, step)

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
        return await self._views.entries(held), following.hex()

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
        entry = replace(self._views.entry(held), signed_receipt=signed)
        return entry, self.reader.packet(held.packet, offset_bytes)

    async def acknowledge(self, system: System, packet_ids: Sequence[bytes], unit: str) -> int:
        """Take packets out of the inbox; returns how many entries that were.

        Thousands of units may have each packet, so it is done in slices; after a fault the rest of a repeat is done.
        """
        units = self._units_asked(system, unit)
        now_ms = self.ports.clock.now_ms()
        taken = 0
        place: inbox.Place | None = inbox.Place()
        while place is not None:
            slice_ = partial(inbox.acknowledge, packet_ids=packet_ids, units=units, now_ms=now_ms, place=place)
            count, place = await self.ports.store.transact(slice_)
            taken += count
        return taken

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
        """Return the state and the statuses of each recipient of a packet that one of the system's units sent.

        With a page size at most so many recipients, from where the token of the last page tells. Raises Rejected: NOT_FOUND, or
        REQUEST_INVALID for a token that no page gave.
        """

        def look(tx: Tx) -> Tracked:
            return track.track(tx, track.find_packet(tx, system, packet_id, submission_id, document_id))

        start, outlook = track.unit_of_token(page_token), self._outlook()
        tracked = await self.ports.store.transact(look)
        return await self._views.tracked(tracked, system, outlook, start, page_size)

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
        return await self.ports.workers.run(len(found.rows) * RECOUNT_BYTES, lambda: self._views.dossier(found))

    async def search_units(self, query: str, limit: int) -> list[FoundUnit]:
        """Find units by code or name."""
        return await self.ports.directory.search(query, min(limit or 20, 200))

    # --- an operator looks and decides -----------------------------------------------------------------------------

    async def list_outbox(self, node_id: str, limit: int) -> tuple[list[OutboxView], bool]:
        """Return what waits, and whether there is more."""
        size, outlook = min(limit or 100, 1000), self._outlook()
        views = await self.ports.store.transact(lambda tx: operator.list_outbox(tx, node_id, size + 1, outlook))
        return views[:size], len(views) > size

    async def list_quarantine(self, limit: int) -> tuple[list[QuarantineView], bool]:
        """Return what cannot be handled and was laid aside, and whether there is more."""
        size = min(limit or 100, 1000)
        views = await self.ports.store.transact(lambda tx: operator.list_quarantine(tx, size + 1))
        return views[:size], len(views) > size

    async def count_quarantine(self) -> int:
        """Return how much is laid aside, at most 1,000."""
        return await self.ports.store.transact(quarantine.count)

    async def release_quarantined(self, name: str) -> str:
        """Let what was laid aside go on; return the node it is for, if it waits for one. Raises Rejected(NOT_FOUND)."""
        try:
            octets = bytes.fromhex(name)
        except ValueError:
            raise Rejected(Reason.NOT_FOUND, f"no name of a row that is laid aside: {name[:40]!r}") from None
        node_id = await self.ports.store.transact(lambda tx: outbox.release(tx, octets))
        await self.risk.look()
        if node_id:
            self.signals.outbox.send({node_id})
        return node_id

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
        documents = [one for one in found if deadlines.brings_document(self.reader.header(one.packet))]
        return completeness.reports(documents, self.ports.directory.current()), following.hex()

    def _outlook(self) -> Outlook:
        return Outlook(self.node_id, self.ports.directory.current(), self.ports.clock.now_ms(), self.policy)

    async def hold_peer(self, node_id: str) -> None:
        """Stop sending to a peer until it is released."""
        outlook = self._outlook()
        await self.ports.store.transact(lambda tx: operator.set_held(tx, node_id, outlook, held=True))

    async def put_hold(self, packet_id: bytes, reason: str) -> None:
        """Put a legal hold on a packet: nothing of it is forgotten until it is lifted. Raises Rejected(NOT_FOUND)."""
        now_ms = self.ports.clock.now_ms()
        await self.ports.store.transact(lambda tx: holds.put(tx, packet_id, reason, now_ms))

    async def lift_hold(self, packet_id: bytes) -> None:
        """Lift a legal hold. Raises Rejected(NOT_FOUND)."""
        await self.ports.store.transact(lambda tx: holds.lift(tx, packet_id))

    async def list_holds(self, page_token: str) -> tuple[list[HoldView], str]:
        """Return a page of legal holds, and the token of the next page."""
        start = inbox.row_of_token(page_token)
        held, following = await self.ports.store.transact(lambda tx: holds.page(tx, start))
        return held, following.hex()

    async def release_peer(self, node_id: str) -> None:
        """Send to a peer again, at once."""
        outlook = self._outlook()
        await self.ports.store.transact(lambda tx: operator.set_held(tx, node_id, outlook, held=False))
        self.signals.outbox.send({node_id})
