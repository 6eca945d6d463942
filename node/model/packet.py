"""Packet: a whole edXML packet in words, one class for each element of QCVN 102:2016 that carries something.

Names follow the elements, odd spellings included (Bussiness, TyperNotation), so that readers of the standard find their way. Texts are
as written: nothing is trimmed, normalised or turned into a number or a date; judging them is the rules' work (node/edxml/rules/). An
absent or empty text is "", an absent element None, an element that may be repeated a tuple.

Attachments are here without their contents: a packet of 500 MB is as small as any other. Sources: edxml.md sections 1 and 2,
domain.md sections 3 and 4.
"""

from dataclasses import dataclass
from enum import Enum

from node.model.envelope import PacketKind


class Dialect(Enum):
    """The way in which a packet was written; the value is what people are shown (edxml.md section 6)."""

    QCVN_102 = "QCVN 102:2016"
    DOT_NET = "QCVN 102:2016, bản .NET"
    BARE_ENVELOPE = "QCVN 102:2016, gốc là EdXMLEnvelope"
    E_DOC = "edXML cũ (e-doc.vn)"
    GO_VN = "edXML cũ (go.vn/eDoc)"

    @property
    def is_older(self) -> bool:
        """True of packets written before QCVN 102, or as if: the programs in use cannot read them."""
        return self in (Dialect.E_DOC, Dialect.GO_VN)


@dataclass(frozen=True, slots=True)
class Organ:
    """From or To: a unit."""

    organ_id: str = ""
    organization_in_charge: str = ""
    organ_name: str = ""
    organ_add: str = ""
    email: str = ""
    telephone: str = ""
    fax: str = ""
    website: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """Số và ký hiệu."""

    code_number: str = ""
    code_notation: str = ""

    @property
    def text(self) -> str:
        """Number and notation as people write them: number/notation."""
        return "/".join(part for part in (self.code_number.strip(), self.code_notation.strip()) if part)


@dataclass(frozen=True, slots=True)
class PromulgationInfo:
    """Place and date (yyyy/MM/dd) of the document's issue."""

    place: str = ""
    promulgation_date: str = ""


@dataclass(frozen=True, slots=True)
class DocumentType:
    """Loại văn bản; TypeName is what programs match on."""

    type: str = "0"
    type_detail: str = "0"
    type_name: str = ""


@dataclass(frozen=True, slots=True)
class SignerInfo:
    """The signer, and the authority by which he signed (TM., KT., TL. …)."""

    competence: str = ""
    position: str = ""
    full_name: str = ""


@dataclass(frozen=True, slots=True)
class Appendixes:
    """Names of appendixes."""

    appendixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OtherInfo:
    """Urgency (0 to 4) and what else is known of the document."""

    priority: str = ""
    sphere_of_promulgation: str = ""
    typer_notation: str = ""
    promulgation_amount: str = ""
    page_amount: str = ""
    reply_fors: str = ""
    direction: str = "false"
    reference_codes: str = ""
    appendixes: Appendixes | None = None


@dataclass(frozen=True, slots=True)
class ResponseFor:
    """The document that is answered, or whose status is reported; `code` is "number/notation"."""

    organ_id: str = ""
    code: str = ""
    document_id: str = ""
    promulgation_date: str = ""

    @property
    def is_empty(self) -> bool:
        """True for the empty element that an axis leaves behind when it rebuilds a packet: it answers nothing."""
        return not (self.organ_id + self.code + self.document_id + self.promulgation_date).strip()


@dataclass(frozen=True, slots=True)
class ResponseForTask:
    """Tasks that the document answers."""

    task_codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToPlaces:
    """Nơi nhận, line by line as printed at the document's end."""

    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StaffInfo:
    """The person who handles the packet."""

    department: str = ""
    department_id: str = ""
    staff: str = ""
    staff_id: str = ""
    email: str = ""
    mobile: str = ""


@dataclass(frozen=True, slots=True)
class MessageHeader:
    """The header of a document has everything down to `to_places`, that of a status `sender`, `response_for` and the rest."""

    sender: Organ | None = None
    """From."""
    to: tuple[Organ, ...] = ()
    document_id: str = ""
    code: Code | None = None
    promulgation_info: PromulgationInfo | None = None
    document_type: DocumentType | None = None
    subject: str = ""
    content: str = ""
    signer_info: SignerInfo | None = None
    due_date: str = ""
    other_info: OtherInfo | None = None
    response_for: tuple[ResponseFor, ...] = ()
    steering_type: str | None = "0"
    """None: no such element; an empty one makes the programs in use fail."""
    response_for_task: ResponseForTask | None = None
    application_type: str = ""
    to_places: ToPlaces | None = None
    staff_info: StaffInfo | None = None
    status_code: str = ""
    description: str = ""
    timestamp: str = ""
    """Yyyy/MM/dd HH:mm:ss, Vietnamese time."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A recipient dropped (0) or added (1) by an update."""

    organ_id: str = ""
    receiver_type: str = ""


@dataclass(frozen=True, slots=True)
class ReceiverList:
    """Recipients dropped and added."""

    receivers: tuple[Receiver, ...] = ()


@dataclass(frozen=True, slots=True)
class BussinessDocumentInfo:
    """The parts that an update changes: the document's fields, its recipients, or both (each 0 or 1)."""

    document_info: str = ""
    document_receiver: str = ""
    receiver_list: ReceiverList | None = None


@dataclass(frozen=True, slots=True)
class OrganIdList:
    """Units to which a replaced document had gone."""

    organ_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplacementInfo:
    """One document that is replaced."""

    document_id: str = ""
    organ_id_list: OrganIdList | None = None


@dataclass(frozen=True, slots=True)
class ReplacementInfoList:
    """All documents that are replaced."""

    replacement_infos: tuple[ReplacementInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class Bussiness:
    """The act on the document: BussinessDocType 0 new, 1 withdrawn, 2 updated, 3 replaces others."""

    document_id: str = ""
    bussiness_doc_type: str = ""
    bussiness_doc_reason: str = ""
    paper: str = ""
    bussiness_document_infos: tuple[BussinessDocumentInfo, ...] = ()
    replacement_info_lists: tuple[ReplacementInfoList, ...] = ()
    staff_infos: tuple[StaffInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class TraceHeader:
    """One station of the packet's way; time is yyyy/MM/dd HH:mm:ss, Vietnamese time."""

    organ_id: str = ""
    timestamp: str = ""


@dataclass(frozen=True, slots=True)
class TraceHeaderList:
    """The packet's way so far; `must_understand` and `actor` are only read, from .NET programs."""

    id: str = ""
    version: str = ""
    must_understand: str = ""
    actor: str = ""
    paper: str = ""
    bussiness: Bussiness | None = None
    trace_headers: tuple[TraceHeader, ...] = ()


@dataclass(frozen=True, slots=True)
class PacketError:
    """An Error of an ErrorList, as some axes report them."""

    code: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class ErrorList:
    """Errors that an axis found."""

    errors: tuple[PacketError, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """The manifest's entry for an attachment. `href` is only read, from .NET and older programs."""

    content_id: str = ""
    content_type: str = ""
    description: str = ""
    attachment_name: str = ""
    href: str = ""


class Encoding(Enum):
    """How an attachment's content stands in its packet."""

    BASE64 = "base64"
    BASE64URL = "base64url"
    """With - and _ for + and /."""
    BROKEN = "broken"
    """Not base64: what can be decoded of it is not the file."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment without its content, of which `size_bytes` (decoded; of a zipped file the zip's) and the first octets are known."""

    content_id: str = ""
    attachment_name: str = ""
    description: str = ""
    field_name: str = ""
    mime_type: str = ""
    content_type: str = ""
    size_bytes: int = 0
    beginning: bytes = b""
    """The first 128 octets, fewer if there are fewer."""
    encoding: Encoding = Encoding.BASE64


@dataclass(frozen=True, slots=True)
class Packet:
    """A whole packet but for the contents of its attachments.

    `signature` is the Signature element, well-formed XML by itself, b"" if there is none or an empty one; nothing looks into it.
    `references` is None without edXMLBody.
    """

    kind: PacketKind
    header: MessageHeader
    trace: TraceHeaderList | None = None
    errors: ErrorList | None = None
    signature: bytes = b""
    references: tuple[Reference, ...] | None = None
    attachments: tuple[Attachment, ...] = ()
    dialect: Dialect = Dialect.QCVN_102
    root_is_prefixed: bool = False
    """The root itself bears a prefix (edXML:edXML), which the library that most programs use cannot read."""

    @property
    def bussiness(self) -> Bussiness | None:
        """The act on the document; None means that it is new."""
        return self.trace.bussiness if self.trace else None
