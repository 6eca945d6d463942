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

PRIORITIES = ("thường", "khẩn", "thượng khẩn", "hỏa tốc", "hỏa tốc hẹn giờ")
"""Degrees of urgency by their numbers (QĐ 28/2018 Điều 10.2.k)."""

_DAY_FIRST = re.compile(r"(\d\d?)/(\d\d?)/(\d{4})", re.ASCII)
_ORGAN_KEYS = {"code": "organ_id", "name": "organ_name", "address": "organ_add", "email": "email", "phone": "telephone"}
_REPLY_KEYS = {"unit": "organ_id", "code": "code", "document_id": "document_id", "date": "promulgation_date"}


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
    for key, value in table.items():
        if key not in known:
            near = get_close_matches(key, known, 1)
            faults.append(f"unknown key {key!r}" + (f", did you mean {near[0]!r}?" if near else ""))
            continue
        try:
            values[key] = _value(key, value)
        except (TypeError, KeyError):
            faults.append(f"{key}: {_FORMS.get(key, 'a text')} is expected, not {value!r:.60}")
    if faults:
        raise Rejected(Reason.REQUEST_INVALID, "; ".join(faults))
    return Letter(**values)


_FORMS = {
    "to": 'a list of codes, or of tables {code = "H49", name = "…"}',
    "reply_to": 'a list of tables {unit = "H49", code = "1/X", document_id = "…", date = "2026-10-05"}',
    "attachments": 'a list of file names, or of tables {file = "a.pdf", name = "…", description = "…"}',
    "to_places": "a list of texts",
}


def _value(key: str, value: Any) -> Any:
    if key == "to":
        return tuple(
            organ_of(one) if isinstance(one, str) else Organ(**_named(one, _ORGAN_KEYS)) for one in _list(value)
        )
    if key == "reply_to":
        return tuple(ResponseFor(**_named(one, _REPLY_KEYS)) for one in _list(value))
    if key == "attachments":
        keys = {"file": "path", "name": "name", "description": "description"}
        return tuple(File(one) if isinstance(one, str) else File(**_named(one, keys)) for one in _list(value))
    return tuple(map(_text, _list(value))) if key == "to_places" else _text(value)


def organ_of(written: str) -> Organ:
    """Read "H49.22.05" or "H49.22.05=UBND phường"."""
    code, _, name = written.partition("=")
    return Organ(organ_id=code.strip(), organ_name=name.strip())


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _named(table: Any, keys: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(table, Mapping):
        raise TypeError
    return {keys[key]: _text(value) for key, value in table.items()}


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
    written = text.strip().lower()
    if written in PRIORITIES:
        return str(PRIORITIES.index(written))
    if written not in map(str, range(len(PRIORITIES))):
        known = ", ".join(f"{number} {name}" for number, name in enumerate(PRIORITIES))
        raise Rejected(Reason.REQUEST_INVALID, f"{text!r} is no degree of urgency; known: {known}")
    return written


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


def document_id_of(letter: Letter) -> str:
    """Return the customary DocumentId. Raises Rejected(REQUEST_INVALID) if one of its parts is missing."""
    missing = [name for name in ("sender", "date", "number") if not getattr(letter, name)]
    if missing:
        raise Rejected(Reason.REQUEST_INVALID, f"without {', '.join(missing)} there must be a document_id")
    code = "/".join(part for part in (letter.number, letter.notation) if part)
    return f"{letter.sender},{date_of(letter.date)},{code}"
