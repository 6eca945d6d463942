"""Answers of the bridge: JSON in pure ASCII, and the code and Vietnamese sentence of every refusal.

The library ignores the HTTP status, so a refusal is a 200 with status FAIL. It reads answers as ASCII in one version and needs
DocId and data in refusals, else it reports nothing at all (vxp.md section 4). The codes are those that clients know from an axis of
this family:

    0 taken   10 the file is not valid   15 wrong system id or secret   18 no such recipient   19 the sender is not the system's
    20 error inside the node   21 the file cannot be handled   22 not edXML as QĐ 28/2018 has it   23 the recipient is closed
"""

import json
from typing import Any

from node.errors import Fault
from node.model.finding import RulesBroken, Severity
from node.model.reason import Reason
from node.wording.told import Door, told

OK, BAD_FILE, BAD_CREDENTIAL, NO_RECIPIENT, NOT_OWN_AGENCY = "0", "10", "15", "18", "19"
INTERNAL, UNHANDLED, NOT_STANDARD, RECIPIENT_CLOSED = "20", "21", "22", "23"

TEXT: dict[str, str] = {
    BAD_FILE: "Tệp hoặc yêu cầu không hợp lệ.",
    BAD_CREDENTIAL: "Sai SystemId hoặc SecretKey.",
    NO_RECIPIENT: "Đơn vị nhận không tồn tại.",
    NOT_OWN_AGENCY: "Đơn vị gửi chưa đăng ký cho hệ thống này.",
    INTERNAL: "Nút chưa xử lý được, hãy thử lại sau.",
    UNHANDLED: "Không xử lý được tệp.",
    NOT_STANDARD: "Gói tin không đúng edXML theo QĐ 28/2018 và QCVN 102:2016.",
    RECIPIENT_CLOSED: "Đơn vị nhận đã ngừng hoạt động.",
}

_CODES: dict[str, tuple[Reason, ...]] = {
    BAD_FILE: (
        Reason.PACKET_NOT_XML,
        Reason.PACKET_TRUNCATED,
        Reason.PACKET_TOO_LARGE,
        Reason.ID_REUSED,
        Reason.EXPIRED,
        Reason.EXPIRED_UNCONFIRMED,
        Reason.REQUEST_INVALID,
        Reason.SUBMISSION_INCOMPLETE,
    ),
    BAD_CREDENTIAL: (Reason.CREDENTIAL_MISSING, Reason.CREDENTIAL_WRONG),
    NO_RECIPIENT: (Reason.RECIPIENT_UNKNOWN, Reason.NOT_ALL_SERVED),
    NOT_OWN_AGENCY: (Reason.UNIT_NOT_OWNED, Reason.PEER_SPEAKS_FOR_OTHERS),
    UNHANDLED: (Reason.NOT_FOUND, Reason.STORE_CORRUPT, Reason.BODY_UNREADABLE, Reason.LEASED),
    NOT_STANDARD: (
        Reason.PACKET_HAS_DTD,
        Reason.PACKET_WRONG_NAMESPACE,
        Reason.PACKET_NO_SENDER,
        Reason.PACKET_NO_RECIPIENT,
        Reason.CODE_MALFORMED,
        Reason.PACKET_TOO_COMPLEX,
        Reason.STATUS_MALFORMED,
        Reason.PACKET_BREAKS_RULES,
    ),
}
_CODE_OF = {reason: code for code, reasons in _CODES.items() for reason in reasons}

DETAIL_CHARACTERS_MAX = 300
SENTENCE_CHARACTERS_MAX = 900
ERRORS_TOLD_MAX = 3


def code_of(reason: Reason) -> str:
    """Return the code for a reason; 20 for one that is not the caller's doing."""
    return _CODE_OF.get(reason, INTERNAL)


def code_without_file(reason: Reason) -> str:
    """Return the code for a reason where no file was sent: nothing is "not edXML" then."""
    code = code_of(reason)
    return BAD_FILE if code == NOT_STANDARD else code


def success(text: str = "Success", **fields: Any) -> bytes:
    """Return the answer of an operation that was carried out."""
    return encoded({"status": "OK", "ErrorCode": OK, "ErrorDesc": text, **fields})


def refusal(code: str, text: str = "") -> bytes:
    """Return a refusal that every operation of both versions can read."""
    told = " ".join(part for part in (TEXT[code], text) if part)
    return encoded({"status": "FAIL", "ErrorCode": code, "ErrorDesc": told, "DocId": "", "data": ""})


def refusal_of(fault: Fault, code: str = "") -> bytes:
    """Return the refusal that a fault means; a caller with a wrong credential does not learn what was wrong with it."""
    code = code or code_of(fault.reason)
    if code == BAD_CREDENTIAL:
        return refusal(code, "Hãy đề nghị quản trị nút cấp lại bằng 'truc system vxp'.")
    if isinstance(fault, RulesBroken):
        return refusal(code, _broken(fault))
    said = told(fault, Door.BRIDGE)
    detail = f" ({said.detail[:DETAIL_CHARACTERS_MAX]})" if said.detail else ""
    return refusal(code, said.sentence[:SENTENCE_CHARACTERS_MAX] + detail)


def _broken(fault: RulesBroken) -> str:
    """Return the first rules that a packet breaks, each with what is wrong: a clerk sees nothing else."""
    errors = [f"{one.code}: {one.sentence}" for one in fault.findings if one.severity is Severity.ERROR]
    more = f" Và {len(errors) - ERRORS_TOLD_MAX} lỗi nữa." if len(errors) > ERRORS_TOLD_MAX else ""
    return " ".join(errors[:ERRORS_TOLD_MAX])[:SENTENCE_CHARACTERS_MAX] + more


def encoded(fields: dict[str, Any]) -> bytes:
    """Return compact JSON in ASCII, every other character as an escape."""
    return json.dumps(fields, ensure_ascii=True, separators=(",", ":")).encode("ascii")
