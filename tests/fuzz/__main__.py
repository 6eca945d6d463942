"""Fuzz the reading of packets: `./dev fuzz [--inputs N] [--seed S]`, or with atheris, which is not in the lock: `--engine atheris`.

The mutator of our own is the same everywhere and needs nothing; a case is found again by its seed and number. An input that fails
is written into the folder `--found`; put it into tests/fuzz/corpus/ together with the fix. For atheris (Python 3.11 takes 3.0):
`.venv/bin/pip install 'atheris<3.1'`.
"""

import argparse
import faulthandler
import hashlib
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.mutate import CORPUS, SAMPLES, Mutator

INPUT_S_MAX = 20.0
"""An input that takes longer is a hang, and the process says where it hangs."""
GROWTH_KIB_MAX = 32 * 1024
WARM_UP = 5_000
BATCH = 1_000
TELL_EVERY = 50_000


def main() -> int:
    """Parse the arguments, fuzz, tell."""
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--found", type=Path, default=Path("/tmp/truc-fuzz"), help="where failing inputs are written")
    parser.add_argument("--engine", choices=("own", "atheris"), default="own")
    chosen = parser.parse_args()
    if chosen.engine == "atheris":
        return by_atheris(chosen.inputs, chosen.seed, chosen.found)
    from tests.fuzz.target import check

    return by_ourselves(chosen.inputs, chosen.seed, chosen.found, check)


def by_ourselves(inputs: int, seed: int, found: Path, check: Callable[[bytes], None]) -> int:
    """Run inputs of our own mutator; return 1 if one failed or memory grew."""
    run = Run(seed, found, check)
    begun, start_kib = time.monotonic(), 0
    while run.inputs < inputs:
        # A thread keeps the names that it has met (names.py) as long as it lives, and a large packet's reader may meet new ones.
        batch = threading.Thread(target=run.some, args=(min(BATCH, inputs - run.inputs),))
        batch.start()
        batch.join()
        if start_kib == 0 and run.inputs >= min(WARM_UP, inputs):
            start_kib = resident_kib()
        if run.inputs % TELL_EVERY == 0:
            print(
                f"{run.inputs:,} inputs, {run.inputs / (time.monotonic() - begun):.0f}/s, {resident_kib()} KiB",
                flush=True,
            )
    grown_kib = resident_kib() - start_kib
    seconds = time.monotonic() - begun
    print(
        f"seed {seed}: {inputs:,} inputs in {seconds:.0f} s, {run.failed} failed, slowest {1000 * run.slowest_s:.0f} ms, "
        f"memory grown by {grown_kib} KiB"
    )
    return 1 if run.failed or grown_kib > GROWTH_KIB_MAX else 0


class Run:
    """One seed's inputs, one after another."""

    def __init__(self, seed: int, found: Path, check: Callable[[bytes], None]) -> None:
        self._seed, self._found, self._check = seed, found, check
        self._mutator = Mutator(seed)
        self.inputs = self.failed = 0
        self.slowest_s = 0.0

    def some(self, count: int) -> None:
        """Try the next inputs."""
        for _ in range(count):
            self._next()
        faulthandler.cancel_dump_traceback_later()

    def _next(self) -> None:
        octets = self._mutator.next()
        self.inputs += 1
        faulthandler.dump_traceback_later(INPUT_S_MAX, exit=True, file=sys.__stderr__)
        at = time.monotonic()
        try:
            self._check(octets)
        except Exception as error:
            self.failed += 1
            what = f"{type(error).__name__}: {error!s:.200}; {keep(octets, self._found)}"
            print(f"seed {self._seed} input {self.inputs}: {what}", flush=True)
        self.slowest_s = max(self.slowest_s, time.monotonic() - at)


def keep(octets: bytes, found: Path) -> Path:
    """Write a failing input down; return where."""
    found.mkdir(parents=True, exist_ok=True)
    path = found / f"{hashlib.sha256(octets).hexdigest()[:16]}.edxml"
    path.write_bytes(octets)
    return path


def resident_kib() -> int:
    """Memory that this process holds now."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def by_atheris(inputs: int, seed: int, found: Path) -> int:
    """Let libFuzzer choose by coverage of the Python code and keep what covers more in `found`; the first failure ends the process."""
    import atheris  # type: ignore[import-not-found]

    with atheris.instrument_imports(include=["node"]):
        from tests.fuzz.target import check
    found.mkdir(parents=True, exist_ok=True)
    options = [f"-runs={inputs}", f"-seed={seed}", "-max_len=20000", f"-timeout={INPUT_S_MAX:.0f}", "-rss_limit_mb=512"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={found}/", str(found), str(CORPUS), str(SAMPLES)], check)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
