"""Verdicts: what a run says about one point of the checklist, in both languages, with what it has seen."""

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """The ways in which a point may come out."""

    PASS = "pass"  # noqa: S105  no password
    FAIL = "fail"
    UNSEEN = "unseen"
    """Nothing has happened by which it could be judged."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome and its evidence, in Vietnamese and English."""

    outcome: Outcome
    evidence: str
    evidence_en: str


def passed(evidence: str, evidence_en: str) -> Verdict:
    """Return the verdict that a point is as it should be."""
    return Verdict(Outcome.PASS, evidence, evidence_en)


def failed(evidence: str, evidence_en: str) -> Verdict:
    """Return the verdict that it is not."""
    return Verdict(Outcome.FAIL, evidence, evidence_en)


def unseen(evidence: str, evidence_en: str) -> Verdict:
    """Return the verdict that it cannot be told."""
    return Verdict(Outcome.UNSEEN, evidence, evidence_en)
