"""The simulation is not blind: with something taken out of the nodes, seeds fail."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.sim import mutants
from tests.sim.run import Options, run_seed
from tests.sim.scenario import MAKERS, plan_for
from tests.sim.switches import FAULTS, LAWS, NAMES, Switches, named

SEEDS = range(1, 13)
NOTHING_MORE = Switches(only=frozenset())
"""The old troubles and laws alone."""


def first_broken(options: Callable[[int], Options]) -> str:
    """Return the first law that one of a few seeds finds broken, or ""."""
    for seed in SEEDS:
        verdict = run_seed(seed, replace(options(seed), switches=NOTHING_MORE, stops_at_first=True))
        if verdict.broken:
            return verdict.broken[0]
    return ""


def slow_disks(seed: int, *, hasty: bool, looks_at_disks: bool) -> Options:
    """Make a day with many crashes, in which a commit takes long to become durable."""
    plan = replace(plan_for(seed, NOTHING_MORE), crash_every_s=240.0, sync_s=20.0)
    if hasty:
        return Options(make_store=mutants.HastyStore, looks_at_disks=looks_at_disks, plan=plan, switches=NOTHING_MORE)
    return Options(plan=plan, switches=NOTHING_MORE)


def test_an_answer_before_the_commit_is_durable_is_seen_at_once() -> None:
    assert "before it was durable" in first_broken(lambda seed: slow_disks(seed, hasty=True, looks_at_disks=True))


def test_an_answer_before_the_commit_is_durable_is_seen_from_outside_as_loss_or_repeat() -> None:
    """Nobody looks into the nodes here: the offices' own books show that something answered for is missing."""
    verdicts = (run_seed(seed, slow_disks(seed, hasty=True, looks_at_disks=False)) for seed in SEEDS)
    broken = (law for verdict in verdicts for law in verdict.broken)
    assert any(law.startswith(("law 1", "law 2", "law 3", "I4", "I5")) for law in broken)


def test_with_the_durable_wait_the_same_days_break_no_law() -> None:
    for seed in SEEDS[:4]:
        verdict = run_seed(seed, slow_disks(seed, hasty=False, looks_at_disks=True))
        assert verdict.holds, verdict.broken


CHAOS: dict[str, Any] = {"burns": True}
RESTLESS: dict[str, Any] = {"changes": 1.0, "lossy": True, "cut_every_s": 600, "papers": 24}
"""Authors who are never content, and roads on which one packet overtakes another."""
JUMPY: dict[str, Any] = {"changes": 1.0, "jump_every_s": 300.0, "papers": 24}
SHAKY: dict[str, Any] = {"changes": 1.0, "crash_every_s": 240.0, "sync_s": 20.0}
DEAF: dict[str, Any] = {"papers": 24, "crash_every_s": 600.0, "deaf_every_s": 300.0}
"""Nodes that crash, and systems that are often not there to be told."""


@pytest.mark.parametrize("mutant", [mutants.statuses_never_erased, mutants.receipts_kept_for_nobody])
def test_a_node_that_does_not_forget_is_found(mutant: Callable[[], AbstractContextManager[None]]) -> None:
    with mutant():
        assert first_broken(lambda seed: Options(forgets=True)).startswith("forgetting")


def test_a_node_that_leaves_wrong_dates_as_they_are_does_not_forget() -> None:
    with mutants.wrong_dates_stay():
        verdict = run_seed(24, Options(switches=Switches(only=frozenset({"clocks"})), forgets=True))
    assert verdict.broken
    assert verdict.broken[0].startswith("forgetting")


@pytest.mark.parametrize(
    ("mutant", "law", "plan"),
    [
        (mutants.receipts_without_storing, "law 1", CHAOS),
        (mutants.no_memory_of_packets, ("law 1", "I7"), CHAOS),
        (mutants.no_memory_of_submissions, "law 3", CHAOS),
        (mutants.custody_is_delivery, "law 2", CHAOS),
        (mutants.rows_forgotten_when_put_off, "law 2", CHAOS),
        (mutants.statuses_lost, "I7", {"changes": 0.0}),
        (mutants.acknowledged_comes_back, "law 3", CHAOS),
        (mutants.tombstone_ignored, "life", RESTLESS),
        (mutants.read_is_not_remembered, ("law 1", "life"), RESTLESS),
        (mutants.answer_attributed_to_nothing, "life", RESTLESS),
        (mutants.waits_for_ever, "rest", RESTLESS),
        (mutants.author_without_an_order, ("law 1", "life"), JUMPY),
        (mutants.duty_not_durable, ("law 1", "law 2", "life"), SHAKY),
        (mutants.notice_not_durable, "hook", DEAF),
        (mutants.batch_made_up_anew, "hook", DEAF),
        (mutants.look_covers_what_comes_after, "hook", DEAF),
        (mutants.aliases_read_at_home, "life", RESTLESS),
        (mutants.never_backs_off, "I18", {"lasts_s": 1500.0, "papers": 4, "burns": True}),
    ],
)
def test_a_node_that_is_not_what_it_should_be_is_found(
    mutant: Callable[[], AbstractContextManager[None]], law: str | tuple[str, ...], plan: dict[str, Any]
) -> None:
    with mutant():
        assert first_broken(lambda seed: Options(plan=replace(plan_for(seed, NOTHING_MORE), **plan))).startswith(law)


HURRIED: dict[str, Any] = {"lossy": True, "cut_every_s": 300, "papers": 40, "hurried": True}
"""All of it expires soon, on roads so bad that some does, and that receipts are lost until then."""
ASTRAY: dict[str, Any] = {"lossy": True, "cut_every_s": 300, "papers": 40}
"""Much is on the road when units move, and receipts are lost."""


@pytest.mark.parametrize(
    ("mutant", "law", "plan", "faults"),
    [
        (mutants.expires_by_its_own_word, "L-expired", HURRIED, ""),
        (mutants.delivered_never_supersedes, "L-supersede", HURRIED, ""),
        (mutants.urgent_last, "L-urgent", {"lossy": False, "papers": 2, "lasts_s": 5000.0}, "floods"),
        (mutants.greets_once, "L-loops", {}, ""),
        (mutants.sweeper_gives_up, ("L-loops", "rest"), {}, "probe"),
        (mutants.loops_end, "L-loops", {}, "poison"),
        (mutants.refused_and_kept, "L-agree", {"papers": 24}, ""),
        (mutants.takes_for_others, "L-once", {}, ""),
        (mutants.dates_are_taken_as_they_are, ("L-kept", "I4"), {"papers": 24}, "clocks"),
        (mutants.believes_its_own_clock, ("law 1", "forgetting"), {"papers": 24}, "clocks"),
        (mutants.reroutes_without_asking, "L-once", ASTRAY, "moves"),
        (mutants.takes_what_goes_elsewhere, "L-once", ASTRAY, "moves"),
        (mutants.first_receipt_for_ever, ("L-agree", "rest"), ASTRAY, "moves"),
    ],
)
def test_each_law_of_both_sides_finds_its_mutant(
    mutant: Callable[[], AbstractContextManager[None]], law: str | tuple[str, ...], plan: dict[str, Any], faults: str
) -> None:
    """A law that comes with others by which it is seen: what a loop that rests for ever has left undone, the world's rest shows."""
    asked = law if isinstance(law, str) else law[0]
    switches = Switches(only=frozenset({asked}) | named(faults))
    with mutant():
        for seed in SEEDS:
            verdict = run_seed(seed, Options(plan=replace(plan_for(seed, switches), **plan), switches=switches))
            if any(broken.startswith(law) for broken in verdict.broken):
                return
    raise AssertionError(f"no seed has found that {asked} is broken")


def test_each_law_of_both_sides_has_a_mutant_and_each_fault_is_something() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    assert [one.name for one in LAWS if f'"{one.name}"' not in here] == []
    assert {one.name for one in FAULTS} == set(MAKERS) | {"hello", "retention", "probe"}


def test_a_seed_with_faults_lives_the_same_history_twice() -> None:
    switches = Switches(only=NAMES - {"circulars", "floods"})
    first, second = (run_seed(3, Options(switches=switches)) for _ in range(2))
    assert (first.digest, first.counts, first.broken) == (second.digest, second.counts, second.broken)
