"""Naming by content: submissions, so that a repeat is harmless (law 3), and files, so that no text from outside leaves its folder."""

import hashlib
import re
import unicodedata

from node.model.office import InboxEntry

ID_DIGITS = 32
ID_DIGITS_SHOWN = 10
FILE_NAME_CHARACTERS_MAX = 80
FILE_NAME_BYTES_MAX = 160
"""File systems take 255 octets, a Vietnamese letter has up to three; room is left for what is put behind the name."""

_NOT_IN_FILE_NAMES = re.compile(r"[^\w.-]+")


def safe_file_name(name: str) -> str:
    """Return a name without folders, control characters or leading dots, in NFC, at most 80 characters and 160 octets."""
    composed = unicodedata.normalize("NFC", name)
    kept = _NOT_IN_FILE_NAMES.sub("-", composed).strip("-.")[:FILE_NAME_CHARACTERS_MAX]
    whole = kept.encode(errors="ignore")[:FILE_NAME_BYTES_MAX].decode(errors="ignore")
    return whole.rstrip("-.") or "goi-tin"


def packet_name(entry: InboxEntry) -> str:
    """Return the name under which a fetched packet is kept: số ký hiệu (or status) and the first digits of its id."""
    about = entry.document_code or entry.document_id or "goi-tin"
    kind = f"trang-thai-{entry.status_code}-" if entry.status_code else ""
    return f"{safe_file_name(kind + about)}-{entry.packet_id.hex()[:ID_DIGITS_SHOWN]}"


def submission_id_for(name: str, content_sha256: bytes) -> str:
    """Return an id that is the same for the same octets under the same name, so that submitting them again is harmless."""
    return f"{safe_file_name(name)}-{content_sha256.hex()[:ID_DIGITS]}"


def submission_id_of_words(kind: str, *said: str) -> str:
    """Return the id of a packet that says this. Its octets do not serve for it: they hold the time and differ at each making."""
    return f"{kind}-{hashlib.sha256(chr(0).join(said).encode()).hexdigest()[:ID_DIGITS]}"
