"""Tree, the quick way of reading: a small, plainly written packet becomes a tree in C, and the grammar is walked over it.

It never refuses. Anything that is not quite ordinary (another encoding, a comment, a CDATA section, a fault of any kind) makes it
return None, and the stream reader, which knows every rule, reads the packet from the start. So there is one place that refuses, and
the two ways cannot differ in what they refuse.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, cast

from lxml import etree

from node.edxml.collect import ContentListener
from node.edxml.content import Measure
from node.edxml.dialect import ENVELOPE_TAG, Signs
from node.edxml.grammar import Root
from node.edxml.limits import MIB, Limits
from node.edxml.opaque import octets_of
from node.edxml.shape import ATTACHMENT_NAME, ENVELOPE_NAME, IN_QCVN_102, MESSAGE_NAME, Grammar, Shape, Slot

TREE_BYTES_MAX = 1 * MIB
"""Larger packets are streamed. libxml2 itself refuses to put a text of 10 MB into a tree."""

_BEGINNINGS = tuple(
    mark + b'<?xml version="1.0" encoding="' + name + b'"?>'
    for mark in (b"", b"\xef\xbb\xbf")
    for name in (b"UTF-8", b"utf-8")
)
_ELEMENT_BYTES_MIN = len("<a/>")


def _parser(*, remove_blank_text: bool) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        collect_ids=False,
        remove_blank_text=remove_blank_text,
    )


_PARSER = _parser(remove_blank_text=True)
"""Leaving out blank texts halves the time. It changes texts only beside comments, CDATA and instructions, and packets with those do
not come here."""
_EXACT_PARSER = _parser(remove_blank_text=False)
"""For an element that is kept as octets."""


class Tree(NamedTuple):
    """The words of an ordinary packet, and the signs that tell its dialect."""

    root: Root
    signs: Signs
    root_is_prefixed: bool


class _NotOrdinaryError(Exception):
    """This packet is for the stream reader."""


def read_tree(
    packet: bytes, limits: Limits, grammar: Grammar, on_content: ContentListener | None = None
) -> Tree | None:
    """Read an ordinary small packet that can be carried; None: let the stream reader judge, and forget what `on_content` has heard."""
    if not _is_ordinary(packet, limits):
        return None
    try:
        root = etree.fromstring(packet, _PARSER)
        if _too_deep(limits.depth_max)(root):
            return None
        walk = _Walk(packet, limits, on_content)
        # Making the map of namespaces takes longer than asking whether anybody wants it.
        nsmap = cast(Mapping[str | None, str], root.nsmap) if grammar.tells_dialect else {}
        if walk.signs.note_root(root.tag, nsmap):
            return None
        read = walk.group(root, grammar.root)
    except (etree.XMLSyntaxError, _NotOrdinaryError):
        # Not swallowed: the caller has the stream reader judge, which finds the fault again and words it.
        return None
    return Tree(read, walk.signs, root.prefix is not None) if walk.signs.is_carried else None


def _is_ordinary(packet: bytes, limits: Limits) -> bool:
    """Tell whether it is small enough for the limits that are not counted here, UTF-8, and without <!DOCTYPE, <!--, <![CDATA[ and <?."""
    bytes_max = min(
        TREE_BYTES_MAX,
        limits.elements_max * _ELEMENT_BYTES_MIN,
        limits.header_characters_max,
        limits.markup_bytes_max,
    )
    return (
        len(packet) <= bytes_max
        and packet.startswith(_BEGINNINGS)
        # A search for one octet is many times quicker than one for several; text with these in it is rare enough.
        and b"!" not in packet
        and packet.find(b"?", packet.index(b"?>") + 2) < 0
    )


@lru_cache(maxsize=8)
def _too_deep(depth_max: int) -> etree.XPath:
    return etree.XPath("boolean(" + "/*" * (depth_max + 1) + ")")


class _Walk:
    """One walk over one tree."""

    def __init__(self, packet: bytes, limits: Limits, on_content: ContentListener | None) -> None:
        self.signs = Signs()
        self._packet = packet
        self._limits = limits
        self._text_characters_max = limits.header_text_characters_max
        self._on_content = on_content
        self._attachments = 0

    def group(self, element: etree._Element, shape: Shape) -> Any:
        """Return what an element with others in it says.

        The busiest loop of a node: what `Shape.find` and `_text` say stands here in line, and it ends when nothing more can be wanted.
        """
        values = self._attributes(element, shape) if shape.attributes else {}
        slot_of, enough, characters_max = shape.slots_by_tag.get, shape.enough, self._text_characters_max
        for child in element:
            tag = child.tag
            slot = slot_of(tag)
            if slot is None and (tag.startswith(IN_QCVN_102) or (slot := shape.find(tag)) is None):
                continue
            field = slot.field
            if slot.is_text:
                if field not in values:
                    text = child.text or ""
                    if len(child) or len(text) > characters_max:
                        raise _NotOrdinaryError
                    values[field] = text
            elif slot.many:
                self._add(values, slot, child)
            elif slot.is_content:
                if "size_bytes" not in values:
                    self._content(values, child)
            elif field in values:
                continue
            elif slot.shape is not None:
                if slot.element in (ENVELOPE_NAME, MESSAGE_NAME):
                    self._note(slot, tag)
                values[field] = self.group(child, slot.shape)
            else:
                values[field] = self._opaque(child)
            if len(values) == enough:
                break
        return shape.build(values)

    def _text(self, element: etree._Element) -> str:
        text = element.text or ""
        if len(element) or len(text) > self._text_characters_max:
            raise _NotOrdinaryError
        return text

    def _add(self, values: dict[str, Any], slot: Slot, child: etree._Element) -> None:
        same = values.setdefault(slot.field, [])
        if slot.count_limit and len(same) >= getattr(self._limits, slot.count_limit):
            raise _NotOrdinaryError
        if slot.shape is None:
            same.append(self._text(child))
            return
        self._attachments += slot.element == ATTACHMENT_NAME
        same.append(self.group(child, slot.shape))

    def _note(self, slot: Slot, tag: str) -> None:
        if slot.element == MESSAGE_NAME:
            self.signs.note_message(tag)
        elif tag != ENVELOPE_TAG:
            raise _NotOrdinaryError
        else:
            self.signs.note_envelope(tag)

    def _attributes(self, element: etree._Element, shape: Shape) -> dict[str, Any]:
        if not len(element.attrib):
            return {}
        named = {str(name).rpartition("}")[2]: str(value) for name, value in element.attrib.items()}
        values = {field: named[name] for name, field in shape.attributes.items() if name in named}
        self.signs.note_attributes(values)
        return values

    def _content(self, values: dict[str, Any], element: etree._Element) -> None:
        if len(element):
            raise _NotOrdinaryError
        text, measure = element.text or "", Measure()
        measure.feed(text)
        values["size_bytes"], values["beginning"] = measure.size_bytes, measure.beginning
        values["encoding"] = measure.encoding
        if self._on_content is not None:
            self._on_content(self._attachments - 1, text)
            self._on_content(self._attachments - 1, None)

    def _opaque(self, element: etree._Element) -> bytes:
        """Return an element's octets with every blank in them: the packet is parsed once more, which few packets need."""
        self.signs.note_signature(element.tag)
        if not len(element) and not element.text:
            return b""
        path = element.getroottree().getelementpath(element)
        found = etree.fromstring(self._packet, _EXACT_PARSER).find(path)
        assert found is not None
        return octets_of(found)
