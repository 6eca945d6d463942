"""`python -m tests.sim`: many seeds over the machine's processors, or one seed with its whole history.

python -m tests.sim --seeds 500 [--first 1] [--jobs 2] [--json FILE] [--with editions,L-once | --only clocks]
python -m tests.sim --seed 17 --trace [--with … | --only …]
"""

import argparse
import itertools
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.sim.run import Options, Verdict, run_seed
from tests.sim.switches import FAULTS, Switches, named

SHOWN = (
    "packets",
    "deliveries",
    "statuses",
    "changes",
    "aliases",
    "by_nodes",
    "taken_back",
    "relayed",
    "failed",
    "calls",
    "lost",
    "uploads",
    "crashes",
    "cuts",
    "deaf",
    "told",
    "told_again",
    "burns",
)
STRIKES = (
    "post",
    "clocks",
    "wrongclock",
    "pauses",
    "eio",
    "flips",
    "poisonpill",
    "narrow",
    "floods",
    "circulars",
    "superseded",
)
"""Strikes of the faults of switches.py, shown where there were any."""


def main() -> int:
    """Run what the command line asks for; 1 if a law was broken."""
    asked = _arguments()
    switches = Switches(asked.extra, asked.only)
    if asked.seed is not None:
        return _one(asked.seed, Options(show=asked.trace, switches=switches))
    seeds = range(asked.first, asked.first + asked.seeds)
    began_s = time.perf_counter()
    with ProcessPoolExecutor(asked.jobs) as pool:
        options = itertools.repeat(Options(switches=switches))
        verdicts = list(pool.map(run_seed, seeds, options, chunksize=1 + len(seeds) // (asked.jobs * 8)))
    seconds = time.perf_counter() - began_s
    _table(verdicts, seconds, switches)
    if asked.json:
        with open(asked.json, "w", encoding="utf-8") as file:
            json.dump({"seconds": seconds, "verdicts": [verdict.to_json() for verdict in verdicts]}, file, indent=1)
    return 0 if all(verdict.holds for verdict in verdicts) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./dev sim", description="Simulate a mesh under chaos and check the five laws."
    )
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes")
    parser.add_argument("--json", metavar="FILE", help="write every seed's figures here")
    parser.add_argument(
        "--with",
        dest="extra",
        type=named,
        default=frozenset(),
        metavar="NAMES",
        help="faults and laws to switch on, or all",
    )
    parser.add_argument("--only", type=named, metavar="NAMES", help="faults for every seed, no others; and laws to ask")
    parser.add_argument("--seed", type=int, help="one seed only")
    parser.add_argument("--trace", action="store_true", help="with --seed: print its whole history")
    return parser.parse_args()


def _one(seed: int, options: Options) -> int:
    verdict = run_seed(seed, options)
    for law in verdict.broken:
        sys.stdout.write(f"BROKEN {law}\n")
    figures = {key: value for key, value in verdict.to_json().items() if key not in ("broken", "counts")}
    sys.stdout.write(f"{json.dumps(figures)}\n{json.dumps(verdict.counts)}\n")
    return 0 if verdict.holds else 1


def _table(verdicts: list[Verdict], seconds: float, switches: Switches) -> None:
    hours, cpu_s = sum(verdict.virtual_s for verdict in verdicts) / 3600, sum(verdict.cpu_s for verdict in verdicts)
    lines = [f"seeds        {len(verdicts):>9,}   in {seconds:.1f} s; {hours:,.0f} simulated hours"]
    lines.append(
        f"speed        {hours / seconds * 60:>9,.0f}   hours a real minute, {hours / cpu_s * 60:,.0f} a processor's"
    )
    lines += [f"{name:<12} {sum(verdict.counts.get(name, 0) for verdict in verdicts):>9,}" for name in SHOWN]
    for name in (*STRIKES, *(f"seeds with {one.name}" for one in FAULTS)):
        if count := sum(verdict.counts.get(name, 0) for verdict in verdicts):
            lines.append(f"{name:<22} {count:,}")
    longest, slowest = max(verdicts, key=lambda v: v.virtual_s), max(verdicts, key=lambda v: v.rest_after_s)
    lines.append(f"longest      {longest.virtual_s / 3600:>9.1f}   virtual hours (seed {longest.seed})")
    lines.append(f"rest after   {slowest.rest_after_s / 60:>9.1f}   virtual minutes at most (seed {slowest.seed})")
    failing = [verdict for verdict in verdicts if not verdict.holds]
    lines.append(f"failing      {len(failing):>9,}")
    for verdict in failing[:20]:
        lines.append(f"  seed {verdict.seed}: {verdict.broken[0]}" + f" (and {len(verdict.broken) - 1} more)")
        lines.append(f"    replay: ./dev sim --seed {verdict.seed} --trace{switches.words}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
