"""Names of elements and attributes: libxml2 keeps every name that a thread has ever met, for as long as the thread lives.

Programs write the same few dozen names, so nobody notices; a stranger who makes up new ones in every packet could make a node grow
without end. So a packet in memory is looked through before it is parsed: a name that was met before costs nothing, some thousand new ones
are learnt, and a packet with others is parsed in a thread that ends with it. A streamed packet has a limit on its names (limits.py).
"""

import re
import threading
from collections.abc import Callable
from typing import TypeVar

from node.edxml.limits import Limits

T = TypeVar("T")

NAMES_MAX = 5_000
TAG_BYTES_MAX = 500

_TAGS = re.compile(rb"<[^/][^>]*")
"""Beginnings of elements, and comments and the like."""
_CONTENT = b"ContentTransferEncoded"
_NOT_ELEMENTS = (b"<!", b"<?")
_VALUES = re.compile(rb"\"[^\"]*\"|'[^']*'")
_USUAL_BEGINNING = b'<?xml version="1.0" encoding="UTF-8"?>'
_ENCODING = re.compile(rb"encoding\s*=\s*[\"'](?!utf-8[\"'])", re.IGNORECASE)
_DECLARATION_BYTES = 200

_met: set[bytes] = set()
"""Beginnings of elements that were met, without the values of their attributes."""
_as_written: set[bytes] = set()
"""The same with their values, as far as there is room: most are written alike in every packet."""


def are_usual(packet: bytes, limits: Limits) -> bool:
    """Tell whether parsing a packet costs no lasting memory but for names that are now learnt, and is surely within the limit on them."""
    # The names are looked for as octets: a packet in UTF-16 or another encoding does not show them.
    if not packet.startswith(_USUAL_BEGINNING):
        beginning = packet[:_DECLARATION_BYTES]
        if b"\0" in beginning or _ENCODING.search(beginning):
            return False  # the names cannot be seen so easily
    tags = _tags(packet)
    return sum(map(len, tags)) <= limits.names_characters_max and (tags <= _as_written or _learn(tags))


def _tags(packet: bytes) -> set[bytes]:
    """Return all beginnings of elements. Contents of attachments, which have none, are leapt over: that halves the time."""
    tags: set[bytes] = set()
    start = 0
    while (content := packet.find(_CONTENT, start)) >= 0:
        end = packet.find(b">", content) + 1
        if not end:
            break
        tags.update(_TAGS.findall(packet, start, end))
        start = packet.find(b"<", end)
        if start < 0:
            return tags
    tags.update(_TAGS.findall(packet, start))
    return tags


def _learn(tags: set[bytes]) -> bool:
    elements = {_VALUES.sub(b"", tag) for tag in tags if not tag.startswith(_NOT_ELEMENTS)}
    new = elements - _met
    if len(_met) + len(new) > NAMES_MAX or any(len(tag) > TAG_BYTES_MAX for tag in new):
        return False
    if any(b'"' in tag or b"'" in tag for tag in new):
        return False  # a > within a value: there may be more names behind it
    _met.update(new)
    if len(_as_written) > NAMES_MAX:
        _as_written.clear()
    _as_written.update(tags)
    return True


def aside(work: Callable[[], T]) -> T:
    """Do something in a thread that ends with it, and return or raise what it does; the caller's thread waits."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="packet-with-strange-names")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]
