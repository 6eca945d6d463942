"""Common to all tests: the properties "scenario" and "figure" that tests leave are shown at the end, whichever worker ran them."""

from typing import Any

import pytest

COLUMNS = ("packets", "deliveries", "statuses", "longest_wait_s", "settled_s")
TITLES = ("packets", "deliveries", "statuses", "longest wait", "settled after")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the scenarios of tests/containers, and figures that were seen: they are no tests, for machines differ."""
    rows = _left(terminalreporter, "scenario")
    if rows:
        _show_scenarios(terminalreporter, rows)
    for figure in _left(terminalreporter, "figure"):
        terminalreporter.write_line(f"seen: {figure}")


def _left(terminalreporter: pytest.TerminalReporter, wanted: str) -> list[Any]:
    return [
        value
        for report in terminalreporter.getreports("passed")
        if report.when == "call"
        for name, value in report.user_properties
        if name == wanted
    ]


def _show_scenarios(terminalreporter: pytest.TerminalReporter, rows: list[dict[str, Any]]) -> None:
    width = max(len(row["scenario"]) for row in rows)
    terminalreporter.section("scenarios between hosts")
    heading = "  ".join(title.rjust(13) for title in TITLES)
    terminalreporter.write_line(f"{'engine':7} {'scenario'.ljust(width)} {heading}")
    for row in rows:
        figures = "  ".join(f"{row[column]}{' s' if column.endswith('_s') else ''}".rjust(13) for column in COLUMNS)
        notes = "  ".join(f"{name} {value}" for name, value in row["notes"].items())
        terminalreporter.write_line(f"{row['engine']:7} {row['scenario'].ljust(width)} {figures}  {notes}")
