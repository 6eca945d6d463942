"""Findings of the rules, as tables and for programs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from node.cli.output import BAD, QUIET, WARNING, line, table, text
from node.model.finding import Finding, Severity, counted
from node.wording.plain import plain

if TYPE_CHECKING:
    from rich.console import RenderableType

_MARKS = {Severity.ERROR: ("lỗi", BAD), Severity.WARNING: ("cảnh báo", WARNING)}


def shown(findings: Sequence[Finding]) -> list["RenderableType"]:
    """Return the findings for people; nothing if there are none."""
    if not findings:
        return []
    rows = table(["Quy tắc", "Điều gì, ở đâu, theo đâu"], whole=["Quy tắc"])
    for one in findings:
        name, style = _MARKS[one.severity]
        where = line(text(one.sentence), "\n", text(one.path, QUIET), "\n", text(one.source, QUIET))
        rows.add_row(line(text(one.code), "\n", text(name, style)), where)
    return [rows]


def said(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings for programs."""
    errors, warnings = counted(findings)
    return {"errors": errors, "warnings": warnings, "findings": plain(list(findings))}
