"""Dialects: telling in which one a packet is written, by what shows on the way through it (edxml.md section 6)."""

from collections.abc import Iterable, Mapping

from node.errors import Rejected
from node.model.packet import Dialect
from node.model.reason import Reason

QCVN_102 = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
ENVELOPE_TAG = f"{{{QCVN_102}}}edXMLEnvelope"
"""The tag of the envelope that can be carried; it stands below another root."""

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_OLDER = {
    "http://www.e-doc.vn/Schema/": Dialect.E_DOC,
    "http://www.e-doc.vn/Schema": Dialect.E_DOC,
    "http://www.go.vn/eDoc": Dialect.GO_VN,
}
_ENVELOPES = frozenset({"edXMLEnvelope", "EdXMLEnvelope"})
_DOT_NET_NAMESPACES = frozenset({"http://www.w3.org/2001/XMLSchema", "http://www.w3.org/2001/XMLSchema-instance"})
_DOT_NET_FIELDS = frozenset({"must_understand", "actor", "href"})


class Signs:
    """Takes note of what tells dialects apart, and refuses what is none of them."""

    def __init__(self) -> None:
        self.root_tag = ""
        self._namespace = ""
        """Of the element that makes it edXML: the envelope, or under SOAP the MessageHeader."""
        self._root_is_soap = False
        self._root_is_envelope = False
        self._looks_dot_net = False
        self._others: list[str] = []
        self.is_carried = False
        """The envelope is that of QCVN 102, below another root."""

    def note_root(self, tag: str, nsmap: Mapping[str | None, str]) -> bool:
        """Take note of the root; True if it is the envelope itself."""
        self.root_tag = tag
        self._looks_dot_net = not _DOT_NET_NAMESPACES.isdisjoint(nsmap.values())
        self._root_is_soap = tag == f"{{{_SOAP}}}Envelope"
        self._root_is_envelope = not self._root_is_soap and self.note_envelope(tag)
        self.is_carried = False
        self.note_other(1, tag)
        return self._root_is_soap or self._root_is_envelope

    def note_envelope(self, tag: str) -> bool:
        """Take note of an envelope, which must be the first one; True if it is edXML's in a namespace that is known."""
        namespace, _, name = tag[1:].rpartition("}")
        known = name in _ENVELOPES and (namespace == QCVN_102 or namespace in _OLDER)
        if known:
            self._namespace = namespace
            self.is_carried = tag == ENVELOPE_TAG
            if self.root_tag != tag and not self.is_carried:
                self.note_other(2, tag)
        return known

    def note_message(self, tag: str) -> None:
        """Take note of the MessageHeader: under SOAP it alone tells that this is edXML."""
        namespace = tag[1:].rpartition("}")[0]
        if self._root_is_soap and (namespace == QCVN_102 or namespace in _OLDER):
            self._namespace = namespace

    def note_attributes(self, fields: Iterable[str]) -> None:
        """Take note of attributes that only .NET programs and older ones write."""
        self._looks_dot_net = self._looks_dot_net or not _DOT_NET_FIELDS.isdisjoint(fields)

    def note_signature(self, tag: str) -> None:
        """Take note of the signature's name."""
        self._looks_dot_net = self._looks_dot_net or tag.endswith("DigitalSignature")

    def note_other(self, depth: int, tag: str) -> None:
        """Remember what might have been meant as the envelope, for the wording of the refusal."""
        if depth <= 2 and "envelope" in tag.rpartition("}")[2].lower() and len(self._others) < 3:
            self._others.append(tag[:200] if tag.startswith("{") else f"{tag[:200]} without namespace")

    def dialect(self) -> Dialect:
        """Return the dialect. Raises Rejected(PACKET_WRONG_NAMESPACE) if it is none."""
        if not self._namespace:
            raise self.not_carried()
        if self._namespace in _OLDER:
            return _OLDER[self._namespace]
        if self._root_is_envelope or self._root_is_soap:
            return Dialect.BARE_ENVELOPE
        return Dialect.DOT_NET if self._looks_dot_net else Dialect.QCVN_102

    def not_carried(self) -> Rejected:
        """Make the refusal of what is not the dialect that can be carried, PACKET_WRONG_NAMESPACE."""
        found = ", ".join(self._others) or "nothing like it"
        return Rejected(
            Reason.PACKET_WRONG_NAMESPACE,
            f"no {ENVELOPE_TAG} below the root {self.root_tag[:200]}; found {found[:400]}",
        )
