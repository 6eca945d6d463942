"""Words: the meaning of what was read: who sends, to whom, what, and whether that is enough to carry the packet.

A packet is a status if it has a StatusCode and answers something without a body (some programs write To as well), or is to nobody and
has a StatusCode, or answers something and has no body, which is a status whose code was forgotten. Everything else is a document.
Sources: edxml.md sections 1 to 3, domain.md sections 3 and 4.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from node.edxml.grammar import Body, Encoded, Envelope, Header, Manifest, Root
from node.errors import Rejected
from node.model import packet as words
from node.model.envelope import PacketKind
from node.model.header import Business, PacketHeader, Receiver, Replaced, ResponseFor
from node.model.packet import Dialect, MessageHeader, Packet
from node.model.reason import Reason
from node.model.urgency import priority_number

_NUMBER = re.compile(r"\s*(-?[0-9]{1,9})\s*", re.ASCII)
_STATUS_CODE = re.compile(r"[0-9][0-9]")
_PATH = "edXMLEnvelope/edXMLHeader/MessageHeader"
_NO_HEADER, _NO_MESSAGE = Header(), MessageHeader(steering_type=None)
_NO_ORGAN, _NO_CODE, _NO_PROMULGATION, _NO_OTHER = (
    words.Organ(),
    words.Code(),
    words.PromulgationInfo(),
    words.OtherInfo(),
)
_NO_TYPE, _NO_BUSSINESS = words.DocumentType("", ""), words.Bussiness()


class Address(NamedTuple):
    """The words without which a packet cannot be carried. See PacketHeader for the fields."""

    kind: PacketKind
    sender: str
    recipients: tuple[str, ...]
    responses: tuple[ResponseFor, ...]
    status_code: str


def address_of(envelope: Envelope) -> Address:
    """Return who sends what kind of packet to whom.

    Raises Rejected: PACKET_NO_SENDER, PACKET_NO_RECIPIENT or STATUS_MALFORMED.
    """
    message = (envelope.header or _NO_HEADER).message or _NO_MESSAGE
    # An axis that rebuilds packets leaves empty ResponseFor elements behind (edxml.md 6.7): they answer nothing.
    responses = tuple([_response(one) for one in message.response_for if not one.is_empty])
    kind = kind_of(message, has_body=envelope.body is not None)
    # Several ResponseFor in a status: the last one counts (edxml.md section 3).
    answered = tuple([last.organ_id for last in responses[-1:] if last.organ_id])
    recipients = answered if kind is PacketKind.STATUS else _codes(one.organ_id for one in message.to)
    sender = (message.sender or _NO_ORGAN).organ_id.strip()
    address = Address(kind, sender, recipients, responses, message.status_code.strip())
    _check(address, envelope)
    return address


def header_of(root: Root) -> PacketHeader:
    """Return the words that routing needs, of a root with an envelope. Raises Rejected as `address_of`."""
    envelope = root.envelope
    assert envelope is not None
    address = address_of(envelope)
    outer = envelope.header or _NO_HEADER
    message = outer.message or _NO_MESSAGE
    code, document_type = message.code or _NO_CODE, message.document_type or _NO_TYPE
    business = (outer.trace.bussiness if outer.trace else None) or _NO_BUSSINESS
    business_type = _number(business.bussiness_doc_type) or 0
    return PacketHeader(
        kind=address.kind,
        sender=address.sender,
        sender_name=(message.sender or _NO_ORGAN).organ_name,
        recipients=address.recipients,
        document_id=message.document_id.strip(),
        code_number=code.code_number,
        code_notation=code.code_notation,
        subject=message.subject,
        promulgation_date=(message.promulgation_info or _NO_PROMULGATION).promulgation_date,
        due_date=message.due_date,
        document_type=_number(document_type.type),
        document_type_name=document_type.type_name,
        priority=_priority((message.other_info or _NO_OTHER).priority),
        business_type=business_type,
        status_code=address.status_code,
        status_description=message.description,
        status_timestamp=message.timestamp,
        response_for=address.responses,
        business=_business(business) if business_type else None,
    )


def packet_of(root: Root, dialect: Dialect, *, root_is_prefixed: bool = False) -> Packet:
    """Return all words of a packet."""
    envelope = root.envelope or Envelope()
    header, body = envelope.header or _NO_HEADER, envelope.body
    message = header.message or _NO_MESSAGE
    return Packet(
        kind=kind_of(message, has_body=body is not None),
        header=message,
        trace=header.trace,
        errors=header.errors,
        signature=header.signature,
        references=_references(body) if body is not None else None,
        attachments=_encoded(root).attachments,
        dialect=dialect,
        root_is_prefixed=root_is_prefixed,
    )


def kind_of(message: MessageHeader, *, has_body: bool) -> PacketKind:
    """Tell documents from statuses."""
    answers = any(not one.is_empty for one in message.response_for)
    if message.status_code.strip() and answers and not has_body:
        return PacketKind.STATUS
    if any(one.organ_id.strip() for one in message.to):
        return PacketKind.DOCUMENT
    forgot_code = answers and not has_body and not message.to
    return PacketKind.STATUS if message.status_code or forgot_code else PacketKind.DOCUMENT


def _business(business: words.Bussiness) -> Business:
    infos, lists = business.bussiness_document_infos, business.replacement_info_lists
    return Business(
        document_id=business.document_id.strip(),
        reason=business.bussiness_doc_reason,
        receivers=tuple(
            Receiver(one.organ_id.strip(), one.receiver_type.strip() == "1")
            for info in infos
            for one in (info.receiver_list.receivers if info.receiver_list else ())
            if one.receiver_type.strip() in ("0", "1") and one.organ_id.strip()
        ),
        replaced=tuple(
            Replaced(one.document_id.strip(), _codes(one.organ_id_list.organ_ids if one.organ_id_list else ()))
            for each in lists
            for one in each.replacement_infos
            if one.document_id.strip()
        ),
    )


def _codes(written: Iterable[str]) -> tuple[str, ...]:
    """Return codes trimmed, without repeats and empty ones."""
    return tuple(dict.fromkeys(code for code in map(str.strip, written) if code))


def _response(one: words.ResponseFor) -> ResponseFor:
    return ResponseFor(
        organ_id=one.organ_id.strip(),
        document_id=one.document_id.strip(),
        code=one.code,
        promulgation_date=one.promulgation_date,
    )


def _check(address: Address, envelope: Envelope) -> None:
    if not address.sender:
        raise Rejected(Reason.PACKET_NO_SENDER, f"no {_PATH}/From/OrganId; found {_found(envelope, 'From')}")
    if not address.recipients:
        element = "To" if address.kind is PacketKind.DOCUMENT else "ResponseFor"
        raise Rejected(Reason.PACKET_NO_RECIPIENT, f"no {_PATH}/{element}/OrganId; found {_found(envelope, element)}")
    if address.kind is PacketKind.STATUS and not _STATUS_CODE.fullmatch(address.status_code):
        found = repr(address.status_code[:60]) if address.status_code else "none"
        raise Rejected(Reason.STATUS_MALFORMED, f"{_PATH}/StatusCode is not two digits; found {found}")


def _found(envelope: Envelope, element: str) -> str:
    """Say, for people, what was there in place of the missing OrganId."""
    message = envelope.header.message if envelope.header else None
    if message is None:
        return "no MessageHeader"
    senders = (message.sender,) if message.sender is not None else ()
    found = {"From": senders, "To": message.to, "ResponseFor": message.response_for}[element]
    return f"{len(found)} {element} without it" if found else f"no {element}"


def _encoded(root: Root) -> Encoded:
    body = root.envelope.body if root.envelope else None
    return root.encoded or (body.encoded if body else None) or Encoded()


def _references(body: Body) -> tuple[words.Reference, ...]:
    return (body.manifest or Manifest()).references


def _priority(text: str) -> int | None:
    """Return the urgency; a program that writes it as a word (rule 63 warns of it) means it all the same."""
    number = _number(text)
    return priority_number(text) if number is None and text.strip() else number


def _number(text: str) -> int | None:
    found = _NUMBER.fullmatch(text)
    return int(found[1]) if found else None
