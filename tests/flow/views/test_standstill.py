"""Standstill: a queue whose head is the same for long is told, one that moves is not, however long it is."""

import asyncio

from node.flow.send import outbox
from node.flow.views.standstill import STANDS_AFTER_BULK_MS, STANDS_AFTER_MS, Standstill
from node.model.lane import Lane
from node.model.reason import Reason
from node.ports import Ports
from node.rows import keys
from tests.clocks import SetClock
from tests.flow.support import place
from tests.flow.views.test_queue_counts import put


def test_a_head_that_stays_is_told_and_one_that_moves_is_not() -> None:
    async def story() -> None:
        here, clock = place("g14"), SetClock()
        ports = Ports(**{name: getattr(here.ports, name) for name in Ports.__dataclass_fields__} | {"clock": clock})
        standstill = Standstill(ports)
        for number in range(3):
            await ports.store.transact(lambda tx, n=number: put(tx, "h49", Lane.NORMAL, n, 1_000 + n))  # type: ignore[misc]
        await ports.store.transact(lambda tx: put(tx, "h37", Lane.BULK, 9, 1_000))
        await standstill.look()
        assert standstill.standing_ms(["h49", "h37"]) == {}
        clock.at_ms += STANDS_AFTER_MS + 1
        await standstill.look()
        assert standstill.standing_ms(["h49", "h37"]) == {"h49": STANDS_AFTER_MS + 1}
        assert standstill.standing_ms(["h37"]) == {}

        await ports.store.transact(lambda tx: outbox.settle(tx, "h49", bytes(16), keys.OUTBOX_PACKET))
        await standstill.look()
        assert standstill.standing_ms(["h49"]) == {}
        clock.at_ms += STANDS_AFTER_BULK_MS
        await standstill.look()
        assert standstill.standing_ms(["h37"]) == {"h37": STANDS_AFTER_BULK_MS + STANDS_AFTER_MS + 1}

    asyncio.run(story())


def test_what_was_put_off_and_does_not_come_back_is_told() -> None:
    async def story() -> None:
        here, clock = place("g14"), SetClock()
        ports = Ports(**{name: getattr(here.ports, name) for name in Ports.__dataclass_fields__} | {"clock": clock})
        standstill = Standstill(ports)
        await ports.store.transact(lambda tx: put(tx, "h49", Lane.NORMAL, 1, 1_000))
        until_ms, packet_id = clock.at_ms + 5, (1).to_bytes(16, "big")
        await ports.store.transact(
            lambda tx: outbox.put_off(tx, "h49", packet_id, keys.OUTBOX_PACKET, until_ms, Reason.PEER_BUSY)
        )
        for _ in range(2):
            clock.at_ms += STANDS_AFTER_MS
            await standstill.look()
        assert standstill.standing_ms(["h49"]) == {}  # it was not due for long enough at the first look
        clock.at_ms += 1
        await standstill.look()
        assert standstill.standing_ms(["h49"]) == {"h49": STANDS_AFTER_MS + 1}

    asyncio.run(story())
