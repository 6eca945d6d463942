"""Composing plain packets exactly as the vendor's library writes them (edxml.md sections 1 and 4): for the demo, tests and benches,
and wherever the node has to speak edXML itself.

The same arguments give the same octets: ids come from the content, times from the caller. CRLF, two spaces of indent, the prefix
edXML, no element for an empty text, SteeringType an integer, dates with slashes: programs of other makers look for just that.
"""

import hashlib
import uuid
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from node.edxml.attach import ZIP, travelling
from node.edxml.dialect import QCVN_102
from node.edxml.lines import END_OF_LINE, Lines, element, group, plain, text


@dataclass(frozen=True, slots=True)
class _File:
    """An attachment ready to be written."""

    content_id: str
    name: str
    content_type: str
    data: bytes


def compose_document(
    *,
    sender: str,
    sender_name: str,
    recipients: Sequence[tuple[str, str]],
    document_id: str,
    number: str,
    notation: str,
    subject: str,
    date: str,
    priority: int = 0,
    attachments: Sequence[tuple[str, bytes]] = (),
) -> bytes:
    """Return a new document packet.

    `recipients` are (code, name), `attachments` (name, data), `date` is yyyy/MM/dd. White space at the ends of texts is dropped,
    as the vendor's library does. Raises Rejected(REQUEST_INVALID) for a character that XML does not allow.
    """
    files = [_file(name, data, f"{document_id}\n{place}") for place, (name, data) in enumerate(attachments)]
    message = [
        _organ("From", sender, sender_name),
        *(_organ("To", code, name) for code, name in recipients),
        text("DocumentId", document_id),
        group("Code", text("CodeNumber", number), text("CodeNotation", notation)),
        group("PromulgationInfo", text("PromulgationDate", date)),
        group("DocumentType", text("Type", "0"), text("TypeDetail", "0")),
        text("Subject", subject),
        group("OtherInfo", text("Priority", str(priority)), text("Direction", "false")),
        text("SteeringType", "0"),
    ]
    trace = group("TraceHeaderList", group("Bussiness", text("BussinessDocType", "0"), text("Paper", "0")))
    header = group("edXMLHeader", group("MessageHeader", *message), trace)
    manifest = element("edXML:edXMLManifest", map(_reference, files), ' version="1.0"')
    encoded = element("AttachmentEncoded", map(_attachment, files))
    return _packet(header + group("edXMLBody", manifest), encoded)


def compose_status(
    *,
    sender: str,
    sender_name: str,
    author: str,
    document_id: str,
    code: str,
    date: str,
    status_code: str,
    description: str,
    timestamp: str,
) -> bytes:
    """Return a status packet: `sender` reports to `author` about the author's document.

    `document_id`, `code` (number/notation) and `date` (yyyy/MM/dd) are the document's; `timestamp` is yyyy/MM/dd HH:mm:ss,
    Vietnamese time. Raises Rejected(REQUEST_INVALID) for a character that XML does not allow.
    """
    about = [
        text("OrganId", author),
        text("Code", code),
        text("DocumentId", document_id),
        text("PromulgationDate", date),
    ]
    message = [
        _organ("From", sender, sender_name),
        group("ResponseFor", *about),
        text("StatusCode", status_code),
        text("Description", description),
        text("Timestamp", timestamp),
    ]
    return _packet(group("edXMLHeader", group("MessageHeader", *message)))


def _packet(envelope: Lines, attachments: Sequence[str] = ()) -> bytes:
    inner = element("edXML:edXMLEnvelope", [envelope], f' xmlns:edXML="{QCVN_102}"')
    root = element("edXML", [inner, attachments], f' xmlns="{QCVN_102}"')
    return END_OF_LINE.join(['<?xml version="1.0" encoding="UTF-8"?>', *root, ""]).encode()


def _organ(element: str, code: str, name: str) -> Lines:
    return group(element, text("OrganId", code), text("OrganName", name))


def _reference(file: _File) -> Lines:
    # The library writes the reference before it has found out the type, so it always says zip; the Attachment tells the truth.
    words = [text("ContentId", file.content_id), text("ContentType", ZIP), text("AttachmentName", file.name)]
    return group("Reference", *words)


def _attachment(file: _File) -> Lines:
    namespace = f' xmlns:edXML="{QCVN_102}"'
    words = [
        plain("ContentId", file.content_id),
        plain("AttachmentName", file.name),
        plain("ContentType", file.content_type),
        plain("edXML:ContentTransferEncoded", b64encode(file.data).decode(), namespace),
    ]
    return element("Attachment", words)


def _file(name: str, data: bytes, salt: str) -> _File:
    digest = hashlib.sha256(b"\n".join([salt.encode(), name.encode(), hashlib.sha256(data).digest()])).digest()
    own_id = uuid.UUID(bytes=digest[:16], version=4)
    content_type, content = travelling(name, data, str(own_id))
    return _File(f"cid:{own_id}", name, content_type, content)
