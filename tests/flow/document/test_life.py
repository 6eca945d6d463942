"""The state of a document is a function of the set of its packets: whatever the order, however often, both sides say the same."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.flow.document.life import AGREES, REFUSES, REQUESTS, Fact, Said, answered_by_default, life_of
from node.model.life import LifeAct, LifeState

ACTS = [act for act in LifeAct if act is not LifeAct.STATUS]


def fact(act: LifeAct, at: int, **more: bool) -> Fact:
    return Fact(bytes([at]) * 16, act, at, **more)


def said(code: str, at: int) -> Said:
    return Said(code, bytes([at]) * 16)


NEW, UPDATE, WITHDRAW = LifeAct.NEW, LifeAct.UPDATE, LifeAct.WITHDRAW


@pytest.mark.parametrize(
    ("facts", "answers", "state", "decided_by"),
    [
        ([], [], LifeState.ABSENT, 0),
        ([fact(NEW, 1)], [], LifeState.IN_FORCE, 0),
        ([fact(NEW, 1, has_arrived=False)], [], LifeState.ABSENT, 0),
        ([fact(UPDATE, 1)], [], LifeState.ABSENT, 0),
        ([fact(NEW, 1), fact(WITHDRAW, 2, has_arrived=False)], [], LifeState.WITHDRAWAL_SENT, 2),
        ([fact(NEW, 1), fact(WITHDRAW, 2)], [], LifeState.WITHDRAWAL_ASKED, 2),
        ([fact(NEW, 1), fact(WITHDRAW, 2)], [said("16", 2)], LifeState.WITHDRAWAL_REFUSED, 2),
        ([fact(NEW, 1), fact(WITHDRAW, 2)], [said("15", 2)], LifeState.WITHDRAWN, 2),
        ([fact(NEW, 1), fact(WITHDRAW, 2)], [said("15", 2), said("16", 2)], LifeState.WITHDRAWN, 2),
        ([fact(NEW, 1), fact(WITHDRAW, 2, has_arrived=False)], [said("15", 2)], LifeState.WITHDRAWN, 2),
        ([fact(NEW, 1), fact(WITHDRAW, 2, taken_unread=True)], [], LifeState.WITHDRAWN, 2),
        ([fact(NEW, 1), fact(LifeAct.ASK_BACK, 2)], [], LifeState.WITHDRAWAL_ASKED, 2),
        ([fact(NEW, 1), fact(LifeAct.DROP, 2)], [], LifeState.WITHDRAWAL_ASKED, 2),
        ([fact(NEW, 1), fact(LifeAct.REPLACE, 2)], [], LifeState.REPLACED, 2),
        ([fact(NEW, 1), fact(LifeAct.REPLACE, 2, has_arrived=False)], [], LifeState.IN_FORCE, 0),
        ([fact(LifeAct.REPLACE, 2)], [], LifeState.ABSENT, 0),
        ([fact(WITHDRAW, 2)], [], LifeState.WITHDRAWAL_ASKED, 2),
        ([fact(NEW, 3), fact(WITHDRAW, 2)], [said("15", 2)], LifeState.IN_FORCE, 0),
        ([fact(NEW, 1), fact(WITHDRAW, 2), fact(WITHDRAW, 3)], [said("16", 2)], LifeState.WITHDRAWAL_ASKED, 3),
        ([fact(NEW, 1), fact(WITHDRAW, 2), fact(WITHDRAW, 3)], [said("15", 2), said("16", 3)], LifeState.WITHDRAWN, 2),
        ([fact(NEW, 1), fact(WITHDRAW, 2), fact(LifeAct.REPLACE, 3)], [said("15", 2)], LifeState.WITHDRAWN, 2),
        ([fact(NEW, 1), fact(WITHDRAW, 2), fact(LifeAct.REPLACE, 3)], [], LifeState.REPLACED, 3),
        ([fact(NEW, 1), fact(WITHDRAW, 2)], [said("15", 9), said("15", 1)], LifeState.WITHDRAWAL_ASKED, 2),
        ([fact(NEW, 1), fact(UPDATE, 2)], [said("16", 2)], LifeState.IN_FORCE, 0),
    ],
)
def test_what_has_become_of_a_document(
    facts: list[Fact], answers: list[Said], state: LifeState, decided_by: int
) -> None:
    assert life_of(facts, answers) == (state, bytes([decided_by]) * 16 if decided_by else b"")


FACTS = st.lists(
    st.builds(
        Fact,
        packet_id=st.binary(min_size=1, max_size=1),
        act=st.sampled_from(ACTS),
        create_time_ms=st.integers(1, 6),
        has_arrived=st.booleans(),
        taken_unread=st.booleans(),
    ),
    max_size=7,
    unique_by=lambda one: one.packet_id,
)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Fact], list[Said]]:
    facts = draw(FACTS)
    names = [one.packet_id for one in facts] + [b"nobody's"]
    answers = st.builds(Said, st.sampled_from(["15", "16"]), st.sampled_from(names))
    return facts, draw(st.lists(answers, max_size=6))


@settings(deadline=None)
@given(stories(), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_of_the_same_rows_gives_the_same_state(
    story: tuple[list[Fact], list[Said]], chance: object
) -> None:
    facts, answers = story
    mixed: list[Fact] = [*facts, *facts[:3]]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    again = [*reversed(answers), *answers]
    assert life_of(mixed, again) == life_of(facts, answers)
    assert answered_by_default(mixed, again) == answered_by_default(facts, answers)


@settings(deadline=None)
@given(stories())
def test_the_side_that_does_not_know_what_was_taken_unread_agrees_once_the_15_is_there(
    story: tuple[list[Fact], list[Said]],
) -> None:
    facts, answers = story
    arrived = [replace(one, has_arrived=True) for one in facts]
    theirs = [replace(one, taken_unread=one.taken_unread and one.act in REQUESTS) for one in arrived]
    ours = [replace(one, taken_unread=False) for one in arrived]
    owed = [Said(AGREES, one.packet_id) for one in theirs if one.taken_unread]
    assert life_of(ours, answers + owed) == life_of(theirs, answers) == life_of(theirs, answers + owed)


@settings(deadline=None)
@given(stories(), st.sampled_from(["15", "16"]))
def test_an_agreement_is_final_but_for_a_newer_packet_that_brings_the_document(
    story: tuple[list[Fact], list[Said]], code: str
) -> None:
    facts, answers = story
    if life_of(facts, answers)[0] is LifeState.WITHDRAWN:
        more = [Said(code, one.packet_id) for one in facts]
        assert life_of(facts, answers + more)[0] is LifeState.WITHDRAWN
        later = Fact(b"later", NEW, 99)
        assert life_of([*facts, later], answers)[0] is LifeState.IN_FORCE


@settings(deadline=None)
@given(stories())
def test_whatever_is_older_than_the_newest_document_has_no_say(story: tuple[list[Fact], list[Said]]) -> None:
    facts, answers = story
    brought = [one for one in facts if one.act is NEW and one.has_arrived]
    if brought:
        newest = max(brought, key=lambda one: one.order)
        assert life_of([one for one in facts if one.order >= newest.order], answers) == life_of(facts, answers)


@pytest.mark.parametrize(
    ("facts", "answers", "answered"),
    [
        ([], [], 0),
        ([fact(NEW, 1)], [], 0),
        ([fact(NEW, 1), fact(WITHDRAW, 2)], [], 2),
        ([fact(WITHDRAW, 2), fact(LifeAct.ASK_BACK, 3)], [], 3),
        ([fact(WITHDRAW, 2), fact(UPDATE, 3)], [], 2),
        ([fact(WITHDRAW, 2), fact(UPDATE, 3)], [said(REFUSES, 2)], 3),
        ([fact(WITHDRAW, 2), fact(UPDATE, 3)], [said("16", 2), said("15", 3)], 2),
        ([fact(WITHDRAW, 2, taken_unread=True), fact(WITHDRAW, 1)], [], 1),
        ([fact(UPDATE, 2)], [said("15", 2)], 2),
    ],
)
def test_which_packet_an_answer_answers(facts: Sequence[Fact], answers: Sequence[Said], answered: int) -> None:
    assert answered_by_default(facts, answers) == (bytes([answered]) * 16 if answered else b"")
