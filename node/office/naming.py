"""How an office names things: a packet by a few digits or any of its names, a file harmlessly, a submission by what it hands in."""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from node.errors import Rejected
from node.model.naming import FILE_NAME_CHARACTERS_MAX as FILE_NAME_CHARACTERS_MAX
from node.model.naming import ID_DIGITS, packet_name, submission_id_for
from node.model.naming import ID_DIGITS_SHOWN as ID_DIGITS_SHOWN
from node.model.naming import safe_file_name as safe_file_name
from node.model.office import FoundUnit, InboxEntry, SubmitResult, TrackView
from node.model.reason import Reason

if TYPE_CHECKING:
    from node.net.client import OfficeClient

ID_DIGITS_MIN = 6
PAGE_SIZE = 1_000

_SOME_DIGITS = re.compile(r"[0-9a-fA-F]{6,32}")


class Desk(Protocol):
    """An office's connection to its node, as far as this room needs one: `OfficeClient`, or `AsyncOffice`, which is patient."""

    async def track(self, *, packet_id: bytes = b"", submission_id: str = "", document_id: str = "") -> TrackView:
        """Show a packet's deliveries. Raises Rejected(NOT_FOUND)."""
        ...

    async def search_units(self, query: str, limit: int = 0) -> list[FoundUnit]:
        """Find units by code or words of their name."""
        ...

    async def submit_once(self, packet: bytes | Path, submission_id: str) -> SubmitResult:
        """Hand in a packet that says what its id stands for, once."""
        ...


@asynccontextmanager
async def office_of(credential: Path) -> AsyncIterator["OfficeClient"]:
    """Connect as the system of a credential file. Raises as Credential.load."""
    from node.access.credential import Credential
    from node.net.client import OfficeClient

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


async def find(office: Desk, name: str) -> TrackView:
    """Return a packet that was sent, by whichever of its three names this is. Raises Rejected(NOT_FOUND)."""
    ways: list[dict[str, str | bytes]] = [{"submission_id": name}, {"document_id": name}]
    if is_packet_id(name):
        ways.insert(0, {"packet_id": bytes.fromhex(name)})
    for way in ways:
        try:
            return await office.track(**way)  # type: ignore[arg-type]  # each way has one name of the right type
        except Rejected as error:
            if error.reason is not Reason.NOT_FOUND:
                raise
    raise Rejected(Reason.NOT_FOUND, f"no packet, submission or document {name!r} of this system")


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


def packet_file_name(entry: InboxEntry) -> str:
    """Return the name of a fetched packet's file."""
    return f"{packet_name(entry)}.edxml"


def submission_id_of(path: Path) -> str:
    """Return an id that is the same for the same file under the same name, so that submitting it again is harmless.

    Raises Rejected(REQUEST_INVALID) if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{path}: {error.strerror}") from error
    return submission_id_for(path.name, digest)
