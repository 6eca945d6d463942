"""What the commands about a document that was sent share: the document as its sender knows it, and the packet about it.

A document is named by its packet file, which says everything, or by one of the names that `truc track` takes: then its words are
those that the node remembers, and where it went is known for sure.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from node.cli import packet_new, track
from node.cli.command import now_ms
from node.cli.findings import counted
from node.errors import Rejected
from node.model.code import parse_code
from node.model.envelope import PacketKind
from node.model.office import SubmitResult, TrackView
from node.model.packet import (
    Bussiness,
    Code,
    DocumentType,
    MessageHeader,
    Organ,
    OtherInfo,
    PromulgationInfo,
)
from node.model.reason import Reason
from node.office.naming import submission_id_of, submit_once
from node.office.packet_file import read
from node.wording.plain import in_vietnam

if TYPE_CHECKING:
    from node.edxml.attach import NewAttachment
    from node.net.client import OfficeClient

WITHDRAWAL, UPDATE, REPLACEMENT = "1", "2", "3"
"""BussinessDocType."""


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
    def attachments(self) -> "list[NewAttachment]":
        """Its attachments as they travelled; none if only the node's memory of it is at hand."""
        return attachments_of(self.file) if self.file else []


async def find(office: "OfficeClient", name: str) -> Sent:
    """Return a document by its packet file or one of its names. Raises Rejected: NOT_FOUND, or as reading the file does."""
    on_disk = _of_file(Path(name))
    if on_disk is not None:
        return on_disk
    view = await track.find(office, name)
    found = await office.search_units(view.sender_unit, 1)
    sender_name = found[0].name if found and found[0].code == view.sender_unit else ""
    return Sent(view.packet_id.hex(), _header(view, sender_name))


def _of_file(path: Path) -> Sent | None:
    try:
        if not path.is_file():
            return None
    except OSError:
        return None  # no file can have such a name: it is a DocumentId
    packet = read(path)
    if packet.kind is not PacketKind.DOCUMENT:
        raise Rejected(Reason.REQUEST_INVALID, f"{path} is a status, not a document")
    return Sent(submission_id_of(path), packet.header, path)


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


def attachments_of(path: Path) -> "list[NewAttachment]":
    """Return a packet's attachments as they travel, to be put into another; their octets are read from the file when they are needed."""
    from node.edxml.attach import again

    return again(path, read(path))


async def chosen(office: "OfficeClient", recipients: Sequence[Organ], codes: Sequence[str]) -> tuple[Organ, ...]:
    """Return those recipients that are named, by any of their codes in either form; all of them if nobody is.

    Raises Rejected(RECIPIENT_UNKNOWN) for one to whom the document did not go.
    """
    wanted = {parse_code(code).text for code in codes}
    units = {code: code for code in (*wanted, *(_canonical(one.organ_id) for one in recipients))}
    if not wanted <= {_canonical(one.organ_id) for one in recipients}:
        # Perhaps the document calls a unit by another of its codes than we do.
        units = {code: await _unit_of(office, code) for code in units}
    meant = {units[code] for code in wanted}
    found = tuple(one for one in recipients if not wanted or units[_canonical(one.organ_id)] in meant)
    missing = meant - {units[_canonical(one.organ_id)] for one in found}
    if missing:
        raise Rejected(Reason.RECIPIENT_UNKNOWN, f"the document did not go to {', '.join(sorted(missing))}")
    return found


async def _unit_of(office: "OfficeClient", code: str) -> str:
    """Return the unit's own code for an alias that holds now; any other code as it is."""
    for unit in await office.search_units(code, 1):
        if any(one.code == code and one.holds_at(now_ms()) for one in unit.aliases):
            return unit.code
    return code


def _canonical(written: str) -> str:
    """A code as the mesh compares it; one that is none as it is written."""
    from node.edxml.rules.units import canonical

    return canonical(written) or written.strip()


async def submit_about(
    office: "OfficeClient",
    header: MessageHeader,
    business: Bussiness,
    files: "Sequence[NewAttachment]",
    *said: str,
) -> SubmitResult:
    """Write the packet that does something with a document, and submit it once for the same words (`said`).

    One that breaks a rule is not sent; the result says so, as it would of the node. Raises Rejected(REQUEST_INVALID) for characters
    that XML does not allow, and what `OfficeClient.submit` raises.
    """
    from node.edxml.letter import packet_with

    packet = packet_with(header, in_vietnam(), files, business)
    with tempfile.TemporaryDirectory(prefix="truc-") as scratch:
        path = Path(scratch) / "packet.edxml"
        findings = packet_new.write(packet, [one.content for one in files], path)
        if counted(findings)[0]:
            return SubmitResult("", reason=Reason.PACKET_BREAKS_RULES, findings=tuple(findings))
        return await submit_once(office, path, f"business-{business.bussiness_doc_type}", *said)
