"""Writing papers as packets: what each style of paper puts into the fields of edXML, and what it attaches.

None of them bears a Signature: a false one would teach vendors to accept false ones.
"""

import unicodedata
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace

from node.edxml.attach import NewAttachment, attach
from node.edxml.write import write_packet
from node.model.calendar import moment_of
from node.model.envelope import PacketKind
from node.model.packet import (
    Appendixes,
    Bussiness,
    Code,
    DocumentType,
    MessageHeader,
    Organ,
    OtherInfo,
    Packet,
    PromulgationInfo,
    ResponseFor,
    ResponseForTask,
    SignerInfo,
    StaffInfo,
    ToPlaces,
    TraceHeader,
    TraceHeaderList,
)
from node.model.policy import DAY_MS
from node.sandbox.cast import Member
from node.sandbox.papers import NEW, Paper, Style
from node.sandbox.pdf import pdf, small_pdf

_DECOMPOSED = unicodedata.normalize("NFD", "Đã kiểm tra: Nguyễn Thị Hường, xã Quỳnh Lưu")
_COMPOSED = unicodedata.normalize("NFC", "ước lượng, khuỷu tay, ngoằn ngoèo, Đắk Lắk")
_MARKS = "“ngoặc kép”, 'nháy đơn', \"nháy kép\", a<b>&c;, ½ m², số № 1, 100 %"
SPECIAL_TEXT = f"{_COMPOSED}; {_DECOMPOSED}; {_MARKS}"
SPECIAL_NAME = unicodedata.normalize("NFD", "Phụ lục số 1 – «đặc biệt» & hết (bản 2).pdf")


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
    earlier = ResponseFor(paper.written(paper.to), "12/UBND-VX", f"{paper.to.code},2026/01/05,12/UBND-VX", "2026/01/05")
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
        version="1.0", bussiness=business, trace_headers=(TraceHeader(paper.written(paper.sender), time),)
    )


def _organ(member: Member, paper: Paper) -> Organ:
    return Organ(organ_id=paper.written(member), organ_name=member.name)


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
        # Base64 makes four characters of three octets; the rest is room for all that is not the attachment.
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
