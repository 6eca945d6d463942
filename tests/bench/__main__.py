"""Run a bench: `./dev bench NAME [--runs N] [--scale X] [--json FILE]`; what each measures stands at the head of its file."""

import argparse
import importlib
from pathlib import Path

from tests.bench.report import Report

BENCHES = (
    "forward",
    "submit",
    "large",
    "start",
    "edxml",
    "bridge",
    "circular",
    "sweep",
    "steady",
    "urgent",
    "drain",
    "soak",
)


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("bench", choices=BENCHES)
    parser.add_argument("--runs", type=int, default=3, help="how often each figure is measured")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the amount of load")
    parser.add_argument("--documents", type=int, default=0, help="steady: so many documents (0: by the scale)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--hours", type=float, default=1.0, help="soak: for so many hours, fractions allowed")
    chosen = parser.parse_args()
    report = Report(chosen.bench)
    more = {"steady": {"documents": chosen.documents}, "soak": {"hours": chosen.hours}}.get(chosen.bench, {})
    importlib.import_module(f"tests.bench.{chosen.bench}").run(report, chosen.runs, chosen.scale, **more)
    report.print()
    if chosen.json:
        report.write(chosen.json)


if __name__ == "__main__":
    main()
