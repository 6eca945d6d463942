"""History: a document's life, told to the unit that asks for it, its author or a recipient. Nothing is decided here.

A dossier is found by the author and the DocumentId, or by any packet in it. The headers stay encrypted; in_words.py puts the words to
what is found.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from node.errors import Rejected
from node.flow.document import dossier
from node.flow.document.dossier import Row
from node.flow.document.life import life_of
from node.model.envelope import PacketKind
from node.model.life import LifeAct, LifeState
from node.model.reason import Reason
from node.ports import Tx
from node.rows import document_keys, keys
from node.rows.access import load, load_many
from node.rows.records import PacketRecord
from node.wire import codec

ROWS_SHOWN_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A question for a dossier, by DocumentId or by packet id. `units` ask; `authors`: any of these, if empty the unit that asks.

    Codes are canonical.
    """

    units: Sequence[str]
    authors: Sequence[str] = ()
    document_id: str = ""
    packet_id: bytes = b""


@dataclass(frozen=True, slots=True)
class Found:
    """A dossier, rows in the order in which the node took them, with their packets as far as they are here."""

    unit: str
    author: str
    document_id: str
    life: LifeState
    rows: tuple[Row, ...]
    packets: dict[bytes, PacketRecord]


def find(tx: Tx, asked: Asked) -> Found:
    """Return a dossier. Raises Rejected: NOT_FOUND, or REQUEST_INVALID if it is not clear which unit asks or for what."""
    for unit, author, digest in _places(tx, asked):
        rows = _followed(tx, unit, author, dossier.rows(tx, unit, author, digest, None, limit=ROWS_SHOWN_MAX))
        if any(row.act is not None for row in rows):
            return _found(tx, unit, author, asked.document_id, rows)
    name = asked.packet_id.hex() or repr(asked.document_id[:200])
    raise Rejected(Reason.NOT_FOUND, f"no dossier of {name} for {', '.join(asked.units[:5])}")


def _places(tx: Tx, asked: Asked) -> list[tuple[str, str, bytes]]:
    """Return where the dossier may lie: (unit, author, digest of the DocumentId)."""
    if asked.document_id:
        if len(asked.units) != 1:
            raise Rejected(Reason.REQUEST_INVALID, "name the unit that asks: the system speaks for several")
        unit = asked.units[0]
        digest = document_keys.document_sha256(asked.document_id.strip())
        return [(unit, author, digest) for author in asked.authors or (unit,)]
    packet = load(tx, keys.packet(asked.packet_id), PacketRecord) if asked.packet_id else None
    if packet is None or not packet.document_sha256:
        return []
    envelope = codec.decode_envelope(packet.envelope)
    # The author of the document is the recipient of a status, but the sender of a 13; only the sealed header tells which it is.
    authors = [envelope.sender_unit]
    if envelope.kind is PacketKind.STATUS:
        authors = [*envelope.recipient_units[:1], envelope.sender_unit]
    parties = {envelope.sender_unit, *envelope.recipient_units}
    units = [unit for unit in asked.units if unit in parties]
    return [(unit, author, packet.document_sha256) for unit in units for author in authors]


def _followed(tx: Tx, unit: str, author: str, rows: list[Row]) -> list[Row]:
    """If a packet has a DocumentId of its own, go to the document that it is about."""
    subjects = {row.record.subject_sha256 for row in rows if row.record.subject_sha256}
    if len(subjects) == 1 and all(row.act in (None, LifeAct.STATUS) for row in rows):
        return rows + dossier.rows(tx, unit, author, subjects.pop(), None, limit=ROWS_SHOWN_MAX)
    return rows


def _found(tx: Tx, unit: str, author: str, document_id: str, rows: list[Row]) -> Found:
    telling: dict[bytes, Row] = {}
    for row in rows:
        # Rows that concern everybody come before those of one recipient, so each packet is told once, by what it does in general.
        if row.act is not None:
            telling.setdefault(row.packet_id, row)
    ordered = tuple(sorted(telling.values(), key=lambda row: (row.record.accept_time_ms, row.packet_id)))
    life = LifeState.UNKNOWN
    if unit != author:
        acts = [row for row in ordered if row.act is not LifeAct.STATUS]
        statuses = [row for row in ordered if row.act is LifeAct.STATUS]
        life, _ = life_of([dossier.fact_of(row) for row in acts], dossier.said(statuses))
    records = load_many(tx, [keys.packet(row.packet_id) for row in ordered], PacketRecord)
    packets = {row.packet_id: record for row, record in zip(ordered, records, strict=True) if record is not None}
    return Found(unit, author, document_id, life, ordered, packets)
