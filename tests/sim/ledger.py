"""The external ledger: what the nodes have told the offices, written down where no simulated crash can reach it.

It knows nothing of the nodes' insides. Whatever a node has once answered must stay true; what contradicts an earlier answer is
a broken law and is noted at once, the rest is checked when the world has come to rest (laws.py).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from node.edxml.rules.units import canonical
from node.model.delivery import State
from node.model.envelope import PacketKind
from node.model.office import DeliveryView, InboxEntry, SubmitResult, TrackView
from node.model.reason import Reason
from node.model.receipt import SignedReceipt
from tests.sim.grown import has_grown
from tests.sim.papers import Paper

BY_NODES = ("01", "15")
"""Statuses that nodes send in their units' names."""
UNCONFIRMED = Reason.__members__.get("EXPIRED_UNCONFIRMED")


@dataclass
class Sent:
    """A submission that its node has answered for."""

    paper: Paper
    node_id: str
    result: SubmitResult

    @property
    def is_report(self) -> bool:
        """True of a recipient's status; a 13 is its author's act."""
        return self.paper.kind is PacketKind.STATUS and self.paper.kind_of_act != "ask back"

    def is_refused(self, written: str) -> bool:
        """Tell whether its node has named a recipient, as the packet spells it, as one that it does not serve."""
        return canonical(written) in {canonical(one.code) for one in self.result.refused}

    def served(self) -> set[str]:
        """Units to which it goes: those that are refused by no name, or by one of two only."""
        paper = self.paper
        spelt = zip(paper.recipients, paper.written, strict=True)
        return {
            unit
            for unit, name in spelt
            if not (self.is_refused(name) and self.is_refused(paper.besides.get(unit, name)))
        }

    def does(self, unit: str, document_id: str) -> str:
        """Tell what it does to one document at one of its recipients, as `Paper.does`.

        A replacement whose To calls a unit by a name that is refused goes there all the same if it names the unit besides, for that alone.
        """
        act = self.paper.does(unit, document_id)
        is_told_only = act == "bring" and unit in self.paper.besides and self.paper.kind_of_act == "replace"
        named = dict(zip(self.paper.recipients, self.paper.written, strict=True))
        return "" if is_told_only and self.is_refused(named[unit]) else act


@dataclass
class Received:
    """A packet that was seen in a unit's inbox."""

    entry: InboxEntry
    node_id: str
    fetched: int = 0
    acknowledge_asked: bool = False
    """Asked for, perhaps without hearing the answer: it may be gone or not."""
    acknowledged: bool = False
    taken: bool = False
    """It has gone unread because its author took it back or replaced it."""


@dataclass
class Ledger:
    """All that was promised."""

    papers: dict[bytes, Paper] = field(default_factory=dict)
    """Every packet that an office ever tried to hand in, by SHA-256."""
    sent: dict[tuple[str, str], Sent] = field(default_factory=dict)
    """By system and submission id."""
    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    received: dict[tuple[str, bytes], Received] = field(default_factory=dict)
    """By unit and packet id."""
    at_units: dict[str, dict[bytes, Received]] = field(default_factory=dict)
    """The same by unit, then by packet id."""
    finals: dict[tuple[bytes, str], tuple[State, SignedReceipt | None]] = field(default_factory=dict)
    """Final states as Track showed them, by packet id and unit."""
    reasons: dict[tuple[bytes, str], Reason] = field(default_factory=dict)
    """Reasons of those final states."""
    views: dict[bytes, TrackView] = field(default_factory=dict)
    """Track's answers of last time, by packet id."""
    statuses: dict[tuple[bytes, str], tuple[str, ...]] = field(default_factory=dict)
    """Status codes as Track showed them last, by packet id and unit."""
    made_by_nodes: dict[tuple[str, bytes], InboxEntry] = field(default_factory=dict)
    """Statuses that a node has made itself, by the unit in whose inbox they were seen and packet id."""
    relayed: set[tuple[bytes, str]] = field(default_factory=set)
    """Deliveries whose receipt was brought by a relay."""
    places: dict[tuple[str, bytes], set[str]] = field(default_factory=dict)
    """Nodes in whose inboxes a unit's packet was seen, by unit and packet id."""
    ended_loops: list[str] = field(default_factory=list)
    """Loops that ended in processes that lived, and are gone since."""
    unconfirmed: Reason | None = UNCONFIRMED
    """The reason of a failure that a later DELIVERED supersedes, if there is one."""
    superseded: int = 0
    broken: list[str] = field(default_factory=list)
    on_break: Callable[[], None] = lambda: None
    """Called when a law is broken."""
    on_sent: Callable[[Sent], None] = lambda sent: None
    """Called with each submission that a node has answered for, the first time."""

    def breaks(self, law: str, what: str) -> None:
        """Note a broken law."""
        self.broken.append(f"{law}: {what}")
        self.on_break()

    def answered(self, node_id: str, paper: Paper, result: SubmitResult) -> None:
        """A node has accepted a submission, or said so again."""
        key = (paper.system, paper.submission_id)
        first = self.sent.get(key)
        if first is None:
            self.sent[key] = Sent(paper, node_id, result)
            self.on_sent(self.sent[key])
        elif first.paper.sha256 != paper.sha256:
            self.breaks("law 3", f"{key}: other octets were accepted under the same submission id")
        elif first.result != result:
            self.breaks("law 3", f"{key}: the repeat got {result}, the first answer was {first.result}")
        if result.packet_sha256 != paper.sha256:
            self.breaks("law 4", f"{key}: the node read other octets than were handed in")

    def refusal(self, paper: Paper, reason: str) -> None:
        """A node has refused a submission for good."""
        key = (paper.system, paper.submission_id)
        first = self.sent.get(key)
        if first is not None and first.paper.sha256 == paper.sha256:
            self.breaks("law 3", f"{key}: accepted first, refused when repeated ({reason})")
        if first is None:
            self.refused.setdefault(key, reason)

    def listed(self, node_id: str, unit: str, entries: list[InboxEntry]) -> None:
        """A node has listed the whole inbox of a unit."""
        seen: set[bytes] = set()
        for entry in entries:
            if entry.packet_id in seen:
                self.breaks("law 3", f"{unit}: packet {entry.packet_id.hex()} stands twice in one list")
            seen.add(entry.packet_id)
            self._seen(node_id, unit, entry)
        for packet_id, received in self.at_units.get(unit, {}).items():
            if received.node_id != node_id:
                continue
            if received.acknowledged or received.taken or packet_id in seen:
                continue
            if received.acknowledge_asked:
                received.acknowledged = True
            elif not received.fetched and self.may_be_taken(unit, received.entry):
                received.taken = True
            else:
                self.breaks("law 1", f"{unit}: packet {packet_id.hex()} was in the inbox and is gone unacknowledged")

    def _seen(self, node_id: str, unit: str, entry: InboxEntry) -> None:
        paper = self.papers.get(entry.packet_sha256)
        name = entry.packet_id.hex()
        if paper is None and entry.kind is PacketKind.STATUS and entry.status_code in BY_NODES:
            self.made_by_nodes[unit, entry.packet_id] = entry
        elif paper is None:
            self.breaks("law 4", f"{unit}: packet {name} has octets that nobody wrote")
            return
        elif unit not in paper.recipients:
            self.breaks("I3", f"{unit}: packet {name} is for {paper.recipients}")
        known = self.received.get((unit, entry.packet_id))
        self.places.setdefault((unit, entry.packet_id), set()).add(node_id)
        if known is not None and known.node_id != node_id:
            return  # in two inboxes: L-once (once_law.py)
        if known is None:
            self._first_seen(node_id, unit, entry)
        elif known.taken:
            self.breaks("life", f"{unit}: packet {name} is in the inbox again after it was taken back")
        elif known.acknowledged:
            self.breaks("law 3", f"{unit}: packet {name} is in the inbox again after its acknowledgement")
        elif known.entry.packet_sha256 != entry.packet_sha256:
            self.breaks("law 4", f"{unit}: packet {name} has changed its octets")

    def _first_seen(self, node_id: str, unit: str, entry: InboxEntry) -> None:
        # A node may answer two requests in the same words.
        others = {} if (unit, entry.packet_id) in self.made_by_nodes else self.at_units.get(unit, {})
        for packet_id, other in others.items():
            if other.entry.packet_sha256 == entry.packet_sha256:
                self.breaks("law 3", f"{unit}: the same octets came as {packet_id.hex()} and {entry.packet_id.hex()}")
        received = self.received[unit, entry.packet_id] = Received(entry, node_id)
        self.at_units.setdefault(unit, {})[entry.packet_id] = received

    def fetched(self, unit: str, entry: InboxEntry, octets: bytes, offset_bytes: int) -> None:
        """A node has given a packet out, from an offset on."""
        paper = self.papers.get(entry.packet_sha256)
        if paper is None and (unit, entry.packet_id) in self.made_by_nodes:
            is_whole = offset_bytes > 0 or hashlib.sha256(octets).digest() == entry.packet_sha256
        else:
            is_whole = paper is not None and octets == paper.packet[offset_bytes:]
        if not is_whole:
            self.breaks("law 4", f"{unit}: {entry.packet_id.hex()} was fetched with other octets than it was sent with")
        else:
            self.received[unit, entry.packet_id].fetched += 1

    def tracked(self, view: TrackView) -> None:
        """A node has shown how a packet is doing."""
        self.views[view.packet_id] = view
        for delivery in view.deliveries:
            key = (view.packet_id, delivery.unit)
            final = self.finals.get(key)
            now = (delivery.state, delivery.signed_receipt)
            if final is not None and final != now and not self._may_follow(key, delivery):
                self.breaks("law 2", f"{key[0].hex()} for {key[1]}: was {final[0].name} and is {now[0].name}")
            if delivery.state.is_final:
                self.finals[key] = now
                self.reasons[key] = delivery.reason
            if delivery.relay_node:
                self.relayed.add(key)
            codes = tuple(event.code for event in delivery.statuses)
            before = self.statuses.get(key, ())
            if any(codes.count(code) < before.count(code) for code in before):
                self.breaks("I7", f"{key[0].hex()} for {key[1]}: statuses {before} became {codes}")
            self.statuses[key] = codes

    def _may_follow(self, key: tuple[bytes, str], delivery: DeliveryView) -> bool:
        """Tell whether this may be said after a final state: the same by a receipt that has grown; or after a failure that was not
        confirmed, that it is settled now."""
        state, receipt = self.finals[key]
        is_same = delivery.state is state and delivery.reason is self.reasons[key]
        if is_same and receipt is not None and delivery.signed_receipt is not None:
            return has_grown(receipt, delivery.signed_receipt)
        if self.unconfirmed is None or self.reasons.get(key) is not self.unconfirmed:
            return False
        self.superseded += delivery.state is State.DELIVERED
        return delivery.state is not State.WAITING

    def statuses_sent(self) -> list[Sent]:
        """Return the accepted status packets of recipients."""
        return [sent for sent in self.sent.values() if sent.is_report]

    def acts(self, author: str, document_id: str) -> list[Sent]:
        """Return what an author has done about a document, in the order in which its node took it."""
        return [
            sent
            for sent in self.sent.values()
            if not sent.is_report
            and sent.paper.sender == author
            and (sent.paper.document_id == document_id or document_id in sent.paper.replaced)
        ]

    def may_be_taken(self, unit: str, entry: InboxEntry) -> bool:
        """Tell whether an author has tried to take back or replace at a unit what an inbox shows."""
        mine = self.papers.get(entry.packet_sha256)
        if mine is None or mine.does(unit, mine.document_id) not in ("bring", "update"):
            return False
        return any(
            paper.sender == mine.sender and paper.does(unit, mine.document_id) in ("take back", "replace")
            for paper in self.papers.values()
            if unit in paper.recipients
        )
