"""Extracting the files of a packet: what an attachment really is, whatever its type says.

Types and names lie in all directions (edxml.md sections 1, 3 and 6): zip data typed application/pdf, a docx typed application/zip,
names without an ending. So the content decides: a content that begins like a zip under a name that is none travels zipped and is
unzipped; a file that is a zip by its own nature (docx, ods, jar …) shows that by what its first entry is called.
"""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePosixPath

from node.edxml.document import Source, content
from node.edxml.limits import LIMITS, Limits
from node.edxml.unzip import UNZIP_LIMITS, UnzipLimits, first_entry_name, unzip_one
from node.errors import Rejected
from node.model.packet import Attachment, Encoding, Packet
from node.model.reason import Reason

ARCHIVES = frozenset({"zip", "jar", "war", "apk", "kmz", "epub"})
"""Endings of names under which a zip is what was meant to be sent."""
ZIP_BASED = frozenset(
    {"docx", "docm", "dotx", "xlsx", "xlsm", "xltx", "pptx", "pptm", "odt", "ods", "odp", "odg", "vsdx"}
)
"""Endings of files that are zips inside."""

_INSIDE_OFFICE_FILES = re.compile(
    r"\[Content_Types\]\.xml|mimetype|(_rels|docProps|word|xl|ppt|visio|META-INF)/.*", re.S
)
_ZIP_BASED_TYPE = re.compile(
    r"application/(docx|xslx|xlsx|pptx|vnd\.openxmlformats.*|vnd\.oasis\.opendocument.*)", re.I
)
_UNFIT = re.compile(r'[\x00-\x1f\x7f<>:"|?*]')
_NAME_BYTES_MAX = 200


def is_zipped(attachment: Attachment) -> bool:
    """Tell whether the content is a zip around the file that the name promises."""
    entry = first_entry_name(attachment.beginning)
    ending = ending_of(attachment.attachment_name)
    if entry is None or ending in ARCHIVES or _INSIDE_OFFICE_FILES.fullmatch(entry):
        return False
    if ending in ZIP_BASED:
        return ending_of(entry) == ending
    return bool(ending) or not _ZIP_BASED_TYPE.fullmatch(attachment.content_type.strip())


def extract(
    source: Source,
    packet: Packet,
    index: int,
    limits: Limits = LIMITS,
    unzip_limits: UnzipLimits = UNZIP_LIMITS,
) -> Iterator[bytes]:
    """Give out the file of one attachment (from 0), unzipped if it travels zipped; `packet` is what was read from the same source.

    Raises Rejected(NOT_FOUND) if there is no such attachment, ContentBroken, else as `content` and `unzip_one`. The octets given out
    before a fault are not to be trusted.
    """
    if not 0 <= index < len(packet.attachments):
        found = len(packet.attachments)
        raise Rejected(Reason.NOT_FOUND, f"attachment {index}; the packet has {found}, counted from 0")
    require_sound(packet.attachments[index])
    pieces = content(source, index, limits)
    return unzip_one(pieces, unzip_limits) if is_zipped(packet.attachments[index]) else pieces


class ContentBroken(Rejected):
    """An attachment's content is not base64: nobody can tell what file it was."""

    def __init__(self) -> None:
        super().__init__(Reason.PACKET_BREAKS_RULES, "the content is not base64, or was cut off")

    @property
    def advice(self) -> str:
        """In place of the general advice, which speaks to the author."""
        return "Nội dung tệp đính kèm đã hỏng trong gói tin (không phải base64). Hãy đề nghị nơi gửi gửi lại."


def require_sound(attachment: Attachment) -> None:
    """Raise ContentBroken if what can be decoded of a content is not the file."""
    if attachment.encoding is Encoding.BROKEN:
        raise ContentBroken


def file_name(attachment: Attachment, index: int) -> str:
    """Return a name under which the file may be stored in a folder: without a path, in NFC, with the ending it has inside its zip."""
    written = unicodedata.normalize("NFC", attachment.attachment_name).replace("\\", "/")
    name = _UNFIT.sub("_", PurePosixPath(written).name).strip(" .") or f"tep-{index + 1}"
    if not ending_of(name):
        entry = first_entry_name(attachment.beginning) if is_zipped(attachment) else None
        name = ".".join(part for part in (name, ending_of(entry or "")) if part)
    return _shortened(name)


def ending_of(name: str) -> str:
    """Return a file name's ending in small letters, without the dot; "" if there is none."""
    found = re.search(r"\.([A-Za-z0-9]{1,10})\s*$", name)
    return found[1].lower() if found else ""


def _shortened(name: str) -> str:
    """Return a name that file systems take, of 255 octets at most; the ending is kept."""
    stem, dot, ending = name.rpartition(".") if ending_of(name) else (name, "", "")
    room = _NAME_BYTES_MAX - len((dot + ending).encode())
    return stem.encode()[:room].decode(errors="ignore") + dot + ending
