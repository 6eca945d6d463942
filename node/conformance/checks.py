"""Checks: the checklist. Numbers are stable and never reused: vendors quote them, programs match on them."""

from dataclasses import dataclass

from node.edxml.rules.rule import ND_30, QCVN, QD_28


@dataclass(frozen=True, slots=True)
class Check:
    """One point. `optional`: not having seen it does not spoil the result. `by_packets`: judged by packets alone, also from a folder."""

    number: int
    title: str
    title_en: str
    source: str
    optional: bool = False
    by_packets: bool = False

    @property
    def code(self) -> str:
        """The code by which it is quoted, e.g. KT-07."""
        return f"KT-{self.number:02}"


FETCHES, ARRIVED, ACCEPTED, IN_HAND, DONE, REFUSES = 1, 2, 3, 4, 5, 6
TAKEN_BACK, ASKED_BACK, UPDATED, REPLACED, TWICE = 7, 8, 9, 10, 11
MINIMAL, FULL, CHARACTERS, LARGEST, OLD_CODES = 12, 13, 14, 15, 16
ABOUT, RULES, ATTACHMENTS, INFORMATION, IDENTIFIERS, BUSINESS = 17, 18, 19, 20, 21, 22

_STATUS = f"{QD_28} Điều 10 khoản 2 điểm h"

CHECKS: tuple[Check, ...] = (
    Check(
        FETCHES,
        "Lấy văn bản mới về và xác nhận đã lấy",
        "fetches a new document and acknowledges it",
        f"{QD_28} Điều 9",
    ),
    Check(ARRIVED, "Báo 01 (đã đến)", "reports 01 (arrived)", f"{ND_30} Điều 21 khoản 2 điểm c; {_STATUS}"),
    Check(ACCEPTED, "Báo 03 (đã tiếp nhận)", "reports 03 (accepted)", _STATUS),
    Check(IN_HAND, "Báo 04 (phân công) và 05 (đang xử lý)", "reports 04 (assigned) and 05 (in hand)", _STATUS),
    Check(DONE, "Báo 06 (hoàn thành)", "reports 06 (done)", _STATUS),
    Check(REFUSES, "Từ chối bằng 02 và nêu lý do", "refuses by 02 with a reason", f"{QD_28} Điều 5 khoản 4"),
    Check(
        TAKEN_BACK,
        "Trả lời gói thu hồi bằng 15 hoặc 16",
        "answers a withdrawal packet by 15 or 16",
        f"{QD_28} Điều 8 khoản 2, Điều 9 khoản 2",
    ),
    Check(
        ASKED_BACK,
        "Trả lời trạng thái 13 (lấy lại) bằng 15 hoặc 16",
        "answers status 13 (asked back) by 15 or 16",
        f"{QD_28} Điều 8 khoản 2, Điều 9 khoản 2",
    ),
    Check(UPDATED, "Nhận gói cập nhật", "takes an update", f"{QCVN} Bussiness, BussinessDocType 2"),
    Check(REPLACED, "Nhận gói thay thế", "takes a replacement", f"{QCVN} Bussiness, BussinessDocType 3"),
    Check(
        TWICE,
        "Cùng một văn bản đến hai lần chỉ vào sổ một lần",
        "the same document twice is registered once",
        f"{ND_30} Phụ lục VI, III.1 điểm h",
    ),
    Check(MINIMAL, "Nhận gói không có trường tùy chọn nào", "takes a packet without optional fields", QCVN),
    Check(FULL, "Nhận gói có đủ mọi trường", "takes a packet with every field", QCVN),
    Check(
        CHARACTERS,
        "Giữ đúng ký tự đặc biệt, NFC và NFD",
        "keeps special characters, NFC and NFD, as they are",
        f"{QCVN} DocumentId, Subject",
    ),
    Check(LARGEST, "Nhận gói cỡ lớn nhất", "takes a packet of the largest size", "50 MB: thông lệ của trục / usage"),
    Check(
        OLD_CODES,
        "Hiểu mã định danh cả hai dạng",
        "understands both forms of codes",
        "QĐ 20/2020/QĐ-TTg; " + f"{QCVN} OrganId",
    ),
    Check(
        ABOUT,
        "ResponseFor trong trạng thái đúng văn bản, đúng nơi, đúng ngày",
        "ResponseFor in statuses names the right document, unit and date",
        f"{QCVN} ResponseFor",
        by_packets=True,
    ),
    Check(
        RULES,
        "Gói tin gửi đi đúng quy định",
        "packets sent obey the rules",
        f"{QCVN}; {QD_28}",
        by_packets=True,
    ),
    Check(
        ATTACHMENTS,
        "Tệp đính kèm có tên, có nội dung",
        "attachments have names and contents",
        f"{QCVN} AttachmentEncoded",
        by_packets=True,
    ),
    Check(
        INFORMATION,
        "Văn bản gửi đi đủ thông tin Điều 10",
        "documents sent carry the information of Điều 10",
        f"{QD_28} Điều 10 khoản 2",
        by_packets=True,
    ),
    Check(
        IDENTIFIERS,
        "Mỗi văn bản một DocumentId, mỗi DocumentId một văn bản",
        "one DocumentId for a document, one document for a DocumentId",
        f"{QD_28} Điều 10 khoản 2 điểm b",
        by_packets=True,
    ),
    Check(
        BUSINESS,
        "Gói thu hồi, cập nhật, thay thế gửi đi nói đủ",
        "withdrawals, updates and replacements sent say all that is needed",
        f"{QCVN} Bussiness",
        optional=True,
        by_packets=True,
    ),
)
