"""Packets that the software sends, and the points about them: by the rules of edXML, and by holding packets together.

The packets judged are those that came, those that the node refused to take (they never travel: their findings are all that is known),
or the files of a folder. Each finding counts under one point only, so that one mistake is told once.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from node.conformance import checks
from node.conformance.verdict import Verdict, failed, passed, unseen
from node.edxml.rules.units import canonical
from node.model.envelope import PacketKind
from node.model.finding import Finding, Severity
from node.model.packet import Code, Packet, PromulgationInfo, ResponseFor

SHOWN_MAX = 5

_POINT_OF = {
    **dict.fromkeys(("EDXML-122",), checks.REFUSES),
    **dict.fromkeys(("EDXML-124", "EDXML-125", "EDXML-126", "EDXML-034"), checks.ABOUT),
    **dict.fromkeys(("EDXML-070", "EDXML-071"), checks.ATTACHMENTS),
    **dict.fromkeys((f"EDXML-{number:03}" for number in range(14, 22)), checks.INFORMATION),
    **dict.fromkeys(("EDXML-013",), checks.IDENTIFIERS),
    **dict.fromkeys((f"EDXML-{number}" for number in range(100, 107)), checks.BUSINESS),
}
"""The point that a rule belongs to; all others are of RULES."""
_COUNT_AS_FAULTS = frozenset({checks.ABOUT, checks.INFORMATION, checks.BUSINESS})
"""Points at which a warning is a fault: the mesh carries such a packet, but software that makes it is not finished."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet that the software has sent: its name in evidence, its words, the rules' findings."""

    name: str
    packet: Packet
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A packet that never became one of the mesh's: refused at the door, or a file that cannot be read."""

    name: str
    reason: str
    detail: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """A document that statuses may be about, as its author wrote it."""

    code: str
    date: str
    author: str
    """Canonical code of the unit."""


@dataclass(slots=True)
class Evidence:
    """All that the packets say. `subjects`: documents that statuses may be about, by DocumentId."""

    seen: Sequence[Seen]
    turned_away: Sequence[TurnedAway]
    subjects: Mapping[str, Subject]
    faults: dict[int, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, findings in (
            *((s.name, s.findings) for s in self.seen),
            *((t.name, t.findings) for t in self.turned_away),
        ):
            for finding in findings:
                point = point_of(finding)
                if finding.severity is Severity.ERROR or point in _COUNT_AS_FAULTS:
                    self.faults.setdefault(point, []).append(
                        f"{name}: {finding.code} {finding.path}: {finding.sentence}"
                    )
        for one in self.turned_away:
            if not one.findings:
                self.faults.setdefault(checks.RULES, []).append(f"{one.name}: {one.reason} {one.detail}".strip())

    def verdicts(self) -> dict[int, Verdict]:
        """Return what the packets say about the points that are judged by packets alone."""
        documents = [one for one in self.seen if one.packet.kind is PacketKind.DOCUMENT]
        statuses = [one for one in self.seen if one.packet.kind is PacketKind.STATUS]
        acting = [one for one in documents if _type(one.packet) in ("1", "2", "3")]
        attached = sum(len(one.packet.attachments) for one in documents)
        for name, told in _mistaken_statuses(statuses, self.subjects):
            self.faults.setdefault(checks.ABOUT, []).append(f"{name}: {told}")
        for told in _mistaken_identifiers(documents):
            self.faults.setdefault(checks.IDENTIFIERS, []).append(told)
        about_known = sum(_about(one.packet).document_id.strip() in self.subjects for one in statuses)
        return {
            checks.ABOUT: self.point(checks.ABOUT, about_known, "trạng thái", "statuses"),
            checks.RULES: self.point(checks.RULES, len(self.seen), "gói tin", "packets"),
            checks.ATTACHMENTS: self.point(checks.ATTACHMENTS, attached, "tệp đính kèm", "attachments"),
            checks.INFORMATION: self.point(checks.INFORMATION, len(documents), "văn bản", "documents"),
            checks.IDENTIFIERS: self.point(checks.IDENTIFIERS, len(documents), "văn bản", "documents"),
            checks.BUSINESS: self.point(checks.BUSINESS, len(acting), "gói nghiệp vụ", "business packets"),
        }

    def point(self, number: int, judged: int, what: str, what_en: str) -> Verdict:
        """Return what is known of one point, `judged` packets (or attachments) having been looked at for it."""
        found = list(dict.fromkeys(self.faults.get(number, [])))
        if found:
            more = [f"… +{len(found) - SHOWN_MAX}"] if len(found) > SHOWN_MAX else []
            told = "\n".join([*found[:SHOWN_MAX], *more])
            return failed(told, told)
        if not judged:
            return unseen(f"chưa thấy {what} nào của phần mềm", f"no {what_en} of the software's were seen")
        return passed(f"{judged} {what} đã xét", f"{judged} {what_en} judged")


def point_of(finding: Finding) -> int:
    """Return the point of the checklist that a finding belongs to."""
    return _POINT_OF.get(finding.code, checks.RULES)


def same_text(one: str, other: str) -> bool:
    """Tell whether two texts are the same but for the form of Unicode that they are written in."""
    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


def subject_of(packet: Packet) -> Subject:
    """Return what statuses about a document must repeat."""
    header = packet.header
    author = header.sender.organ_id if header.sender else ""
    date = (header.promulgation_info or PromulgationInfo()).promulgation_date
    return Subject((header.code or Code()).text, date.strip(), canonical(author) or author.strip())


def _mistaken_statuses(statuses: Sequence[Seen], subjects: Mapping[str, Subject]) -> list[tuple[str, str]]:
    found = []
    for one in statuses:
        about = _about(one.packet)
        subject = subjects.get(about.document_id.strip())
        if subject is None:
            continue
        for element, written, wanted in (
            ("Code", about.code.strip(), subject.code),
            ("PromulgationDate", about.promulgation_date.strip(), subject.date),
            ("OrganId", canonical(about.organ_id) or about.organ_id.strip(), subject.author),
        ):
            # 13 is the author's own, and names the recipient who is asked.
            is_asking = element == "OrganId" and one.packet.header.status_code.strip() == "13"
            if written != wanted and not is_asking:
                found.append((one.name, f"ResponseFor/{element}: {written[:60]!r} ≠ {wanted[:60]!r}"))
    return found


def _mistaken_identifiers(documents: Sequence[Seen]) -> list[str]:
    """Find one DocumentId on two documents, and one document under two; withdrawals and updates, which bear another's, are passed over."""
    by_id: dict[str, tuple[str, str]] = {}
    by_code: dict[tuple[str, str, str], tuple[str, str]] = {}
    found = []
    for one in documents:
        own, subject = one.packet.header.document_id.strip(), subject_of(one.packet)
        if not own or _type(one.packet) in ("1", "2"):
            continue
        known, name = by_id.setdefault(own, (subject.code, one.name))
        if known != subject.code:
            found.append(f"{name}, {one.name}: DocumentId {own[:60]!r} = {known[:40]!r}, {subject.code[:40]!r}")
        if subject.code:
            other, name = by_code.setdefault((subject.author, subject.date, subject.code), (own, one.name))
            if other != own:
                found.append(f"{name}, {one.name}: {subject.code[:40]!r} = {other[:60]!r}, {own[:60]!r}")
    return found


def _about(packet: Packet) -> ResponseFor:
    """Return the document that a status is about: of several the last counts, as in the programs in use."""
    return next(iter(packet.header.response_for[-1:]), ResponseFor())


def _type(packet: Packet) -> str:
    business = packet.bussiness
    return (business.bussiness_doc_type.strip() if business else "") or "0"
