"""Reading an edXML packet's header: the only door from packet bytes to model words.

Two ways through the same plan (plan.py) and the same rules (words.py): `read_header` takes a packet that is in memory, quickly;
`HeaderReader` takes one piece by piece and never holds more than a block of it. Both give the same words and the same faults,
however the packet was cut up: the parser always sees blocks of one size.

A packet comes from outside, so nothing in it is obeyed: a DOCTYPE or an undeclared entity is refused, no file and no host is
ever asked for, and every size has a limit (limits.py).
"""

from typing import Any, cast

from lxml import etree

from node.edxml.limits import KIB, LIMITS, Limits
from node.edxml.stream import Collector
from node.edxml.tree import read_tree
from node.errors import Rejected
from node.model.header import PacketHeader
from node.model.reason import Reason

BLOCK_BYTES = 64 * KIB
_TAIL_BYTES = 256

_ENTITY_CODES = frozenset({etree.ErrorTypes.ERR_UNDECLARED_ENTITY, etree.ErrorTypes.WAR_UNDECLARED_ENTITY})
_SIZE_CODES = frozenset({etree.ErrorTypes.ERR_NAME_TOO_LONG, 114})
"""114 is libxml2's XML_ERR_RESOURCE_LIMIT, which lxml has no name for."""
_LONE_MARK_CODES = frozenset({etree.ErrorTypes.ERR_NAME_REQUIRED, etree.ErrorTypes.ERR_ENTITYREF_SEMICOL_MISSING})
"""A < or & that is none: the parser waits for the end of the name that it takes it for."""


def read_header(packet: bytes, limits: Limits = LIMITS) -> PacketHeader:
    """Return the words of a whole packet. Raises Rejected as `HeaderReader`."""
    header = read_tree(packet, limits)
    if header is not None:
        return header
    reader = HeaderReader(limits)
    reader.feed(packet)
    return reader.finish()


class HeaderReader:
    """Reads one packet piece by piece.

    Both methods raise Rejected: PACKET_NOT_XML, PACKET_HAS_DTD, PACKET_TRUNCATED, PACKET_WRONG_NAMESPACE, PACKET_NO_SENDER,
    PACKET_NO_RECIPIENT, STATUS_MALFORMED or PACKET_TOO_COMPLEX, as soon as it shows, and from then on the same one again.
    """

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._collector = Collector(limits)
        self._parser = etree.XMLParser(
            target=cast(Any, self._collector),  # the stubs ask for a method for comments, lxml does not
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

    def feed(self, data: bytes) -> None:
        """Read on."""
        self._check_not_refused()
        rest = memoryview(data)
        while rest:
            room = BLOCK_BYTES - len(self._block)
            self._block += rest[:room]
            rest = rest[room:]
            if len(self._block) == BLOCK_BYTES:
                self._parse_block()

    def finish(self) -> PacketHeader:
        """End the packet and return its words."""
        self._check_not_refused()
        if self._block:
            self._parse_block()
        try:
            self._end()
            return self._collector.header()
        except Rejected as refusal:
            self._refusal = refusal
            raise

    def _check_not_refused(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    def _parse_block(self) -> None:
        block = bytes(self._block)
        self._block.clear()
        self._head = self._head or block[:4]
        self._tail = (self._tail + block[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        calls = self._collector.calls
        try:
            self._parse(block)
            self._silent_bytes = self._silent_bytes + len(block) if calls == self._collector.calls else 0
            self._check_silence()
        except Rejected as refusal:
            self._refusal = refusal
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
        raise Rejected(Reason.PACKET_TOO_COMPLEX, f"more than {limit} octets after the end of the packet (markup_bytes_max)")

    def _parse(self, block: bytes) -> None:
        try:
            self._parser.feed(block)
        except etree.XMLSyntaxError as error:
            raise _not_xml(_code(error), error.msg) from error
        # Errors of namespaces (a prefix that is not declared) do not stop libxml2, but they stop every reader after us.
        for entry in self._parser.feed_error_log.filter_from_errors():
            raise _not_xml(entry.type, f"{entry.message}, line {entry.line}, column {entry.column}")

    def _end(self) -> None:
        try:
            self._parser.close()
        except etree.XMLSyntaxError as error:
            if not self._head:
                raise Rejected(Reason.PACKET_NOT_XML, "the packet is empty") from error
            if self._ended_early():
                where = self._collector.path or "the beginning, before the root element"
                detail = f"the packet ends inside {where[:400]}: {_first_line(error.msg)}"
                raise Rejected(Reason.PACKET_TRUNCATED, detail) from error
            raise _not_xml(_code(error), error.msg) from error

    def _ended_early(self) -> bool:
        """True if more octets could have made it whole: inside the root, or in what looks like XML before the root."""
        if not self._collector.root_seen:
            return b"<" in self._head
        # The parser may have been waiting since a fault far before the end, with the rest of the packet all there.
        end = f"{self._collector.root_name}>".encode()
        return bool(self._collector.path) and not self._tail.replace(b"\0", b"").rstrip().endswith(end)


def _code(error: etree.XMLSyntaxError) -> int:
    return cast(int, error.code)  # type: ignore[attr-defined]  # the stubs do not know it


def _first_line(message: str | None) -> str:
    """What comes after the first line may be a piece of the packet's text, which has no business in a log."""
    return (message or "").partition("\n")[0][:300]


def _not_xml(code: int, message: str | None) -> Rejected:
    if code in _ENTITY_CODES:
        return Rejected(Reason.PACKET_HAS_DTD, f"reference to an entity: {_first_line(message)}")
    if code in _SIZE_CODES:
        return Rejected(Reason.PACKET_TOO_COMPLEX, f"the parser's limits: {_first_line(message)}")
    return Rejected(Reason.PACKET_NOT_XML, _first_line(message))
