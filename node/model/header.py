"""Header: the part of an edXML packet that a node reads in order to route and list it. node/edxml/ turns bytes into these words."""

from dataclasses import dataclass

from node.model.envelope import PacketKind

WITHDRAWAL, UPDATE, REPLACEMENT = 1, 2, 3
"""BussinessDocType; 0 is a new document."""


@dataclass(frozen=True, slots=True)
class ResponseFor:
    """The document that is answered, or whose status is reported (edXML ResponseFor). `code` is "number/notation".

    Texts are as written; OrganId and DocumentId trimmed.
    """

    organ_id: str
    document_id: str
    code: str
    promulgation_date: str


@dataclass(frozen=True, slots=True)
class Receiver:
    """A recipient that an update adds or drops (ReceiverType 1 or 0)."""

    organ_id: str
    added: bool


@dataclass(frozen=True, slots=True)
class Replaced:
    """A document that is replaced, and where it had gone."""

    document_id: str
    organ_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Business:
    """An act on a document that exists (edXML Bussiness of type 1, 2 or 3). Ids trimmed, `document_id` "" if not named here."""

    document_id: str
    reason: str
    receivers: tuple[Receiver, ...] = ()
    replaced: tuple[Replaced, ...] = ()


@dataclass(frozen=True, slots=True)
class PacketHeader:
    """The part of a packet's header that routing needs, without attachments (model/packet.py has them).

    Texts are as written (no normalisation), dates too; OrganIds, DocumentIds and StatusCode are trimmed. `recipients` of a
    document are its To/OrganId in order of appearance without repeats, of a status its last ResponseFor/OrganId alone.
    Absent texts are ""; absent or unreadable numbers None; `business_type` is then 0, a new document.
    """

    kind: PacketKind
    sender: str
    sender_name: str
    recipients: tuple[str, ...]
    document_id: str
    code_number: str
    code_notation: str
    subject: str
    promulgation_date: str
    due_date: str
    document_type: int | None
    document_type_name: str
    priority: int | None
    business_type: int
    status_code: str
    status_description: str
    status_timestamp: str
    response_for: tuple[ResponseFor, ...]
    business: Business | None = None
    """Set if `business_type` is not 0."""

    @property
    def document_code(self) -> str:
        """Số và ký hiệu as people write it: number/notation (of a status: of the document it is about)."""
        if self.kind is PacketKind.STATUS:
            return self.response_for[-1].code if self.response_for else ""
        return "/".join(part for part in (self.code_number, self.code_notation) if part)

    @property
    def subject_document_id(self) -> str:
        """DocumentId of the document that this packet is or is about.

        A withdrawal or update names it in Bussiness, or comes under the document's own DocumentId (domain.md 2.2.4).
        """
        if self.kind is PacketKind.STATUS and self.response_for:
            return self.response_for[-1].document_id
        if self.business is not None and self.business_type in (WITHDRAWAL, UPDATE):
            return self.business.document_id or self.document_id
        return self.document_id
