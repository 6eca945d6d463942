"""How a packet is shown to people: who, to whom, what, what is done with it, and which files."""

from typing import TYPE_CHECKING

from node.cli.output import QUIET, STRONG, facts, line, table, text
from node.model.envelope import PacketKind
from node.model.status import status_name
from node.wording import vietnamese

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from node.model.packet import Bussiness, DocumentType, MessageHeader, Organ, Packet

ROWS_SHOWN = 50
"""Of recipients and of attachments; programs get all of them."""
_BUSINESS = {"": "văn bản mới", "0": "văn bản mới", "1": "thu hồi", "2": "cập nhật", "3": "thay thế"}


def shown(packet: "Packet", packet_bytes: int) -> list["RenderableType"]:
    """Return a packet for people."""
    parts: list[RenderableType] = [_heading(packet, packet_bytes)]
    if packet.header.to:
        parts.append(_organs(packet.header.to))
    if packet.bussiness is not None:
        parts += _business(packet.bussiness)
    if packet.header.response_for and packet.kind is PacketKind.DOCUMENT:
        parts.append(_answered(packet.header))
    if packet.attachments:
        parts.append(_attachments(packet))
    return parts


def _heading(packet: "Packet", packet_bytes: int) -> "RenderableType":
    header = packet.header
    is_status = packet.kind is PacketKind.STATUS
    about = header.response_for[-1] if is_status and header.response_for else None
    signer, other, issued = header.signer_info, header.other_info, header.promulgation_info
    business = packet.bussiness.bussiness_doc_type.strip() if packet.bussiness else ""
    status = f"{header.status_code} {status_name(header.status_code)}"
    return facts(
        [
            (
                "Gói tin",
                f"{vietnamese.PACKET_KINDS[packet.kind]}, {vietnamese.size(packet_bytes)}, {packet.dialect.value}",
            ),
            ("Nghiệp vụ", "" if is_status else _BUSINESS.get(business, business)),
            ("Nơi gửi", _organ(header.sender) if header.sender else ""),
            ("Trạng thái", line(text(status, STRONG), f"  {header.description}") if is_status else ""),
            ("Lúc", header.timestamp),
            ("Gửi cho", about.organ_id if about else ""),
            ("Về văn bản", " · ".join(filter(None, (about.code, about.document_id))) if about else ""),
            ("Số, ký hiệu", text(header.code.text, STRONG) if header.code else ""),
            ("Ngày ban hành", ", ".join(filter(None, (issued.promulgation_date, issued.place))) if issued else ""),
            ("Loại", _type(header.document_type) if header.document_type else ""),
            ("Trích yếu", header.subject),
            ("Nội dung", header.content),
            (
                "Người ký",
                ", ".join(filter(None, (signer.full_name, signer.position, signer.competence))) if signer else "",
            ),
            ("Mức độ khẩn", _priority(other.priority.strip()) if other else ""),
            ("Hạn", header.due_date),
            ("Mã định danh", header.document_id),
            ("Chữ ký số", "" if is_status else "có, không được kiểm ở đây" if packet.signature else "không có"),
        ]
    )


def _type(kind: "DocumentType") -> str:
    """Return the type by its name: three national tables disagree about the numbers, so a bare one says nothing."""
    number = kind.type.strip()
    note = f" (mã {number} trong bảng của nơi gửi)" if number not in ("", "0") else ""
    return f"{kind.type_name}{note}" if kind.type_name.strip() else note.strip()


def _priority(written: str) -> str:
    from node.model.urgency import PRIORITIES

    return f"{written} {PRIORITIES[int(written)]}" if written in map(str, range(len(PRIORITIES))) else written


def _organ(organ: "Organ") -> "Text":
    return line(text(organ.organ_id.strip(), STRONG), "  ", text(organ.organ_name))


def _organs(organs: "tuple[Organ, ...]") -> "RenderableType":
    rows = table(["Nơi nhận", "Tên"], whole=["Nơi nhận"])
    for one in organs[:ROWS_SHOWN]:
        rows.add_row(text(one.organ_id.strip()), text(one.organ_name))
    if len(organs) > ROWS_SHOWN:
        rows.add_row("", _more(len(organs), "nơi"))
    return rows


def _more(count: int, what: str) -> "Text":
    return text(f"… và {vietnamese.count(count - ROWS_SHOWN)} {what} nữa (--json có đủ)", QUIET)


def _business(business: "Bussiness") -> list["RenderableType"]:
    lines: list[RenderableType] = []
    if business.bussiness_doc_reason.strip():
        lines.append(facts([("Lý do", business.bussiness_doc_reason)]))
    for info in business.bussiness_document_infos:
        for one in info.receiver_list.receivers if info.receiver_list else ():
            what = {"0": "Bỏ nơi nhận", "1": "Thêm nơi nhận"}.get(one.receiver_type.strip(), "Nơi nhận (không rõ)")
            lines.append(facts([(what, one.organ_id.strip())]))
    for each in business.replacement_info_lists:
        for replaced in each.replacement_infos:
            gone_to = ", ".join(replaced.organ_id_list.organ_ids) if replaced.organ_id_list else ""
            lines.append(facts([("Thay thế", replaced.document_id), ("đã gửi tới", gone_to)]))
    return lines


def _answered(header: "MessageHeader") -> "RenderableType":
    rows = table(["Trả lời văn bản", "Của", "Mã định danh"])
    for one in header.response_for:
        if not one.is_empty:
            rows.add_row(text(one.code), text(one.organ_id), text(one.document_id))
    return rows


def _attachments(packet: "Packet") -> "RenderableType":
    from node.edxml.extract import is_zipped

    rows = table(["#", "Tệp đính kèm", "Kiểu", "Cỡ"], right=["#", "Cỡ"])
    for place, one in enumerate(packet.attachments[:ROWS_SHOWN], 1):
        zipped = " (nén)" if is_zipped(one) else ""
        rows.add_row(
            str(place), text(one.attachment_name), text(one.content_type), vietnamese.size(one.size_bytes) + zipped
        )
    if len(packet.attachments) > ROWS_SHOWN:
        rows.add_row("", _more(len(packet.attachments), "tệp"), "", "")
    return rows
