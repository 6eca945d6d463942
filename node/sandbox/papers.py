"""Papers: the documents and statuses that the sandbox's units and conformance runs write, before they are packets (writing.py).

PLAIN        what most software writes: all that QĐ 28/2018 Điều 10.2 asks for, a PDF beside it
MINIMAL      nothing that may be left out
FULL         every field that there is
CHARACTERS   composed and decomposed Vietnamese letters (NFC, NFD), marks that XML and file systems treat specially
LARGEST      one attachment that makes the packet as large as is usual (50 MB)
"""

from dataclasses import dataclass, replace
from enum import Enum

from node.edxml.compose import compose_status
from node.model.calendar import moment_of
from node.model.packet import (
    Bussiness,
    BussinessDocumentInfo,
    OrganIdList,
    ReplacementInfo,
    ReplacementInfoList,
    ResponseFor,
)
from node.model.policy import MIB
from node.sandbox.cast import Member

LARGEST_BYTES = 50 * MIB
"""The largest packet, by what integrators of the national axis believe (domain.md 3.6); no decree gives a figure."""
NEW, WITHDRAWAL, UPDATE, REPLACEMENT = "0", "1", "2", "3"


class Style(Enum):
    """The kinds of papers."""

    PLAIN = "plain"
    MINIMAL = "minimal"
    FULL = "full"
    CHARACTERS = "characters"
    LARGEST = "largest"


@dataclass(frozen=True, slots=True)
class Paper:
    """A document. `at_ms`: time of writing; `document_id` "": as is the custom; `by_old_code`: codes in their older written form.

    `size_bytes` is LARGEST's size as a packet.
    """

    sender: Member
    to: Member
    number: str
    notation: str
    subject: str
    at_ms: int
    style: Style = Style.PLAIN
    by_old_code: bool = False
    document_id: str = ""
    business: Bussiness | None = None
    attached: bool = True
    size_bytes: int = LARGEST_BYTES

    @property
    def code(self) -> str:
        """Số và ký hiệu."""
        return f"{self.number}/{self.notation}"

    @property
    def date(self) -> str:
        """Date of issue, yyyy/MM/dd."""
        return moment_of(self.at_ms).strftime("%Y/%m/%d")

    @property
    def own_id(self) -> str:
        """Its DocumentId."""
        return self.document_id or f"{self.sender.code},{self.date},{self.code}"

    def written(self, member: Member) -> str:
        """Return a unit's code in the form that this paper writes."""
        return member.old_code if self.by_old_code else member.code

    def about(self, business: Bussiness, subject: str, at_ms: int) -> "Paper":
        """Return a paper under the same identifier that does something with this document."""
        return replace(
            self,
            document_id=self.own_id,
            business=replace(business, document_id=self.own_id),
            subject=subject,
            at_ms=at_ms,
        )


def withdrawal(reason: str) -> Bussiness:
    """Return the business block that takes a document back."""
    return Bussiness(bussiness_doc_type=WITHDRAWAL, bussiness_doc_reason=reason, paper="0")


def update(reason: str) -> Bussiness:
    """Return the business block that changes a document's words."""
    info = BussinessDocumentInfo(document_info="1", document_receiver="0")
    return Bussiness(
        bussiness_doc_type=UPDATE, bussiness_doc_reason=reason, paper="0", bussiness_document_infos=(info,)
    )


def replacement(old: Paper, reason: str) -> Bussiness:
    """Return the business block that puts a paper in the place of an older one."""
    replaced = ReplacementInfo(old.own_id, OrganIdList((old.written(old.to),)))
    return Bussiness(
        bussiness_doc_type=REPLACEMENT,
        bussiness_doc_reason=reason,
        paper="0",
        replacement_info_lists=(ReplacementInfoList((replaced,)),),
    )


def status_of(
    sender: Member, about: ResponseFor, status_code: str, note: str, at_ms: int, *, by_code: str = ""
) -> bytes:
    """Return a status packet about a document, to `about.organ_id`; `by_code` is the sender's code as it shall be written."""
    return compose_status(
        sender=by_code or sender.code,
        sender_name=sender.name,
        author=about.organ_id,
        document_id=about.document_id,
        code=about.code,
        date=about.promulgation_date,
        status_code=status_code,
        description=note,
        timestamp=moment_of(at_ms).strftime("%Y/%m/%d %H:%M:%S"),
    )
