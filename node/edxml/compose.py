"""Writing edXML packets exactly as the vendor's library does (edxml.md sections 1 and 4): for the demo, tests and benches, and
wherever the node has to speak edXML itself.

Byte for byte the same for the same arguments: ids come from the content, times from the caller. CRLF, two spaces of indent, the
prefix edXML, no element for an empty text, SteeringType an integer, dates with slashes: programs of other makers look for just that.
"""

import hashlib
import io
import re
import uuid
import zipfile
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from node.edxml.plan import QCVN_102
from node.errors import Rejected
from node.model.reason import Reason

_END = "\r\n"
_NOT_XML_1_0 = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BEYOND_16_BITS = re.compile("[\U00010000-\U0010ffff]")
_ENDING = re.compile(r"\.([A-Za-z0-9]+)$")
_RAW_TYPES = {kind: f"application/{kind}" for kind in ("pdf", "doc", "docx", "xsl", "xslx", "zip")}
"""By the name's ending, spelled as the vendor's library spells them. Everything else travels as a zip of one file."""
_ZIP = "application/zip"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


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
        _text("DocumentId", document_id),
        _group("Code", _text("CodeNumber", number), _text("CodeNotation", notation)),
        _group("PromulgationInfo", _text("PromulgationDate", date)),
        _group("DocumentType", _text("Type", "0"), _text("TypeDetail", "0")),
        _text("Subject", subject),
        _group("OtherInfo", _text("Priority", str(priority)), _text("Direction", "false")),
        _text("SteeringType", "0"),
    ]
    trace = _group("TraceHeaderList", _group("Bussiness", _text("BussinessDocType", "0"), _text("Paper", "0")))
    header = _group("edXMLHeader", _group("MessageHeader", *message), trace)
    manifest = _element("edXML:edXMLManifest", map(_reference, files), ' version="1.0"')
    encoded = _element("AttachmentEncoded", map(_attachment, files))
    return _packet(header + _group("edXMLBody", manifest), encoded)


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
        _text("OrganId", author),
        _text("Code", code),
        _text("DocumentId", document_id),
        _text("PromulgationDate", date),
    ]
    message = [
        _organ("From", sender, sender_name),
        _group("ResponseFor", *about),
        _text("StatusCode", status_code),
        _text("Description", description),
        _text("Timestamp", timestamp),
    ]
    return _packet(_group("edXMLHeader", _group("MessageHeader", *message)))


Lines = list[str]
"""Lines of XML, not yet indented by what is around them."""


def _packet(envelope: Lines, attachments: Sequence[str] = ()) -> bytes:
    inner = _element("edXML:edXMLEnvelope", [envelope], f' xmlns:edXML="{QCVN_102}"')
    root = _element("edXML", [inner, attachments], f' xmlns="{QCVN_102}"')
    return _END.join(['<?xml version="1.0" encoding="UTF-8"?>', *root, ""]).encode()


def _element(name: str, inner: Iterable[Sequence[str]], attributes: str = "") -> Lines:
    lines = [f"  {line}" for child in inner for line in child]
    return [f"<{name}{attributes}>", *lines, f"</{name}>"] if lines else [f"<{name}{attributes} />"]


def _group(name: str, *inner: Lines) -> Lines:
    return _element(f"edXML:{name}", inner)


def _text(name: str, text: str) -> Lines:
    return _plain(f"edXML:{name}", text)


def _plain(name: str, text: str, attributes: str = "") -> Lines:
    """An element with text; nothing at all if the text is empty."""
    written = _escape(text.strip(" \t\r\n"))
    return [f"<{name}{attributes}>{written}</{name}>"] if written else []


def _escape(text: str) -> str:
    wrong = _NOT_XML_1_0.search(text)
    if wrong:
        raise Rejected(Reason.REQUEST_INVALID, f"character U+{ord(wrong[0]):04X} is not allowed in XML")
    for character, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#xD;"), ("\n", _END)):
        text = text.replace(character, written)
    return _BEYOND_16_BITS.sub(lambda found: f"&#x{ord(found[0]):x};", text)


def _organ(element: str, code: str, name: str) -> Lines:
    return _group(element, _text("OrganId", code), _text("OrganName", name))


def _reference(file: _File) -> Lines:
    # The library writes the reference before it has found out the type, so it always says zip; the Attachment tells the truth.
    words = [_text("ContentId", file.content_id), _text("ContentType", _ZIP), _text("AttachmentName", file.name)]
    return _group("Reference", *words)


def _attachment(file: _File) -> Lines:
    namespace = f' xmlns:edXML="{QCVN_102}"'
    words = [
        _plain("ContentId", file.content_id),
        _plain("AttachmentName", file.name),
        _plain("ContentType", file.content_type),
        _plain("edXML:ContentTransferEncoded", b64encode(file.data).decode(), namespace),
    ]
    return _element("Attachment", words)


def _file(name: str, data: bytes, salt: str) -> _File:
    digest = hashlib.sha256(b"\n".join([salt.encode(), name.encode(), hashlib.sha256(data).digest()])).digest()
    own_id = uuid.UUID(bytes=digest[:16], version=4)
    ending = _ENDING.search(name)
    kind = ending[1].lower() if ending else ""
    # An empty file must not travel raw: without content the vendor's parser fails on the whole packet.
    if kind in _RAW_TYPES and data:
        return _File(f"cid:{own_id}", name, _RAW_TYPES[kind], data)
    return _File(f"cid:{own_id}", name, _ZIP, _zipped(f"{own_id}.{kind}".rstrip("."), data))


def _zipped(entry: str, data: bytes) -> bytes:
    """One entry without a folder in its name, as receivers expect."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo(entry, _ZIP_TIME), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()
