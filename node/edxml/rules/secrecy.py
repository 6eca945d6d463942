"""Secrecy: state secrets have no business on this road, whatever is encrypted on it (QĐ 28/2018 Điều 1 khoản 2).

edXML has no element for secrecy, so a marking can only stand in texts. A marking is refused: a text that is nothing else, one in
brackets or after "độ mật", or in capitals. Many documents merely speak of secrets ("bảo vệ bí mật nhà nước"); they are let through.
"""

import re
import unicodedata
from collections.abc import Iterator

from node.edxml.rules.rule import ANY, QCVN, QD_28, Broken, Case, error, warning
from node.model.packet import Dialect, Packet

_DEGREE = r"(?:tuyệt\s+mật|tối\s+mật|mật)"
_WHOLE = re.compile(rf"\W*(?:độ\s+mật\W+|văn\s+bản\s+)?(?:{_DEGREE}|tuyet\s+mat|toi\s+mat)\W*", re.IGNORECASE)
_INSIDE = re.compile(rf"[(\[<{{]\s*{_DEGREE}\s*[)\]>}}]|\bđộ\s+mật\s*[:=]\s*{_DEGREE}\b", re.IGNORECASE)
_CAPITALS = re.compile(r"\b(?:TUYỆT|TỐI)\s+MẬT\b")
_MENTION = re.compile(r"\b(?:tuyệt|tối)\s+mật\b", re.IGNORECASE)


@error(1, f"{QCVN} mục 2", ANY)
def dialect_can_be_read(case: Case) -> Broken:
    """The programs in use look for the envelope of QCVN 102 below another root."""
    if case.packet.dialect not in (Dialect.QCVN_102, Dialect.DOT_NET):
        written = case.packet.dialect.value
        yield "edXMLEnvelope", f"Gói tin viết theo dạng {written}; phần mềm bên nhận chỉ đọc được dạng QCVN 102:2016."


@error(2, f"{QD_28} Điều 1 khoản 2", ANY)
def no_state_secret(case: Case) -> Broken:
    """No text bears a marking of secrecy."""
    for path, text in _texts(case.packet):
        if is_marked(text):
            yield path, "Có dấu độ mật. Văn bản chứa bí mật nhà nước không được gửi qua trục liên thông."


@warning(3, f"{QD_28} Điều 1 khoản 2", ANY)
def no_mention_of_secrets(case: Case) -> Broken:
    """A text that names a degree of secrecy deserves a second look."""
    for path, text in _texts(case.packet):
        composed = _naming_degree(text)
        if composed and _MENTION.search(composed) and not is_marked(text):
            yield path, "Có nhắc tới độ mật. Hãy chắc chắn văn bản không chứa bí mật nhà nước trước khi gửi."


def is_marked(text: str) -> bool:
    """Tell whether a text is or bears a marking of secrecy, in NFC or NFD."""
    composed = _naming_degree(text)
    return bool(composed and (_WHOLE.fullmatch(composed) or _INSIDE.search(composed) or _CAPITALS.search(composed)))


def _naming_degree(text: str) -> str:
    """Return the text in NFC if "mật", which stands in every degree, is in it, else "": most texts are done with then."""
    composed = unicodedata.normalize("NFC", text)
    lowered = composed.lower()
    return composed if "mật" in lowered or "mat" in lowered else ""


def _texts(packet: Packet) -> Iterator[tuple[str, str]]:
    header = packet.header
    yield "MessageHeader/Subject", header.subject
    yield "MessageHeader/Content", header.content
    yield "MessageHeader/Description", header.description
    if header.document_type:
        yield "MessageHeader/DocumentType/TypeName", header.document_type.type_name
    if header.other_info:
        yield "MessageHeader/OtherInfo/Priority", header.other_info.priority
        yield "MessageHeader/OtherInfo/SphereOfPromulgation", header.other_info.sphere_of_promulgation
    if packet.bussiness:
        yield "TraceHeaderList/Bussiness/BussinessDocReason", packet.bussiness.bussiness_doc_reason
    for place, attachment in enumerate(packet.attachments, 1):
        yield f"AttachmentEncoded/Attachment[{place}]/AttachmentName", attachment.attachment_name.rpartition(".")[0]
        yield f"AttachmentEncoded/Attachment[{place}]/Description", attachment.description


RULES = (dialect_can_be_read, no_state_secret, no_mention_of_secrets)
