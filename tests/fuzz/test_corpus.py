"""Every input that fuzzing has found stays found, and the fuzzer still makes what it made."""

import hashlib
from pathlib import Path

import pytest

from tests.fuzz.__main__ import by_ourselves
from tests.fuzz.mutate import CORPUS, SAMPLES, Mutator
from tests.fuzz.target import check

CASES = sorted([*SAMPLES.glob("*.edxml"), *(path for path in CORPUS.iterdir() if path.suffix == ".edxml")])


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name)
def test_what_was_found_once_is_never_found_again(path: Path) -> None:
    check(path.read_bytes())


def test_a_seed_always_makes_the_same_inputs() -> None:
    def digest(seed: int) -> str:
        mutator = Mutator(seed)
        return hashlib.sha256(b"".join(mutator.next() for _ in range(300))).hexdigest()

    assert digest(1) == digest(1) != digest(2)


def test_some_thousand_inputs_do_no_harm(tmp_path: Path) -> None:
    assert by_ourselves(2_000, 4711, tmp_path, check) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_failing_input_is_told_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def never(octets: bytes) -> None:
        assert not octets, "no octets are good"

    assert by_ourselves(3, 1, tmp_path, never) == 1
    assert capsys.readouterr().out.count("no octets are good") == 3
    assert all(path.read_bytes() for path in tmp_path.iterdir())
