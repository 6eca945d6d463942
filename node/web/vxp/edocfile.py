"""Edoc file: the file within the body of sendEdoc: one line end less, proved by its signed digest, whatever its size.

The library sends the file's octets and then CR LF, without any framing; files commonly end in CR LF themselves, so exactly one is
taken away, never more. Its digest (hash-file) is SHA-256 written without leading zeros: each octet by Integer.toHexString, 48 to
64 characters. Proper hex is taken too, and a digest over the body as a whole: then nothing is taken away.

One program in use sends base64 of the file by the same road. A body that is not XML but base64 of XML is decoded; its digest may be
of the text or of the file.

The digest can be checked only when the whole body has come. `octets` therefore raises at the end if it is wrong, and the receiver
throws away what it has stored of the file.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import AsyncIterator

from node.errors import Rejected
from node.model.reason import Reason

LINE_END = b"\r\n"
_HASH = re.compile(r"[0-9a-f]{32,64}")
_BASE64_HEAD = re.compile(rb"[A-Za-z0-9+/_-]{8}")
_XML_HEADS = (b"<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_SPACE = b" \t\r\n"
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


def unpadded_hex(digest: bytes) -> str:
    """Write a digest as the library does: an octet below 16 is one digit."""
    return "".join(f"{octet:x}" for octet in digest)


class EdocFile:
    """A file that comes in. `hash_file` is the signed digest."""

    def __init__(self, body: AsyncIterator[bytes], hash_file: str) -> None:
        """Begin a file. Raises Rejected(REQUEST_INVALID) for a digest that is none."""
        self._body = body
        self._hash = hash_file.strip().lower()
        if not _HASH.fullmatch(self._hash):
            raise Rejected(Reason.REQUEST_INVALID, "hash-file is not SHA-256 in hex")
        self._sent = _Digest()
        self._file = _Digest()

    async def octets(self) -> AsyncIterator[bytes]:
        """Yield the file. Raises Rejected(SUBMISSION_INCOMPLETE) at the end if the digest is of other octets."""
        head = await self._head()
        if _is_base64(head):
            async for piece in self._decoded(head):
                self._file.update(piece)
                yield piece
            if not (self._sent.fits(self._hash) or self._file.is_whole(self._hash)):
                raise _other_octets()
            return
        # The last two octets are held back until it is known whether they are the file's.
        held = head
        async for piece in self._body:
            self._sent.update(piece)
            held += piece
            if len(held) > 2:
                yield held[:-2]
                held = held[-2:]
        if not self._sent.fits(self._hash):
            raise _other_octets()
        if self._sent.is_whole(self._hash) or not held.endswith(LINE_END):
            yield held
        elif len(held) > 2:
            yield held[:-2]

    async def _head(self) -> bytes:
        head = b""
        async for piece in self._body:
            self._sent.update(piece)
            head += piece
            if len(head.lstrip(_SPACE)) >= 8:
                break
        return head

    async def _decoded(self, head: bytes) -> AsyncIterator[bytes]:
        rest = _squeezed(head)
        async for piece in self._body:
            self._sent.update(piece)
            rest += _squeezed(piece)
            whole = len(rest) // 4 * 4 - 4
            if whole > 0:
                yield _decode(rest[:whole])
                rest = rest[whole:]
        yield _decode(rest + b"=" * (-len(rest) % 4))


class _Digest:
    """SHA-256 of a body, and of the body without one line end at its end."""

    def __init__(self) -> None:
        self._before = hashlib.sha256()
        self._held = b""

    def update(self, data: bytes) -> None:
        """Take more."""
        held = self._held + data
        self._before.update(held[:-2])
        self._held = held[-2:]

    def is_whole(self, text: str) -> bool:
        """Tell whether the digest of everything is written so."""
        whole = self._before.copy()
        whole.update(self._held)
        return _is(whole.digest(), text)

    def fits(self, text: str) -> bool:
        """Tell whether the digest of everything, or of everything but one line end, is written so."""
        return self.is_whole(text) or (self._held == LINE_END and _is(self._before.digest(), text))


def _is(digest: bytes, text: str) -> bool:
    return text in (digest.hex(), unpadded_hex(digest))


def _is_base64(head: bytes) -> bool:
    begin = head.lstrip(_SPACE)[:8]
    if not _BASE64_HEAD.fullmatch(begin):
        return False
    return base64.b64decode(begin.translate(_TO_STANDARD)).startswith(_XML_HEADS)


def _squeezed(text: bytes) -> bytes:
    return text.translate(_TO_STANDARD, _SPACE)


def _decode(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Rejected(Reason.PACKET_NOT_XML, "neither XML nor base64 of it") from error


def _other_octets() -> Rejected:
    return Rejected(Reason.SUBMISSION_INCOMPLETE, "hash-file is the digest of other octets than those that came")
