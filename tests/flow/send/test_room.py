"""Room at peers: when what a full disk put off may come again before its time."""

from node.flow.admission import Step
from node.flow.send.room import PeersRoom


def said(room: PeersRoom, *steps: int | None) -> list[bool]:
    return [room.has_more("h49", step) for step in steps]


def test_each_step_down_and_no_other_word_calls_what_waits() -> None:
    steps = [Step.OPEN, Step.SMALL, Step.DRAIN, Step.DRAIN, Step.URGENT, Step.URGENT, Step.OPEN, Step.OPEN]
    assert said(PeersRoom(), *steps) == [True, False, False, False, True, False, True, False]


def test_a_peer_that_does_not_say_is_asked_at_the_time_it_named() -> None:
    room = PeersRoom()
    assert said(room, None, None) == [False, False]
    room.refused("h49")
    assert said(room, None) == [False]


def test_a_refusal_that_has_crossed_with_the_good_news_does_not_wait() -> None:
    room = PeersRoom()
    assert said(room, Step.DRAIN, Step.OPEN) == [True, True]
    room.refused("h49")
    room.refused("h49")
    assert said(room, Step.OPEN, Step.OPEN) == [True, False]


def test_what_is_too_large_for_a_peer_that_takes_everything_is_not_offered_at_every_hello() -> None:
    room = PeersRoom()
    said(room, Step.OPEN)
    for heard in (True, False, False):
        room.refused("h49")
        assert said(room, Step.OPEN) == [heard]
    assert said(room, Step.SMALL, Step.OPEN) == [False, True], "it has made room"
    room.refused("h49")
    assert said(room, Step.OPEN) == [True]


def test_a_peer_that_takes_little_and_puts_the_rest_off_is_not_hurried() -> None:
    room = PeersRoom()
    said(room, Step.URGENT)
    room.refused("h49")
    assert said(room, Step.URGENT) == [False]
