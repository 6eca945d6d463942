"""Writing a whole packet exactly as the vendor's library writes it (edxml.md sections 1, 2 and 4).

The grammar is gone through from top to bottom. Contents of attachments are streams that are turned into base64 as they pass, so
memory does not grow with them. The additions of .NET programs (mustUnderstand, actor, xlink:href) are not written, and every dialect
comes out as QCVN 102, so the programs in use can read whatever is written here.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from node.edxml.dialect import QCVN_102
from node.edxml.grammar import ATTACHMENT, DOCUMENT_SLOTS, ERRORS, REFERENCE, STATUS_SLOTS, TRACE
from node.edxml.lines import END_OF_LINE, Lines, attribute, element, group, plain, text
from node.edxml.shape import Shape, Slot
from node.edxml.signature import signature_lines
from node.model.envelope import PacketKind
from node.model.packet import Attachment, Packet

Content = bytes | Iterable[bytes]
"""The content of an attachment as it is to travel: the file itself, or a zip of it."""

_READ_ONLY = frozenset({"mustUnderstand", "actor", "href"})
_EDXML = f' xmlns:edXML="{QCVN_102}"'
_CONTENT = "edXML:ContentTransferEncoded"


def write_packet(packet: Packet, contents: Sequence[Content] = ()) -> Iterator[bytes]:
    """Give out the packet's octets piece by piece; `contents` are those of `packet.attachments`, in order.

    Sizes and beginnings that the attachments tell are not looked at. A text is trimmed at its ends; SteeringType, Type and
    TypeDetail without a value become 0, Direction false, as the vendor's library has them. An empty content is left out.
    Raises Rejected(REQUEST_INVALID) for a character that XML does not allow, before anything is given out but for what stands
    in the attachments' own elements.
    """
    assert len(contents) == len(packet.attachments), "a content for each attachment"
    is_document = packet.kind is PacketKind.DOCUMENT
    envelope = element("edXML:edXMLEnvelope", [_header(packet), _body(packet) if is_document else []], _EDXML)
    yield _octets(['<?xml version="1.0" encoding="UTF-8"?>', f'<edXML xmlns="{QCVN_102}">', *_indented(envelope, 1)])
    if is_document:
        yield from _attachments(packet.attachments, contents)
    yield _octets(["</edXML>"])


def _header(packet: Packet) -> Lines:
    slots = DOCUMENT_SLOTS if packet.kind is PacketKind.DOCUMENT else STATUS_SLOTS
    message = element("edXML:MessageHeader", (_slot(slot, packet.header) for slot in slots))
    trace = _shape("TraceHeaderList", TRACE, packet.trace) if packet.trace else []
    errors = _shape("ErrorList", ERRORS, packet.errors) if packet.errors else []
    return group("edXMLHeader", message, trace, errors, signature_lines(packet.signature))


def _body(packet: Packet) -> Lines:
    references = (_shape("Reference", REFERENCE, one) for one in packet.references or ())
    return group("edXMLBody", element("edXML:edXMLManifest", references, ' version="1.0"'))


def _slot(slot: Slot, holder: Any) -> Lines:
    value = getattr(holder, slot.field)
    if slot.many:
        return [line for one in value for line in _one(slot, one)]
    return _one(slot, value)


def _one(slot: Slot, value: Any) -> Lines:
    if slot.shape is None:
        return text(slot.element, value or "") or text(slot.element, slot.fallback)
    return _shape(slot.element, slot.shape, value) if value is not None else []


def _shape(name: str, shape: Shape, value: Any) -> Lines:
    named = ((each, getattr(value, field)) for each, field in shape.attributes.items() if each not in _READ_ONLY)
    attributes = "".join(attribute(each, written) for each, written in named if written)
    return element(f"edXML:{name}", (_slot(slot, value) for slot in shape.slots), attributes)


def _attachments(attachments: Sequence[Attachment], contents: Sequence[Content]) -> Iterator[bytes]:
    if not attachments:
        yield _octets(["  <AttachmentEncoded />"])
        return
    yield _octets(["  <AttachmentEncoded>"])
    for attachment, content in zip(attachments, contents, strict=True):
        yield from _attachment(attachment, _base64(content))
    yield _octets(["  </AttachmentEncoded>"])


def _attachment(attachment: Attachment, pieces: Iterator[bytes]) -> Iterator[bytes]:
    words = [
        line
        for slot in ATTACHMENT.slots
        if not slot.is_content
        for line in plain(slot.element, getattr(attachment, slot.field))
    ]
    first = next(pieces, b"")
    # An empty content has no element, as the vendor's library has it (edxml.md section 1).
    if not first:
        yield _octets(_indented(element("Attachment", [words]), 2))
        return
    yield _octets(["    <Attachment>", *_indented(words, 3)])
    yield f"      <{_CONTENT}{_EDXML}>".encode() + first
    yield from pieces
    yield _octets([f"</{_CONTENT}>", "    </Attachment>"])


def _base64(content: Content) -> Iterator[bytes]:
    """Give out base64, all on one line; nothing for an empty content."""
    rest = b""
    for piece in (content,) if isinstance(content, bytes) else content:
        rest += piece
        # Three octets make four characters; an = in the middle would end the content for every reader.
        whole = len(rest) // 3 * 3
        if whole:
            yield b64encode(rest[:whole])
            rest = rest[whole:]
    if rest:
        yield b64encode(rest)


def _indented(lines: Lines, depth: int) -> Lines:
    return ["  " * depth + line for line in lines]


def _octets(lines: Lines) -> bytes:
    return END_OF_LINE.join([*lines, ""]).encode()
