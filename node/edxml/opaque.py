"""An element that is only carried, as octets: built anew from what the parser tells of it, so that both ways of reading give the same."""

from collections.abc import Mapping
from typing import Any, cast

from lxml import etree


class Opaque:
    """One such element, told tag by tag."""

    __slots__ = ("_builder", "_depth")

    def __init__(self) -> None:
        self._builder = etree.TreeBuilder()
        self._depth = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins: this one, or one in it."""
        namespace = tag[1:].partition("}")[0] if tag.startswith("{") else ""
        nsmap = {None: namespace} if namespace and not self._depth else {}
        cast(Any, self._builder).start(tag, attributes, nsmap)  # the stubs know of no nsmap
        self._depth += 1

    def data(self, text: str) -> None:
        """A piece of text comes."""
        self._builder.data(text)

    def end(self, tag: str) -> bytes | None:
        """An element ends; with the last one its octets are there, b"" if it was empty."""
        self._builder.end(tag)
        self._depth -= 1
        if self._depth:
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
    return opaque.end(element.tag)
