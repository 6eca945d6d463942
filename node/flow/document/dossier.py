"""Dossier (hồ sơ): the rows in which a node keeps what a unit knows of a document, written in the transactions that make it known.

        author's node       unit = author     its packets about the document, and the statuses of each recipient
        recipient's node    unit = recipient  the author's packets that have come, and the statuses that the unit has reported

Rows are only added. A row belongs to everybody who gets its packet (party ""), or to one recipient: its statuses, and what a packet
does at that recipient and nowhere else. So one recipient's life is read from few rows, however many others there are. The head of a
dossier, a row without party and packet, is there as soon as there is an act.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from node.flow.document.acts import ANSWER_CODES, Deed, deeds_of
from node.flow.document.aliases import names_of, sender_names
from node.flow.document.life import Fact, Said, answered_by_default
from node.model.envelope import Envelope, PacketKind
from node.model.header import PacketHeader
from node.model.life import LifeAct
from node.ports import Tx
from node.rows import document_keys, keys
from node.rows.access import ROWS_OF_PACKET_MAX, load, save
from node.rows.records import DossierRecord

ROWS_MAX = 1_000
"""At most so many acts of one document, and so many statuses of one recipient, are looked at: it bounds what a sender can make us read.
An act beyond it is delivered as it is, and changes no state."""


@dataclass(slots=True)
class Row:
    """One packet in a dossier."""

    key: bytes
    record: DossierRecord

    @property
    def packet_id(self) -> bytes:
        """The packet whose row it is, 16 octets."""
        return self.key[-16:]

    @property
    def act(self) -> LifeAct | None:
        """The act of the packet; None: it does nothing here."""
        return LifeAct(self.record.act) if self.record.act else None

    @property
    def order(self) -> tuple[int, bytes]:
        """The row's place among the author's acts."""
        return self.record.create_time_ms, self.packet_id


def digest_of(header: PacketHeader | None) -> bytes:
    """Return the digest of the DocumentId that a packet is about; b"" if it names none."""
    subject = header.subject_document_id if header is not None else ""
    return document_keys.document_sha256(subject) if subject else b""


def other_digests_of(header: PacketHeader | None) -> list[bytes]:
    """Return the digests of the other DocumentIds that a packet names: its own, and those of documents that it replaces."""
    if header is None:
        return []
    names = {header.document_id, *(deed.document_id for deed in deeds_of(header, {}))}
    return sorted(document_keys.document_sha256(name) for name in names - {"", header.subject_document_id})


def head(tx: Tx, unit: str, author: str, document_sha256: bytes) -> DossierRecord | None:
    """Return the head of a dossier, which tells when its last act was signed; None if there have been no acts.

    Nearly every document is new, and one look at a key that is not there costs a fifth of a scan.
    """
    return load(tx, document_keys.dossier(unit, author, document_sha256), DossierRecord)


def author_of(tx: Tx, envelope: Envelope, unit: str, document_sha256: bytes) -> str:
    """Return under which of its codes the sender of a packet is the author of a document that `unit` has ("": at the author itself).

    That is its unit's code, unless the document lies under the alias by which the packet calls the sender: it was a unit's code then.
    """
    names = sender_names(envelope)
    if len(names) == 1:
        return names[0]
    return next((name for name in names if head(tx, unit or name, name, document_sha256) is not None), names[0])


def acts(tx: Tx, unit: str, author: str, document_sha256: bytes) -> list[Row]:
    """Return the rows that concern everybody who gets their packet."""
    if head(tx, unit, author, document_sha256) is None:
        return []
    return rows(tx, unit, author, document_sha256, "")


def rows(tx: Tx, unit: str, author: str, document_sha256: bytes, party: str | None, limit: int = ROWS_MAX) -> list[Row]:
    """Return the rows of one party, or of all parties, what concerns everybody first."""
    found = tx.scan(document_keys.dossier(unit, author, document_sha256, party), limit=limit)
    whole = document_keys.dossier(unit, author, document_sha256)
    return [Row(key, DossierRecord.FromString(value)) for key, value in found if key != whole]


def said(statuses: Iterable[Row]) -> list[Said]:
    """Return the answers among a recipient's statuses."""
    return [
        Said(row.record.status_code, row.record.answers_packet_id)
        for row in statuses
        if row.record.status_code in ANSWER_CODES
    ]


def put(
    tx: Tx, envelope: Envelope, unit: str, author: str, deed: Deed, party: str, act: LifeAct | None, now_ms: int
) -> Row:
    """Write what a packet does to a document, for one party."""
    digest = document_keys.document_sha256(deed.document_id)
    record = DossierRecord(act=act or 0, create_time_ms=envelope.create_time_ms, accept_time_ms=now_ms)
    row = Row(document_keys.dossier_row(unit, author, digest, party, envelope.packet_id), record)
    save(tx, row.key, record)
    if not party:
        save(tx, document_keys.dossier(unit, author, digest), DossierRecord(create_time_ms=envelope.create_time_ms))
    return row


def put_status(
    tx: Tx,
    envelope: Envelope,
    header: PacketHeader,
    unit: str,
    author: str,
    reporter: str,
    now_ms: int,
    *,
    by_node: bool = False,
) -> None:
    """Write a status that a recipient (`reporter`) has reported about the author's document, at one of both (`unit`)."""
    digest = document_keys.document_sha256(header.subject_document_id)
    if envelope.answers_packet_id:
        digest = _true_digest(tx, unit, author, digest, envelope.answers_packet_id)
    record = DossierRecord(
        act=LifeAct.STATUS,
        create_time_ms=envelope.create_time_ms,
        accept_time_ms=now_ms,
        status_code=header.status_code,
        answers_packet_id=envelope.answers_packet_id,
        by_node=by_node,
    )
    save(tx, document_keys.dossier_row(unit, author, digest, reporter, envelope.packet_id), record)


def put_alias(tx: Tx, envelope: Envelope, header: PacketHeader, unit: str, author: str, now_ms: int) -> None:
    """Leave a pointer for a withdrawal or update under a DocumentId of its own, so that an answer which names that id is found, too."""
    own, subject = header.document_id, header.subject_document_id
    if not own or own == subject or not header.business_type:
        return
    record = DossierRecord(
        create_time_ms=envelope.create_time_ms,
        accept_time_ms=now_ms,
        subject_sha256=document_keys.document_sha256(subject),
    )
    digest = document_keys.document_sha256(own)
    save(tx, document_keys.dossier_row(unit, author, digest, "", envelope.packet_id), record)
    if head(tx, unit, author, digest) is None:
        save(tx, document_keys.dossier(unit, author, digest), DossierRecord(create_time_ms=envelope.create_time_ms))


def _true_digest(tx: Tx, unit: str, author: str, digest: bytes, packet_id: bytes) -> bytes:
    alias = load(tx, document_keys.dossier_row(unit, author, digest, "", packet_id), DossierRecord)
    return alias.subject_sha256 if alias is not None and alias.subject_sha256 else digest


# --- at the author ----------------------------------------------------------------------------------------------------


def newest_ms(tx: Tx, envelope: Envelope, header: PacketHeader) -> int:
    """Return when the author's newest act about a packet's documents was signed; 0: there is none."""
    digests = (document_keys.document_sha256(deed.document_id) for deed in deeds_of(header, envelope.units_by_alias))
    authors = ((author_of(tx, envelope, "", digest), digest) for digest in digests)
    heads = (head(tx, author, author, digest) for author, digest in authors)
    return max((one.create_time_ms for one in heads if one is not None), default=0)


def submitted(tx: Tx, envelope: Envelope, header: PacketHeader, now_ms: int, *, by_node: bool) -> None:
    """Write a packet that one of our units has handed in into the dossiers of that unit."""
    deeds = deeds_of(header, envelope.units_by_alias)
    for deed in deeds:
        unit = author_of(tx, envelope, "", document_keys.document_sha256(deed.document_id))
        row = put(tx, envelope, unit, unit, deed, "", deed.act, now_ms)
        if deed.exceptions:
            row.record.has_exceptions = True
            save(tx, row.key, row.record)
        for party, act in deed.exceptions.items():
            put(tx, envelope, unit, unit, deed, party, act, now_ms)
    if deeds:
        unit = author_of(tx, envelope, "", digest_of(header))
        put_alias(tx, envelope, header, unit, unit, now_ms)
    elif envelope.kind is PacketKind.STATUS and header.subject_document_id:
        author = envelope.recipient_units[0]
        unit, author = reported(tx, envelope.aliases, envelope.sender_unit, author, digest_of(header))
        put_status(tx, envelope, header, unit, author, unit, now_ms, by_node=by_node)


def reported(
    tx: Tx, aliases: Iterable[tuple[str, str]], unit: str, author: str, document_sha256: bytes
) -> tuple[str, str]:
    """Return under which codes a unit that reports has the author's document; see `author_of`."""
    units, authors = names_of(aliases, unit), names_of(aliases, author)
    if len(units) == len(authors) == 1:
        return unit, author
    known = ((one, other) for one in units for other in authors if head(tx, one, other, document_sha256) is not None)
    return next(known, (unit, author))


def answered(tx: Tx, unit: str, author: str, document_id: str, aliases: Collection[tuple[str, str]] = ()) -> bytes:
    """Return which packet of the author's a 15 or 16 of `unit` answers; b"": none that has reached the unit."""
    digest = document_keys.document_sha256(document_id)
    unit, author = reported(tx, aliases, unit, author, digest)
    known = acts(tx, unit, author, digest)
    aliased = {row.record.subject_sha256 for row in known if row.record.subject_sha256}
    facts, answers = _facts(known), said(rows(tx, unit, author, digest, unit))
    for other in aliased:
        facts += _facts(acts(tx, unit, author, other))
        answers += said(rows(tx, unit, author, other, unit))
    return answered_by_default(facts, answers)


def _facts(known: Iterable[Row]) -> list[Fact]:
    return [fact_of(row) for row in known if row.act is not None and not row.record.waits]


def fact_of(row: Row, *, has_arrived: bool = True) -> Fact:
    """Return a row as the fact that it stands for; only for rows that do something."""
    act = row.act
    assert act is not None
    return Fact(row.packet_id, act, row.record.create_time_ms, has_arrived, row.record.taken_unread)


def recipients(tx: Tx, author: str, document_id: str) -> list[str]:
    """Return all units to which the author's document has been sent, in order of code."""
    found: set[str] = set()
    for row in acts(tx, author, author, document_keys.document_sha256(document_id)):
        if row.act in (LifeAct.NEW, LifeAct.UPDATE):
            prefix = keys.delivery(row.packet_id)
            found.update(keys.unit_after_id(key) for key, _ in tx.scan(prefix, limit=ROWS_OF_PACKET_MAX))
    return sorted(found)


def packet_for(tx: Tx, author: str, document_id: str, unit: str) -> bytes | None:
    """Return the author's packet about a document that went to a unit: the newest that brought or updated it, else any; or None."""
    known = [row for row in acts(tx, author, author, document_keys.document_sha256(document_id)) if row.act is not None]
    best_first = sorted(known, key=lambda row: (row.act in (LifeAct.NEW, LifeAct.UPDATE), row.order), reverse=True)
    return next((row.packet_id for row in best_first if tx.get(keys.delivery(row.packet_id, unit)) is not None), None)
