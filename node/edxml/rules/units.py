"""Units by their codes: well-formed, and nobody addressed twice."""

from collections.abc import Iterator

from node.edxml.rules.rule import ANY, QCVN, QD_28, STATUS, Broken, Case, error, warning
from node.errors import Rejected
from node.model.code import parse_code
from node.model.envelope import PacketKind
from node.model.packet import Packet

_CODES = f"{QD_28} Điều 10 khoản 2 điểm a; QĐ 20/2020/QĐ-TTg"
_SHAPES = "dạng đúng: H49.22.05, 000.05.22.H49, Z01ABC hoặc số đăng ký doanh nghiệp; nhiều nhất 35 ký tự"


@error(30, _CODES, ANY)
def sender_and_addressee_have_codes(case: Case) -> Broken:
    """The sender and at least one addressee can be looked up; else nothing can be carried."""
    sender = case.packet.header.sender
    if sender and _is_malformed(sender.organ_id):
        yield "MessageHeader/From/OrganId", _malformed(sender.organ_id)
    addressed = list(_addressed(case.packet))
    if all(canonical(code) is None for _, code in addressed):
        for path, code in addressed:
            if _is_malformed(code):
                yield path, _malformed(code)


@warning(35, _CODES)
def every_addressee_has_a_code(case: Case) -> Broken:
    """An addressee whose code is malformed gets nothing; the others get it all the same."""
    addressed = list(_addressed(case.packet))
    if any(canonical(code) is not None for _, code in addressed):
        for path, code in addressed:
            if _is_malformed(code):
                yield path, f"Mã định danh sai dạng nên nơi này sẽ không nhận được văn bản ({_SHAPES})."


@warning(31, _CODES)
def mentioned_units_have_codes(case: Case) -> Broken:
    """Units that are only spoken of should have codes as well."""
    for place, one in enumerate(case.packet.header.response_for, 1):
        if one.organ_id.strip() and canonical(one.organ_id) is None:
            path = f"MessageHeader/ResponseFor[{place}]/OrganId"
            yield path, f"Mã định danh sai dạng ({_SHAPES})."


@warning(32, f"{QCVN} MessageHeader/To")
def nobody_is_addressed_twice(case: Case) -> Broken:
    """Both written forms of a code are one address; the packet is delivered once."""
    seen: dict[str, int] = {}
    for place, one in enumerate(case.packet.header.to, 1):
        code = canonical(one.organ_id) or one.organ_id.strip()
        if code and code in seen:
            path = f"MessageHeader/To[{place}]/OrganId"
            yield path, f"Nơi nhận này đã có ở vị trí {seen[code]}; chỉ gửi một lần."
        seen.setdefault(code, place)


@warning(33, f"{QCVN} MessageHeader/To")
def sender_is_not_addressed(case: Case) -> Broken:
    """Sending to oneself is a slip more often than not."""
    sender = case.packet.header.sender
    own = canonical(sender.organ_id) if sender else None
    for place, one in enumerate(case.packet.header.to, 1):
        if own is not None and canonical(one.organ_id) == own:
            yield f"MessageHeader/To[{place}]/OrganId", "Nơi nhận trùng với nơi gửi."


@warning(34, f"{QCVN} MessageHeader/ResponseFor", STATUS)
def one_document_is_answered(case: Case) -> Broken:
    """Receivers take the last of several (edxml.md section 3)."""
    if len(case.packet.header.response_for) > 1:
        yield "MessageHeader/ResponseFor", "Gói trạng thái có nhiều ResponseFor; bên nhận chỉ xét mục cuối cùng."


def canonical(code: str) -> str | None:
    """Return a code in its one canonical form, None if it is none."""
    try:
        return parse_code(code).text
    except Rejected:
        return None


def _is_malformed(code: str) -> bool:
    return bool(code.strip()) and canonical(code) is None


def _malformed(code: str) -> str:
    return f"Mã định danh {code.strip()[:60]!r} sai dạng ({_SHAPES})."


def _addressed(packet: Packet) -> Iterator[tuple[str, str]]:
    if packet.kind is PacketKind.STATUS:
        for one in packet.header.response_for[-1:]:
            yield "MessageHeader/ResponseFor/OrganId", one.organ_id
        return
    for place, organ in enumerate(packet.header.to, 1):
        yield f"MessageHeader/To[{place}]/OrganId", organ.organ_id


RULES = (
    sender_and_addressee_have_codes,
    every_addressee_has_a_code,
    mentioned_units_have_codes,
    nobody_is_addressed_twice,
    sender_is_not_addressed,
    one_document_is_answered,
)
