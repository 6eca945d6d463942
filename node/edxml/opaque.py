"""An element that is only carried, as octets: built anew from what the parser tells of it, so that both ways of reading give the same."""

from collections.abc import Mapping
from typing import Any, cast

from lxml import etree

_NO_NAME = "no-name"


class Opaque:
    """One such element, told tag by tag."""

    __slots__ = ("_builder", "_open")

    def __init__(self) -> None:
        self._builder = etree.TreeBuilder()
        self._open: list[str] = []
        """The names under which elements were begun."""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins: this one, or one in it.

        What is no name (`a:b:c`) or in a namespace that is no URI is left out here: the parser tells of it before it refuses the
        packet for it.
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
        """A piece of text comes."""
        self._builder.data(text)

    def end(self) -> bytes | None:
        """The innermost element ends; with the last one its octets are there, b"" if it was empty."""
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
