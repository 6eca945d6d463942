"""Signature, the packet's element, which is only carried: octets out of the reader, lines into the writer.

Nothing here looks at what it says. It is written as the vendor's library writes it, in the namespace of QCVN 102 and without
prefixes; one with text between its elements or with prefixed attributes is not touched and goes on one line as it was read.
"""

from collections.abc import Mapping
from typing import Any, cast

from lxml import etree

from node.edxml.dialect import QCVN_102
from node.edxml.lines import Lines, attribute, element, plain
from node.errors import Rejected
from node.model.reason import Reason


def signature_lines(octets: bytes) -> Lines:
    """Return the lines of a Signature; none for b"". Raises Rejected(REQUEST_INVALID) if it is not well-formed."""
    if not octets:
        return []
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    try:
        root = etree.fromstring(octets, parser)
    except etree.XMLSyntaxError as error:
        raise Rejected(Reason.REQUEST_INVALID, "the signature is not well-formed XML") from error
    if cast(Any, root.getroottree().docinfo).doctype:  # the stubs do not know it
        raise Rejected(Reason.REQUEST_INVALID, "DOCTYPE in the signature")
    return _lines(root, QCVN_102) if _is_plain(root) else [etree.tostring(root, encoding="unicode", with_tail=False)]


def _is_plain(root: etree._Element) -> bool:
    for one in root.iter():
        if not isinstance(one.tag, str) or any(name.startswith("{") for name in _attributes(one)):
            return False
        text = (one.text or "") if len(one) else ""
        if (text + "".join(child.tail or "" for child in one)).strip():
            return False
    return True


def _lines(one: etree._Element, default: str) -> Lines:
    name = etree.QName(one)
    namespace = name.namespace or ""
    declared = f' xmlns="{namespace}"' if namespace != default else ""
    attributes = declared + "".join(attribute(each, value) for each, value in _attributes(one).items())
    if len(one):
        return element(name.localname, (_lines(child, namespace) for child in one), attributes)
    return plain(name.localname, one.text or "", attributes) or [f"<{name.localname}{attributes} />"]


def _attributes(one: etree._Element) -> Mapping[str, str]:
    return cast(Mapping[str, str], one.attrib)
