"""Rule: a small function over a packet's words that yields the places where it is broken, with its code and its source.

Codes are stable and never reused: operators look them up, programs match on them. Numbers are given out in tens by subject:
00 the packet, 01 and 02 what must be there, 03 codes of units, 04 lengths, 05 dates, 06 numbers, 07 and 08 attachments and signature,
09 contents of zips, 10 and 11 what is done with the document, 12 statuses.

A warning's sentence quotes nothing that the packet says but numbers, dates and codes of units: it is kept in the clear with the
answer to the submission, and no subject, name or word of a document may lie open on a disk.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from node.model.envelope import PacketKind
from node.model.finding import Finding, Severity
from node.model.packet import Packet

QD_28 = "QĐ 28/2018/QĐ-TTg"
ND_30 = "NĐ 30/2020/NĐ-CP"
QCVN = "QCVN 102:2016/BTTTT"

PLACES_MAX = 19
"""Findings of one rule; one more says that there are others: 10,000 attachments must not be answered with 10,000 sentences."""
MORE = "Còn những chỗ khác nữa cùng lỗi này."

Broken = Iterator[tuple[str, str]]
"""(path, Vietnamese sentence) of each place where a rule is broken."""


@dataclass(frozen=True, slots=True)
class Case:
    """A packet as rules look at it; `today` is the day in Vietnam, None if nobody cares."""

    packet: Packet
    today: date | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with its name tag; `kinds` are the packets it is for."""

    code: str
    severity: Severity
    source: str
    kinds: tuple[PacketKind, ...]
    broken: Callable[[Case], Broken]

    def note(self, case: Case, found: list[Finding]) -> None:
        """Add the findings of this rule; not a generator, because most rules find nothing and all are asked of every packet."""
        for place, (path, sentence) in enumerate(self.broken(case), 1):
            if place > PLACES_MAX:
                found.append(Finding(self.code, self.severity, path, f"{sentence} {MORE}", self.source))
                return
            found.append(Finding(self.code, self.severity, path, sentence, self.source))


DOCUMENT = (PacketKind.DOCUMENT,)
STATUS = (PacketKind.STATUS,)
ANY = (PacketKind.DOCUMENT, PacketKind.STATUS)

Body = Callable[[Case], Broken]


def error(number: int, source: str, kinds: tuple[PacketKind, ...] = DOCUMENT) -> Callable[[Body], Rule]:
    """Make the function below a rule whose breach stops a submission."""
    return lambda body: Rule(f"EDXML-{number:03}", Severity.ERROR, source, kinds, body)


def warning(number: int, source: str, kinds: tuple[PacketKind, ...] = DOCUMENT) -> Callable[[Body], Rule]:
    """Make the function below a rule whose breach travels with the packet."""
    return lambda body: Rule(f"EDXML-{number:03}", Severity.WARNING, source, kinds, body)
