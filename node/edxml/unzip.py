"""Unzipping the one file of a zip while it passes by, trusting nothing that the zip says of itself.

The programs in use read such a zip from its beginning and take the first entry, under the entry's name (edxml.md section 3). So
does this, and it refuses what would harm them or hide something: a name with a path, more entries than one, a table of contents
that tells of another file, encryption, a checksum that does not hold, and more octets than the zip can honestly stand for.
Nothing is kept but a small window, and nothing is written anywhere. A caller that has the zip takes pieces of the file (`unzip_one`);
one that is given it piece by piece pushes them in (`Unzipper`). Source of the form: PKWARE APPNOTE 6.3, sections 4.3 and 4.4.
"""

import struct
import zlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from node.edxml.limits import KIB, MIB
from node.errors import Rejected
from node.model.reason import Reason

LOCAL_MARK = b"PK\x03\x04"
_CENTRAL_MARK, _END_MARK, _END_64_MARK, _DESCRIPTOR_MARK = b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x07\x08"
_LOCAL = struct.Struct("<4s2xHH4xIIIHH")
"""mark, flags, method, crc, compressed, size, length of the name, length of the extra field"""
_CENTRAL = struct.Struct("<4s24xHHH12x")
"""mark, lengths of name, extra field and comment"""
_END = struct.Struct("<4s6xH10x")
"""mark, entries"""
_ENCRYPTED, _SIZES_LATER = 0x1, 0x8
_STORED, _DEFLATED = 0, 8
_SIZE_ELSEWHERE = 0xFFFF_FFFF
"""A size of more than 32 bits stands in the extra field."""
_STEP_BYTES = 64 * KIB


@dataclass(frozen=True, slots=True)
class UnzipLimits:
    """Bounds on what unzipping yields: `free_bytes` always, then `ratio_max` octets for each octet of the zip, `bytes_max` at most."""

    free_bytes: int = 16 * MIB
    ratio_max: int = 200
    bytes_max: int = 1024 * MIB


UNZIP_LIMITS = UnzipLimits()
PACKET_FREE_BYTES, PACKET_RATIO_MAX = 64 * MIB, 50
"""The same for all attachments of a packet together, by the octets of the packet: many small bombs are a large one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a zip as its own header tells it; `size_bytes` 0: it does not tell."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed_bytes: int
    size_bytes: int = 0

    @property
    def name(self) -> str:
        """The file's name; octets that are not UTF-8 as in Latin-1."""
        try:
            return self.raw_name.decode()
        except UnicodeDecodeError:
            return self.raw_name.decode("latin-1")


def first_entry_name(beginning: bytes) -> str | None:
    """Return the name (or what is there of it) of the first file of a zip that begins so; None if it is no zip."""
    if not beginning.startswith(LOCAL_MARK) or len(beginning) < _LOCAL.size:
        return None
    name_bytes = _LOCAL.unpack_from(beginning)[6]
    return Entry(beginning[_LOCAL.size : _LOCAL.size + name_bytes], 0, 0, 0, 0).name


R = TypeVar("R")
_Steps = Generator[bytes | None, None, R]
"""Work that gives out pieces of the file, and None when it can go no further without more of the zip."""


class Budget:
    """Room for all that the zips of one packet yield."""

    def __init__(self, packet_bytes: int) -> None:
        self._left_bytes = max(PACKET_FREE_BYTES, PACKET_RATIO_MAX * packet_bytes)

    def spending(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Give pieces on. Raises Rejected(PACKET_TOO_COMPLEX) before the one for which there is no room; nor is there for any after it."""
        for piece in pieces:
            self._left_bytes -= len(piece)
            if self._left_bytes < 0:
                raise Rejected(
                    Reason.PACKET_TOO_COMPLEX, "the zips of the packet together yield more than it can stand for"
                )
            yield piece


class Unzipper:
    """Gives out the one file of a zip that is pushed in.

    Raises Rejected: REQUEST_INVALID if it is not a sound zip of one file without a path, PACKET_TOO_COMPLEX for a bomb. A fault of
    the name is raised before anything is given out, others as soon as they show, which for a second entry is at the end.
    """

    def __init__(self, limits: UnzipLimits) -> None:
        self._stream = _Stream()
        self._steps = _unzip(self._stream, limits)

    def feed(self, octets: bytes) -> Iterator[bytes]:
        """Take the next octets of the zip; give out what they make. All of it must be taken."""
        self._stream.add(octets)
        return self._until_hungry()

    def finish(self) -> Iterator[bytes]:
        """Give out the rest; nothing more comes."""
        self._stream.ended = True
        return self._until_hungry()

    def _until_hungry(self) -> Iterator[bytes]:
        for piece in self._steps:
            if piece is None:
                return
            yield piece


def unzip_one(pieces: Iterable[bytes], limits: UnzipLimits = UNZIP_LIMITS) -> Iterator[bytes]:
    """Give out the one file of a zip. Raises Rejected as `Unzipper`."""
    unzipper = Unzipper(limits)
    for piece in pieces:
        yield from unzipper.feed(piece)
    yield from unzipper.finish()


def _unzip(stream: "_Stream", limits: UnzipLimits) -> _Steps[None]:
    entry = yield from _read_entry(stream)
    crc = 0
    for piece in _stored(stream, entry, limits) if entry.method == _STORED else _inflated(stream, entry, limits):
        crc = zlib.crc32(piece or b"", crc)
        yield piece
    if crc != (yield from _promised_crc(stream, entry)):
        raise _unsound("the checksum does not hold")
    yield from _check_end(stream, entry)


class _Stream:
    """The octets of the zip that have come and were not looked at yet."""

    def __init__(self) -> None:
        self._window = b""
        self.read_bytes = 0
        self.ended = False

    def add(self, octets: bytes) -> None:
        """Take the next octets."""
        self._window += octets

    def some(self) -> _Steps[bytes]:
        """Return octets, at least one but at the end."""
        yield from self.peek(1)
        taken, self._window = self._window, b""
        self.read_bytes += len(taken)
        return taken

    def give_back(self, octets: bytes) -> None:
        """Take back octets that were too many: deflate tells only afterwards where it ended."""
        self.read_bytes -= len(octets)
        self._window = octets + self._window

    def exactly(self, size_bytes: int) -> _Steps[bytes]:
        """Return so many octets. Raises Rejected(REQUEST_INVALID) if there are fewer."""
        taken = yield from self.peek(size_bytes)
        if len(taken) < size_bytes:
            raise _unsound("it is cut off")
        self._window = self._window[size_bytes:]
        self.read_bytes += size_bytes
        return taken

    def peek(self, size_bytes: int) -> _Steps[bytes]:
        """Return so many octets, fewer at the end, and leave them there."""
        while len(self._window) < size_bytes and not self.ended:
            yield None
        return self._window[:size_bytes]


def _read_entry(stream: _Stream) -> _Steps[Entry]:
    header = yield from stream.exactly(_LOCAL.size)
    mark, flags, method, crc, packed, size_bytes, name_bytes, extra_bytes = _LOCAL.unpack(header)
    if mark != LOCAL_MARK:
        raise _unsound("it does not begin with a file")
    told_bytes = 0 if flags & _SIZES_LATER or size_bytes == _SIZE_ELSEWHERE else size_bytes
    entry = Entry((yield from stream.exactly(name_bytes)), flags, method, crc, packed, told_bytes)
    yield from stream.exactly(extra_bytes)
    _check_entry(entry)
    return entry


def _check_entry(entry: Entry) -> None:
    name = entry.name
    if not name.strip(" .") or any(letter in "/\\:" or letter < " " for letter in name):
        raise _unsound(f"the file's name {name[:100]!r} is none or has a path in it")
    if entry.flags & _ENCRYPTED:
        raise _unsound("it is encrypted")
    if entry.method not in (_STORED, _DEFLATED):
        raise _unsound(f"method {entry.method} is not one that receivers know")
    if entry.method == _STORED and entry.flags & _SIZES_LATER:
        raise _unsound("it does not tell where its file ends")


def _stored(stream: _Stream, entry: Entry, limits: UnzipLimits) -> _Steps[None]:
    left = entry.packed_bytes
    if left > limits.bytes_max:
        raise _too_large(left, limits)
    while left:
        taken = yield from stream.exactly(min(left, _STEP_BYTES))
        left -= len(taken)
        yield taken


def _inflated(stream: _Stream, entry: Entry, limits: UnzipLimits) -> _Steps[None]:
    if entry.size_bytes > min(limits.bytes_max, max(limits.free_bytes, limits.ratio_max * max(entry.packed_bytes, 1))):
        raise _too_large(entry.size_bytes, limits)
    inflater, made_bytes = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while not inflater.eof:
        packed = inflater.unconsumed_tail or (yield from stream.some())
        try:
            piece = inflater.decompress(packed, _STEP_BYTES)
        except zlib.error as error:
            raise _unsound("its data are damaged") from error
        if not packed and not piece and not inflater.eof:
            raise _unsound("it is cut off")
        made_bytes += len(piece)
        if made_bytes > min(limits.bytes_max, max(limits.free_bytes, limits.ratio_max * stream.read_bytes)):
            raise _too_large(made_bytes, limits)
        if entry.size_bytes and made_bytes > entry.size_bytes:
            raise _unsound(f"it yields more than the {entry.size_bytes} octets that it tells of")
        if piece:
            yield piece
    stream.give_back(inflater.unused_data)


def _promised_crc(stream: _Stream, entry: Entry) -> _Steps[int]:
    if not entry.flags & _SIZES_LATER:
        return entry.crc
    if (yield from stream.peek(4)) == _DESCRIPTOR_MARK:
        yield from stream.exactly(4)
    crc = int.from_bytes((yield from stream.exactly(4)), "little")
    yield from stream.exactly(8)
    if (yield from stream.peek(4)) not in (_CENTRAL_MARK, LOCAL_MARK):
        # No record begins here, so the sizes have eight octets each (zip64, APPNOTE 4.3.9).
        yield from stream.exactly(8)
    return crc


def _check_end(stream: _Stream, entry: Entry) -> _Steps[None]:
    """Check that the table of contents follows, with this file in it and nothing else: programs that read it must see the same file."""
    if (yield from stream.peek(4)) == LOCAL_MARK:
        raise _unsound("it holds several files")
    mark, name_bytes, extra_bytes, comment_bytes = _CENTRAL.unpack((yield from stream.exactly(_CENTRAL.size)))
    if mark != _CENTRAL_MARK or (yield from stream.exactly(name_bytes)) != entry.raw_name:
        raise _unsound("its table of contents tells of another file")
    yield from stream.exactly(extra_bytes + comment_bytes)
    if (yield from stream.peek(4)) == _CENTRAL_MARK:
        raise _unsound("it holds several files")
    if (yield from stream.peek(4)) != _END_64_MARK:
        mark, entries = _END.unpack((yield from stream.exactly(_END.size)))
        if mark != _END_MARK or entries != 1:
            raise _unsound("its end is not that of a zip of one file")


def _unsound(what: str) -> Rejected:
    return Rejected(Reason.REQUEST_INVALID, f"zip refused: {what}")


def _too_large(made_bytes: int, limits: UnzipLimits) -> Rejected:
    what = f"zip refused: it grows to {made_bytes} octets or more"
    return Rejected(Reason.PACKET_TOO_COMPLEX, f"{what} (ratio {limits.ratio_max}, at most {limits.bytes_max})")
