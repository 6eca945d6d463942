"""What the office's commands share: packets named by their first digits, and files with harmless names."""

import hashlib
import re
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from node.errors import Rejected
from node.model.office import InboxEntry, SubmitResult
from node.model.reason import Reason

if TYPE_CHECKING:
    from node.net.client import OfficeClient

ID_DIGITS = 32
ID_DIGITS_MIN = 6
ID_DIGITS_SHOWN = 10
FILE_NAME_CHARACTERS_MAX = 80
PAGE_SIZE = 1_000

_SOME_DIGITS = re.compile(r"[0-9a-fA-F]{6,32}")
_NOT_IN_FILE_NAMES = re.compile(r"[^\w.-]+")


@asynccontextmanager
async def office_of(credential: Path) -> AsyncIterator["OfficeClient"]:
    """Connect as the system of a credential file. Raises as Credential.load."""
    from node.net.client import OfficeClient
    from node.net.credential import Credential

    async with OfficeClient.connect(Credential.load(credential)) as office:
        yield office


def is_packet_id(name: str) -> bool:
    """Tell whether a text is a whole packet id in hex."""
    return len(name) == ID_DIGITS and _SOME_DIGITS.fullmatch(name) is not None


async def whole_inbox(office: "OfficeClient", unit: str = "", limit: int = 0) -> tuple[list[InboxEntry], bool]:
    """Return everything that waits, or the first `limit` of it, and whether there is more."""
    entries: list[InboxEntry] = []
    page_token = ""
    while True:
        size = min(PAGE_SIZE, limit - len(entries)) if limit else PAGE_SIZE
        page, page_token = await office.list_inbox(unit, page_size=size, page_token=page_token)
        entries += page
        if not page_token or (limit and len(entries) >= limit):
            return entries, bool(page_token)


async def find_packet(office: "OfficeClient", name: str, unit: str = "") -> bytes:
    """Return the packet id that begins with these digits; fewer than 32 must name exactly one in the inbox.

    Raises Rejected(REQUEST_INVALID) if they name several or are no digits, Rejected(NOT_FOUND) if they name none.
    """
    if is_packet_id(name):
        return bytes.fromhex(name)
    if not _SOME_DIGITS.fullmatch(name):
        raise Rejected(
            Reason.REQUEST_INVALID, f"{name!r}: a packet id is 32 hex digits, or the first {ID_DIGITS_MIN} or more"
        )
    entries, _ = await whole_inbox(office, unit)
    found = {entry.packet_id for entry in entries if entry.packet_id.hex().startswith(name.lower())}
    if len(found) > 1:
        raise Rejected(Reason.REQUEST_INVALID, f"{name} begins {len(found)} packet ids; give more digits")
    if not found:
        raise Rejected(Reason.NOT_FOUND, f"nothing in the inbox begins with {name}")
    return found.pop()


def safe_file_name(name: str) -> str:
    """Return a name without folders, control characters or leading dots, in NFC, at most 80 characters."""
    composed = unicodedata.normalize("NFC", name)
    return _NOT_IN_FILE_NAMES.sub("-", composed).strip("-.")[:FILE_NAME_CHARACTERS_MAX].rstrip("-.") or "goi-tin"


def packet_file_name(entry: InboxEntry) -> str:
    """Return the name under which a fetched packet is kept: số ký hiệu (or status) and the first digits of its id."""
    about = entry.document_code or entry.document_id or "goi-tin"
    kind = f"trang-thai-{entry.status_code}-" if entry.status_code else ""
    return f"{safe_file_name(kind + about)}-{entry.packet_id.hex()[:ID_DIGITS_SHOWN]}.edxml"


async def submit_once(office: "OfficeClient", packet: "bytes | Path", kind: str, *said: str) -> SubmitResult:
    """Submit a packet that says something, once: saying the same again gets the packet id of the first time.

    The packet has the time in it, which differs at every call, so its id is over what is said; a repeat is then refused as
    ID_REUSED: done before. Raises what `OfficeClient.submit` raises.
    """
    submission_id = f"{kind}-{hashlib.sha256(chr(0).join(said).encode()).hexdigest()[:ID_DIGITS]}"
    result = await office.submit(packet, submission_id)
    if result.reason is not Reason.ID_REUSED:
        return result
    before = await office.track(submission_id=submission_id)
    return SubmitResult(submission_id, before.packet_id, recipients_served=len(before.deliveries))


def submission_id_of(path: Path) -> str:
    """Return an id that is the same for the same file under the same name, so that submitting it again is harmless.

    Raises Rejected(REQUEST_INVALID) if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{path}: {error.strerror}") from error
    return f"{safe_file_name(path.name)}-{digest[:ID_DIGITS]}"
