"""What the rules find in a packet, in words for its author. The rules themselves are in node/edxml/rules/."""

from dataclasses import dataclass
from enum import Enum


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
