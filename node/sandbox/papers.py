"""Papers: edXML packets that the sandbox's units and a conformance run write. The usual kind, and those that are unusual and valid.

        PLAIN        what most software writes: all that QĐ 28/2018 Điều 10.2 asks for, a PDF beside it
        MINIMAL      nothing that may be left out
        FULL         every field that there is
        CHARACTERS   composed and decomposed Vietnamese letters (NFC, NFD), marks that XML and file systems treat specially
        LARGEST      one attachment that makes the packet as large as is usual (50 MB)

A Signature is in none of them: a false one would teach vendors to accept false ones.
"""

import unicodedata
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from node.edxml.attach import NewAttachment, attach
from node.edxml.compose import compose_status
from node.edxml.write import write_packet
from node.model.calendar import moment_of
from node.model.envelope import PacketKind
from node.model.packet import (
    Appendixes,
    Bussiness,
    BussinessDocumentInfo,
    Code,
    DocumentType,
    MessageHeader,
    Organ,
    OrganIdList,
    OtherInfo,
    Packet,
    PromulgationInfo,
    ReplacementInfo,
    ReplacementInfoList,
    ResponseFor,
    ResponseForTask,
    SignerInfo,
    StaffInfo,
    ToPlaces,
    TraceHeader,
    TraceHeaderList,
)
from node.model.policy import DAY_MS, MIB
from node.sandbox.cast import Member
from node.sandbox.pdf import pdf, small_pdf

LARGEST_BYTES = 50 * MIB
"""What integrators of the national axis hold to be the largest packet (domain.md 3.6); no decree gives a figure."""
NEW, WITHDRAWAL, UPDATE, REPLACEMENT = "0", "1", "2", "3"

_DECOMPOSED = unicodedata.normalize("NFD", "Đã kiểm tra: Nguyễn Thị Hường, xã Quỳnh Lưu")
_COMPOSED = unicodedata.normalize("NFC", "ước lượng, khuỷu tay, ngoằn ngoèo, Đắk Lắk")
_MARKS = "“ngoặc kép”, 'nháy đơn', \"nháy kép\", a<b>&c;, ½ m², số № 1, 100 %"
SPECIAL_TEXT = f"{_COMPOSED}; {_DECOMPOSED}; {_MARKS}"
SPECIAL_NAME = unicodedata.normalize("NFD", "Phụ lục số 1 – «đặc biệt» & hết (bản 2).pdf")


class Style(Enum):
    """Which kind of paper."""

    PLAIN = "plain"
    MINIMAL = "minimal"
    FULL = "full"
    CHARACTERS = "characters"
    LARGEST = "largest"


@dataclass(frozen=True, slots=True)
class Paper:
    """A document. `at_ms`: when it is written; `document_id` "": as is the custom; `by_old_code`: codes in their older written form.

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
    """Return what takes a document back."""
    return Bussiness(bussiness_doc_type=WITHDRAWAL, bussiness_doc_reason=reason, paper="0")


def update(reason: str) -> Bussiness:
    """Return what changes a document's words."""
    info = BussinessDocumentInfo(document_info="1", document_receiver="0")
    return Bussiness(
        bussiness_doc_type=UPDATE, bussiness_doc_reason=reason, paper="0", bussiness_document_infos=(info,)
    )


def replacement(old: Paper, reason: str) -> Bussiness:
    """Return what puts a paper in the place of an older one."""
    replaced = ReplacementInfo(old.own_id, OrganIdList((_code(old.to, old),)))
    return Bussiness(
        bussiness_doc_type=REPLACEMENT,
        bussiness_doc_reason=reason,
        paper="0",
        replacement_info_lists=(ReplacementInfoList((replaced,)),),
    )


def packet_of(paper: Paper) -> Iterator[bytes]:
    """Give out the packet, piece by piece; the same octets for the same paper."""
    files = _files(paper) if paper.attached else []
    packet = Packet(
        kind=PacketKind.DOCUMENT,
        header=_HEADERS[paper.style](paper),
        trace=_trace(paper),
        references=tuple(one.reference for one in files),
        attachments=tuple(one.attachment for one in files),
    )
    return write_packet(packet, [one.content for one in files])


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


# --- headers ---------------------------------------------------------------------------------------------------------


def _plain(paper: Paper) -> MessageHeader:
    return MessageHeader(
        sender=_organ(paper.sender, paper),
        to=(_organ(paper.to, paper),),
        document_id=paper.own_id,
        code=Code(paper.number, paper.notation),
        promulgation_info=PromulgationInfo("Hà Nội", paper.date),
        document_type=DocumentType(type_name="Công văn"),
        subject=paper.subject,
        content=paper.subject,
        signer_info=SignerInfo("KT. CHÁNH VĂN PHÒNG", "Phó Chánh Văn phòng", "Nguyễn Văn Mẫu"),
        other_info=OtherInfo(priority="0", page_amount="1"),
        to_places=ToPlaces(("Như trên", "Lưu: VT")),
    )


def _minimal(paper: Paper) -> MessageHeader:
    return replace(
        _plain(paper),
        promulgation_info=PromulgationInfo("", paper.date),
        content="",
        signer_info=SignerInfo("", "Chánh Văn phòng", "Nguyễn Văn Mẫu"),
        other_info=OtherInfo(priority="0"),
        to_places=None,
    )


def _full(paper: Paper) -> MessageHeader:
    earlier = ResponseFor(_code(paper.to, paper), "12/UBND-VX", f"{paper.to.code},2026/01/05,12/UBND-VX", "2026/01/05")
    return replace(
        _plain(paper),
        sender=_with_address(_organ(paper.sender, paper)),
        to=(_with_address(_organ(paper.to, paper)),),
        due_date=_day(paper.at_ms + 10 * DAY_MS),
        other_info=OtherInfo(
            priority="1",
            sphere_of_promulgation="Nội bộ các cơ quan mẫu",
            typer_notation="NVM",
            promulgation_amount="12",
            page_amount="3",
            reply_fors="12/UBND-VX",
            direction="false",
            reference_codes="34/KH-UBND",
            appendixes=Appendixes(("Phụ lục I", "Phụ lục II")),
        ),
        response_for=(
            earlier,
            replace(earlier, code="13/UBND-VX", document_id=f"{paper.to.code},2026/01/06,13/UBND-VX"),
        ),
        steering_type="1",
        response_for_task=ResponseForTask(("NV-2026-001", "NV-2026-002")),
        application_type="QLVB",
        to_places=ToPlaces(("Như trên", "Thanh tra (để biết)", "Lưu: VT, TH (2b)")),
    )


def _characters(paper: Paper) -> MessageHeader:
    header = _plain(paper)
    return replace(
        header,
        subject=f"{paper.subject} {SPECIAL_TEXT}",
        content=SPECIAL_TEXT,
        signer_info=SignerInfo(
            "TUQ. CHỦ TỊCH", "Trưởng phòng «Một cửa»", unicodedata.normalize("NFD", "Đặng Thị Bưởi")
        ),
        to_places=ToPlaces((_DECOMPOSED, _MARKS)),
    )


_HEADERS = {
    Style.PLAIN: _plain,
    Style.MINIMAL: _minimal,
    Style.FULL: _full,
    Style.CHARACTERS: _characters,
    Style.LARGEST: _plain,
}


def _trace(paper: Paper) -> TraceHeaderList | None:
    if paper.style is Style.MINIMAL and paper.business is None:
        return None
    business = paper.business or Bussiness(bussiness_doc_type=NEW, paper="0")
    if paper.style is Style.FULL:
        staff = StaffInfo("Văn phòng", "VP", "Trần Thị Mẫu", "mau01", "mau@hop-cat.invalid", "0000000000")
        business = replace(business, staff_infos=(staff,))
    time = moment_of(paper.at_ms).strftime("%Y/%m/%d %H:%M:%S")
    return TraceHeaderList(
        version="1.0", bussiness=business, trace_headers=(TraceHeader(_code(paper.sender, paper), time),)
    )


def _organ(member: Member, paper: Paper) -> Organ:
    return Organ(organ_id=_code(member, paper), organ_name=member.name)


def _with_address(organ: Organ) -> Organ:
    return replace(
        organ,
        organization_in_charge="Cơ quan chủ quản (mẫu)",
        organ_add="Số 1, phố Mẫu",
        email="vanthu@hop-cat.invalid",
        telephone="000 0000 0000",
        fax="000 0000 0001",
        website="https://hop-cat.invalid",
    )


def _code(member: Member, paper: Paper) -> str:
    return member.old_code if paper.by_old_code else member.code


def _day(at_ms: int) -> str:
    return moment_of(at_ms).strftime("%Y/%m/%d")


# --- files -----------------------------------------------------------------------------------------------------------


def _files(paper: Paper) -> list[NewAttachment]:
    named = {
        Style.FULL: [("Công văn.pdf", "Toàn văn"), ("Phụ lục I.txt", "Biểu số liệu")],
        Style.CHARACTERS: [(SPECIAL_NAME, _DECOMPOSED)],
    }.get(paper.style, [("cong-van.pdf", "")])
    files = [_file(paper, place, name, words) for place, (name, words) in enumerate(named)]
    if paper.style is Style.LARGEST:
        files[0] = replace(files[0], content=_Large(paper.code, paper.size_bytes * 3 // 4 - 6_000))
    return files


def _file(paper: Paper, place: int, name: str, description: str) -> NewAttachment:
    data = small_pdf(paper.code) if name.endswith(".pdf") else f"{SPECIAL_TEXT}\n".encode()
    own_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{paper.own_id} {paper.at_ms} {place}"))
    return attach(name, data, own_id, description)


@dataclass(frozen=True, slots=True)
class _Large:
    """A large PDF, made as often as it is asked for."""

    words: str
    size_bytes: int

    def __iter__(self) -> Iterator[bytes]:
        return pdf(self.words, self.size_bytes)
