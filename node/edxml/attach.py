"""Making attachments: in which form a file travels, as the vendor's library has it (edxml.md section 1).

By the ending of its name a file goes in raw or, mostly, in a zip of one entry; the Reference is written before that is found out
and always says application/zip.
"""

import io
import re
import zipfile
from dataclasses import dataclass

from node.edxml.content import BEGINNING_BYTES
from node.model.packet import Attachment, Reference

ZIP = "application/zip"
_ENDING = re.compile(r"\.([A-Za-z0-9]+)$")
_RAW_TYPES = {kind: f"application/{kind}" for kind in ("pdf", "doc", "docx", "xsl", "xslx", "zip")}
"""By the name's ending, spelled as the vendor's library spells them. Everything else travels as a zip of one file."""
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class NewAttachment:
    """A file ready to be sent: its entry in the manifest, its own words, and the octets that travel (for `write_packet`)."""

    reference: Reference
    attachment: Attachment
    content: bytes


def attach(name: str, data: bytes, own_id: str, description: str = "") -> NewAttachment:
    """Make an attachment of a file; `own_id` (a UUID) tells it from the others of its packet."""
    content_type, content = travelling(name, data, own_id)
    content_id = f"cid:{own_id}"
    words = Attachment(
        content_id=content_id,
        attachment_name=name,
        description=description,
        content_type=content_type,
        size_bytes=len(content),
        beginning=content[:BEGINNING_BYTES],
    )
    return NewAttachment(Reference(content_id, ZIP, description, name), words, content)


def travelling(name: str, data: bytes, own_id: str) -> tuple[str, bytes]:
    """Return the type and the octets under which a file travels."""
    ending = _ENDING.search(name)
    kind = ending[1].lower() if ending else ""
    # An empty file must not travel raw: without content the vendor's parser fails on the whole packet.
    if kind in _RAW_TYPES and data:
        return _RAW_TYPES[kind], data
    return ZIP, _zipped(f"{own_id}.{kind}".rstrip("."), data)


def _zipped(entry: str, data: bytes) -> bytes:
    """One entry without a folder in its name, as receivers expect."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo(entry, _ZIP_TIME), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()
