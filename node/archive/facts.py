"""Facts: all that is known of a document: packets with files, deliveries, receipts. Index, JSON and history are made from it."""

from dataclasses import dataclass

from node.archive.metadata import Field
from node.archive.sink import Added
from node.model.life import Dossier, DossierEntry, LifeAct
from node.model.office import TrackView
from node.model.status import status_name

ACTS = {
    LifeAct.NEW: "văn bản",
    LifeAct.UPDATE: "cập nhật",
    LifeAct.REPLACE: "thay thế",
    LifeAct.WITHDRAW: "thu hồi",
    LifeAct.ASK_BACK: "xin lấy lại",
    LifeAct.DROP: "bỏ nơi nhận",
    LifeAct.STATUS: "trạng thái",
}
_VERSIONS = (LifeAct.NEW, LifeAct.UPDATE)


@dataclass(frozen=True, slots=True)
class AttachmentFacts:
    """One attached file: as what it stands in the archive, or why it could not be taken out (it still is in its packet)."""

    name: str
    file: Added | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PacketFacts:
    """One packet of the dossier, numbered from 1 in the order in which the node took them.

    `file` is None if the node no longer keeps it, for the reason in `problem`; `metadata` is empty but for documents; `track` is set
    for what the unit itself sent.
    """

    number: int
    entry: DossierEntry
    file: Added | None
    problem: str = ""
    attachments: tuple[AttachmentFacts, ...] = ()
    metadata: tuple[Field, ...] = ()
    track: TrackView | None = None
    receipts: tuple[str, ...] = ()
    """Names of its receipts in the archive, without their endings."""

    @property
    def title(self) -> str:
        """The packet's deed, in Vietnamese."""
        act = ACTS[self.entry.act]
        if not self.entry.status_code:
            return act
        return f"{act} {self.entry.status_code} {status_name(self.entry.status_code)}"


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it."""

    dossier: Dossier
    packets: tuple[PacketFacts, ...]

    @property
    def is_author(self) -> bool:
        """Tell whether the unit that looks wrote the document."""
        return self.dossier.unit == self.dossier.author_unit

    @property
    def metadata(self) -> tuple[Field, ...]:
        """The newest version of the document's metadata: of the packets that brought or updated it, not of what took it back."""
        return next((one.metadata for one in reversed(self.packets) if one.metadata and one.entry.act in _VERSIONS), ())

    @property
    def problems(self) -> list[str]:
        """Sentences about what is missing; empty if all is there."""
        found = []
        for one in self.packets:
            what = f"Gói số {one.number} ({one.title}, mã {one.entry.packet_id.hex()})"
            found += [f"{what}: {one.problem}"] if one.problem else []
            found += [f"{what}, tệp {file.name!r}: {file.problem}" for file in one.attachments if file.problem]
        return found
