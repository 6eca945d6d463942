"""The rules of the standard and the decrees, each one small named function; `check_packet` asks them all.

Read rule.py first, then any of the others: secrecy.py, presence.py, units.py, lengths.py, dates.py, numbers.py, attachments.py,
business.py, statuses.py; contents.py opens zips, memory.py is for a node that remembers. An error is what cannot be carried, what the
decree forbids, or what makes the programs in use fail on the whole packet (edxml.md section 3); all else is a warning, because a
packet that the old axis would have carried must not be stopped for its looks.
"""

from collections.abc import Sequence

from node.edxml.rules import attachments, business, dates, lengths, memory, numbers, presence, secrecy, statuses, units
from node.edxml.rules.contents import CONTENT_CODES, CONTENT_SOURCE
from node.edxml.rules.rule import ANY, Case, Rule
from node.model.calendar import day_of
from node.model.finding import Finding, Severity
from node.model.packet import Packet

RULES: tuple[Rule, ...] = (
    *secrecy.RULES,
    *presence.RULES,
    *units.RULES,
    *lengths.RULES,
    *dates.RULES,
    *numbers.RULES,
    *attachments.RULES,
    *business.RULES,
    *statuses.RULES,
)
_RULES_OF = {kind: tuple(rule for rule in RULES if kind in rule.kinds) for kind in ANY}

SOURCES: dict[str, str] = (
    {rule.code: rule.source for rule in RULES} | memory.SOURCES | dict.fromkeys(CONTENT_CODES, CONTENT_SOURCE)
)
"""Article of the standard or decree by code, of all codes that there are."""


def check_packet(packet: Packet, now_ms: int | None = None) -> list[Finding]:
    """Return what is wrong with a packet, errors first, else in order of the codes.

    `now_ms`, milliseconds since 1970 UTC, is for rules about today; without it they are left out.
    """
    today = None if now_ms is None else day_of(now_ms)
    case = Case(packet, today)
    found: list[Finding] = []
    for rule in _RULES_OF[packet.kind]:
        rule.note(case, found)
    return in_order(found)


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings as they are shown: errors first, else in order of the codes."""
    return sorted(findings, key=lambda finding: (finding.severity is not Severity.ERROR, finding.code))


def warning_line(finding: Finding) -> str:
    """Return a warning as it is remembered with its packet: code, path and sentence."""
    return f"{finding.code} {finding.path} {finding.sentence}"


def warning_of(line: str) -> Finding:
    """Return the warning that a line remembers; one of a newer version has no source here."""
    code, path, sentence = [*line.split(" ", 2), "", ""][:3]
    return Finding(code, Severity.WARNING, path, sentence, SOURCES.get(code, ""))
