"""The quick way of reading: a small, plainly written packet becomes a tree in C, and the plan is walked over it.

It only ever says yes. Whatever is not quite ordinary (another encoding, a comment, a CDATA section, a fault of any kind) makes
it return None, and the stream reader, which knows every rule, judges the packet from the start. So there is one place that
refuses, and the two ways cannot differ in what they refuse.
"""

from functools import lru_cache

from lxml import etree

from node.edxml.limits import MIB, Limits
from node.edxml.plan import ENVELOPE, ROOT, Picked, Plan, base64_characters
from node.edxml.words import header_of
from node.errors import Rejected
from node.model.header import PacketHeader

TREE_BYTES_MAX = 1 * MIB
"""Larger packets are streamed. libxml2 itself refuses to put a text of 10 MB into a tree."""

_BEGINNINGS = tuple(
    mark + b'<?xml version="1.0" encoding="' + name + b'"?>'
    for mark in (b"", b"\xef\xbb\xbf")
    for name in (b"UTF-8", b"utf-8")
)
_ELEMENT_BYTES_MIN = len("<a/>")

_PARSER = etree.XMLParser(
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    huge_tree=False,
    collect_ids=False,
    # Halves the time. It changes texts only beside comments, CDATA and instructions, and packets with those do not come here.
    remove_blank_text=True,
)


class _NotOrdinaryError(Exception):
    """This packet is for the stream reader."""


def read_tree(packet: bytes, limits: Limits) -> PacketHeader | None:
    """Return the words of an ordinary small packet; None: let the stream reader judge."""
    if not _is_ordinary(packet, limits):
        return None
    try:
        root = etree.fromstring(packet, _PARSER)
        if _too_deep(limits.depth_max)(root):
            return None
        picked = _pick(Picked(), root, ROOT, limits)
        return header_of(picked) if ENVELOPE.name in picked.groups else None
    except (etree.XMLSyntaxError, Rejected, _NotOrdinaryError):
        # Not swallowed: the caller has the stream reader judge, which finds the fault again and words it.
        return None


def _is_ordinary(packet: bytes, limits: Limits) -> bool:
    """Small enough to be within the limits that are not counted here, UTF-8, and without any of <!DOCTYPE, <!--, <![CDATA[, <?."""
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


def _pick(picked: Picked, element: etree._Element, plan: Plan, limits: Limits) -> Picked:
    """Fill `picked` with what the plan takes of the element's children, and return it.

    The busiest loop of a node: what `Plan.find` and `Picked.wants` say stands here in line, and it ends when nothing more can be wanted.
    """
    parts, texts, groups, enough = plan.parts, picked.texts, picked.groups, plan.enough
    for child in element:
        tag = child.tag
        part = parts.get(tag) or plan.find(tag)
        if part is None:
            continue
        inner = part.plan
        if inner is not None:
            if part.name not in groups or part.count_limit:
                _pick(picked.add_group(part, limits), child, inner, limits)
        elif part.name not in texts or part.count_limit:
            if len(child):
                raise _NotOrdinaryError
            if part.is_content:
                picked.add_content(part, base64_characters(child.text or ""))
            else:
                picked.add_text(part, child.text or "", limits)
        if len(texts) + len(groups) == enough:
            break
    return picked
