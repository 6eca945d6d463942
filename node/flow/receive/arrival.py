"""Arrival: what becomes of a packet at the unit it has come to, and of what came before it. One transaction function for both ways in,
from a peer (accept.py) and from a unit of the same node (submit/store.py).

        brings a document      into the inbox, and what waited for it too; 01 is owed
        updates one            into the inbox; waits if the document is not there
        takes one back         nothing of it given out: everything out of the inbox, 15 is owed;  given out: into the inbox, the unit
                               answers;  not there yet: waits, and what it takes back never reaches the inbox when it comes (tombstone)
        replaces one           what was not given out goes out of the inbox
        any other status       into the inbox, and beside the document

Inbox entries tell whether a document was *given out*: from the first octet on the unit decides, until then the node may (decision 0006).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from node.flow.document import dossier, status
from node.flow.document.acts import Deed, deeds_of
from node.flow.document.dossier import ROWS_MAX, Row
from node.flow.document.life import AGREES, REFUSES, REQUESTS, Order, Said
from node.flow.duties import duty
from node.flow.inbox import inbox
from node.model.envelope import Envelope, PacketKind
from node.model.header import PacketHeader
from node.model.life import LifeAct
from node.model.policy import Policy
from node.ports import Tx
from node.rows import document_keys, keys
from node.rows.access import ROWS_OF_PACKET_MAX, load, require, save
from node.rows.records import DossierRecord, InboxRecord

DOCUMENTS = frozenset({LifeAct.NEW, LifeAct.UPDATE})


def deliver(
    tx: Tx, envelope: Envelope, header: PacketHeader, units: Iterable[str], now_ms: int, policy: Policy
) -> None:
    """Let a packet arrive at units of this node, and plan the forgetting of its body."""
    serve(tx, envelope, header, units, now_ms, policy)
    plan_forgetting(tx, envelope, now_ms, policy)


def plan_forgetting(tx: Tx, envelope: Envelope, now_ms: int, policy: Policy) -> None:
    """Let it be looked whether the body of a packet that has arrived is still needed, when it was kept long enough."""
    tx.put(keys.due(now_ms + policy.keep_body_after_ms, keys.DUE_FORGET, envelope.packet_id), b"")


def serve(tx: Tx, envelope: Envelope, header: PacketHeader, units: Iterable[str], now_ms: int, policy: Policy) -> None:
    """Let a packet arrive at units of this node."""
    deeds = deeds_of(header, envelope.units_by_alias)
    for unit in units:
        if envelope.kind is PacketKind.STATUS and not _takes_back(tx, envelope, header, unit, deeds):
            _status(tx, envelope, header, unit, now_ms)
        elif not deeds or unit == envelope.sender_unit:
            inbox.put(tx, envelope, unit, now_ms)
        else:
            _arrive(tx, envelope, header, deeds, unit, now_ms, policy)


def _takes_back(tx: Tx, envelope: Envelope, header: PacketHeader, unit: str, deeds: list[Deed]) -> bool:
    """Tell whether a status is the author's 13. If the document is the unit's own, nobody else can take it back."""
    if not deeds or unit == envelope.sender_unit:
        return False
    digest = document_keys.document_sha256(header.subject_document_id)
    return dossier.head(tx, unit, unit, digest) is None


def _status(tx: Tx, envelope: Envelope, header: PacketHeader, unit: str, now_ms: int) -> None:
    inbox.put(tx, envelope, unit, now_ms)
    author, reporter = status.record(tx, envelope, header, unit, now_ms)
    if header.subject_document_id:
        dossier.put_status(tx, envelope, header, author, author, reporter, now_ms)


def _arrive(
    tx: Tx, envelope: Envelope, header: PacketHeader, deeds: list[Deed], unit: str, now_ms: int, policy: Policy
) -> None:
    for_whom = [(deed, act) for deed in deeds if (act := deed.at(unit)) is not None]
    is_addressed = any(act is not LifeAct.REPLACE for _, act in for_whom)
    has_seen = False
    for deed, act in for_whom:
        case = _Case.open(tx, envelope, unit, deed, now_ms, policy)
        if case.knows_it:
            continue
        if case.is_full:
            # One act more would not be looked at (dossier.ROWS_MAX): the unit gets the packet as it is, and no state changes.
            inbox.put(tx, envelope, unit, now_ms)
            continue
        case.row = dossier.put(tx, envelope, unit, case.author, deed, "", act, now_ms)
        if act is LifeAct.NEW:
            case.bring()
        elif act is LifeAct.UPDATE:
            case.update()
        elif act is LifeAct.REPLACE:
            has_seen |= case.replace()
        else:
            case.take_back()
    if has_seen and not is_addressed:
        inbox.put(tx, envelope, unit, now_ms)
    author = dossier.author_of(tx, envelope, unit, dossier.digest_of(header))
    dossier.put_alias(tx, envelope, header, unit, author, now_ms)


@dataclass(slots=True)
class _Case:
    """One document at one unit, and a packet about it that has just come; `row` is the row of that packet."""

    tx: Tx
    envelope: Envelope
    unit: str
    author: str
    now_ms: int
    policy: Policy
    acts: list[Row]
    answers: set[Said]
    is_full: bool
    """True if one more act could not be looked at."""
    row: Row = field(init=False)

    @staticmethod
    def open(tx: Tx, envelope: Envelope, unit: str, deed: Deed, now_ms: int, policy: Policy) -> "_Case":
        """Read the dossier."""
        digest = document_keys.document_sha256(deed.document_id)
        author = dossier.author_of(tx, envelope, unit, digest)
        acts = dossier.acts(tx, unit, author, digest)
        answers = dossier.said(dossier.rows(tx, unit, author, digest, unit)) if acts else []
        doing = [row for row in acts if row.act is not None]
        return _Case(tx, envelope, unit, author, now_ms, policy, doing, set(answers), is_full=len(acts) >= ROWS_MAX)

    @property
    def knows_it(self) -> bool:
        """True if the packet has come before: another copy changes nothing (law 3)."""
        return any(row.packet_id == self.envelope.packet_id for row in self.acts)

    # --- what comes ----------------------------------------------------------------------------------------------------

    def bring(self) -> None:
        """Put the document itself into the inbox, and the updates that waited for it."""
        if self._is_held_back():
            return
        inbox.put(self.tx, self.envelope, self.unit, self.now_ms)
        if self.policy.reports_arrival(self.unit):
            duty.owe(self.tx, self.unit, duty.ARRIVED, self.envelope.packet_id, self.now_ms)
        for row in self.acts:
            if row.record.waits and row.act is LifeAct.UPDATE and row.order > self.row.order:
                surface(self.tx, row, self.unit, self.now_ms)

    def update(self) -> None:
        """Put an update into the inbox if the document is there, else let it wait."""
        if self._is_held_back():
            return
        if any(row.act is LifeAct.NEW and self._is_there(row) for row in self.acts):
            inbox.put(self.tx, self.envelope, self.unit, self.now_ms)
        else:
            self._wait()

    def take_back(self) -> None:
        """Carry out a withdrawal, a status 13, or an update that drops the unit; or let the unit decide, or let it wait."""
        concerned = self._present_before(self.row.order)
        if any(self._was_given_out(row) for row in concerned):
            inbox.put(self.tx, self.envelope, self.unit, self.now_ms)
        elif concerned or self._ended_before(self.row.order) is not None:
            for row in concerned:
                self._take_out(row)
            self._agree(self.row, concerned)
        else:
            self._wait()

    def replace(self) -> bool:
        """Let another document take this one's place. Returns True if the unit has seen something of this one."""
        older = [row for row in self.acts if row.act in DOCUMENTS and row.order < self.row.order]
        given_out = [row for row in older if self._was_given_out(row)]
        for row in older:
            if row not in given_out:
                self._take_out(row)
        return bool(given_out)

    # --- what is known ---------------------------------------------------------------------------------------------------

    def _is_held_back(self) -> bool:
        """If a newer act has taken back or replaced what has just come, keep it out of the inbox for good."""
        tombstone = self._tombstone()
        if tombstone is None and not any(r.act is LifeAct.REPLACE and r.order > self.row.order for r in self.acts):
            return False
        inbox.keep_out(self.tx, self.envelope, self.unit, self.now_ms)
        self.row.record.taken_unread = True
        save(self.tx, self.row.key, self.row.record)
        if tombstone is not None and not self._is_agreed(tombstone):
            self._agree(tombstone, [self.row])
        return True

    def _tombstone(self) -> Row | None:
        """Return the newest request that takes back what has just come and needs no word of the unit; None if there is none."""
        newer = [row for row in self.acts if row.act in REQUESTS and row.order > self.row.order]
        for row in sorted(newer, key=lambda one: one.order, reverse=True):
            if self._is_agreed(row):
                return row
            if Said(REFUSES, row.packet_id) in self.answers:
                continue
            if not any(self._was_given_out(document) for document in self._present_before(row.order)):
                return row
        return None

    def _is_agreed(self, request: Row) -> bool:
        return request.record.taken_unread or Said(AGREES, request.packet_id) in self.answers

    def _ended_before(self, order: Order) -> Order | None:
        """Return the place of the newest request that had taken the document back before an act; None: there is none."""
        ends = [r.order for r in self.acts if r.act in REQUESTS and r.order < order and self._is_agreed(r)]
        return max(ends, default=None)

    def _present_before(self, order: Order) -> list[Row]:
        """Return the document's packets that a request at this place takes back: those since the last one that did."""
        since = self._ended_before(order) or (-1, b"")
        return [row for row in self.acts if row.act in DOCUMENTS and since < row.order < order]

    def _is_there(self, row: Row) -> bool:
        return not row.record.taken_unread and not any(
            r.act in REQUESTS and r.order > row.order and self._is_agreed(r) for r in self.acts
        )

    def _was_given_out(self, row: Row) -> bool:
        entry = load(self.tx, keys.inbox_entry(row.packet_id, self.unit), InboxRecord)
        return entry is not None and inbox.was_given_out(entry)

    # --- what is done about it -------------------------------------------------------------------------------------------

    def _take_out(self, row: Row) -> None:
        inbox.take_out(self.tx, row.packet_id, self.unit, self.now_ms)
        row.record.waits = False
        row.record.taken_unread = True
        save(self.tx, row.key, row.record)

    def _agree(self, request: Row, concerned: list[Row]) -> None:
        """Answer a request for the unit: nothing of what it takes back was given out, or ever will be."""
        about = max(concerned, key=lambda row: (row.act is LifeAct.NEW, row.order), default=request)
        agree(self.tx, request, self.unit, about.packet_id, self.now_ms)

    def _wait(self) -> None:
        self.row.record.waits = True
        save(self.tx, self.row.key, self.row.record)
        inbox.keep_waiting(self.tx, self.envelope, self.unit, self.row.key, self.now_ms)
        self.tx.put(keys.held(self.now_ms + self.policy.wait_for_document_ms, self.envelope.packet_id), b"")


def agree(tx: Tx, request: Row, unit: str, about_packet_id: bytes, now_ms: int) -> None:
    """Take a request as granted in the unit's name, and owe its author the 15."""
    if request.record.waits:
        inbox.take_out(tx, request.packet_id, unit, now_ms)
    request.record.waits = False
    request.record.taken_unread = True
    save(tx, request.key, request.record)
    duty.owe(tx, unit, duty.AGREED, about_packet_id, now_ms, request.packet_id)


def surface(tx: Tx, row: Row, unit: str, now_ms: int) -> None:
    """Put a packet that has waited for its document into the inbox."""
    row.record.waits = False
    save(tx, row.key, row.record)
    inbox.surface(tx, row.packet_id, unit, now_ms)


def show_what_waited(tx: Tx, now_ms: int, policy: Policy, limit: int) -> tuple[int, bool]:
    """Show what has waited long enough for its document; return how many packets that were, and whether something is owed now.

    A row that is due later than the longest wait was written before the clock was set back, and is due as well.
    """
    found = [row for row in tx.scan(keys.HELD, limit=limit) if keys.due_of(row[0]) <= now_ms]
    far = keys.held_from(now_ms + policy.wait_for_document_ms + 1)
    found += tx.scan(keys.HELD, start=far, limit=limit - len(found))
    obliged = False
    for key, _ in found:
        tx.delete(key)
        obliged |= _show(tx, keys.packet_of_row(key), now_ms)
    return len(found), obliged


def _show(tx: Tx, packet_id: bytes, now_ms: int) -> bool:
    """Show units what is about a document that has not come, since they may have it by another road.

    A dropped recipient that never had the document is not told of it but agrees at once: there is nothing to give back.
    """
    obliged = False
    for key, value in tx.scan(keys.inbox_entry(packet_id), limit=ROWS_OF_PACKET_MAX):
        entry = InboxRecord.FromString(value)
        if not entry.waits_for:
            continue
        row = Row(entry.waits_for, require(tx, entry.waits_for, DossierRecord))
        unit = keys.unit_after_id(key)
        if row.act is LifeAct.DROP:
            agree(tx, row, unit, packet_id, now_ms)
            obliged = True
        else:
            surface(tx, row, unit, now_ms)
    return obliged
