"""Business rules: what is done with a document: new, withdrawn, updated, replacing others (domain.md section 3.3)."""

from collections.abc import Iterator

from node.edxml.rules.rule import QCVN, QD_28, Broken, Case, error, warning
from node.edxml.rules.units import canonical
from node.model.packet import Bussiness, Packet, ReplacementInfo

_PATH = "TraceHeaderList/Bussiness"
_SOURCE = f"{QCVN} Bussiness"


def _done(packet: Packet, doc_type: str) -> Bussiness | None:
    """Return the business block if it is of that type."""
    business = packet.bussiness
    return business if business and business.bussiness_doc_type.strip() == doc_type else None


@error(100, _SOURCE)
def business_is_known(case: Case) -> Broken:
    """BussinessDocType is 0 to 3; nothing at all means new."""
    business = case.packet.bussiness
    written = business.bussiness_doc_type.strip() if business else ""
    if written not in ("", "0", "1", "2", "3"):
        yield f"{_PATH}/BussinessDocType", f"Loại nghiệp vụ {written[:40]!r} không có trong quy định (0 đến 3)."


@warning(101, f"{QD_28} Điều 8 khoản 2")
def withdrawal_says_why(case: Case) -> Broken:
    """The recipient must cancel the document and wants to know for what."""
    business = _done(case.packet, "1")
    if business and not business.bussiness_doc_reason.strip():
        yield f"{_PATH}/BussinessDocReason", "Thu hồi văn bản mà không nêu lý do."


@warning(102, _SOURCE)
def update_says_what_changes(case: Case) -> Broken:
    """An update changes the document's fields, its recipients, or both."""
    business = _done(case.packet, "2")
    if business and not business.bussiness_document_infos:
        yield f"{_PATH}/BussinessDocumentInfo", "Cập nhật văn bản mà không nói cập nhật thông tin hay nơi nhận."


@warning(103, _SOURCE)
def receivers_are_added_or_dropped(case: Case) -> Broken:
    """ReceiverType is 0 or 1, for a unit that has a code."""
    business = case.packet.bussiness
    for info in business.bussiness_document_infos if business else ():
        for place, one in enumerate(info.receiver_list.receivers if info.receiver_list else (), 1):
            path = f"{_PATH}/BussinessDocumentInfo/ReceiverList/Receiver[{place}]"
            if one.receiver_type.strip() not in ("0", "1"):
                yield f"{path}/ReceiverType", "Không rõ nơi nhận được thêm (1) hay bị bỏ (0)."
            if canonical(one.organ_id) is None:
                yield f"{path}/OrganId", "Mã định danh sai dạng."


@error(104, _SOURCE)
def replacement_names_documents(case: Case) -> Broken:
    """A replacement names at least one document, each by its DocumentId."""
    business = _done(case.packet, "3")
    if business is None:
        return
    replaced = list(_replaced(business))
    if not replaced:
        yield f"{_PATH}/ReplacementInfoList", "Thay thế văn bản mà không nêu văn bản nào bị thay thế."
    for place, one in enumerate(replaced, 1):
        if not one.document_id.strip():
            path = f"{_PATH}/ReplacementInfoList/ReplacementInfo[{place}]/DocumentId"
            yield path, "Thiếu mã định danh của văn bản bị thay thế."


@warning(105, _SOURCE)
def document_does_not_replace_itself(case: Case) -> Broken:
    """A new text with the same identifier is an update."""
    business = _done(case.packet, "3")
    own = case.packet.header.document_id.strip()
    for place, one in enumerate(_replaced(business) if business else (), 1):
        if own and one.document_id.strip() == own:
            yield f"{_PATH}/ReplacementInfoList/ReplacementInfo[{place}]/DocumentId", "Văn bản thay thế chính nó."


@warning(106, _SOURCE)
def replacement_says_where_they_went(case: Case) -> Broken:
    """A replaced document must be taken back at the units to which it had gone."""
    business = _done(case.packet, "3")
    for place, one in enumerate(_replaced(business) if business else (), 1):
        if not (one.organ_id_list and any(each.strip() for each in one.organ_id_list.organ_ids)):
            path = f"{_PATH}/ReplacementInfoList/ReplacementInfo[{place}]/OrganIdList"
            yield path, "Không nêu các nơi đã nhận văn bản bị thay thế."


def _replaced(business: Bussiness) -> Iterator[ReplacementInfo]:
    return (one for each in business.replacement_info_lists for one in each.replacement_infos)


RULES = (
    business_is_known,
    withdrawal_says_why,
    update_says_what_changes,
    receivers_are_added_or_dropped,
    replacement_names_documents,
    document_does_not_replace_itself,
    replacement_says_where_they_went,
)
