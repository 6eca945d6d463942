"""An origin that lost its disk and is handed the same submission again: it adopts what it signed, and nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from node.errors import Denied
from node.flow.send import adoption
from node.model.delivery import State
from node.model.directory import NodeEntry
from node.model.envelope import Envelope
from node.model.mesh import Answer, First, PushItem, PushPacket, PushReceipt
from node.model.reason import Reason
from node.model.receipt import Level, Outcome
from node.rows import keys
from node.rows.records import PacketRecord
from node.wire import codec
from node.wire.truc.v1 import mesh_service_pb2 as pb
from tests.clocks import NOW
from tests.flow.support import KEYS, STRANGER, Place, directory, parcel_for, place, receipt_for, run
from tests.flow.support import envelope_for as made_envelope
from tests.papers import document


def joined(here: Place, there: Place, change: Callable[[Answer], Answer] = lambda answer: answer) -> None:
    """Let what `here` pushes reach `there`, and the answers come back through the codec."""

    async def push(peer: NodeEntry, items: Sequence[PushItem]) -> list[Answer]:
        answers = [change(one) for one in await there.node.receive_push(here.node.node_id, items)]
        octets = codec.push_response_to_proto(answers).SerializeToString()
        return codec.push_response_from_proto(pb.PushResponse.FromString(octets), len(items))

    here.peers.push = push  # type: ignore[method-assign]


async def delivered_then_burnt(there: Place, packet: bytes, again: bytes | None = None) -> Place:
    """Deliver a packet, lose the origin's disk, and hand the packet (or another) in again under the same id."""
    before = place("g14")
    joined(before, there)
    await before.submit(packet)
    assert await before.carry()
    here = place("g14")
    await here.submit(again or packet)
    return here


def record_of(here: Place, packet_id: bytes) -> PacketRecord:
    return PacketRecord.FromString(here.rows()[keys.packet(packet_id)])


def test_a_submission_repeated_after_a_lost_disk_is_delivered_by_the_first_receipt() -> None:
    async def story() -> None:
        there = place("h49")
        here = await delivered_then_burnt(there, document("H49.22", "H49"))
        joined(here, there)
        assert await here.carry()
        view = await here.track()
        assert {one.state for one in view.deliveries} == {State.DELIVERED}
        assert len(await there.inbox("H49.22")) == 1, "once"
        packet = record_of(here, view.packet_id)
        [adopted] = packet.adopted
        assert (adopted.node_id, adopted.envelope != packet.envelope) == ("h49", True)
        assert not here.tables() & {"o", "l", "q"}
        signed = view.deliveries[0].signed_receipt
        assert signed is not None
        assert (await here.push(PushReceipt(signed), by="centre"))[0].reason is Reason.NONE, (
            "by a relay it holds as well"
        )

    run(story())


def test_other_content_under_the_same_id_is_not_called_delivered() -> None:
    async def story() -> None:
        there = place("h49")
        here = await delivered_then_burnt(there, document("H49.22", number="1"), document("H49.22", number="2"))
        joined(here, there)
        assert not await here.carry()
        [view] = (await here.track()).deliveries
        assert (view.state, view.reason) == (State.WAITING, Reason.ENVELOPE_CONFLICT)

    run(story())


def test_an_older_recipient_says_nothing_more_and_it_is_as_before() -> None:
    async def story() -> None:
        there = place("h49")
        here = await delivered_then_burnt(there, document("H49.22"))
        joined(here, there, lambda answer: replace(answer, first=None))
        assert not await here.carry()
        [view] = (await here.track()).deliveries
        assert (view.state, view.reason) == (State.WAITING, Reason.ENVELOPE_CONFLICT)

    run(story())


def test_what_was_first_is_told_to_the_origin_alone() -> None:
    async def story() -> None:
        there = place("h49")
        here = await delivered_then_burnt(there, document("H49.22"))
        asked: list[PushItem] = []

        async def push(peer: NodeEntry, items: Sequence[PushItem]) -> list[Answer]:
            asked.extend(items)
            return [Answer(None, Reason.PEER_BUSY)]

        here.peers.push = push  # type: ignore[method-assign]
        await here.carry()
        [by_relay] = await there.push(*asked, by="centre")
        [by_origin] = await there.push(*asked, by="g14")
        assert (by_relay.reason, by_relay.first) == (Reason.ENVELOPE_CONFLICT, None)
        assert by_origin.first is not None
        item = asked[0]
        assert isinstance(item, PushPacket)
        offered = await there.node.receive_offer("g14", item.parcel)
        assert isinstance(offered, Answer)
        assert offered.first == by_origin.first

    run(story())


SENT = made_envelope(document("H49.22"))[0]
FIRST = made_envelope(document("H49.22"), key=b"j" * 32, create_time_ms=NOW - 5)[0]
DIGEST = b"d" * 32


def first_of(envelope: Envelope = FIRST, signer: str = "g14", digest: bytes = DIGEST, **receipt: object) -> First:
    signed = parcel_for(envelope, signer=STRANGER if signer == "stranger" else KEYS[signer]).signed_envelope
    about = receipt.pop("about", signed.envelope)
    return First(signed, receipt_for(about, envelope.packet_id, **receipt), digest)  # type: ignore[arg-type]


def believe(first: First) -> None:
    adoption.believe(first, SENT, DIGEST, "h49", directory(), NOW)


def test_an_honest_first_envelope_is_believed() -> None:
    believe(first_of())


@pytest.mark.parametrize(
    "first",
    [
        first_of(signer="stranger"),
        first_of(signer="h49"),
        first_of(replace(FIRST, recipient_units=("H49.22", "H49"))),
        first_of(replace(FIRST, sender_unit="G14.01")),
        first_of(
            replace(
                FIRST,
                body=replace(
                    FIRST.body, packet_bytes=FIRST.body.packet_bytes + 1, body_bytes=FIRST.body.body_bytes + 1
                ),
            )
        ),
        first_of(digest=b"e" * 32),
        first_of(digest=b""),
        first_of(about=b"another envelope"),
        first_of(by=STRANGER),
        first_of(by=KEYS["h37"]),
        first_of(level=Level.CUSTODY),
        first_of(level=Level.FAILED, outcomes=(Outcome("H49.22", Reason.EXPIRED),)),
    ],
    ids=[
        "signed by a stranger",
        "signed by the recipient",
        "for others, too",
        "of another sender",
        "of another size",
        "of other content",
        "silent about the content",
        "a receipt about something else",
        "a receipt of a stranger",
        "a receipt of another node",
        "a receipt for custody",
        "a receipt for failure",
    ],
)
def test_nothing_is_adopted_that_we_did_not_sign_or_they_did_not_take(first: First) -> None:
    with pytest.raises(Denied):
        believe(first)
