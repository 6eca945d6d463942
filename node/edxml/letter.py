"""A letter: a document as a clerk thinks of it, and the packet that the vendor's library would make of it.

It serves offices without software, and commands that have to say something about a document that exists. A letter comes from options
or from a small table (TOML), whose faults are told all at once. The rules (rules/) say later whether the packet may be sent.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any

from node.edxml.attach import NewAttachment
from node.edxml.rules.dates import read_time
from node.errors import Rejected
from node.model.envelope import PacketKind
from node.model.packet import (
    Bussiness,
    Code,
    DocumentType,
    MessageHeader,
    Organ,
    OtherInfo,
    Packet,
    PromulgationInfo,
    ResponseFor,
    SignerInfo,
    ToPlaces,
    TraceHeader,
    TraceHeaderList,
)
from node.model.reason import Reason
from node.model.urgency import PRIORITIES, bare, priority_number

_DAY_FIRST = re.compile(r"(\d\d?)/(\d\d?)/(\d{4})", re.ASCII)
_ORGAN_KEYS = {"code": "organ_id", "name": "organ_name", "address": "organ_add", "email": "email", "phone": "telephone"}
_REPLY_KEYS = {"unit": "organ_id", "code": "code", "document_id": "document_id", "date": "promulgation_date"}
_FILE_KEYS = {"file": "path", "name": "name", "description": "description"}
KEYS_IN_VIETNAMESE = {
    "noi gui": "sender", "ma noi gui": "sender", "ten noi gui": "sender_name", "noi nhan": "to", "so": "number", "ky hieu": "notation",
    "ngay": "date", "ngay ban hanh": "date", "noi ban hanh": "place", "dia danh": "place", "loai": "type", "loai van ban": "type",
    "trich yeu": "subject", "noi dung": "content", "quyen han ky": "competence", "chuc vu": "position", "nguoi ky": "signer",
    "han": "due", "han tra loi": "due", "do khan": "priority", "muc do khan": "priority", "so trang": "pages", "chi dao": "steering",
    "ma dinh danh van ban": "document_id", "ma van ban": "document_id", "tra loi": "reply_to", "tra loi van ban": "reply_to",
    "noi nhan ghi trong van ban": "to_places", "tep": "attachments", "tep dinh kem": "attachments",
}  # fmt: skip
"""Keys of a form as a clerk writes them, without accents: trich_yeu, "Trích yếu" and trich-yeu are one."""
_INNER_KEYS_IN_VIETNAMESE = {
    "ma": "code", "ma don vi": "code", "ten": "name", "dia chi": "address", "dien thoai": "phone", "don vi": "unit", "so ky hieu": "code",
    "ma van ban": "document_id", "ngay": "date", "tep": "file", "mo ta": "description",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class File:
    """A file to be attached: where it is, how it is called there ("": by its own name), what it is."""

    path: str
    name: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """The form that the clerk fills in. `date` and `due` in any usual form, `priority` 0 to 4 or its name, all else as it shall stand.

    Without `document_id` it is made as is the custom: code of the sender, date, number and notation (edxml.md section 1).
    """

    sender: str = ""
    sender_name: str = ""
    to: tuple[Organ, ...] = ()
    number: str = ""
    notation: str = ""
    date: str = ""
    place: str = ""
    type: str = ""
    subject: str = ""
    content: str = ""
    competence: str = ""
    position: str = ""
    signer: str = ""
    due: str = ""
    priority: str = "0"
    pages: str = ""
    steering: str = "0"
    document_id: str = ""
    reply_to: tuple[ResponseFor, ...] = ()
    to_places: tuple[str, ...] = ()
    attachments: tuple[File, ...] = ()


def letter_of(table: Mapping[str, Any]) -> Letter:
    """Read a letter from a table. Raises Rejected(REQUEST_INVALID) with all that is wrong with it."""
    faults: list[str] = []
    values: dict[str, Any] = {}
    known = [field.name for field in fields(Letter)]
    for written, value in table.items():
        key = written if written in known else KEYS_IN_VIETNAMESE.get(bare(written), written)
        if key not in known:
            near = get_close_matches(bare(written), [*map(bare, known), *KEYS_IN_VIETNAMESE], 1)
            faults.append(
                f"không có mục {written!r:.60}" + (f", có phải {near[0].replace(' ', '_')!r}?" if near else "")
            )
        elif key in values:
            faults.append(f"mục {written!r:.60} ghi hai lần")
        else:
            try:
                values[key] = _value(key, value)
            except (TypeError, KeyError):
                faults.append(f"{written}: phải là {_FORMS.get(key, 'một dòng chữ')}, không phải {value!r:.60}")
    if faults:
        raise Rejected(Reason.REQUEST_INVALID, "; ".join(faults))
    return Letter(**values)


_FORMS = {
    "to": 'danh sách mã trong [ ], hoặc {ma = "H49", ten = "…"}',
    "reply_to": 'danh sách {don_vi = "H49", so_ky_hieu = "1/X", ma_van_ban = "…", ngay = "2026-10-05"} trong [ ]',
    "attachments": 'danh sách tên tệp trong [ ], hoặc {tep = "a.pdf", ten = "…", mo_ta = "…"}',
    "to_places": "danh sách dòng chữ trong [ ]",
}


def _value(key: str, value: Any) -> Any:
    if key == "to":
        return tuple(
            organ_of(one) if isinstance(one, str) else Organ(**_named(one, _ORGAN_KEYS)) for one in _list(value)
        )
    if key == "reply_to":
        return tuple(ResponseFor(**_named(one, _REPLY_KEYS)) for one in _list(value))
    if key == "attachments":
        return tuple(File(one) if isinstance(one, str) else File(**_named(one, _FILE_KEYS)) for one in _list(value))
    return tuple(map(_text, _list(value))) if key == "to_places" else _text(value)


def organ_of(written: str) -> Organ:
    """Read "H49.22.05" or "H49.22.05=UBND phường"."""
    code, _, name = written.partition("=")
    return Organ(organ_id=code.strip(), organ_name=name.strip())


def _list(value: Any) -> list[Any]:
    """Return a list; one text alone is a list of one, as a clerk means it."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise TypeError
    return value


def _named(table: Any, keys: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(table, Mapping):
        raise TypeError
    named = {key if key in keys else _INNER_KEYS_IN_VIETNAMESE[bare(key)]: value for key, value in table.items()}
    return {keys[key]: _text(value) for key, value in named.items()}


def _text(value: Any) -> str:
    if isinstance(value, date):  # a TOML file may have it without quotation marks; datetime is one, too
        return value.strftime("%Y/%m/%d")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError
    return str(value)


def date_of(text: str) -> str:
    """Return a date as edXML has it: 2026/10/05, from that form, 2026-10-05 or 05/10/2026; "" for "".

    Raises Rejected(REQUEST_INVALID) for one that does not exist.
    """
    found = _DAY_FIRST.fullmatch(text.strip())
    written = f"{found[3]}/{int(found[2]):02}/{int(found[1]):02}" if found else text
    read = read_time(written)
    if read is None and text.strip():
        raise Rejected(Reason.REQUEST_INVALID, f"{text!r} is no date; write 2026-10-05 or 05/10/2026")
    return read.strftime("%Y/%m/%d") if read else ""


def priority_of(text: str) -> str:
    """Return the number of a degree of urgency given by number or name. Raises Rejected(REQUEST_INVALID)."""
    number = priority_number(text)
    if number is None:
        known = ", ".join(f"{number} {name}" for number, name in enumerate(PRIORITIES))
        raise Rejected(Reason.REQUEST_INVALID, f"{text!r} is no degree of urgency; known: {known}")
    return str(number)


def packet_of_letter(
    letter: Letter, at: datetime, files: Sequence[NewAttachment] = (), business: Bussiness | None = None
) -> Packet:
    """Make the packet; `files` are the letter's attachments, `at` is now in Vietnam, `business` says what is done with the document.

    Raises Rejected(REQUEST_INVALID) for dates and degrees of urgency that are none.
    """
    day = date_of(letter.date)
    header = MessageHeader(
        sender=Organ(organ_id=letter.sender, organ_name=letter.sender_name),
        to=letter.to,
        document_id=letter.document_id or document_id_of(letter),
        code=Code(letter.number, letter.notation),
        promulgation_info=PromulgationInfo(letter.place, day),
        document_type=DocumentType(type_name=letter.type),
        subject=letter.subject,
        content=letter.content,
        signer_info=SignerInfo(letter.competence, letter.position, letter.signer) if letter.signer else None,
        due_date=date_of(letter.due),
        other_info=OtherInfo(priority=priority_of(letter.priority), page_amount=letter.pages),
        response_for=tuple(replace(one, promulgation_date=date_of(one.promulgation_date)) for one in letter.reply_to),
        steering_type=letter.steering,
        to_places=ToPlaces(letter.to_places) if letter.to_places else None,
    )
    return packet_with(header, at, files, business)


def packet_with(
    header: MessageHeader, at: datetime, files: Sequence[NewAttachment] = (), business: Bussiness | None = None
) -> Packet:
    """Make a packet of a header that is there already, with its first station: the sender, now."""
    sender = header.sender.organ_id if header.sender else ""
    return Packet(
        kind=PacketKind.DOCUMENT,
        header=header,
        trace=TraceHeaderList(
            bussiness=business or Bussiness(bussiness_doc_type="0", paper="0"),
            trace_headers=(TraceHeader(sender, at.strftime("%Y/%m/%d %H:%M:%S")),),
        ),
        references=tuple(one.reference for one in files),
        attachments=tuple(one.attachment for one in files),
    )


_NEEDED = {"sender": "noi_gui (nơi gửi)", "date": "ngay (ngày ban hành)", "number": "so (số văn bản)"}


def document_id_of(letter: Letter) -> str:
    """Return the customary DocumentId. Raises Rejected(REQUEST_INVALID) if one of its parts is missing."""
    missing = [name for name in ("sender", "date", "number") if not getattr(letter, name)]
    if missing:
        words = ", ".join(_NEEDED[name] for name in missing)
        raise Rejected(
            Reason.REQUEST_INVALID, f"thiếu {words}; không có thì phải ghi ma_van_ban (mã định danh văn bản)"
        )
    code = "/".join(part for part in (letter.number, letter.notation) if part)
    return f"{letter.sender},{date_of(letter.date)},{code}"
