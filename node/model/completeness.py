"""Completeness: how completely a recipient reports what becomes of a document, as the report on the national axis of 2019 counted it.

That report put the units that had joined into four classes: 41 reported every status, 22 not all of them, 13 only that the document had
arrived at the registry (văn thư), 2 nothing (domain.md section 8). Statuses come with gaps and out of order, so a class asks for what a
sender needs to know, not for every code: that the document was taken in, that somebody works on it, that it is done.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum


class Completeness(IntEnum):
    """Class of one delivery or of a unit, the least first."""

    NONE = 0
    """No status at all."""
    ARRIVAL_ONLY = 1
    """01 and nothing else."""
    PARTIAL = 2
    """Something after the arrival, but the sender cannot follow it to the end."""
    FULL = 3
    """Taken in (03), worked on (04 or 05) and done (06); or ended earlier by a refusal (02) or by being taken back (15)."""

    @property
    def label(self) -> str:
        """Vietnamese name for people."""
        return _LABELS[self]


_LABELS = {
    Completeness.NONE: "không có",
    Completeness.ARRIVAL_ONLY: "chỉ báo đến",
    Completeness.PARTIAL: "chưa đầy đủ",
    Completeness.FULL: "đầy đủ",
}
_ENDS = frozenset({"02", "15"})
_AT_WORK = frozenset({"04", "05"})


def completeness(codes: Iterable[str]) -> Completeness:
    """Return the class of one delivery by the codes that its recipient reported; order and repeats do not matter."""
    found = frozenset(codes)
    if not found:
        return Completeness.NONE
    if found == {"01"}:
        return Completeness.ARRIVAL_ONLY
    if found & _ENDS or ({"03", "06"} <= found and found & _AT_WORK):
        return Completeness.FULL
    return Completeness.PARTIAL


@dataclass(frozen=True, slots=True)
class UnitReport:
    """The deliveries of one recipient unit, counted by class."""

    unit: str
    unit_name: str
    counts: Mapping[Completeness, int]

    @property
    def total(self) -> int:
        """The number of deliveries counted."""
        return sum(self.counts.values())

    @property
    def unit_class(self) -> Completeness:
        """The class that at least half of its deliveries reach: a few that are still under way, or a slip, do not change it."""
        reached = 0
        for one in sorted(Completeness, reverse=True):
            reached += self.counts.get(one, 0)
            if reached * 2 >= self.total:
                return one
        raise AssertionError("all deliveries reach the least class")


def merged(reports: Iterable[UnitReport]) -> list[UnitReport]:
    """Add up reports about the same unit; in order of code."""
    found: dict[str, UnitReport] = {}
    for one in reports:
        before = found.get(one.unit)
        counts = {c: one.counts.get(c, 0) + (before.counts.get(c, 0) if before else 0) for c in Completeness}
        found[one.unit] = UnitReport(one.unit, one.unit_name, counts)
    return [found[unit] for unit in sorted(found)]
