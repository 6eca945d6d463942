"""An admitted node that names itself by another's code: what it says is nobody's but its own.

The envelope is signed by the node that makes it, so what it says of aliases is only its word. Played on 30/11/2026: a province withdrew
a stranger's unread document (answered 15, "agreed"), and put statuses 02 and 06 on another recipient's.
"""

from dataclasses import replace

import pytest

from node.flow.duties import duty
from node.model.directory import Alias
from node.model.envelope import PacketKind
from node.model.mesh import PushPacket
from node.model.policy import DAY_MS
from node.model.reason import Reason
from tests.clocks import NOW
from tests.flow.acts import UNIT, id_of, withdrawal
from tests.flow.support import (
    Place,
    directory,
    envelope_for,
    parcel_for,
    place,
    push_of,
    run,
)
from tests.papers import document, status_about

VICTIM = "G14"
EVIL_NODE, EVIL_UNIT = "h37", "H37"


def forged(
    packet: bytes, *aliases: tuple[str, str], target: str = "h49", to: str = UNIT, **changes: object
) -> PushPacket:
    """A packet of the evil node about somebody else's document, in order in every point but what its aliases claim."""
    envelope, body = envelope_for(
        packet,
        origin=EVIL_NODE,
        sender_unit=EVIL_UNIT,
        recipient_units=(to,),
        packet_nonce=b"e" * 16,
        create_time_ms=NOW + 1,
        aliases=tuple(sorted(aliases)),
        **changes,
    )
    return PushPacket(parcel_for(envelope, target=target), body)


def evil_withdrawal() -> bytes:
    return withdrawal().replace(f">{VICTIM}<".encode(), f">{EVIL_UNIT}<".encode())


async def answers_owed(here: Place) -> list[str]:
    """Codes of the statuses that the node owes, but for 01 on arrival."""
    found, _ = await here.do(lambda tx: duty.due(tx, NOW + DAY_MS, 10))
    return [one.record.status_code for one in found if one.record.status_code != duty.ARRIVED]


async def unread_at(here: Place) -> None:
    [answer] = await here.push(push_of())
    assert answer.receipt is not None
    assert [entry.unit for entry in await here.inbox()] == [UNIT]


@pytest.mark.parametrize("aliases", [((VICTIM, EVIL_UNIT),), ((VICTIM, EVIL_UNIT), ("H37.99", EVIL_UNIT))])
def test_a_strangers_unread_document_is_not_withdrawn_by_who_claims_its_authors_code(
    aliases: tuple[tuple[str, str], ...],
) -> None:
    async def story() -> None:
        here = place("h49")
        await unread_at(here)

        await here.push(forged(evil_withdrawal(), *aliases), by=EVIL_NODE)

        assert [entry.document_id for entry in await here.inbox()] == [id_of("123")]
        assert await answers_owed(here) == [], "nobody has agreed to anything"
        assert await here.fetch((await here.inbox())[0].packet_id, UNIT), "and it can be read"

        [answer] = await here.push(forged(evil_withdrawal(), *aliases, sender_alias=VICTIM), by=EVIL_NODE)
        assert (answer.receipt, answer.reason) == (None, Reason.PEER_SPEAKS_FOR_OTHERS)

    run(story())


@pytest.mark.parametrize("recipients", [(UNIT,), (UNIT, EVIL_UNIT)])
@pytest.mark.parametrize("code", ["02", "06"])
def test_a_status_does_not_stand_on_another_recipients_document(code: str, recipients: tuple[str, ...]) -> None:
    async def story() -> None:
        ministry = place("g14")
        await ministry.submit(document(*recipients))
        packet = status_about("123", code, sender=EVIL_UNIT)

        await ministry.push(
            forged(packet, (UNIT, EVIL_UNIT), target="g14", to=VICTIM, kind=PacketKind.STATUS), by=EVIL_NODE
        )

        view = await ministry.track()
        said = {one.unit: [status.code for status in one.statuses] for one in view.deliveries}
        assert said[UNIT] == [], "what it says stands beside its own delivery only"

    run(story())


def test_a_status_is_not_led_to_another_authors_document_by_an_alias_of_the_author() -> None:
    """The other side of the same coin: H37 is a recipient of G14.01's document and reports to G14 by a made-up alias."""

    async def story() -> None:
        ministry = place("g14")
        await ministry.submit(document(EVIL_UNIT, sender="G14.01"))
        packet = status_about("123", "06", sender=EVIL_UNIT, author="G14").replace(
            id_of("123").encode(), id_of("123", "G14.01").encode()
        )

        await ministry.push(
            forged(packet, ("G14.01", VICTIM), target="g14", to=VICTIM, kind=PacketKind.STATUS), by=EVIL_NODE
        )

        [delivery] = (await ministry.track()).deliveries
        assert delivery.statuses == ()

    run(story())


def test_an_alias_that_its_holder_has_listed_or_that_lies_under_the_origins_prefix_is_the_senders_to_use() -> None:
    async def story() -> None:
        for code, known in (("H49.77", Alias("H49.77", EVIL_UNIT)), ("H37.88", None)):
            here = place("h49", known=directory(aliases=[known] if known else []))
            packet = document(UNIT, sender=code)
            sent = forged(packet, (code, EVIL_UNIT), sender_alias=code)
            [answer] = await here.push(sent, by=EVIL_NODE)
            assert answer.receipt is not None, code

    run(story())


def test_an_alias_that_begins_after_the_statement_gives_nobody_anything_before() -> None:
    async def story() -> None:
        later = replace(Alias("H49.77", EVIL_UNIT), valid_from_ms=NOW + 10 * 86_400_000)
        here = place("h49", known=directory(aliases=[later]))
        sent = forged(document(UNIT, sender="H49.77"), ("H49.77", EVIL_UNIT), sender_alias="H49.77")
        [answer] = await here.push(sent, by=EVIL_NODE)
        assert (answer.receipt, answer.reason) == (None, Reason.PEER_SPEAKS_FOR_OTHERS)

    run(story())


def test_the_authors_own_withdrawal_still_works() -> None:
    async def story() -> None:
        here = place("h49")
        await unread_at(here)
        [answer] = await here.push(push_of(withdrawal(), packet_nonce=b"w" * 16, create_time_ms=NOW + 1))
        assert answer.receipt is not None
        assert await here.inbox() == []

    run(story())
