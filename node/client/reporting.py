"""Reporting what has become of a document to its author, as an edXML status packet.

A status speaks of the document in the document's own words (its author's and recipient's codes as they were written there, its date),
so the document is looked into first, without a lease, in memory that does not grow with it.
"""

import asyncio
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from node.edxml.compose import compose_status
from node.edxml.document import pieces_of
from node.edxml.reader import HeaderReader
from node.errors import Deferred, Rejected
from node.model.calendar import VIETNAM
from node.model.code import parse_code
from node.model.envelope import PacketKind
from node.model.header import PacketHeader
from node.model.naming import submission_id_of_words
from node.model.office import NO_LEASE, InboxEntry, SubmitResult
from node.model.reason import Reason
from node.model.status import status_name
from node.net.client import OfficeClient

LOOK_LEASE_MS = NO_LEASE
"""We only want to read: whoever fetches next must not have to wait for us."""


@dataclass(frozen=True, slots=True)
class About:
    """The document that a status is about, in the words of its own packet."""

    unit: str
    """The unit that reports, as the document addressed it."""
    author: str
    document_id: str
    code: str
    date: str


async def report(office: OfficeClient, entry: InboxEntry, about: About, code: str, note: str = "") -> SubmitResult:
    """Compose the status packet and submit it. The same report again is the same submission: it gets the first answer's packet id.

    The author is called as its packet calls it; if that was an alias and leads nowhere any more, by its unit's own code. Raises
    Rejected(REQUEST_INVALID) for characters that XML does not allow, and what `OfficeClient.submit` raises.
    """
    names = await office.search_units(entry.unit, 1)
    sender_name = names[0].name if names and names[0].code == entry.unit else ""
    said = (entry.packet_id.hex(), entry.unit, code, note)
    name = submission_id_of_words("status", *said)
    result = await office.submit_once(_status(about, sender_name, code, note), name)
    if result.reason is Reason.RECIPIENT_UNKNOWN and not _is_unit(about.author, entry.sender_unit):
        again = replace(about, author=entry.sender_unit)
        result = await office.submit_once(_status(again, sender_name, code, note), name)
    return result


def _status(about: About, sender_name: str, code: str, note: str) -> bytes:
    return compose_status(
        sender=about.unit,
        sender_name=sender_name,
        author=about.author,
        document_id=about.document_id,
        code=about.code,
        date=about.date,
        status_code=code,
        description=note or status_name(code),
        timestamp=datetime.now(VIETNAM).strftime("%Y/%m/%d %H:%M:%S"),
    )


async def document_of(office: OfficeClient, packet_id: bytes, unit: str) -> tuple[InboxEntry, About]:
    """Read the packet's own words. While somebody holds it, the inbox's words must do: only the date is missing there.

    Raises Rejected: NOT_FOUND, or REQUEST_INVALID if the packet is a status itself.
    """
    try:
        entry, header = await _header(office, packet_id, unit)
    except Deferred as deferred:
        if deferred.reason is not Reason.LEASED:
            raise
        entry = await _waiting(office, packet_id, unit)
        return entry, About(entry.unit, entry.sender_unit, entry.document_id, entry.document_code, "")
    if entry.unit == entry.sender_unit:
        raise Rejected(Reason.NOT_FOUND, f"{packet_id.hex()} was sent by {entry.unit} itself; who receives it reports")
    if header.kind is not PacketKind.DOCUMENT:
        raise Rejected(Reason.REQUEST_INVALID, f"{packet_id.hex()} is a status itself")
    return entry, about_of(header, entry.unit)


async def _waiting(office: OfficeClient, packet_id: bytes, unit: str) -> InboxEntry:
    """Return a packet's inbox entry. Raises Rejected(NOT_FOUND)."""
    page_token = ""
    while True:
        page, page_token = await office.list_inbox(unit, page_token=page_token)
        for entry in page:
            if entry.packet_id == packet_id:
                return entry
        if not page_token:
            raise Rejected(Reason.NOT_FOUND, f"{packet_id.hex()} is not in the inbox any more")


def about_of(header: PacketHeader, unit: str) -> About:
    """Return what a status of `unit` (canonical) says about the document with this header."""
    written = (text for text in header.recipients if _is_unit(text, unit))
    return About(next(written, unit), header.sender, header.document_id, header.document_code, header.promulgation_date)


def _is_unit(text: str, unit: str) -> bool:
    """Tell whether a code as written is this unit's own; what is no code at all is nobody's."""
    try:
        return parse_code(text).text == unit
    except Rejected:
        return False


async def _header(office: OfficeClient, packet_id: bytes, unit: str) -> tuple[InboxEntry, PacketHeader]:
    """Fetch a packet of any size and read its header, a piece at a time."""
    with tempfile.TemporaryDirectory(prefix="truc-") as scratch:
        path = Path(scratch) / "packet.edxml"
        entry = await office.fetch_to(packet_id, path, unit, lease_ms=LOOK_LEASE_MS)
        return entry, await asyncio.to_thread(_read_header, path)


def _read_header(path: Path) -> PacketHeader:
    reader = HeaderReader()
    for piece in pieces_of(path):
        reader.feed(piece)
    return reader.finish()
