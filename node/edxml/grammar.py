"""Grammar: the standard's elements in the order in which the vendor's library writes them, and the model's word for each.

One table serves both ways: readers find elements in it by local name, in any order; the writer (write.py) goes through it from
top to bottom. shape.py says what it is made of; plan.py cuts out of it what a header needs. Source: edxml.md sections 1 and 2.
"""

from dataclasses import dataclass, field, fields
from typing import Any

from node.edxml.shape import Grammar, Shape, Slot
from node.model import packet as words


def _texts(make: type[Any], elements: str, **more: Any) -> Shape:
    """Return a shape of texts only: the fields of `make` in order, their elements named by `elements`."""
    named = zip(elements.split(), (each.name for each in fields(make)), strict=False)
    return Shape(make, *(Slot(element, name) for element, name in named), **more)


_ORGAN = _texts(words.Organ, "OrganId OrganizationInCharge OrganName OrganAdd Email Telephone Fax Website")
_CODE = _texts(words.Code, "CodeNumber CodeNotation")
_PROMULGATION = _texts(words.PromulgationInfo, "Place PromulgationDate")
_DOCUMENT_TYPE = Shape(
    words.DocumentType,
    Slot("Type", "type", fallback="0"),
    Slot("TypeDetail", "type_detail", fallback="0"),
    Slot("TypeName", "type_name"),
)
_SIGNER = _texts(words.SignerInfo, "Competence Position FullName")
_OTHER = Shape(
    words.OtherInfo,
    Slot("Priority", "priority"),
    Slot("SphereOfPromulgation", "sphere_of_promulgation"),
    Slot("TyperNotation", "typer_notation"),
    Slot("PromulgationAmount", "promulgation_amount"),
    Slot("PageAmount", "page_amount"),
    Slot("ReplyFors", "reply_fors"),
    Slot("Direction", "direction", fallback="false"),
    Slot("ReferenceCodes", "reference_codes"),
    Slot("Appendixes", "appendixes", Shape(words.Appendixes, Slot("Appendix", "appendixes", many=True))),
)
_RESPONSE = _texts(words.ResponseFor, "OrganId Code DocumentId PromulgationDate")
_TASKS = Shape(words.ResponseForTask, Slot("TaskCode", "task_codes", many=True))
_TO_PLACES = Shape(words.ToPlaces, Slot("Place", "places", many=True))
_STAFF = _texts(words.StaffInfo, "Department DepartmentId Staff StaffId Email Mobile")

_RECIPIENTS, _FILES = "recipients_max", "attachments_max"

_SENDER = Slot("From", "sender", _ORGAN)
_RESPONSES = Slot("ResponseFor", "response_for", _RESPONSE, many=True, count_limit=_RECIPIENTS)

DOCUMENT_SLOTS = (
    _SENDER,
    Slot("To", "to", _ORGAN, many=True, count_limit=_RECIPIENTS),
    Slot("DocumentId", "document_id"),
    Slot("Code", "code", _CODE),
    Slot("PromulgationInfo", "promulgation_info", _PROMULGATION),
    Slot("DocumentType", "document_type", _DOCUMENT_TYPE),
    Slot("Subject", "subject"),
    Slot("Content", "content"),
    Slot("SignerInfo", "signer_info", _SIGNER),
    Slot("DueDate", "due_date"),
    Slot("OtherInfo", "other_info", _OTHER),
    _RESPONSES,
    Slot("SteeringType", "steering_type", fallback="0", is_optional=True),
    Slot("ResponseForTask", "response_for_task", _TASKS),
    Slot("ApplicationType", "application_type"),
    Slot("ToPlaces", "to_places", _TO_PLACES),
)
"""The slots of a document's MessageHeader."""

_STATUS_ONLY = (
    Slot("StaffInfo", "staff_info", _STAFF),
    Slot("StatusCode", "status_code"),
    Slot("Description", "description"),
    Slot("Timestamp", "timestamp"),
)

STATUS_SLOTS = (_SENDER, _RESPONSES, *_STATUS_ONLY)
"""The slots of a status's MessageHeader."""

_RECEIVERS = Shape(
    words.ReceiverList,
    Slot("Receiver", "receivers", _texts(words.Receiver, "OrganId ReceiverType"), many=True, count_limit=_RECIPIENTS),
)
_UPDATE = Shape(
    words.BussinessDocumentInfo,
    Slot("DocumentInfo", "document_info"),
    Slot("DocumentReceiver", "document_receiver"),
    Slot("ReceiverList", "receiver_list", _RECEIVERS),
)
_REPLACED = Shape(
    words.ReplacementInfo,
    Slot("DocumentId", "document_id"),
    Slot(
        "OrganIdList",
        "organ_id_list",
        Shape(words.OrganIdList, Slot("OrganId", "organ_ids", many=True, count_limit=_RECIPIENTS)),
    ),
)
_REPLACEMENTS = Shape(
    words.ReplacementInfoList,
    Slot("ReplacementInfo", "replacement_infos", _REPLACED, many=True, count_limit=_RECIPIENTS),
)
_BUSSINESS = Shape(
    words.Bussiness,
    Slot("DocumentId", "document_id"),
    Slot("BussinessDocType", "bussiness_doc_type"),
    Slot("BussinessDocReason", "bussiness_doc_reason"),
    Slot("Paper", "paper"),
    Slot("BussinessDocumentInfo", "bussiness_document_infos", _UPDATE, many=True, count_limit=_RECIPIENTS),
    Slot("ReplacementInfoList", "replacement_info_lists", _REPLACEMENTS, many=True, count_limit=_RECIPIENTS),
    Slot("StaffInfo", "staff_infos", _STAFF, many=True),
    also={f"Business{rest}": f"Bussiness{rest}" for rest in ("DocType", "DocReason", "DocumentInfo")},
)
TRACE = Shape(
    words.TraceHeaderList,
    Slot("Paper", "paper"),
    Slot("Bussiness", "bussiness", _BUSSINESS),
    Slot("TraceHeader", "trace_headers", _texts(words.TraceHeader, "OrganId Timestamp"), many=True),
    also={"Business": "Bussiness"},
    attributes={"id": "id", "version": "version", "mustUnderstand": "must_understand", "actor": "actor"},
)
ERRORS = Shape(words.ErrorList, Slot("Error", "errors", _texts(words.PacketError, "Code Description"), many=True))
REFERENCE = _texts(words.Reference, "ContentId ContentType Description AttachmentName", attributes={"href": "href"})
ATTACHMENT = Shape(
    words.Attachment,
    Slot("ContentId", "content_id"),
    Slot("AttachmentName", "attachment_name"),
    Slot("Description", "description"),
    Slot("FieldName", "field_name"),
    Slot("MimeType", "mime_type"),
    Slot("ContentType", "content_type"),
    Slot("ContentTransferEncoded", "", is_content=True),
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The edXMLManifest as read."""

    references: tuple[words.Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class Encoded:
    """The AttachmentEncoded as read."""

    attachments: tuple[words.Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Body:
    """The edXMLBody as read."""

    manifest: Manifest | None = None
    encoded: Encoded | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The edXMLHeader as read."""

    message: words.MessageHeader | None = None
    trace: words.TraceHeaderList | None = None
    errors: words.ErrorList | None = None
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The edXMLEnvelope as read; `encoded` stands in it only where the envelope is the root."""

    header: Header | None = None
    body: Body | None = None
    encoded: Encoded | None = None


@dataclass(frozen=True, slots=True)
class Root:
    """All that was read."""

    envelope: Envelope | None = None
    encoded: Encoded | None = field(default=None)


MESSAGE_HEADER = Shape(words.MessageHeader, *DOCUMENT_SLOTS, *_STATUS_ONLY)
"""For reading, when it is not known yet of which kind the packet is."""

_ATTACHMENT_SLOT = Slot("Attachment", "attachments", ATTACHMENT, many=True, count_limit=_FILES)
_REFERENCES = Slot("Reference", "references", REFERENCE, many=True, count_limit=_FILES)
_HEADER = Shape(
    Header,
    Slot("MessageHeader", "message", MESSAGE_HEADER),
    Slot("TraceHeaderList", "trace", TRACE),
    Slot("ErrorList", "errors", ERRORS),
    Slot("Signature", "signature", is_opaque=True),
    also={"DigitalSignature": "Signature"},
)
_ENCODED = Slot("AttachmentEncoded", "encoded", Shape(Encoded, _ATTACHMENT_SLOT))
_BODY = Shape(
    Body,
    Slot("edXMLManifest", "manifest", Shape(Manifest, _REFERENCES)),
    _ENCODED,
    also={"Manifest": "edXMLManifest", "EdXMLManifest": "edXMLManifest"},
)
_INNER = (Slot("edXMLHeader", "header", _HEADER), Slot("edXMLBody", "body", _BODY), _ENCODED)
_ENVELOPE = Shape(Envelope, *_INNER)

WHOLE = Grammar(
    root=Shape(Root, Slot("edXMLEnvelope", "envelope", _ENVELOPE), _ENCODED, also={"EdXMLEnvelope": "edXMLEnvelope"}),
    # Header and Body are SOAP's, in the dialect before QCVN 102. They count in older dialects only: in a packet that is carried
    # nobody must be able to put another header before the one that the recipient's program reads.
    older_envelope=Shape(
        Envelope,
        *_INNER,
        also={"EdXMLHeader": "edXMLHeader", "Header": "edXMLHeader", "EdXMLBody": "edXMLBody", "Body": "edXMLBody"},
    ),
    tells_dialect=True,
)
"""Everything that a packet says."""
