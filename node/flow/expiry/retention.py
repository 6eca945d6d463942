"""Retention: who needs what the node knows of a packet, until when, and what goes when nobody does any more. Said here and nowhere else.

Everything about a packet is kept as long as one of these needs it, and goes together when none does:

    who needs it                  until                                                          of which packets
    ----------------------------  -------------------------------------------------------------  ------------------
    its body                      it is forgotten (sweep.forget)                                 all
    an open delivery              it is delivered, or has failed with a signed receipt           submitted here
    the outbox                    nothing of the packet waits to leave                           all
    the way home of a receipt     the packet's origin has the target's receipt                   carried (a relay)
    a unit that has not read it   the unit has acknowledged it, or its author took it back       in an inbox
    the records                   `keep_records_ms` after the packet was taken, and after the    ours
                                  last act about its document: a hồ sơ is kept as a whole
    the duplicates' memory        `keep_memory_ms` after the expiry: a copy that comes later     ours, and refused
                                  is refused as expired, so it cannot be taken for a new one
    a legal hold                  the operator lifts it (holds.py)                               all

The records' time is an organisation's own rule within the law on archives (Luật Lưu trữ 33/2024; NĐ 30/2020 for the file of a work):
a node is the carrier and not the archive, so it keeps what proves the carrying, five years by default. "Ours" is a packet that was
submitted here or that a unit of ours has got. Another need (a receiver's backup, a hosted unit's rule) is one more function in
`NEEDS`; it needs no row of its own to be asked, because a packet is asked about when its row in the table of due things says so.

What there is of a packet is found from its record alone: rows under its id by prefix, rows under names by what envelope and record
say (sender, recipients, submission, digests of DocumentIds). Rows that an older version wrote without those digests are found by the
walk (walk.py). After that a late copy meets its own expiry, a late receipt or status finds nothing to change: law 3 holds because
the memory of duplicates outlives everything that can still be on its way.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from node.flow.bodies import refs
from node.flow.document import dossier
from node.flow.document.aliases import names_of, sender_names
from node.flow.inbox import inbox
from node.flow.send import receipts
from node.flow.send.relay import receipt_row_id
from node.model.delivery import State
from node.model.envelope import Envelope, PacketKind
from node.model.policy import DAY_MS, Policy
from node.model.receipt import Level
from node.model.statement import AHEAD_MAX_MS
from node.ports import Tx
from node.rows import document_keys, keys
from node.rows.access import ROWS_OF_PACKET_MAX, load, save
from node.rows.records import DeliveryRecord, DossierRecord, PacketRecord, SubmissionRecord
from node.wire import codec

LOOK_AGAIN_MS = DAY_MS
"""A need without a known end is asked about again after this."""
ROWS_MAX = 256
"""At most so many rows of one kind are erased in one transaction; of a circular to thousands the rest goes in the next ones."""
UNITS_MAX = 64
"""At most so many inbox entries, each with its rows in dossiers."""
HEADS_MAX = 16
"""Dossiers that are asked for the last act; all of one document's were told of it by the same packets."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A packet that is asked about."""

    packet_id: bytes
    packet: PacketRecord
    envelope: Envelope

    @property
    def is_ours(self) -> bool:
        """True if it was submitted here, or came for a unit of ours that took it."""
        return bool(self.packet.own_wrap or self.packet.system)

    @property
    def digests(self) -> list[bytes]:
        """SHA-256 of all DocumentIds that it names."""
        return list(filter(None, [self.packet.document_sha256, *self.packet.other_documents_sha256]))


Need = Callable[[Tx, Subject, int, Policy], int]
"""Returns until when somebody needs the packet, milliseconds since 1970 UTC; a time that has passed (0): no longer."""


def subject_of(tx: Tx, packet_id: bytes) -> Subject | None:
    """Return a packet to ask about; None if there is none of that id."""
    packet = load(tx, keys.packet(packet_id), PacketRecord)
    return None if packet is None else Subject(packet_id, packet, codec.decode_envelope(packet.envelope))


def needed_until(tx: Tx, subject: Subject, now_ms: int, policy: Policy) -> int:
    """Return until when a packet is needed for sure, to ask again then; 0: nobody needs it now."""
    until_ms = max(need(tx, subject, now_ms, policy) for need in NEEDS)
    return until_ms if until_ms > now_ms else 0


def taken_ms(subject: Subject, now_ms: int) -> int:
    """Return since when we have a packet: it was not taken before it was made, though the clock that dated it may have been behind.

    The author's clock may be a little ahead; one that is further ahead says nothing.
    """
    made_ms = subject.envelope.create_time_ms
    return max(subject.packet.accept_time_ms, made_ms if made_ms <= now_ms + AHEAD_MAX_MS else 0)


def ends_ms(subject: Subject, policy: Policy) -> int:
    """Return when a packet's time is over for what we do ourselves: at its expiry, as long as it was not made in the future.

    An author's clock that was years ahead means by its expiry how long the packet is to live, and no year that nobody will wait for.
    """
    envelope, taken = subject.envelope, subject.packet.accept_time_ms
    if envelope.create_time_ms <= taken + AHEAD_MAX_MS:
        return envelope.expire_at_ms
    lives_ms = max(envelope.expire_at_ms - envelope.create_time_ms, policy.expire_after_ms)
    return min(envelope.expire_at_ms, taken + lives_ms)


def plan(tx: Tx, subject: Subject, now_ms: int, policy: Policy) -> None:
    """Write down when it is asked first whether anybody still needs a packet; its record is saved."""
    # Only the times: whether anybody has it open is asked then, and costs several scans.
    at_ms = max(now_ms, _memory(tx, subject, now_ms, policy))
    if subject.is_ours:
        at_ms = max(at_ms, taken_ms(subject, now_ms) + policy.keep_records_ms)
    tx.put(keys.due(at_ms, keys.DUE_ERASE, subject.packet_id), b"")
    subject.packet.erase_time_ms = max(at_ms, 1)
    save(tx, keys.packet(subject.packet_id), subject.packet)


# --- who needs it -------------------------------------------------------------------------------------------------------


def _body(tx: Tx, subject: Subject, now_ms: int, policy: Policy) -> int:
    return 0 if subject.packet.body_forgotten else now_ms + LOOK_AGAIN_MS


def _open_delivery(tx: Tx, subject: Subject, now_ms: int, policy: Policy) -> int:
    rows = receipts.deliveries(tx, subject.packet_id)
    is_open = any(not State(DeliveryRecord.FromString(value).state).is_final for _, value in rows)
    return now_ms + LOOK_AGAIN_MS if is_open else 0


def _outbox(tx: Tx, subject: Subject, now_ms: int, policy: Policy) -> int:
    return now_ms + LOOK_AGAIN_MS if tx.scan(keys.outbox_index_of(subject.packet_id), limit=1) else 0


def _receipt_home(tx: Tx, subject: Subject, now_ms: int, policy: Policy) -> int:
    if subject.is_ours:
        return 0
    for _, value in tx.scan(keys.receipt(subject.packet_id, Level.DELIVERED), limit=ROWS_MAX):
        name = receipt_row_id(codec.signed_receipt_from_bytes(value).receipt)
        if tx.get(keys.outbox_index(name, subject.envelope.origin_node, keys.OUTBOX_RECEIPT)) is not None:
            return now_ms + LOOK_AGAIN_MS
    return 0


def _unread(tx: Tx, subject: Subject, now_ms: int, policy: Policy) -> int:
    return 0 if inbox.all_let_go(tx, subject.packet_id) else now_ms + LOOK_AGAIN_MS


def _records(tx: Tx, subject: Subject, now_ms: int, policy: Policy) -> int:
    if not subject.is_ours:
        return 0
    return max(taken_ms(subject, now_ms), _last_act_ms(tx, subject, now_ms)) + policy.keep_records_ms


def _memory(tx: Tx, subject: Subject, now_ms: int, policy: Policy) -> int:
    # A relay that has forgotten a packet carries it again, and the target answers with its first receipt.
    if not subject.is_ours and tx.scan(keys.receipt(subject.packet_id, Level.CUSTODY), limit=1):
        return 0
    return ends_ms(subject, policy) + policy.keep_memory_ms


def _legal_hold(tx: Tx, subject: Subject, now_ms: int, policy: Policy) -> int:
    return now_ms + LOOK_AGAIN_MS if is_held(tx, subject.packet_id) else 0


def is_held(tx: Tx, packet_id: bytes) -> bool:
    """Tell whether a legal hold stands on a packet."""
    return tx.get(keys.hold(packet_id)) is not None


NEEDS: tuple[Need, ...] = (
    _body,
    _open_delivery,
    _outbox,
    _receipt_home,
    _unread,
    _records,
    _memory,
    _legal_hold,
)


def _last_act_ms(tx: Tx, subject: Subject, now_ms: int) -> int:
    """Return when the last act about the packet's document was signed, as our units know; 0 if they know of none.

    Acts that were signed in the future, by a clock that erred, count from when we took them.
    """
    digest = subject.packet.document_sha256
    if not digest:
        return 0
    entries = tx.scan(keys.inbox_entry(subject.packet_id), limit=HEADS_MAX)
    places = {place[:2] for place in _at_sender(subject)}
    for key, _ in entries:
        places |= {place[:2] for place in _at_recipient(subject, keys.unit_after_id(key))}
    last_ms = 0
    for unit, author in sorted(places)[: 2 * HEADS_MAX]:
        head = dossier.head(tx, unit, author, digest)
        if head is None:
            continue
        if head.create_time_ms <= now_ms + AHEAD_MAX_MS:
            last_ms = max(last_ms, head.create_time_ms)
        else:
            last_ms = max(last_ms, _taken_last_ms(tx, unit, author, digest, now_ms))
    return last_ms


def _taken_last_ms(tx: Tx, unit: str, author: str, digest: bytes, now_ms: int) -> int:
    """Return when the last of a dossier's packets was taken, as far as that is not in the future itself."""
    rows = dossier.rows(tx, unit, author, digest, None, ROWS_MAX)
    return max((one.record.accept_time_ms for one in rows if one.record.accept_time_ms <= now_ms), default=0)


# --- what goes ----------------------------------------------------------------------------------------------------------


def erase(tx: Tx, subject: Subject) -> bool:
    """Erase everything about a packet, or a bounded part of it: returns False if something is left for another transaction.

    Its names go first, so that nobody finds half a packet; its record and receipts go last, so that a copy is still known till then.
    """
    packet_id, packet = subject.packet_id, subject.packet
    if packet.system:
        _erase_names(tx, subject)
    all_gone = _erase_inbox(tx, subject)
    for prefix in (document_keys.docket(packet_id), keys.delivery(packet_id), keys.statuses(packet_id)):
        all_gone &= _erase_rows(tx, prefix)
    if not all_gone:
        packet.system = ""
        save(tx, keys.packet(packet_id), packet)
        return False
    _erase_dossiers(tx, subject, _at_sender(subject))
    _erase_rows(tx, keys.receipts(packet_id))
    if not packet.body_forgotten:
        refs.let_go(tx, subject.envelope.body.body_sha256, packet_id)
    tx.delete(keys.packet(packet_id))
    return True


def _erase_rows(tx: Tx, prefix: bytes) -> bool:
    """Erase the rows under a prefix; returns False if there may be more."""
    rows = tx.scan(prefix, limit=ROWS_MAX)
    for key, _ in rows:
        tx.delete(key)
    return len(rows) < ROWS_MAX


def _erase_inbox(tx: Tx, subject: Subject) -> bool:
    rows = tx.scan(keys.inbox_entry(subject.packet_id), limit=UNITS_MAX)
    for key, _ in rows:
        _erase_dossiers(tx, subject, _at_recipient(subject, keys.unit_after_id(key)))
        tx.delete(key)
    return len(rows) < UNITS_MAX


def _erase_names(tx: Tx, subject: Subject) -> None:
    """Erase by what names a packet is found at the node where it was submitted."""
    packet, unit = subject.packet, subject.envelope.sender_unit
    submission = keys.submission(packet.system, packet.submission_id)
    record = load(tx, submission, SubmissionRecord)
    if record is not None and record.packet_id == subject.packet_id:
        tx.delete(submission)
    tx.delete(keys.sent_row(packet.system, packet.accept_time_ms, subject.packet_id))
    for digest in subject.digests:
        # A newer packet about the document may have taken the name over.
        if tx.get(document_keys.document_by_digest(unit, digest)) == subject.packet_id:
            tx.delete(document_keys.document_by_digest(unit, digest))
    if packet.number_sha256:
        erase_number(tx, document_keys.number_by_digest(unit, packet.number_sha256))


def erase_number(tx: Tx, key: bytes) -> bool:
    """Erase that a number was used once the document that used it is not known any more."""
    whose = tx.get(key)
    if whose is None or tx.get(document_keys.document_by_digest(document_keys.unit_of_number(key), whose)) is not None:
        return False
    tx.delete(key)
    return True


# --- dossiers -----------------------------------------------------------------------------------------------------------

Place = tuple[str, str, str]
"""Where a row of a dossier lies: unit, author, party."""


def _at_sender(subject: Subject) -> Iterator[Place]:
    """Yield where a packet may stand in dossiers of the unit that sent it (dossier.submitted)."""
    envelope = subject.envelope
    for name in sender_names(envelope):
        yield name, name, ""
    if envelope.kind is PacketKind.STATUS and envelope.recipient_units:
        for unit in names_of(envelope.aliases, envelope.sender_unit):
            for author in names_of(envelope.aliases, envelope.recipient_units[0]):
                yield unit, author, unit


def _at_recipient(subject: Subject, unit: str) -> Iterator[Place]:
    """Yield where a packet may stand in dossiers of a unit that has got it (receive/arrival.py)."""
    envelope = subject.envelope
    for name in sender_names(envelope):
        yield unit, name, ""
        if envelope.kind is PacketKind.STATUS:
            for author in names_of(envelope.aliases, unit):
                yield author, author, name


def _erase_dossiers(tx: Tx, subject: Subject, places: Iterable[Place]) -> None:
    for unit, author, party in places:
        for digest in subject.digests:
            _erase_dossier_row(tx, subject.packet_id, unit, author, digest, party)


def _erase_dossier_row(tx: Tx, packet_id: bytes, unit: str, author: str, digest: bytes, party: str) -> None:
    key = document_keys.dossier_row(unit, author, digest, party, packet_id)
    record = load(tx, key, DossierRecord)
    if record is None:
        return
    tx.delete(key)
    if record.has_exceptions:
        # Recipients for which the packet does something else have rows of their own; few packets have any.
        for other, _ in tx.scan(document_keys.dossier(unit, author, digest), limit=ROWS_OF_PACKET_MAX):
            if other.endswith(packet_id):
                tx.delete(other)
    erase_head(tx, unit, author, digest)


def erase_head(tx: Tx, unit: str, author: str, digest: bytes) -> bool:
    """Erase the head of a dossier in which nothing else is left."""
    head = document_keys.dossier(unit, author, digest)
    if [key for key, _ in tx.scan(head, limit=2)] != [head]:
        return False
    tx.delete(head)
    return True
