"""Lines of XML as JDOM2's "pretty format" writes them, which is what the vendor's library uses (edxml.md section 1).

Texts are trimmed at both ends and otherwise kept; an empty text has no element, an empty group is `<Name />`; two spaces of
indent, CRLF. No CDATA, no comments, no normalisation.
"""

import re
from collections.abc import Iterable, Sequence

from node.errors import Rejected
from node.model.reason import Reason

END_OF_LINE = "\r\n"
_NOT_XML_1_0 = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BEYOND_16_BITS = re.compile("[\U00010000-\U0010ffff]")

Lines = list[str]
"""Lines of XML, not yet indented by what is around them."""


def element(name: str, inner: Iterable[Sequence[str]], attributes: str = "") -> Lines:
    """Return an element around others, each given by its lines; `attributes` as `attribute` writes them."""
    lines = [f"  {line}" for child in inner for line in child]
    return [f"<{name}{attributes}>", *lines, f"</{name}>"] if lines else [f"<{name}{attributes} />"]


def group(name: str, *inner: Lines) -> Lines:
    """Return an element of the envelope around others."""
    return element(f"edXML:{name}", inner)


def text(name: str, value: str) -> Lines:
    """Return an element of the envelope with text; nothing at all if the text is empty. Raises as `plain`."""
    return plain(f"edXML:{name}", value)


def plain(name: str, value: str, attributes: str = "") -> Lines:
    """Return an element with text; nothing at all if the text is empty. Raises Rejected(REQUEST_INVALID) as `escape`."""
    written = escape(value.strip(" \t\r\n"))
    return [f"<{name}{attributes}>{written}</{name}>"] if written else []


def attribute(name: str, value: str) -> str:
    """Return an attribute with a blank before it. Raises Rejected(REQUEST_INVALID) as `escape`."""
    written = escape(value).replace(END_OF_LINE, "&#xA;").replace("\t", "&#x9;").replace('"', "&quot;")
    return f' {name}="{written}"'


def escape(value: str) -> str:
    """Return a text as it stands in XML. Raises Rejected(REQUEST_INVALID) for a character that XML does not allow."""
    wrong = _NOT_XML_1_0.search(value)
    if wrong:
        raise Rejected(Reason.REQUEST_INVALID, f"character U+{ord(wrong[0]):04X} is not allowed in XML")
    for character, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#xD;"), ("\n", END_OF_LINE)):
        value = value.replace(character, written)
    # By number, as JDOM2 writes them: our packets are to be its packets, octet for octet.
    return _BEYOND_16_BITS.sub(lambda found: f"&#x{ord(found[0]):x};", value)
