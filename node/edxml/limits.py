"""Limits on what a packet may ask of its reader. All of them are far above what any office sends, and keep memory small and flat."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits; a packet beyond any of them is Rejected(PACKET_TOO_COMPLEX)."""

    elements_max: int = 200_000
    depth_max: int = 32
    """Elements inside one another, the root counted."""
    recipients_max: int = 10_000
    """To elements; also ResponseFor elements."""
    attachments_max: int = 10_000
    """Attachment elements; also the manifest's Reference elements."""
    header_text_characters_max: int = 256 * KIB
    """One text that is taken, e.g. Subject."""
    header_characters_max: int = 4 * MIB
    """All texts that are taken."""
    names_characters_max: int = 16 * KIB
    """Names of elements and attributes, each counted once: the parser keeps them (names.py). All those of edXML have 2 KiB."""
    markup_bytes_max: int = 1 * MIB
    """Octets without an element or a piece of text: one endless tag or comment, which the parser would have to hold."""


LIMITS = Limits()
