"""Cast of the sandbox: three nodes that run, one that never does, and units each with a manner of its own. Pure.

        tinh-thu   H99    the vendor's node: his software speaks for its test units
        bo-thu     G99    units that receive: one finishes, one refuses, one is silent ...; and the unit that conformance runs write from
        tinh-ban   H98    units that agree or do not, and those that write by themselves
        tinh-xa    H97    in the directory, but nobody is at home: for back-off and expiry

A vendor chooses what happens by whom he writes to. All of it is made up, and every name says so (mẫu): the prefixes are given to
nobody by the state's list. Delays are by the sandbox's clock.
"""

from dataclasses import dataclass
from enum import Enum

from node.model.code import parse_code
from node.model.policy import DAY_MS, MINUTE_MS

HOUR_MS = 60 * MINUTE_MS
VENDOR_NODE, MINISTRY, FRIEND, ABSENT = "tinh-thu", "bo-thu", "tinh-ban", "tinh-xa"


@dataclass(frozen=True, slots=True)
class Member:
    """A unit."""

    code: str
    name: str

    @property
    def old_code(self) -> str:
        """The code in its older written form; the same where there is none."""
        return parse_code(self.code).old_form or self.code


@dataclass(frozen=True, slots=True)
class Step:
    """One status that a unit reports, so long after the document has come."""

    after_ms: int
    code: str
    note: str = ""


class Writes(Enum):
    """The packets that a unit sends by itself."""

    NOTHING = ""
    LIFE = "new, update, withdraw, replace"
    """New documents now and then, and what may be done with them."""
    ODD = "odd"
    """Packets that are unusual and valid."""


@dataclass(frozen=True, slots=True)
class Counterpart:
    """A unit that acts by itself.

    `steps`: what it reports of each document; `on_request`: its answer (15, 16) to a withdrawal, a status 13 or an update of a document
    that it has fetched, "" none; without `takes` it never looks into its inbox.
    """

    unit: Member
    node_id: str
    manner: str
    """Vietnamese."""
    manner_en: str
    steps: tuple[Step, ...] = ()
    on_request: str = "15"
    takes: bool = True
    reports_arrival: bool = True
    """Its node reports 01 for it."""
    writes: Writes = Writes.NOTHING


CONFORMANCE = Member("G99.90", "Phòng Kiểm tra tương thích (mẫu)")
"""Writes the test documents of conformance runs; the vendor's software writes to it."""
VENDOR_UNITS = (Member("H99.01", "Sở Thử nghiệm (mẫu)"), Member("H99.25.03", "UBND xã Suối Thử (mẫu)"))
"""000.00.01.H99 and 000.03.25.H99 in the older form."""

_REGISTERED = Step(2_000, "03", "Đã vào sổ (đơn vị mẫu tự trả lời)")
_REFUSAL = Step(2_000, "02", "Không thuộc thẩm quyền của đơn vị (đơn vị mẫu tự trả lời)")

COUNTERPARTS = (
    Counterpart(
        Member("G99.01", "Vụ Làm Ngay (mẫu)"),
        MINISTRY,
        "tiếp nhận và xử lý xong ngay: 01, 03, 04, 05, 06 trong vài giây",
        "always finishes, at once: 01, 03, 04, 05, 06 within seconds",
        (_REGISTERED, Step(3_000, "04"), Step(4_000, "05"), Step(5_000, "06")),
    ),
    Counterpart(
        Member("G99.02", "Vụ Từ Chối (mẫu)"),
        MINISTRY,
        "luôn từ chối: 02 kèm lý do",
        "always refuses: 02 with a reason",
        (_REFUSAL,),
    ),
    Counterpart(
        Member("G99.03", "Cục Im Lặng (mẫu)"),
        MINISTRY,
        "nhận mà không bao giờ trả lời, cả 01 cũng không",
        "receives, and never answers: not even 01",
        takes=False,
        reports_arrival=False,
    ),
    Counterpart(
        Member("G99.04", "Vụ Đúng Hẹn (mẫu)"),
        MINISTRY,
        "làm theo nhịp cơ quan: 03 sau 10 phút, 04 sau 1 giờ, 05 sau 1 ngày, 06 sau 3 ngày (tiến đồng hồ để xem)",
        "works at an office's pace: 03 after 10 minutes, 04 1 hour, 05 1 day, 06 3 days (advance the clock)",
        (
            Step(10 * MINUTE_MS, "03"),
            Step(HOUR_MS, "04"),
            Step(DAY_MS, "05"),
            Step(3 * DAY_MS, "06"),
        ),
    ),
    Counterpart(
        Member("H98.01", "Sở Đồng Ý (mẫu)"),
        FRIEND,
        "tiếp nhận (03); đồng ý thu hồi, cập nhật: 15",
        "accepts (03); agrees to withdrawals and updates: 15",
        (_REGISTERED,),
    ),
    Counterpart(
        Member("H98.02", "Sở Không Đồng Ý (mẫu)"),
        FRIEND,
        "tiếp nhận (03); không đồng ý thu hồi, cập nhật: 16 kèm lý do",
        "accepts (03); refuses withdrawals and updates: 16 with a reason",
        (_REGISTERED,),
        on_request="16",
    ),
    Counterpart(
        Member("H98.03", "Văn phòng Gửi Đều (mẫu)"),
        FRIEND,
        "tự gửi cho các đơn vị của bạn: văn bản mới, cập nhật, thu hồi, thay thế; lúc mã mới, lúc mã cũ",
        "writes to your units by itself: new, update, withdrawal, replacement; by new codes and older ones",
        (_REGISTERED,),
        writes=Writes.LIFE,
    ),
    Counterpart(
        Member("H98.04", "Trung tâm Gói Lạ (mẫu)"),
        FRIEND,
        "gửi nó một văn bản, nó gửi lại bốn gói hợp lệ mà lạ: tối thiểu, đủ mọi trường, ký tự đặc biệt (NFC, NFD), cỡ lớn nhất",
        "write to it once, and it sends four packets back that are valid and odd: minimal, every field, special characters, largest",
        (_REGISTERED,),
        writes=Writes.ODD,
    ),
    Counterpart(
        Member("H97.01", "Sở Mất Kết Nối (mẫu)"),
        ABSENT,
        "nút của nó không bao giờ chạy: xem chờ, thử lại, rồi hết hạn sau 30 ngày",
        "its node never runs: watch waiting, back-off, and expiry after 30 days",
        takes=False,
    ),
)
REFUSAL_OF_REQUEST = "Văn bản đã được xử lý, không thể thu hồi (đơn vị mẫu tự trả lời)"
AGREEMENT = "Đồng ý (đơn vị mẫu tự trả lời)"


def of_node(node_id: str) -> tuple[Counterpart, ...]:
    """Return the counterparts that live on a node."""
    return tuple(one for one in COUNTERPARTS if one.node_id == node_id)


def writer(what: Writes) -> Counterpart:
    """Return the unit that writes such packets."""
    return next(one for one in COUNTERPARTS if one.writes is what)
