"""300 seeds of chaos for every test run, with all faults that the code stands (switches.py); `./dev sim --seeds 500` runs more.

A slice of seeds is shared by as many processes as there are processors, since pytest gives a file to one of its own.
TRUC_SIM_SEEDS says another number.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.sim.run import run_seed

SEEDS = int(os.environ.get("TRUC_SIM_SEEDS", "300"))
SLICE = 25


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(os.cpu_count() or 1) as pool:
        yield pool


@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", range(1001, 1001 + SEEDS, SLICE))
def test_no_law_is_broken_by_the_seeds_from(first: int, processes: ProcessPoolExecutor) -> None:
    verdicts = list(processes.map(run_seed, range(first, min(first + SLICE, 1001 + SEEDS))))
    broken = [f"replay with ./dev sim --seed {one.seed} --trace: {one.broken}" for one in verdicts if not one.holds]
    assert not broken, "\n".join(broken)
    assert all(one.counts["deliveries"] > 0 and one.virtual_s > 3600 for one in verdicts)


def test_the_same_seed_lives_the_same_history_twice() -> None:
    first, second = run_seed(7), run_seed(7)
    assert first.digest == second.digest
    assert (first.events, first.virtual_s, first.counts) == (second.events, second.virtual_s, second.counts)
    assert first.digest != run_seed(8).digest


def test_the_same_seed_lives_the_same_history_in_another_process_with_other_hashes() -> None:
    script = "from tests.sim.run import run_seed; run_seed(8); print(run_seed(7).digest)"
    digests = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        digests.add(done.stdout.strip())
    assert digests == {run_seed(7).digest}
