"""Attaching files: in which form a file travels, as the vendor's library has it (edxml.md section 1).

By the ending of its name a file goes in raw or, mostly, in a zip of one entry; the Reference is written before that is found out
and always says application/zip.
"""

import hashlib
import io
import re
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from node.edxml.content import BEGINNING_BYTES
from node.edxml.document import content
from node.edxml.extract import require_sound
from node.edxml.limits import MIB
from node.model.packet import Attachment, Packet, Reference

ZIP = "application/zip"
_ENDING = re.compile(r"\.([A-Za-z0-9]+)$")
_RAW_TYPES = {kind: f"application/{kind}" for kind in ("pdf", "doc", "docx", "xsl", "xslx", "zip")}
"""By the name's ending, spelled as the vendor's library spells them. Everything else travels as a zip of one file."""
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The oldest that a zip can tell; with the real time the same file would make another packet each time."""


@dataclass(frozen=True, slots=True)
class NewAttachment:
    """A file ready to be sent: its entry in the manifest, its own words, and the octets that travel (for `write_packet`)."""

    reference: Reference
    attachment: Attachment
    content: bytes | Iterable[bytes]


def attach(name: str, data: bytes, own_id: str, description: str = "") -> NewAttachment:
    """Make an attachment of a file; `own_id` (a UUID) tells it from the others of its packet."""
    content_type, content = travelling(name, data, own_id)
    words = _words(name, own_id, description, content_type, len(content), content[:BEGINNING_BYTES])
    return NewAttachment(Reference(words.content_id, ZIP, description, name), words, content)


def attach_file(path: Path, scratch: Path, name: str = "", description: str = "") -> NewAttachment:
    """Make an attachment of a file of any size; its id follows from name and content. `scratch` is a folder for its zip.

    Raises OSError if the file cannot be read. The file must stay as it is until the packet has been written.
    """
    name = name or path.name
    with path.open("rb") as file:
        digest = hashlib.sha256(name.encode() + hashlib.file_digest(file, "sha256").digest()).digest()
    own_id = str(uuid.UUID(bytes=digest[:16], version=4))
    kind = _kind_of(name)
    travels, content_type = path, _RAW_TYPES.get(kind, ZIP)
    if kind not in _RAW_TYPES or not path.stat().st_size:
        travels, content_type = scratch / f"{own_id}.zip", ZIP
        _zip(f"{own_id}.{kind}".rstrip("."), path, travels)
    with travels.open("rb") as file:
        beginning = file.read(BEGINNING_BYTES)
    words = _words(name, own_id, description, content_type, travels.stat().st_size, beginning)
    return NewAttachment(Reference(words.content_id, ZIP, description, name), words, _Pieces(travels))


def again(path: Path, packet: Packet) -> list[NewAttachment]:
    """Return the attachments of a packet file (`packet` is what was read of it) as they travel in it, for another packet.

    Raises ContentBroken for one whose content is not base64: written anew it would look sound.
    """
    references = packet.references or ()
    made = []
    for index, words in enumerate(packet.attachments):
        require_sound(words)
        own = Reference(words.content_id, words.content_type, words.description, words.attachment_name)
        reference = references[index] if len(references) == len(packet.attachments) else own
        made.append(NewAttachment(reference, words, content(path, index)))
    return made


class _Pieces:
    """Gives out a file's octets, as often as they are asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            while piece := file.read(MIB):
                yield piece


def _words(
    name: str, own_id: str, description: str, content_type: str, size_bytes: int, beginning: bytes
) -> Attachment:
    return Attachment(
        content_id=f"cid:{own_id}",
        attachment_name=name,
        description=description,
        content_type=content_type,
        size_bytes=size_bytes,
        beginning=beginning,
    )


def travelling(name: str, data: bytes, own_id: str) -> tuple[str, bytes]:
    """Return the type and the octets under which a file travels; `own_id` becomes the name in its zip, if it gets one."""
    kind = _kind_of(name)
    # An empty file must not travel raw: without content the vendor's parser fails on the whole packet.
    if kind in _RAW_TYPES and data:
        return _RAW_TYPES[kind], data
    return ZIP, _zipped(f"{own_id}.{kind}".rstrip("."), data)


def _kind_of(name: str) -> str:
    ending = _ENDING.search(name)
    return ending[1].lower() if ending else ""


def _zip(entry: str, path: Path, aim: Path) -> None:
    with path.open("rb") as file, zipfile.ZipFile(aim, "w") as archive:
        info = zipfile.ZipInfo(entry, _ZIP_TIME)
        info.compress_type, info.file_size = zipfile.ZIP_DEFLATED, path.stat().st_size
        with archive.open(info, "w") as packed:
            while piece := file.read(MIB):
                packed.write(piece)


def _zipped(entry: str, data: bytes) -> bytes:
    """Return a zip of one entry without a folder in its name, as receivers expect."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo(entry, _ZIP_TIME), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()
