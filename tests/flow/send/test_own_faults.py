"""Faults of our own store and program while sending: each concerns the row that meets it, and no other, and is seen."""

from typing import Any

import pytest

from node.errors import Broken
from node.model.delivery import State
from node.model.reason import Reason
from node.rows import keys
from node.rows.records import PacketRecord
from node.wire import codec
from tests.flow.send.test_courier import QUICK, all_delivered, views
from tests.flow.support import run
from tests.papers import document
from tests.small_mesh import SmallMesh, eventually, small_mesh


async def packet_of(mesh: SmallMesh, submission_id: str) -> tuple[bytes, PacketRecord]:
    """Return the id and the stored record of a packet of the ministry."""
    packet_id = (await mesh["g14"].track(submission_id)).packet_id
    value = await mesh["g14"].ports.store.transact(lambda tx: tx.get(keys.packet(packet_id)))
    assert value is not None
    return packet_id, PacketRecord.FromString(value)


def cannot_read(mesh: SmallMesh, key: bytes, reason: Reason) -> None:
    """Let the ministry's store fail whenever a row is read, as a disk does that has one bad sector."""
    engine = mesh["g14"].ports.store._memory  # type: ignore[attr-defined]
    real = engine.get

    def get(asked: bytes) -> Any:
        if asked == key:
            raise Broken(reason, "a bad sector")
        return real(asked)

    engine.get = get


async def waits_for(mesh: SmallMesh, submission_id: str, reason: Reason) -> bool:
    [view] = (await views(mesh, submission_id)).values()
    return view.state is State.WAITING and view.reason is reason and view.next_attempt_ms > 0


@pytest.mark.parametrize("reason", [Reason.IO_FAILED, Reason.STORE_CORRUPT])
def test_an_unreadable_small_body_concerns_its_own_row_alone(reason: Reason) -> None:
    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            await mesh["g14"].node.hold_peer("h49")
            for number in range(4):
                await mesh["g14"].submit(document("H49.22", number=str(number)), str(number))
            _, packet = await packet_of(mesh, "0")
            cannot_read(mesh, keys.body(codec.decode_envelope(packet.envelope).body.body_sha256), reason)
            await mesh["g14"].node.release_peer("h49")
            await eventually(lambda: all_delivered(mesh, "1", "2", "3"))
            await mesh["g14"].submit(document("H49.22", number="5"), "5")
            await eventually(lambda: all_delivered(mesh, "5"))
            await eventually(lambda: waits_for(mesh, "0", reason))
            [row] = (await mesh["g14"].node.list_outbox("h49", 10))[0]
            assert (row.reason, row.attempts) == (reason, 1)
            assert mesh["g14"].node.counters.unfit[reason] == 1

    run(story())


def test_a_damaged_or_missing_packet_row_concerns_its_own_row_alone(capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            await mesh["g14"].node.hold_peer("h49")
            for number in range(5):
                await mesh["g14"].submit(document("H49.22", number=str(number)), str(number))
            damaged, _ = await packet_of(mesh, "0")
            store, engine = mesh["g14"].ports.store, mesh["g14"].ports.store._memory  # type: ignore[attr-defined]
            kept = await store.transact(lambda tx: tx.get(keys.packet(damaged)))
            engine._rows[keys.packet(damaged)] = b"\xff\xff\xff"
            await mesh["g14"].node.release_peer("h49")
            await eventually(lambda: all_delivered(mesh, "1", "2", "3", "4"))
            await eventually(lambda: waits_in_outbox(mesh, Reason.STORE_CORRUPT))
            engine._rows[keys.packet(damaged)] = kept
            await eventually(lambda: waits_for(mesh, "0", Reason.STORE_CORRUPT))

    run(story())
    assert capsys.readouterr().err.count("item.unfit") == 1, "it is told once"


async def waits_in_outbox(mesh: SmallMesh, reason: Reason) -> bool:
    return [row.reason for row in (await mesh["g14"].node.list_outbox("h49", 10))[0]] == [reason]
