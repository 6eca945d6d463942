"""The demo's documents: who writes to whom, what, and what the recipients report. All of them are made up."""

from dataclasses import dataclass
from datetime import datetime

from node.demo.world import UNIT_NAMES
from node.model.calendar import VIETNAM
from node.model.status import status_name
from node.sandbox.pdf import small_pdf


@dataclass(frozen=True, slots=True)
class Letter:
    """One document. `recipients` as the author writes them, in either form of the code.

    Each recipient's software reports `statuses` in order; 01 (đã đến) its node reports by itself.
    """

    title: str
    sender: str
    recipients: tuple[str, ...]
    number: str
    notation: str
    subject: str
    statuses: tuple[str, ...]
    priority: int = 0
    attachment: str = ""

    @property
    def code(self) -> str:
        """Số và ký hiệu."""
        return f"{self.number}/{self.notation}"

    @property
    def document_id(self) -> str:
        """DocumentId, the same whenever the demo is run."""
        return f"mau-{self.number}-{self.sender}"


LETTERS = (
    Letter(
        title="Bộ viết cho một xã, kèm tệp PDF",
        sender="G09.05",
        recipients=("H37.25.03",),
        number="1542",
        notation="BNV-CQĐP",
        subject="V/v rà soát đội ngũ cán bộ, công chức cấp xã sau sắp xếp (mẫu)",
        statuses=("03", "06"),
        attachment="Phụ lục – biểu tổng hợp.pdf",
    ),
    Letter(
        title="Xã báo cáo ngược lên Bộ",
        sender="H37.25.03",
        recipients=("G09",),
        number="87",
        notation="BC-UBND",
        subject="Báo cáo kết quả rà soát đội ngũ công chức xã Hoa Hồi (mẫu)",
        statuses=("03",),
        attachment="Biểu mẫu số 01.pdf",
    ),
    Letter(
        title="Hỏa tốc: Bộ gửi tỉnh, đi trước mọi thứ khác",
        sender="G09",
        recipients=("H37",),
        number="06",
        notation="CĐ-BNV",
        subject="Công điện về việc trực ban ứng phó mưa lũ (mẫu)",
        statuses=("03", "06"),
        priority=3,
    ),
    Letter(
        title="Một thông tư cho tám nơi ở hai tỉnh; mã cũ và mã mới đều đến đúng chỗ",
        sender="G09",
        recipients=(
            "H37",
            "000.00.08.H37",
            "H37.25.03",
            "000.07.25.H37",
            "H53",
            "000.00.08.H53",
            "H53.21.02",
            "H53.21.05",
        ),
        number="11",
        notation="2026/TT-BNV",
        subject="Thông tư hướng dẫn công tác văn thư điện tử (mẫu)",
        statuses=(),
        attachment="Thông tư 11.pdf",
    ),
    Letter(
        title="Xã viết cho xã ở tỉnh khác, bắt buộc phải qua trung tâm",
        sender="H37.25.07",
        recipients=("H53.21.05",),
        number="23",
        notation="UBND-VX",
        subject="V/v kết nghĩa và trao đổi kinh nghiệm chuyển đổi số (mẫu)",
        statuses=("03", "06"),
        priority=1,
    ),
)


def compose(letter: Letter, at_ms: int) -> bytes:
    """Return the letter as an edXML packet."""
    from node.edxml.compose import compose_document
    from node.model.code import parse_code

    return compose_document(
        sender=letter.sender,
        sender_name=UNIT_NAMES[letter.sender],
        recipients=[(code, UNIT_NAMES[parse_code(code).text]) for code in letter.recipients],
        document_id=letter.document_id,
        number=letter.number,
        notation=letter.notation,
        subject=letter.subject,
        date=_time(at_ms)[:10],
        priority=letter.priority,
        attachments=[(letter.attachment, small_pdf(letter.code))] if letter.attachment else (),
    )


def compose_report(packet: bytes, unit: str, status_code: str, at_ms: int) -> bytes:
    """Return a status packet: what a recipient reports of a document to its author, in the document's own words."""
    from node.client.reporting import about_of
    from node.edxml.compose import compose_status
    from node.edxml.reader import read_header

    about = about_of(read_header(packet), unit)
    return compose_status(
        sender=about.unit,
        sender_name=UNIT_NAMES[unit],
        author=about.author,
        document_id=about.document_id,
        code=about.code,
        date=about.date,
        status_code=status_code,
        description=status_name(status_code),
        timestamp=_time(at_ms),
    )


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, VIETNAM).strftime("%Y/%m/%d %H:%M:%S")
