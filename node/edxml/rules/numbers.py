"""Numbers in elements. One of them, SteeringType, makes the programs in use fail on the whole packet if it is none."""

import re

from node.edxml.rules.rule import QCVN, QD_28, Broken, Case, error, warning

_INTEGER = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)


@error(60, f"{QCVN} MessageHeader/SteeringType")
def steering_type_is_an_integer(case: Case) -> Broken:
    """An empty SteeringType, one with blanks round it or a word stops the vendor's parser (edxml.md section 3)."""
    written = case.packet.header.steering_type
    if written is not None and not _INTEGER.fullmatch(written):
        sentence = f"Loại chỉ đạo {written[:40]!r} không phải số nguyên; phần mềm bên nhận sẽ không mở được cả gói tin."
        yield "MessageHeader/SteeringType", sentence


@warning(61, f"{QCVN} MessageHeader/SteeringType")
def steering_type_is_known(case: Case) -> Broken:
    """SteeringType is 0 to 3."""
    written = case.packet.header.steering_type or ""
    if _INTEGER.fullmatch(written) and not 0 <= int(written) <= 3:
        yield "MessageHeader/SteeringType", f"Loại chỉ đạo {written} không có trong quy định (0 đến 3)."


@warning(62, f"{QCVN} MessageHeader/DocumentType")
def document_type_is_a_number(case: Case) -> Broken:
    """Type and TypeDetail are numbers; receivers take 2 and -1 for anything else (edxml.md section 3)."""
    kind = case.packet.header.document_type
    for name, written in (("Type", kind.type), ("TypeDetail", kind.type_detail)) if kind else ():
        if written and not _INTEGER.fullmatch(written.strip()):
            yield f"MessageHeader/DocumentType/{name}", "Không phải số."


@warning(63, f"{QD_28} Điều 10 khoản 2 điểm k")
def priority_is_known(case: Case) -> Broken:
    """Priority is 0 to 4: thường, khẩn, thượng khẩn, hỏa tốc, hỏa tốc hẹn giờ."""
    other = case.packet.header.other_info
    written = other.priority.strip() if other else ""
    if written and not (_INTEGER.fullmatch(written) and 0 <= int(written) <= 4):
        yield "MessageHeader/OtherInfo/Priority", "Mức độ khẩn không có trong quy định (0 đến 4)."


@warning(64, f"{QCVN} MessageHeader/OtherInfo")
def amounts_are_numbers(case: Case) -> Broken:
    """Amounts of copies and pages are numbers."""
    other = case.packet.header.other_info
    named = (("PromulgationAmount", other.promulgation_amount), ("PageAmount", other.page_amount)) if other else ()
    for name, written in named:
        if written and not re.fullmatch(r"[0-9]{1,9}", written.strip()):
            yield f"MessageHeader/OtherInfo/{name}", "Không phải số."


RULES = (
    steering_type_is_an_integer,
    steering_type_is_known,
    document_type_is_a_number,
    priority_is_known,
    amounts_are_numbers,
)
