"""Report of a bench, as it is printed and written: a table for people, one JSON form for programs.

    {"bench", "machine", "results": [{"name", "value", "unit", "min", "max", "runs", "goal", "holds"}]}

`value` is the median. `goal` is a text like ">= 800" or null; `holds` is true, false or null. A bench never fails for being
slow: these machines are noisy, and a figure is read by a person.
"""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Result:
    """One figure, measured several times."""

    name: str
    value: float
    unit: str
    min: float
    max: float
    runs: int
    goal: str | None
    holds: bool | None


@dataclass
class Report:
    """All figures of one bench."""

    bench: str
    results: list[Result] = field(default_factory=list)

    def add(self, name: str, values: list[float], unit: str, goal: str | None = None) -> None:
        """Add a figure; `goal` is ">= number" or "<= number" in the same unit."""
        middle = median(values)
        rounded = [round(one, 3) for one in (middle, min(values), max(values))]
        self.results.append(
            Result(name, rounded[0], unit, rounded[1], rounded[2], len(values), goal, _holds(middle, goal))
        )

    def print(self) -> None:
        """Print the table."""
        table = Table(title=f"truc bench {self.bench} — {machine()}")
        for title, side in (
            ("figure", "left"),
            ("median", "right"),
            ("min", "right"),
            ("max", "right"),
            ("unit", "left"),
            ("runs", "right"),
            ("goal", "left"),
        ):
            table.add_column(title, justify=side)  # type: ignore[arg-type]
        for one in self.results:
            mark = {None: "", True: "  ✓", False: "  ✗"}[one.holds]
            table.add_row(
                one.name,
                f"{one.value:,.6g}",
                f"{one.min:,.6g}",
                f"{one.max:,.6g}",
                one.unit,
                str(one.runs),
                (one.goal or "") + mark,
            )
        Console(width=120).print(table)

    def write(self, path: Path) -> None:
        """Write the JSON form."""
        document = {"bench": self.bench, "machine": machine(), "results": [asdict(one) for one in self.results]}
        path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", "utf-8")


def machine() -> str:
    """Describe this machine in one line."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores {model}, Linux {platform.release()}, Python {platform.python_version()}"


def _holds(value: float, goal: str | None) -> bool | None:
    if goal is None:
        return None
    sign, number = goal.split()
    return value >= float(number) if sign == ">=" else value <= float(number)
