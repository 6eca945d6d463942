"""What the picked texts mean: who sends, to whom, what, and whether that is enough to carry the packet.

A packet is a status if it is to nobody and has a StatusCode (or answers something and has no body, which is a status whose code
was forgotten); everything else is a document. Sources: edxml.md sections 1 to 3, domain.md sections 3 and 4.
"""

import re
from itertools import chain, repeat
from typing import NamedTuple

from node.edxml.plan import ENVELOPE, Picked
from node.errors import Rejected
from node.model.envelope import PacketKind
from node.model.header import Attachment, Business, PacketHeader, Receiver, Replaced, ResponseFor
from node.model.reason import Reason

_NUMBER = re.compile(r"\s*(-?[0-9]{1,9})\s*", re.ASCII)
_STATUS_CODE = re.compile(r"[0-9][0-9]")
_PATH = "edXMLEnvelope/edXMLHeader/MessageHeader"
_LEADING_CID = re.compile(r"\s*(cid:)*", re.IGNORECASE)


class Address(NamedTuple):
    """What a packet must have to be carried. See PacketHeader for the fields."""

    kind: PacketKind
    sender: str
    recipients: tuple[str, ...]
    responses: tuple[ResponseFor, ...]
    status_code: str


def address_of(envelope: Picked) -> Address:
    """Return who sends what kind of packet to whom.

    Raises Rejected: PACKET_NO_SENDER, PACKET_NO_RECIPIENT or STATUS_MALFORMED.
    """
    header = envelope.group("edXMLHeader", "MessageHeader")
    responses, to = _responses(header), _to(header)
    kind = _kind(envelope, header, bool(to), bool(responses))
    # Several ResponseFor in a status: the last one counts (edxml.md section 3).
    recipients = to if kind is PacketKind.DOCUMENT else tuple(last.organ_id for last in responses[-1:] if last.organ_id)
    address = Address(
        kind=kind,
        sender=header.group("From").text("OrganId").strip(),
        recipients=recipients,
        responses=responses,
        status_code=header.text("StatusCode").strip(),
    )
    _check(address, envelope)
    return address


def header_of(root: Picked) -> PacketHeader:
    """Return the words of a packet. Raises Rejected as `address_of`. There must be an envelope."""
    envelope = root.groups[ENVELOPE.name][0]
    address = address_of(envelope)
    outer = envelope.group("edXMLHeader")
    header = outer.group("MessageHeader")
    code, document_type = header.group("Code"), header.group("DocumentType")
    business = outer.group("TraceHeaderList", "Bussiness")
    business_type = _number(business.text("BussinessDocType")) or 0
    return PacketHeader(
        kind=address.kind,
        sender=address.sender,
        sender_name=header.group("From").text("OrganName"),
        recipients=address.recipients,
        document_id=header.text("DocumentId").strip(),
        code_number=code.text("CodeNumber"),
        code_notation=code.text("CodeNotation"),
        subject=header.text("Subject"),
        promulgation_date=header.group("PromulgationInfo").text("PromulgationDate"),
        due_date=header.text("DueDate"),
        document_type=_number(document_type.text("Type")),
        document_type_name=document_type.text("TypeName"),
        priority=_number(header.group("OtherInfo").text("Priority")),
        business_type=business_type,
        status_code=address.status_code,
        status_description=header.text("Description"),
        status_timestamp=header.text("Timestamp"),
        response_for=address.responses,
        attachments=_attachments(root, envelope),
        business=_business(business) if business_type else None,
    )


def _business(business: Picked) -> Business:
    infos, lists = business.all("BussinessDocumentInfo"), business.all("ReplacementInfoList")
    return Business(
        document_id=business.text("DocumentId").strip(),
        reason=business.text("BussinessDocReason"),
        receivers=tuple(
            Receiver(one.text("OrganId").strip(), one.text("ReceiverType").strip() == "1")
            for info in infos
            for one in info.group("ReceiverList").all("Receiver")
            if one.text("ReceiverType").strip() in ("0", "1") and one.text("OrganId").strip()
        ),
        replaced=tuple(
            Replaced(one.text("DocumentId").strip(), _organ_ids(one))
            for each in lists
            for one in each.all("ReplacementInfo")
            if one.text("DocumentId").strip()
        ),
    )


def _organ_ids(replacement: Picked) -> tuple[str, ...]:
    codes = (code.strip() for code in replacement.group("OrganIdList").lists.get("OrganId", []))
    return tuple(dict.fromkeys(code for code in codes if code))


def _to(header: Picked) -> tuple[str, ...]:
    codes = (to.text("OrganId").strip() for to in header.all("To"))
    return tuple(dict.fromkeys(code for code in codes if code))


def _responses(header: Picked) -> tuple[ResponseFor, ...]:
    # An axis that rebuilds packets leaves empty ResponseFor elements behind (edxml.md 6.7): they answer nothing.
    return tuple(_response(one) for one in header.all("ResponseFor") if any(map(str.strip, one.texts.values())))


def _response(one: Picked) -> ResponseFor:
    return ResponseFor(
        organ_id=one.text("OrganId").strip(),
        document_id=one.text("DocumentId").strip(),
        code=one.text("Code"),
        promulgation_date=one.text("PromulgationDate"),
    )


def _kind(envelope: Picked, header: Picked, is_to_somebody: bool, answers: bool) -> PacketKind:
    if is_to_somebody:
        return PacketKind.DOCUMENT
    forgot_code = answers and "edXMLBody" not in envelope.groups and not header.all("To")
    return PacketKind.STATUS if "StatusCode" in header.texts or forgot_code else PacketKind.DOCUMENT


def _check(address: Address, envelope: Picked) -> None:
    if not address.sender:
        raise Rejected(Reason.PACKET_NO_SENDER, f"no {_PATH}/From/OrganId; found {_found(envelope, 'From')}")
    if not address.recipients:
        element = "To" if address.kind is PacketKind.DOCUMENT else "ResponseFor"
        raise Rejected(Reason.PACKET_NO_RECIPIENT, f"no {_PATH}/{element}/OrganId; found {_found(envelope, element)}")
    if address.kind is PacketKind.STATUS and not _STATUS_CODE.fullmatch(address.status_code):
        found = repr(address.status_code[:60]) if address.status_code else "none"
        raise Rejected(Reason.STATUS_MALFORMED, f"{_PATH}/StatusCode is not two digits; found {found}")


def _found(envelope: Picked, element: str) -> str:
    """What was there in place of the missing OrganId, for people."""
    outer = envelope.group("edXMLHeader")
    if "MessageHeader" not in outer.groups:
        return "no MessageHeader"
    found = outer.group("MessageHeader").all(element)
    return f"{len(found)} {element} without it" if found else f"no {element}"


def _attachments(root: Picked, envelope: Picked) -> tuple[Attachment, ...]:
    """The Attachment's own words; where it has no name or type, those of the Reference of its id, or else of its place."""
    attachments = root.group("AttachmentEncoded").all("Attachment")
    if not attachments:
        return ()
    references = envelope.group("edXMLBody", "edXMLManifest").all("Reference")
    by_id = {_content_id(one): one for one in reversed(references) if _content_id(one)}
    by_place = chain(references, repeat(Picked()))
    return tuple(
        _attachment(one, by_id.get(_content_id(one), other)) for one, other in zip(attachments, by_place, strict=False)
    )


def _attachment(own: Picked, reference: Picked) -> Attachment:
    return Attachment(
        name=own.text("AttachmentName") or reference.text("AttachmentName"),
        content_type=own.text("ContentType") or reference.text("ContentType"),
        size_bytes=own.content_characters * 3 // 4,
    )


def _content_id(one: Picked) -> str:
    return _LEADING_CID.sub("", one.text("ContentId"), count=1).strip()


def _number(text: str) -> int | None:
    found = _NUMBER.fullmatch(text)
    return int(found[1]) if found else None
