"""Document keys: what is known of documents and their numbers, tables `c`, `v`, `x` and `y` of the map in keys.py."""

import hashlib

NUMBERS, DOCUMENTS, DOSSIERS = b"c", b"x", b"y"
"""Prefixes of whole tables, for the few scans that want one."""


def docket(packet_id: bytes, unit: str = "") -> bytes:
    """Key of what a unit's software said of a packet by the bridge; without a unit the prefix of all that was said of the packet."""
    return b"v" + packet_id + unit.encode()


def document(unit: str, document_id: str) -> bytes:
    """Key under which a document of an author is found by its DocumentId."""
    return document_by_digest(unit, document_sha256(document_id))


def document_by_digest(unit: str, document_digest: bytes) -> bytes:
    """Return the same key for a DocumentId of which only the digest is known."""
    return DOCUMENTS + unit.encode() + b"\0" + document_digest


def document_sha256(document_id: str) -> bytes:
    """Return the SHA-256 that stands for a DocumentId in keys, since a DocumentId is as long as its author likes."""
    return hashlib.sha256(document_id.encode()).digest()


def dossier(unit: str, author: str, document_digest: bytes, party: str | None = None) -> bytes:
    """Head and prefix of a document's dossier as one unit keeps it; with a party the prefix of its rows ("": everybody's)."""
    prefix = b"y" + unit.encode() + b"\0" + author.encode() + b"\0" + document_digest
    return prefix if party is None else prefix + party.encode() + b"\0"


def dossier_row(unit: str, author: str, document_digest: bytes, party: str, packet_id: bytes) -> bytes:
    """Key of one packet in a dossier."""
    return dossier(unit, author, document_digest, party) + packet_id


def parse_dossier(key: bytes) -> tuple[str, str, bytes, bytes]:
    """Return (unit, author, digest of the DocumentId, packet id) of a dossier row; of a head the packet id is empty."""
    unit, author, rest = key[1:].split(b"\0", 2)
    return unit.decode(), author.decode(), rest[:32], rest[32:][-16:]


def number(unit: str, code: str) -> bytes:
    """Key that shows whether an author has used a number (with notation and year) before."""
    return number_by_digest(unit, number_sha256(code))


def number_sha256(code: str) -> bytes:
    """Return the SHA-256 that stands for a number in keys."""
    return hashlib.sha256(code.encode()).digest()


def number_by_digest(unit: str, code_digest: bytes) -> bytes:
    """Return the key of a number of which only the digest is known."""
    return NUMBERS + unit.encode() + b"\0" + code_digest


def unit_of_number(key: bytes) -> str:
    """Return the author whose number it is."""
    return key[1:-33].decode()
