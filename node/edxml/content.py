"""Contents of attachments as they stand in a packet: base64, read as leniently as the programs in use read it.

Everything that is not of the alphabet is passed over (line ends, blanks, rubbish), and the first = ends the content
(edxml.md section 3). Pieces may be cut anywhere.
"""

from binascii import a2b_base64
from math import ceil

BEGINNING_BYTES = 128
"""Enough of a content to tell a zip and the name of its first entry."""

_BEGINNING_CHARACTERS = ceil(BEGINNING_BYTES * 4 / 3)
_RUBBISH = bytes(
    octet for octet in range(256) if octet not in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
)


class _Characters:
    """Picks out the characters that count, piece by piece."""

    __slots__ = ("_ended",)

    def __init__(self) -> None:
        self._ended = False

    def _of(self, text: str) -> bytes:
        if self._ended:
            return b""
        plain = text.encode("ascii", "ignore").translate(None, _RUBBISH)
        end = plain.find(b"=")
        self._ended = end >= 0
        return plain[:end] if self._ended else plain


class Measure(_Characters):
    """Learns how large a content is and how it begins, holding nothing else of it."""

    __slots__ = ("_characters", "_first")

    def __init__(self) -> None:
        super().__init__()
        self._characters = 0
        self._first = b""

    def feed(self, text: str) -> None:
        """Take the next piece."""
        plain = self._of(text)
        self._characters += len(plain)
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
