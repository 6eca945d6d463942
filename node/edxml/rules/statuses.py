"""Statuses, which are packets too (edxml.md section 2, domain.md section 4): whose status, of which document, and which."""

import re

from node.edxml.rules.rule import QCVN, QD_28, STATUS, Broken, Case, error, warning
from node.model.packet import ResponseFor
from node.model.status import STATUS_NAMES

_SOURCE = f"{QCVN} gói tin trạng thái"
_TWO_DIGITS = re.compile(r"[0-9]{2}", re.ASCII)


def _about(case: Case) -> ResponseFor:
    """Return the document that a status is about: of several the last counts (edxml.md section 3)."""
    return next(iter(case.packet.header.response_for[-1:]), ResponseFor())


def _code(case: Case) -> str:
    return case.packet.header.status_code.strip()


@error(120, _SOURCE, STATUS)
def status_code_is_two_digits(case: Case) -> Broken:
    """A status code is text of two digits, not a number: 01."""
    if not _TWO_DIGITS.fullmatch(_code(case)):
        yield "MessageHeader/StatusCode", f"Mã trạng thái {_code(case)[:40]!r} không phải hai chữ số."


@warning(121, f"{QD_28} Điều 10 khoản 2 điểm h", STATUS)
def status_code_is_known(case: Case) -> Broken:
    """Unknown codes are kept and shown, but count least."""
    if _TWO_DIGITS.fullmatch(_code(case)) and _code(case) not in STATUS_NAMES:
        yield "MessageHeader/StatusCode", f"Mã trạng thái {_code(case)} không có trong quy định."


@error(122, f"{QD_28} Điều 5 khoản 4", STATUS)
def refusal_says_why(case: Case) -> Broken:
    """A unit that refuses a document answers for it and tells the sender."""
    if _code(case) == "02" and not case.packet.header.description.strip():
        yield "MessageHeader/Description", "Từ chối tiếp nhận phải nêu lý do."


@warning(123, f"{QD_28} Điều 8 khoản 2", STATUS)
def taking_back_says_why(case: Case) -> Broken:
    """Status 13 asks the recipient to cancel the document, 16 refuses that: both should give a reason."""
    if _code(case) in ("13", "16") and not case.packet.header.description.strip():
        name = STATUS_NAMES[_code(case)]
        yield "MessageHeader/Description", f"Trạng thái {_code(case)} ({name}) nên nêu lý do."


@error(124, _SOURCE, STATUS)
def status_is_addressed(case: Case) -> Broken:
    """ResponseFor/OrganId is the addressee for every code."""
    if not _about(case).organ_id.strip():
        yield "MessageHeader/ResponseFor/OrganId", "Thiếu mã định danh cơ quan nhận trạng thái."


@error(125, _SOURCE, STATUS)
def status_is_about_a_document(case: Case) -> Broken:
    """A status names its document by the identifier, or at least by number and notation."""
    if not (_about(case).document_id.strip() or _about(case).code.strip()):
        sentence = "Không rõ trạng thái của văn bản nào: thiếu mã định danh và cả số, ký hiệu văn bản."
        yield "MessageHeader/ResponseFor/DocumentId", sentence


@warning(126, _SOURCE, STATUS)
def status_names_the_identifier(case: Case) -> Broken:
    """Number and notation are not unique over the years."""
    if not _about(case).document_id.strip() and _about(case).code.strip():
        sentence = "Thiếu mã định danh văn bản; chỉ tìm được theo số và ký hiệu, có thể nhầm."
        yield "MessageHeader/ResponseFor/DocumentId", sentence


@warning(127, f"{QD_28} Điều 10 khoản 2 điểm n", STATUS)
def status_has_its_time(case: Case) -> Broken:
    """A status tells when it became so."""
    if not case.packet.header.timestamp.strip():
        yield "MessageHeader/Timestamp", "Thiếu thời điểm của trạng thái."


@warning(128, f"{_SOURCE} ResponseFor", STATUS)
def status_has_no_to(case: Case) -> Broken:
    """A status goes to whom it answers; a To in it reaches nobody."""
    if any(one.organ_id.strip() for one in case.packet.header.to):
        yield "MessageHeader/To", "Gói trạng thái có To; trạng thái chỉ gửi về ResponseFor/OrganId."


RULES = (
    status_code_is_two_digits,
    status_code_is_known,
    refusal_says_why,
    taking_back_says_why,
    status_is_addressed,
    status_is_about_a_document,
    status_names_the_identifier,
    status_has_its_time,
    status_has_no_to,
)
