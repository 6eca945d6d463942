"""What was decided first stays the answer, also when the directory of today would refuse the packet."""

import pytest

from node.model.directory import Directory, PublicKey
from node.model.mesh import Answer, PushPacket
from node.model.reason import Reason
from tests.clocks import NOW
from tests.flow.support import KEYS, directory, place, push_of, run

[RAW] = KEYS["g14"].public_keys().signing
ENDED_LONG_AGO = directory(entries={"g14": {"signing_keys": (PublicKey(RAW, 1, valid_to_ms=NOW - 1),)}})
WITHOUT_ORIGIN = directory(without=("g14",))
MOVED = directory(moved={"H49.22": "h37"}, units={})


async def twice(item: PushPacket, known: Directory, *, by: str) -> tuple[Answer, Answer]:
    """Bring a packet, and once more after the directory has changed."""
    here = place("h49")
    [first] = await here.push(item)
    assert first.receipt is not None
    here.directory.directory = known
    [second] = await here.push(item, by=by)
    return first, second


@pytest.mark.parametrize("by", ["g14", "centre"])
@pytest.mark.parametrize("known", [ENDED_LONG_AGO, MOVED])
def test_a_packet_that_was_taken_is_answered_as_then_though_the_directory_refuses_it_now(
    known: Directory, by: str
) -> None:
    first, second = run(twice(push_of(), known, by=by))
    assert second == first


def test_a_relay_is_answered_also_when_the_origin_has_left() -> None:
    first, second = run(twice(push_of(), WITHOUT_ORIGIN, by="centre"))
    assert second == first


@pytest.mark.parametrize("by", ["h37", "stranger"])
def test_who_is_neither_origin_nor_relay_learns_nothing(by: str) -> None:
    _, second = run(twice(push_of(), directory(), by=by))
    assert (second.receipt, second.reason) == (None, Reason.PEER_SPEAKS_FOR_OTHERS)


def test_other_octets_under_the_same_id_are_refused_as_ever() -> None:
    async def story() -> Answer:
        here = place("h49")
        await here.push(push_of())
        here.directory.directory = ENDED_LONG_AGO
        [second] = await here.push(push_of(expire_at_ms=NOW + 7))
        return second

    second = run(story())
    assert (second.receipt, second.reason) == (None, Reason.ENVELOPE_SIGNATURE_INVALID)
