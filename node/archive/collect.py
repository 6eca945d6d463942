"""Collecting an archive through the office's door: one packet after another goes from the node into the sink, and only facts stay.

Memory holds no packet, and the scratch folder never more than one: a document to five thousand recipients has twenty thousand packets.
"""

import unicodedata
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Protocol, TypeVar

from node.archive.facts import AttachmentFacts, Facts, PacketFacts
from node.archive.metadata import Field, fields
from node.archive.receipts import ReceiptFiles
from node.archive.sink import Sink
from node.edxml.document import content_pieces, read_packet
from node.edxml.extract import file_name, is_zipped
from node.edxml.unzip import Budget, unzip_one
from node.errors import Rejected
from node.model.life import Dossier, DossierEntry, LifeAct
from node.model.office import NO_LEASE, InboxEntry, TrackView
from node.model.packet import Packet
from node.model.reason import Reason
from node.office.naming import ID_DIGITS_SHOWN, safe_file_name

T = TypeVar("T")

GONE = "nút không còn giữ nội dung gói tin này"
_SHORT = {
    LifeAct.NEW: "van-ban",
    LifeAct.UPDATE: "cap-nhat",
    LifeAct.REPLACE: "thay-the",
    LifeAct.WITHDRAW: "thu-hoi",
    LifeAct.ASK_BACK: "xin-lay-lai",
    LifeAct.DROP: "bo-noi-nhan",
    LifeAct.STATUS: "trang-thai",
}
_STATUS_PACKETS = (LifeAct.STATUS, LifeAct.ASK_BACK)


class ArchiveOffice(Protocol):
    """An office's connection, as far as the archive needs one; OfficeClient is one."""

    async def track(self, *, packet_id: bytes = b"") -> TrackView: ...
    async def fetch_to(self, packet_id: bytes, path: Path, unit: str = "", *, lease_ms: int = 0) -> InboxEntry: ...


async def collect(office: ArchiveOffice, dossier: Dossier, sink: Sink, scratch: Path) -> Facts:
    """Bring all packets of a dossier into the sink, with their attachments and receipts. Raises what the office raises."""
    digits = len(str(len(dossier.entries)))
    receipts = ReceiptFiles(sink)
    packets = []
    for number, entry in enumerate(dossier.entries, 1):
        packets.append(
            await _Packet(office, dossier, sink, receipts, scratch, f"{number:0{digits}d}").bring(number, entry)
        )
    return Facts(dossier, tuple(packets))


@dataclass(frozen=True, slots=True)
class _Packet:
    """One packet on its way into the archive; `label` is its number with leading zeros."""

    office: ArchiveOffice
    dossier: Dossier
    sink: Sink
    receipts: ReceiptFiles
    scratch: Path
    label: str

    async def bring(self, number: int, entry: DossierEntry) -> PacketFacts:
        is_ours = entry.sender_unit == self.dossier.unit
        track = await self._track(entry) if is_ours else None
        path = self.scratch / "packet.edxml"
        listed = await self._fetch(entry, path)
        signed = [one.signed_receipt for one in track.deliveries if one.signed_receipt] if track else []
        signed += [listed.signed_receipt] if listed and listed.signed_receipt else []
        names = self.receipts.add(self.label, signed)
        if listed is None:
            return PacketFacts(number, entry, None, GONE, track=track, receipts=names)
        try:
            file = self.sink.add_file(self._name(entry), path)
            arrive_time_ms = 0 if is_ours else listed.accept_time_ms
            problem, attachments, metadata = self._contents(entry, path, arrive_time_ms)
        finally:
            path.unlink()
        return PacketFacts(number, entry, file, problem, attachments, metadata, track, names)

    async def _track(self, entry: DossierEntry) -> TrackView | None:
        return await _unless_gone(self.office.track(packet_id=entry.packet_id))

    async def _fetch(self, entry: DossierEntry, path: Path) -> InboxEntry | None:
        """Fetch without a lease. The dossier has told us of the packet: that it is not found means that it is no longer kept."""
        found = await _unless_gone(self.office.fetch_to(entry.packet_id, path, self.dossier.unit, lease_ms=NO_LEASE))
        for part in self.scratch.glob(f"{path.name}.*.part"):
            part.unlink()
        return found

    def _name(self, entry: DossierEntry) -> str:
        kind = _SHORT[entry.act] + (f"-{safe_file_name(entry.status_code)}" if entry.status_code else "")
        return f"goi-tin/{self.label}-{kind}-{entry.packet_id.hex()[:ID_DIGITS_SHOWN]}.edxml"

    def _contents(
        self, entry: DossierEntry, path: Path, arrive_time_ms: int
    ) -> tuple[str, tuple[AttachmentFacts, ...], tuple[Field, ...]]:
        if entry.act in _STATUS_PACKETS:
            return "", (), ()
        try:
            packet = read_packet(path)
        except Rejected as fault:
            return f"không đọc được gói tin ({fault.reason.name}); tệp đính kèm vẫn nằm trong gói", (), ()
        return "", tuple(self._attachments(path, packet)), tuple(fields(packet, arrive_time_ms))

    def _attachments(self, path: Path, packet: Packet) -> Iterator[AttachmentFacts]:
        digits, seen = len(str(len(packet.attachments))), set()
        for index, content in _contents_of(path, packet, self.scratch / "attachment"):
            seen.add(index)
            name = shown_name(packet, index)
            if isinstance(content, str):
                yield AttachmentFacts(name, None, content)
                continue
            target = f"tep-dinh-kem/{self.label}/{index + 1:0{digits}d}-{name}"
            yield AttachmentFacts(name, self.sink.add_file(target, content))
        for index in range(len(packet.attachments)):
            if index not in seen:
                yield AttachmentFacts(shown_name(packet, index), None, "không có nội dung trong gói tin")


def _contents_of(path: Path, packet: Packet, scratch: Path) -> Iterator[tuple[int, Path | str]]:
    """Take the attached files out in one pass: (index, file), or (index, what is wrong with it).

    A file is decoded beside the archive first, so that nothing half goes into it.
    """
    budget = Budget(path.stat().st_size)
    for index, group in groupby(content_pieces(path), key=itemgetter(0)):
        pieces = (piece for _, piece in group)
        try:
            with scratch.open("wb") as file:
                for piece in budget.spending(unzip_one(pieces)) if is_zipped(packet.attachments[index]) else pieces:
                    file.write(piece)
        except Rejected as fault:
            yield index, f"không lấy ra được ({fault.reason.name}: {fault.detail}); nội dung vẫn nằm trong gói tin"
        else:
            yield index, scratch
    scratch.unlink(missing_ok=True)


def shown_name(packet: Packet, index: int) -> str:
    """Return an attachment's name fit for an archive: without a path, in NFC, without characters that cannot be seen."""
    name = unicodedata.normalize("NFC", file_name(packet.attachments[index], index))
    return "".join("_" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in name)


async def _unless_gone(asked: Awaitable[T]) -> T | None:
    """Return an answer, or None if there is no such thing (any more)."""
    try:
        return await asked
    except Rejected as fault:
        if fault.reason is not Reason.NOT_FOUND:
            raise
        return None
