"""Findings of the rules in a packet, in words for its author. The rules themselves are in node/edxml/rules/."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from node.errors import Rejected
from node.model.reason import Reason


class Severity(Enum):
    """An error stops a submission; a warning travels with it."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    `code` is stable and never reused (EDXML-017); `path` names the element from the envelope's header or the root down, a repeated
    one with its number from 1 (To[2]/OrganId); `sentence` is Vietnamese; `source` the article of the standard or decree.
    """

    code: str
    severity: Severity
    path: str
    sentence: str
    source: str


class RulesBroken(Rejected):
    """Rejected(PACKET_BREAKS_RULES): the packet was not taken; `findings` has the errors, and the warnings after them."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        errors = [f"{one.code} {one.path}" for one in findings if one.severity is Severity.ERROR]
        assert errors, "there is an error among the findings"
        super().__init__(Reason.PACKET_BREAKS_RULES, "; ".join(errors[:5]))
        self.findings = tuple(findings)


def counted(findings: Sequence[Finding]) -> tuple[int, int]:
    """Return how many errors and how many warnings there are."""
    errors = sum(one.severity is Severity.ERROR for one in findings)
    return errors, len(findings) - errors


def require_no_errors(findings: Sequence[Finding]) -> None:
    """Raise RulesBroken if one of them is an error."""
    if counted(findings)[0]:
        raise RulesBroken(findings)
