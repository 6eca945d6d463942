"""Opaque elements, which are only carried, as octets: built anew from what the parser tells, so that both ways of reading give the same."""

from collections.abc import Mapping
from typing import Any, cast

from lxml import etree

_NO_NAME = "no-name"


class Opaque:
    """Builds one such element, told tag by tag."""

    __slots__ = ("_builder", "_open")

    def __init__(self) -> None:
        self._builder = etree.TreeBuilder()
        self._open: list[str] = []
        """The names under which elements were begun."""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Begin an element: this one, or one in it.

        A tag that is no name (`a:b:c`), or in a namespace that is no URI, is replaced here: the parser tells of it before it refuses
        the packet for it.
        """
        namespace = tag[1:].partition("}")[0] if tag.startswith("{") else ""
        nsmap = {None: namespace} if namespace and not self._open else {}
        builder = cast(Any, self._builder)  # the stubs know of no nsmap
        try:
            builder.start(tag, attributes, nsmap)
        except ValueError:
            tag = _NO_NAME
            builder.start(tag, {}, {})
        self._open.append(tag)

    def data(self, text: str) -> None:
        """Take a piece of text."""
        self._builder.data(text)

    def end(self) -> bytes | None:
        """End the innermost element; return the octets with the last one (b"" if it was empty), else None."""
        self._builder.end(self._open.pop())
        if self._open:
            return None
        element = self._builder.close()
        return etree.tostring(element) if len(element) or element.text else b""


def octets_of(element: etree._Element) -> bytes:
    """Return the octets of an element of a tree."""
    opaque = Opaque()
    octets = _tell(opaque, element)
    assert octets is not None
    return octets


def _tell(opaque: Opaque, element: etree._Element) -> bytes | None:
    opaque.start(element.tag, cast(Mapping[str, str], element.attrib))
    if element.text:
        opaque.data(element.text)
    for child in element:
        _tell(opaque, child)
        if child.tail:
            opaque.data(child.tail)
    return opaque.end()
