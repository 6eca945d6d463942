"""The document's metadata, under the field names of NĐ 30/2020/NĐ-CP Phụ lục VI (the table of outgoing and incoming documents).

DocCode is the name of TT 02/2019/TT-BNV for the document's identifier. Fields that no packet tells (the file it belongs to, its
arrival number in the register) stay empty for the archivist. A value that is longer than the table allows is kept whole and marked:
OrganId there has 13 characters, while QĐ 20/2020 allows 35.
"""

from dataclasses import dataclass

from node.edxml.rules.dates import read_time
from node.model.calendar import day_of
from node.model.packet import Code, DocumentType, Organ, OtherInfo, Packet, PromulgationInfo, SignerInfo

ND_30 = "NĐ 30/2020/NĐ-CP Phụ lục VI"
TT_02 = "TT 02/2019/TT-BNV"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name in the decree, what it is in Vietnamese, its values (mostly one) and how long each may be, in characters."""

    name: str
    label: str
    values: tuple[str, ...]
    length_max: int
    source: str = ND_30

    @property
    def too_long(self) -> bool:
        """Tell whether a value is longer than the table allows."""
        return any(len(value) > self.length_max for value in self.values)


def fields(packet: Packet, arrive_time_ms: int = 0) -> list[Field]:
    """Return the fields of a document packet; with the time of arrival also those of an incoming document."""
    header = packet.header
    sender, code = header.sender or Organ(), header.code or Code()
    kind, issued = header.document_type or DocumentType(), header.promulgation_info or PromulgationInfo()
    other, signer = header.other_info or OtherInfo(), header.signer_info or SignerInfo()
    found = [
        _field("DocCode", "Mã định danh văn bản", 100, header.document_id, source=TT_02),
        _field("OrganId", "Mã định danh cơ quan ban hành", 13, sender.organ_id),
        _field("FileCatalog", "Năm hình thành hồ sơ", 4),
        _field("FileNotation", "Số và ký hiệu hồ sơ", 20),
        _field("DocOrdinal", "Số thứ tự văn bản trong hồ sơ", 3),
        _field("TypeName", "Tên loại văn bản", 100, kind.type_name),
        _field("CodeNumber", "Số của văn bản", 11, code.code_number),
        _field("CodeNotation", "Ký hiệu của văn bản", 30, code.code_notation),
        _field("IssuedDate", "Ngày, tháng, năm văn bản", 10, _day(issued.promulgation_date)),
        _field("OrganName", "Tên cơ quan ban hành", 200, sender.organ_name),
        _field("Subject", "Trích yếu nội dung", 500, header.subject),
        _field("Language", "Ngôn ngữ", 30),
        _field("PageAmount", "Số trang", 3, other.page_amount),
        _field("Description", "Ghi chú", 500),
        _field("Position", "Chức vụ của người ký", 100, signer.position),
        _field("FullName", "Họ tên người ký", 50, signer.full_name),
        _field("To/OrganId", "Mã định danh nơi nhận", 13, *(one.organ_id for one in header.to)),
        _field("To/OrganName", "Tên nơi nhận", 200, *(one.organ_name for one in header.to)),
        _field("Priority", "Mức độ khẩn", 1, other.priority),
        _field("IssuedAmount", "Số lượng bản phát hành", 3, other.promulgation_amount),
        _field("DueDate", "Hạn trả lời", 10, _day(header.due_date)),
    ]
    return found + (_incoming(packet, arrive_time_ms) if arrive_time_ms else [])


def _incoming(packet: Packet, arrive_time_ms: int) -> list[Field]:
    places = packet.header.to_places.places if packet.header.to_places else ()
    stations = packet.trace.trace_headers if packet.trace else ()
    return [
        _field("ArrivalDate", "Ngày đến", 10, day_of(arrive_time_ms).isoformat()),
        _field("ArrivalNumber", "Số đến", 10),
        _field("ToPlaces", "Nơi nhận ghi trên văn bản", 1000, "; ".join(places)),
        _field(
            "TraceHeaderList", "Đường đi của gói tin", 100_000, *(f"{one.organ_id} {one.timestamp}" for one in stations)
        ),
    ]


def _field(name: str, label: str, length_max: int, *values: str, source: str = ND_30) -> Field:
    return Field(name, label, tuple(stripped for value in values if (stripped := value.strip())), length_max, source)


def _day(text: str) -> str:
    """A date as ISO 8601 (QĐ 28/2018 Điều 14.4), or as it was written if it is none."""
    found = read_time(text)
    return found.date().isoformat() if found else text
