"""A document that was sent, as it is needed to change it: its own words, where it went, and how a repeat is known.

A document is named by its packet file, which says everything, or by a name under which the node knows it: then its words are those that
the node remembers, and where it went is known for sure. The node is never asked for the body: it keeps it only until the document is
delivered, and the same request must not mean one thing today and another thing tomorrow.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from node.edxml.attach import NewAttachment, again
from node.edxml.rules.units import canonical
from node.errors import Rejected
from node.model.code import parse_code
from node.model.envelope import PacketKind
from node.model.office import TrackView
from node.model.packet import Code, DocumentType, MessageHeader, Organ, OtherInfo, PromulgationInfo
from node.model.reason import Reason
from node.office import naming
from node.office.naming import Desk
from node.office.packet_file import read

Named = str | bytes | Path
"""A document that was sent: a packet id in octets; in text a packet id, submission id or DocumentId; or its packet file."""

HOW_TO_NAME = "name what this system has sent: by packet id, submission id or DocumentId, or by its packet file"


@dataclass(frozen=True, slots=True)
class Sent:
    """A document that was sent: its header, to whom it went, and its file if that is how it was named."""

    key: str
    """Names it in submission ids: the same request about the same packet is the same submission."""
    header: MessageHeader
    file: Path | None = None

    @property
    def recipients(self) -> tuple[Organ, ...]:
        """Where it went."""
        return self.header.to

    @property
    def attachments(self) -> list[NewAttachment]:
        """Its attachments as they travelled; none if only the node's memory of it is at hand."""
        return attachments_of(self.file) if self.file else []


def written_as(text: str) -> Named:
    """Return what somebody means who writes a name by hand: a file if there is one, else a name that the node knows."""
    try:
        return Path(text) if Path(text).is_file() else text
    except OSError:
        return text  # no file can have such a name: it is a DocumentId


async def find(office: Desk, document: Named) -> Sent:
    """Return a document that was sent. Raises Rejected: NOT_FOUND, or as reading its file does."""
    if isinstance(document, Path):
        return await asyncio.to_thread(_of_file, document)
    view = await _track(office, document)
    found = await office.search_units(view.sender_unit, 1)
    sender_name = found[0].name if found and found[0].code == view.sender_unit else ""
    return Sent(view.packet_id.hex(), _header(view, sender_name))


async def _track(office: Desk, name: str | bytes) -> TrackView:
    try:
        return await (office.track(packet_id=name) if isinstance(name, bytes) else naming.find(office, name))
    except Rejected as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        raise Rejected(Reason.NOT_FOUND, f"{error.detail}; {HOW_TO_NAME}") from error


def _of_file(path: Path) -> Sent:
    if not path.is_file():
        told = f"{path}: no such file; without it, name the document by packet id, submission id or DocumentId"
        raise Rejected(Reason.REQUEST_INVALID, told)
    packet = read(path)
    if packet.kind is not PacketKind.DOCUMENT:
        raise Rejected(Reason.REQUEST_INVALID, f"{path} is a status, not a document")
    return Sent(naming.submission_id_of(path), packet.header, path)


def _header(view: TrackView, sender_name: str) -> MessageHeader:
    number, _, notation = view.document_code.partition("/")
    return MessageHeader(
        sender=Organ(organ_id=view.sender_unit, organ_name=sender_name),
        to=tuple(Organ(organ_id=one.unit, organ_name=one.unit_name) for one in view.deliveries),
        document_id=view.document_id,
        code=Code(number, notation),
        promulgation_info=PromulgationInfo(promulgation_date=view.promulgation_date),
        document_type=DocumentType(type_name=view.document_type_name),
        subject=view.subject,
        due_date=view.due_date,
        other_info=OtherInfo(priority="0"),
    )


def attachments_of(path: Path) -> list[NewAttachment]:
    """Return a packet's attachments as they travel, to be put into another; their octets are read from the file when they are needed."""
    return again(path, read(path))


async def chosen(office: Desk, recipients: Sequence[Organ], codes: Sequence[str], now_ms: int) -> tuple[Organ, ...]:
    """Return those recipients that are named, by any of their codes in either form; all of them if nobody is.

    Raises Rejected(RECIPIENT_UNKNOWN) for one to whom the document did not go.
    """
    wanted = {parse_code(code).text for code in codes}
    units = {code: code for code in (*wanted, *(_canonical(one.organ_id) for one in recipients))}
    if not wanted <= {_canonical(one.organ_id) for one in recipients}:
        # Perhaps the document calls a unit by another of its codes than we do.
        units = {code: await _unit_of(office, code, now_ms) for code in units}
    meant = {units[code] for code in wanted}
    found = tuple(one for one in recipients if not wanted or units[_canonical(one.organ_id)] in meant)
    missing = meant - {units[_canonical(one.organ_id)] for one in found}
    if missing:
        raise Rejected(Reason.RECIPIENT_UNKNOWN, f"the document did not go to {', '.join(sorted(missing))}")
    return found


async def _unit_of(office: Desk, code: str, now_ms: int) -> str:
    """Return the unit's own code for an alias that holds now; any other code as it is."""
    for unit in await office.search_units(code, 1):
        if any(one.code == code and one.holds_at(now_ms) for one in unit.aliases):
            return unit.code
    return code


def _canonical(written: str) -> str:
    """Return a code as the mesh compares it; one that is none as it is written."""
    return canonical(written) or written.strip()
