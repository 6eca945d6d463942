"""Duplicates: was this document, or another of the same number, sent by this unit before (NĐ 30/2020 Phụ lục VI III.1.h)?

Both questions are asked in the transaction that stores the packet, so that of two that race one is told. The row of a number says
whose it is: a document with the same number, notation and year under another DocumentId is another document.
"""

import hashlib
import unicodedata

from node.edxml.rules.dates import read_time
from node.edxml.rules.memory import DOCUMENT_SENT_BEFORE, NUMBER_USED
from node.model.envelope import Envelope, PacketKind
from node.model.finding import Finding
from node.model.header import UPDATE, WITHDRAWAL, PacketHeader
from node.ports import Tx
from node.rows import document_keys


def findings(tx: Tx, envelope: Envelope, header: PacketHeader) -> tuple[Finding, ...]:
    """Return warnings about a document that is being submitted, and remember its number. Statuses, updates, withdrawals have none."""
    if not _is_document(envelope, header):
        return ()
    sent = header.document_id and tx.get(document_keys.document(envelope.sender_unit, header.document_id)) is not None
    before = (DOCUMENT_SENT_BEFORE,) if sent else ()
    return (NUMBER_USED, *before) if _number_used(tx, envelope.sender_unit, header) else before


def _is_document(envelope: Envelope, header: PacketHeader) -> bool:
    return envelope.kind is PacketKind.DOCUMENT and header.business_type not in (WITHDRAWAL, UPDATE)


def number_sha256(envelope: Envelope, header: PacketHeader) -> bytes:
    """Return the digest under which the row of a document's number lies; b"" if a packet brings no number."""
    code = _number_code(header) if _is_document(envelope, header) else ""
    return document_keys.number_sha256(code) if code else b""


def _number_code(header: PacketHeader) -> str:
    """Return number, notation and year as they are compared; "" without a number."""
    number, notation = _plain(header.code_number), _plain(header.code_notation)
    issued = read_time(header.promulgation_date)
    return f"{number}\0{notation}\0{issued.year if issued else ''}" if number else ""


def _number_used(tx: Tx, unit: str, header: PacketHeader) -> bool:
    code = _number_code(header)
    if not code:
        return False
    key = document_keys.number(unit, code)
    whose, first = hashlib.sha256(header.document_id.encode()).digest(), tx.get(key)
    if first is None:
        tx.put(key, whose)
    return first is not None and first != whose


def _plain(text: str) -> str:
    """Return a text as people compare numbers: without regard to capitals, forms of accents and blanks round it."""
    return unicodedata.normalize("NFC", text).strip().upper()
