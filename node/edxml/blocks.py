"""Blocks: the parser under both streaming readers. Octets come in, libxml2 gets blocks of one size, and faults are in our own words.

A packet comes from outside, so nothing in it is obeyed: a DOCTYPE or an undeclared entity is refused, no file and no host is
ever asked for, and every size has a limit (limits.py). However the packet was cut up, the parser sees blocks of one size, so
words and faults are always the same.

lxml loses some 370 octets of a parser whose target raises, or that is not closed (6.1.3). So nothing is raised through it, and it is
closed whatever happens.
"""

import contextlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar, cast

from lxml import etree

from node.edxml.limits import KIB, Limits
from node.errors import Rejected
from node.model.reason import Reason

BLOCK_BYTES = 64 * KIB
_HEAD_BYTES = 4 * KIB
_TAIL_BYTES = 256
_PREFIXED_ROOT = re.compile(
    rb"[\xef\xbb\xbf\xfe\xff]{0,3}(?>\s+|<\?(?:(?!\?>).)*\?>|<!--(?:(?!-->).)*-->)*<[^\s<>/:?!]+:", re.DOTALL
)
"""lxml does not tell a target with which prefix an element was written."""

T = TypeVar("T")

_ENTITY_CODES = frozenset({etree.ErrorTypes.ERR_UNDECLARED_ENTITY, etree.ErrorTypes.WAR_UNDECLARED_ENTITY})
_SIZE_CODES = frozenset({etree.ErrorTypes.ERR_NAME_TOO_LONG, 114})
"""114 is libxml2's XML_ERR_RESOURCE_LIMIT, which lxml has no name for."""
_LONE_MARK_CODES = frozenset({etree.ErrorTypes.ERR_NAME_REQUIRED, etree.ErrorTypes.ERR_ENTITYREF_SEMICOL_MISSING})
"""A < or & that is none: the parser waits for the end of the name that it takes it for."""


class Target(Protocol):
    """Hears of every tag and piece of text, and may raise Rejected at each."""

    calls: int
    """Grows with every element and piece of text."""

    @property
    def root_seen(self) -> bool:
        """True once the root element has begun."""
        ...

    @property
    def root_name(self) -> str:
        """Local name of the root element."""
        ...

    @property
    def path(self) -> str:
        """Names of the open elements, from the root down, with / between them."""
        ...

    def doctype(self, name: str, public_id: str | None, system_id: str | None) -> None:
        """Hear that there is a DOCTYPE."""
        ...

    def start(self, tag: str, attributes: Mapping[str, str], nsmap: Mapping[str | None, str] | None = None) -> None:
        """Hear that an element begins; `tag` is "{namespace}name", as lxml writes it."""
        ...

    def end(self, tag: str) -> None:
        """Hear that the innermost element ends."""
        ...

    def data(self, text: str) -> None:
        """Hear the next piece of a text."""
        ...

    def close(self) -> None:
        """Hear that nothing more comes."""
        ...


class _Listener:
    """Stands between lxml and a target: keeps the first thing that the target raises, and tells it nothing more."""

    __slots__ = ("_target", "raised")

    def __init__(self, target: Target) -> None:
        self._target = target
        self.raised: Exception | None = None

    def doctype(self, name: str, public_id: str | None, system_id: str | None) -> None:
        self._tell(self._target.doctype, name, public_id, system_id)

    # The three that hear of every tag and text do not go through `_tell`, which would be a call more each time.
    def start(self, tag: str, attributes: Mapping[str, str], nsmap: Mapping[str | None, str] | None = None) -> None:
        if self.raised is None:
            try:
                self._target.start(tag, attributes, nsmap)
            except Exception as error:
                self.raised = error

    def end(self, tag: str) -> None:
        if self.raised is None:
            try:
                self._target.end(tag)
            except Exception as error:
                self.raised = error

    def data(self, text: str) -> None:
        if self.raised is None:
            try:
                self._target.data(text)
            except Exception as error:
                self.raised = error

    def close(self) -> None:
        self._tell(self._target.close)

    def _tell(self, hear: Callable[..., None], *words: Any) -> None:
        if self.raised is None:
            try:
                hear(*words)
            except Exception as error:
                self.raised = error


class BlockParser:
    """Parses one packet piece by piece.

    `feed` and `end` raise Rejected: PACKET_NOT_XML, PACKET_HAS_DTD, PACKET_TRUNCATED, PACKET_TOO_COMPLEX or whatever the target
    raises, as soon as it shows, and from then on the same one again.
    """

    def __init__(self, target: Target, limits: Limits) -> None:
        self._limits = limits
        self._target = target
        self._listener = _Listener(target)
        self._parser = etree.XMLParser(
            target=cast(Any, self._listener),  # the stubs ask for a method for comments, lxml does not
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
        )
        self._block = bytearray()
        self._head = b""
        self._tail = b""
        self._silent_bytes = 0
        self._refusal: Rejected | None = None

    @property
    def root_is_prefixed(self) -> bool:
        """Tell whether the root bears a prefix; a root behind more than _HEAD_BYTES of comments does not."""
        # Without zero octets, so that it is found in UTF-16 as well.
        return _PREFIXED_ROOT.match(self._head.replace(b"\0", b"")) is not None

    def feed(self, data: bytes) -> None:
        """Take the next octets, cut anywhere."""
        self._check_not_refused()
        rest = memoryview(data)
        while rest:
            room = BLOCK_BYTES - len(self._block)
            self._block += rest[:room]
            rest = rest[room:]
            if len(self._block) == BLOCK_BYTES:
                self._parse_block()

    def end(self, result: Callable[[], T]) -> T:
        """End the packet and return what `result` makes of it; a refusal by `result` stays, too."""
        self._check_not_refused()
        if self._block:
            self._parse_block()
        try:
            self._end()
            return result()
        except Rejected as refusal:
            self._refuse(refusal)
            raise

    def _refuse(self, refusal: Rejected) -> None:
        self._refusal = refusal
        self._let_go()

    def _let_go(self) -> None:
        with contextlib.suppress(etree.XMLSyntaxError):
            self._parser.close()

    def __del__(self) -> None:
        """Close the parser, for a caller may go away in the middle."""
        self._let_go()

    def _check_not_refused(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    def _parse_block(self) -> None:
        block = bytes(self._block)
        self._block.clear()
        self._head = self._head or block[:_HEAD_BYTES]
        self._tail = (self._tail + block[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        calls = self._target.calls
        try:
            self._parse(block)
            self._silent_bytes = self._silent_bytes + len(block) if calls == self._target.calls else 0
            self._check_silence()
        except Rejected as refusal:
            self._refuse(refusal)
            raise

    def _check_silence(self) -> None:
        """Refuse markup that does not end; the parser, told that nothing more comes, says what it was waiting for."""
        limit = self._limits.markup_bytes_max
        if self._silent_bytes <= limit:
            return
        try:
            self._parser.close()
        except etree.XMLSyntaxError as error:
            if _code(error) in _LONE_MARK_CODES:
                raise _not_xml(_code(error), error.msg) from error
            waiting = f"no element and no text in more than {limit} octets (markup_bytes_max): {_first_line(error.msg)}"
            raise Rejected(Reason.PACKET_TOO_COMPLEX, waiting) from error
        # The packet is complete; what follows it is white space without end.
        raise Rejected(
            Reason.PACKET_TOO_COMPLEX, f"more than {limit} octets after the end of the packet (markup_bytes_max)"
        )

    def _parse(self, block: bytes) -> None:
        try:
            self._parser.feed(block)
        except etree.XMLSyntaxError as error:
            self._raise_what_was_raised()
            raise _not_xml(_code(error), error.msg) from error
        self._raise_what_was_raised()
        # Errors of namespaces (a prefix that is not declared) do not stop libxml2, but they stop every reader after us.
        for entry in self._parser.feed_error_log.filter_from_errors():
            raise _not_xml(entry.type, f"{entry.message}, line {entry.line}, column {entry.column}")

    def _raise_what_was_raised(self) -> None:
        if self._listener.raised is not None:
            raise self._listener.raised

    def _end(self) -> None:
        try:
            self._parser.close()
            self._raise_what_was_raised()
        except etree.XMLSyntaxError as error:
            self._raise_what_was_raised()
            if not self._head:
                raise Rejected(Reason.PACKET_NOT_XML, "the packet is empty") from error
            if self._ended_early():
                where = self._target.path or "the beginning, before the root element"
                detail = f"the packet ends inside {where[:400]}: {_first_line(error.msg)}"
                raise Rejected(Reason.PACKET_TRUNCATED, detail) from error
            raise _not_xml(_code(error), error.msg) from error

    def _ended_early(self) -> bool:
        """Tell whether more octets could have made it whole: inside the root, or in what looks like XML before the root."""
        if not self._target.root_seen:
            return b"<" in self._head[:4]
        # The parser may have been waiting since a fault far before the end, with the rest of the packet all there.
        end = f"{self._target.root_name}>".encode()
        # Without zero octets, so that it is found in UTF-16 as well.
        return bool(self._target.path) and not self._tail.replace(b"\0", b"").rstrip().endswith(end)


def _code(error: etree.XMLSyntaxError) -> int:
    return cast(int, error.code)  # type: ignore[attr-defined]  # the stubs do not know it


def _first_line(message: str | None) -> str:
    """Return the first line: the next ones may be a piece of the packet's text, which has no business in a log."""
    return (message or "").partition("\n")[0][:300]


def _not_xml(code: int, message: str | None) -> Rejected:
    if code in _ENTITY_CODES:
        return Rejected(Reason.PACKET_HAS_DTD, f"reference to an entity: {_first_line(message)}")
    if code in _SIZE_CODES:
        return Rejected(Reason.PACKET_TOO_COMPLEX, f"the parser's limits: {_first_line(message)}")
    return Rejected(Reason.PACKET_NOT_XML, _first_line(message))
