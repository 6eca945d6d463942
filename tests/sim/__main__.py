"""`python -m tests.sim`: many seeds over the machine's processors, or one seed with its whole history.

python -m tests.sim --seeds 500 [--first 1] [--jobs 2] [--json FILE]
python -m tests.sim --seed 17 --trace
"""

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.sim.run import Options, Verdict, run_seed

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


def main() -> int:
    """Run what the command line asks for; 1 if a law was broken."""
    asked = _arguments()
    if asked.seed is not None:
        return _one(asked.seed, asked.trace)
    seeds = range(asked.first, asked.first + asked.seeds)
    began_s = time.perf_counter()
    with ProcessPoolExecutor(asked.jobs) as pool:
        verdicts = list(pool.map(run_seed, seeds, chunksize=1 + len(seeds) // (asked.jobs * 8)))
    seconds = time.perf_counter() - began_s
    _table(verdicts, seconds)
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
    parser.add_argument("--seed", type=int, help="one seed only")
    parser.add_argument("--trace", action="store_true", help="with --seed: print its whole history")
    return parser.parse_args()


def _one(seed: int, show: bool) -> int:
    verdict = run_seed(seed, Options(show=show))
    for law in verdict.broken:
        sys.stdout.write(f"BROKEN {law}\n")
    figures = {key: value for key, value in verdict.to_json().items() if key not in ("broken", "counts")}
    sys.stdout.write(f"{json.dumps(figures)}\n{json.dumps(verdict.counts)}\n")
    return 0 if verdict.holds else 1


def _table(verdicts: list[Verdict], seconds: float) -> None:
    hours = sum(verdict.virtual_s for verdict in verdicts) / 3600
    lines = [f"seeds        {len(verdicts):>9,}   in {seconds:.1f} s; {hours:,.0f} simulated hours"]
    lines += [f"{name:<12} {sum(verdict.counts.get(name, 0) for verdict in verdicts):>9,}" for name in SHOWN]
    longest, slowest = max(verdicts, key=lambda v: v.virtual_s), max(verdicts, key=lambda v: v.rest_after_s)
    lines.append(f"longest      {longest.virtual_s / 3600:>9.1f}   virtual hours (seed {longest.seed})")
    lines.append(f"rest after   {slowest.rest_after_s / 60:>9.1f}   virtual minutes at most (seed {slowest.seed})")
    failing = [verdict for verdict in verdicts if not verdict.holds]
    lines.append(f"failing      {len(failing):>9,}")
    for verdict in failing[:20]:
        lines.append(f"  seed {verdict.seed}: {verdict.broken[0]}" + f" (and {len(verdict.broken) - 1} more)")
        lines.append(f"    replay: ./dev sim --seed {verdict.seed} --trace")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
