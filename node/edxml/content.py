"""Contents of attachments as they stand in a packet: base64, read as the programs in use read it.

Line ends and blanks are passed over, - and _ of base64url are + and /, and the first = ends the content (edxml.md section 3). The
programs in use pass over everything else as well and make another file of it, so that is told: `encoding` is BROKEN when there was
a character of no alphabet, one more than whole octets need (the content was cut), or something after the end. Pieces may be cut
anywhere.
"""

from binascii import a2b_base64
from math import ceil

from node.model.packet import Encoding

BEGINNING_BYTES = 128
"""Enough of a content to tell a zip and the name of its first entry."""

_BEGINNING_CHARACTERS = ceil(BEGINNING_BYTES * 4 / 3)
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BLANKS = b" \t\r\n"
_RUBBISH = bytes(octet for octet in range(256) if octet not in _ALPHABET + b"=")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


class _Characters:
    """Picks out the characters that count, piece by piece."""

    __slots__ = ("_characters", "_ended", "_is_broken", "_is_url")

    def __init__(self) -> None:
        self._characters = 0
        self._ended = False
        self._is_broken = False
        self._is_url = False

    @property
    def encoding(self) -> Encoding:
        """How the content is written; to be asked at its end."""
        if self._is_broken or self._characters % 4 == 1:
            return Encoding.BROKEN
        return Encoding.BASE64URL if self._is_url else Encoding.BASE64

    def _of(self, text: str) -> bytes:
        octets = text.encode("ascii", "ignore")
        if len(octets) != len(text):
            self._is_broken = True
        if b"-" in octets or b"_" in octets:
            self._is_url = True
            octets = octets.translate(_FROM_URL)
        if self._ended:
            self._is_broken = self._is_broken or bool(octets.translate(None, _BLANKS + b"="))
            return b""
        others = octets.translate(None, _ALPHABET)
        plain = octets
        if others:
            plain, others = octets.translate(None, _RUBBISH), others.translate(None, _BLANKS)
        if others:
            plain = self._until_end(plain, others, octets)
        self._characters += len(plain)
        return plain

    def _until_end(self, plain: bytes, others: bytes, octets: bytes) -> bytes:
        """Return what stands before the end, if it is in this piece, and note what should not be there."""
        end = plain.find(b"=")
        if others.strip(b"=") or (end >= 0 and octets.partition(b"=")[2].translate(None, _BLANKS + b"=")):
            self._is_broken = True
        self._ended = end >= 0
        return plain[:end] if self._ended else plain


class Measure(_Characters):
    """Learns how large a content is and how it begins, holding nothing else of it."""

    __slots__ = ("_first",)

    def __init__(self) -> None:
        super().__init__()
        self._first = b""

    def feed(self, text: str) -> None:
        """Take the next piece."""
        plain = self._of(text)
        if len(self._first) < _BEGINNING_CHARACTERS:
            self._first += plain[: _BEGINNING_CHARACTERS - len(self._first)]

    @property
    def size_bytes(self) -> int:
        """The number of octets, decoded."""
        return self._characters * 3 // 4

    @property
    def beginning(self) -> bytes:
        """The first octets, decoded, BEGINNING_BYTES at most."""
        return _decode_end(self._first)[:BEGINNING_BYTES]


class Decoder(_Characters):
    """Decodes a content piece by piece."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        super().__init__()
        self._rest = b""

    def feed(self, text: str) -> bytes:
        """Take the next piece and return what can be decoded of it."""
        plain = self._rest + self._of(text)
        whole = len(plain) & ~3  # four characters make three octets; the others wait for the next piece
        self._rest = plain[whole:]
        return a2b_base64(plain[:whole])

    def finish(self) -> bytes:
        """Return the last octets."""
        return _decode_end(self._rest)


def _decode_end(plain: bytes) -> bytes:
    """Decode what may not be a multiple of four; a single character more holds no octet."""
    if len(plain) % 4 == 1:
        plain = plain[:-1]
    return a2b_base64(plain + b"=" * (-len(plain) % 4))
