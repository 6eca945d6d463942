"""Presence of what must be there: the information that QĐ 28/2018 Điều 10 khoản 2 wants shown of every document.

A missing sender, recipient or identifier is an error, because nothing can be carried or answered without them; the rest are warnings,
as many programs in use leave some of it out.
"""

from collections.abc import Callable

from node.edxml.rules.rule import ANY, QCVN, QD_28, Broken, Case, Rule, error, warning
from node.model.packet import Code, DocumentType, OtherInfo, Packet, PromulgationInfo, SignerInfo

_DIEU_10 = f"{QD_28} Điều 10 khoản 2"


@error(10, f"{_DIEU_10} điểm l", ANY)
def sender_is_named(case: Case) -> Broken:
    """From/OrganId names the sender."""
    sender = case.packet.header.sender
    if not (sender and sender.organ_id.strip()):
        yield "MessageHeader/From/OrganId", "Thiếu mã định danh cơ quan gửi."


@error(11, f"{_DIEU_10} điểm m")
def somebody_is_addressed(case: Case) -> Broken:
    """At least one To/OrganId names a recipient."""
    if not any(one.organ_id.strip() for one in case.packet.header.to):
        yield "MessageHeader/To/OrganId", "Thiếu mã định danh cơ quan nhận."


@warning(12, f"{_DIEU_10} điểm m")
def every_recipient_has_a_code(case: Case) -> Broken:
    """A To without OrganId reaches nobody."""
    named = [bool(one.organ_id.strip()) for one in case.packet.header.to]
    for place, is_named in enumerate(named, 1):
        if not is_named and any(named):
            yield f"MessageHeader/To[{place}]/OrganId", "Nơi nhận không có mã định danh nên sẽ không nhận được văn bản."


@error(13, f"{_DIEU_10} điểm b")
def document_is_identified(case: Case) -> Broken:
    """Receivers make up a DocumentId each where there is none, and no status finds its way back (edxml.md section 3)."""
    if not case.packet.header.document_id.strip():
        yield (
            "MessageHeader/DocumentId",
            "Thiếu mã định danh văn bản; trạng thái xử lý sẽ không quay về được văn bản này.",
        )


def _wanted(number: int, point: str, path: str, what: str, text_of: Callable[[Packet], str]) -> Rule:
    @warning(number, f"{_DIEU_10} điểm {point}")
    def is_there(case: Case) -> Broken:
        if not text_of(case.packet).strip():
            yield f"MessageHeader/{path}", f"Thiếu {what}."

    return is_there


def _code(packet: Packet) -> Code:
    return packet.header.code or Code()


def _signer(packet: Packet) -> SignerInfo:
    return packet.header.signer_info or SignerInfo()


@warning(4, f"{QCVN} edXML", ANY)
def root_has_no_prefix(case: Case) -> Broken:
    """The library that most programs read with does not find the envelope below a root with a prefix (edxml.md section 3)."""
    if case.packet.root_is_prefixed:
        yield (
            "edXML",
            "Phần tử gốc có tiền tố (edXML:edXML); nhiều phần mềm bên nhận không đọc được. Hãy ghi gốc không tiền tố.",
        )


RULES: tuple[Rule, ...] = (
    root_has_no_prefix,
    sender_is_named,
    somebody_is_addressed,
    every_recipient_has_a_code,
    document_is_identified,
    _wanted(14, "c", "Code/CodeNumber", "số văn bản", lambda packet: _code(packet).code_number),
    _wanted(15, "c", "Code/CodeNotation", "ký hiệu văn bản", lambda packet: _code(packet).code_notation),
    _wanted(
        16,
        "d",
        "PromulgationInfo/PromulgationDate",
        "ngày ban hành",
        lambda packet: (packet.header.promulgation_info or PromulgationInfo()).promulgation_date,
    ),
    _wanted(
        17,
        "đ",
        "DocumentType/TypeName",
        "tên loại văn bản",
        lambda packet: (packet.header.document_type or DocumentType()).type_name,
    ),
    _wanted(18, "e", "Subject", "trích yếu", lambda packet: packet.header.subject),
    _wanted(19, "i", "SignerInfo/FullName", "họ tên người ký", lambda packet: _signer(packet).full_name),
    _wanted(20, "i", "SignerInfo/Position", "chức vụ người ký", lambda packet: _signer(packet).position),
    _wanted(
        21, "k", "OtherInfo/Priority", "mức độ khẩn", lambda packet: (packet.header.other_info or OtherInfo()).priority
    ),
)
