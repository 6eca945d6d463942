"""Plan of a header: the cut of the grammar by which a node reads a packet that it carries and does not judge.

    any root
      edXMLEnvelope                 in the namespace of QCVN 102; everything below by local name alone, in any order
        edXMLHeader
          MessageHeader             From, To*, DocumentId, Code, PromulgationInfo, DocumentType, Subject, DueDate, OtherInfo,
                                    ResponseFor*, and of a status StatusCode, Description, Timestamp
          TraceHeaderList           Bussiness or Business: what is done with the document, and with which
        edXMLBody                   whether it is there, no more: a status has none

A header read by it says the same as the whole packet would (words.py; a test holds them against each other).
"""

from dataclasses import replace

from node.edxml.grammar import WHOLE
from node.edxml.shape import Grammar, Shape, Slot


def _cut(shape: Shape, element: str, *wanted: str | Slot) -> Slot:
    """Return the slot of an element with a smaller shape."""
    slot = shape.slot(element)
    return replace(slot, shape=_group(slot).only(*wanted))


def _group(slot: Slot) -> Shape:
    assert slot.shape is not None
    return slot.shape


_envelope = _group(WHOLE.envelope_slot)
_header = _group(_envelope.slot("edXMLHeader"))
_message, _trace = _group(_header.slot("MessageHeader")), _group(_header.slot("TraceHeaderList"))
_business = _group(_trace.slot("Bussiness"))

_MESSAGE = _cut(
    _header,
    "MessageHeader",
    _cut(_message, "From", "OrganId", "OrganName"),
    _cut(_message, "To", "OrganId"),
    "DocumentId",
    "Code",
    _cut(_message, "PromulgationInfo", "PromulgationDate"),
    _cut(_message, "DocumentType", "Type", "TypeName"),
    "Subject",
    "DueDate",
    _cut(_message, "OtherInfo", "Priority"),
    "ResponseFor",
    "StatusCode",
    "Description",
    "Timestamp",
)
_BUSSINESS = _cut(
    _trace,
    "Bussiness",
    "DocumentId",
    "BussinessDocType",
    "BussinessDocReason",
    _cut(_business, "BussinessDocumentInfo", "ReceiverList"),
    "ReplacementInfoList",
)
_ENVELOPE = _cut(
    WHOLE.root,
    "edXMLEnvelope",
    _cut(_envelope, "edXMLHeader", _MESSAGE, _cut(_header, "TraceHeaderList", _BUSSINESS)),
    _cut(_envelope, "edXMLBody"),
)

HEADER = Grammar(root=WHOLE.root.only(_ENVELOPE), older_envelope=_group(_ENVELOPE), tells_dialect=False)
"""All that the header needs; a packet with an older envelope is refused, however much of it is read."""
