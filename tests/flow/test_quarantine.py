"""What cannot be handled is laid aside: it stops nothing else, is seen, and goes on when it is released or ends elsewhere."""

from typing import Any

import pytest

from node.errors import Rejected
from node.flow import quarantine
from node.flow.send import courier, outbox
from node.flow.send.packing import Loaded, Packer
from node.model.delivery import State
from node.model.mesh import PushReceipt
from node.model.office import QuarantineView
from node.model.policy import Policy
from node.model.reason import Reason
from node.ports import Tx
from node.rows import keys
from node.rows.records import PacketRecord, QuarantineRecord
from tests.clocks import NOW
from tests.flow.send.test_courier import QUICK, all_delivered, views
from tests.flow.send.test_own_faults import packet_of
from tests.flow.support import Book, Place, place, receipt_for, run
from tests.papers import document
from tests.small_mesh import SmallMesh, eventually, small_mesh


def test_a_row_comes_back_as_it_was() -> None:
    book, index = Book(), keys.outbox_index(b"p" * 16, "h49", keys.OUTBOX_PACKET)
    here = book.do(
        lambda tx: quarantine.lay_aside(tx, b"w-duty", b"\xff", Reason.STORE_CORRUPT, "x" * 600, NOW, index_key=index)
    )
    assert quarantine.holds(here)
    [(name, record)] = book.do(lambda tx: quarantine.held(tx, 10))
    assert (record.reason, len(record.detail), record.time_ms) == (Reason.STORE_CORRUPT, 500, NOW)
    assert book.do(quarantine.count) == 1
    assert book.do(lambda tx: quarantine.release(tx, name)) == b"w-duty"
    assert book.rows(b"w") == {b"w-duty": b"\xff"}
    assert book.rows(b"q") == {index: b"w-duty"}
    assert book.rows(b"Q") == {}
    with pytest.raises(Rejected, match="NOT_FOUND"):
        book.do(lambda tx: quarantine.release(tx, name))


async def laid_aside(mesh: SmallMesh) -> list[QuarantineView]:
    return (await mesh["g14"].node.list_quarantine(10))[0]


async def is_quarantined(mesh: SmallMesh, submission_id: str) -> bool:
    [view] = (await views(mesh, submission_id)).values()
    return view.state is State.WAITING and view.reason is Reason.QUARANTINED


def test_an_outbox_row_that_cannot_be_read_is_laid_aside_and_goes_on_when_it_can() -> None:
    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            await mesh["g14"].node.hold_peer("h49")
            for number in range(4):
                await mesh["g14"].submit(document("H49.22", number=str(number)), str(number))
            packet_id, _ = await packet_of(mesh, "0")
            rows = mesh["g14"].ports.store._memory._rows  # type: ignore[attr-defined]
            row_key = rows[keys.outbox_index(packet_id, "h49", keys.OUTBOX_PACKET)]
            whole, rows[row_key] = rows[row_key], b"\xff\xff\xff"
            [shown] = (await views(mesh, "0")).values()
            assert shown.state is State.WAITING, "what shows rows bears a damaged one"
            assert len((await mesh["g14"].node.list_outbox("h49", 10))[0]) == 4
            await mesh["g14"].node.release_peer("h49")
            await eventually(lambda: all_delivered(mesh, "1", "2", "3"))
            await eventually(lambda: is_quarantined(mesh, "0"))
            [one] = await laid_aside(mesh)
            assert (one.node_id, one.packet_id, one.reason) == ("h49", packet_id, Reason.STORE_CORRUPT)
            assert mesh["g14"].node.counters.laid_aside == 1
            # A support engineer mends the row where it lies.
            held = rows[keys.quarantine(bytes.fromhex(one.name))]
            rows[keys.quarantine(bytes.fromhex(one.name))] = _with_value(held, whole)
            assert await mesh["g14"].node.release_quarantined(one.name) == "h49"
            await eventually(lambda: all_delivered(mesh, "0"))
            assert await laid_aside(mesh) == []

    run(story())


def _with_value(held: bytes, value: bytes) -> bytes:
    record = QuarantineRecord.FromString(held)
    record.value = value
    return record.SerializeToString()


def test_what_meets_three_exceptions_in_a_row_is_laid_aside_and_the_others_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "BUG_PAUSE_MS", 10)

    async def story() -> None:
        async with small_mesh(QUICK) as mesh:
            bugs: list[Exception] = []
            mesh["g14"].node.signals.bug._listeners[:] = [bugs.append]
            await mesh["g14"].node.hold_peer("h49")
            for number in range(4):
                await mesh["g14"].submit(document("H49.22", number=str(number)), str(number))
            packet_id, _ = await packet_of(mesh, "0")
            parcel = Packer.parcel

            def fails(self: Packer, loaded: Loaded) -> Any:
                if loaded.row.packet_id == packet_id:
                    raise ZeroDivisionError("tên người")
                return parcel(self, loaded)

            monkeypatch.setattr(Packer, "parcel", fails)
            await mesh["g14"].node.release_peer("h49")
            await eventually(lambda: all_delivered(mesh, "1", "2", "3"))
            await eventually(lambda: is_quarantined(mesh, "0"))
            assert len(bugs) == 3
            [one] = await laid_aside(mesh)
            assert one.reason is Reason.FAILED_INSIDE
            assert "ZeroDivisionError at" in one.detail
            assert "tên người" not in one.detail, "a message may quote what it failed on"
            assert await mesh["g14"].node.list_outbox("h49", 10) == ([], False)
            monkeypatch.setattr(Packer, "parcel", parcel)
            await mesh["g14"].node.release_quarantined(one.name)
            await eventually(lambda: all_delivered(mesh, "0"))

    run(story())


def lay_aside(tx: Tx, packet_id: bytes) -> None:
    row = tx.get(keys.outbox_index(packet_id, "h49", keys.OUTBOX_PACKET))
    assert row is not None
    outbox.lay_aside(tx, row, Reason.FAILED_INSIDE, "", NOW)


async def with_one_laid_aside(here: Place) -> tuple[bytes, bytes]:
    """Return id and envelope of a packet whose row is laid aside."""
    await here.submit(document("H49.22"))
    view = await here.track()
    await here.do(lambda tx: lay_aside(tx, view.packet_id))
    return view.packet_id, PacketRecord.FromString(here.rows()[keys.packet(view.packet_id)]).envelope


def test_a_receipt_that_comes_by_another_road_settles_what_is_laid_aside() -> None:
    async def story() -> None:
        here = place("g14")
        packet_id, octets = await with_one_laid_aside(here)
        [answer] = await here.push(PushReceipt(receipt_for(octets, packet_id)), by="centre")
        assert answer.reason is Reason.NONE
        assert (await here.track()).deliveries[0].state is State.DELIVERED
        assert "Q" not in here.tables()

    run(story())


def test_what_is_laid_aside_expires_like_anything_else() -> None:
    async def story() -> None:
        here = place("g14", Policy(expire_after_ms=1_000))
        await with_one_laid_aside(here)
        here.clock.at_ms = NOW + 2_000
        await here.sweeper().sweep_once()
        assert (await here.track()).deliveries[0].state is State.FAILED
        assert "Q" not in here.tables(), "it is asked about, as any other"
        here.clock.at_ms += here.node.policy.ask_after_expiry_ms
        await here.sweeper().sweep_once()
        assert not here.tables() & {"Q", "q", "o", "l"}

    run(story())


def test_what_is_laid_aside_is_neither_put_off_nor_sent_again_meanwhile() -> None:
    async def story() -> None:
        here = place("g14")
        packet_id, _ = await with_one_laid_aside(here)
        moved = await here.do(
            lambda tx: outbox.put_off(tx, "h49", packet_id, keys.OUTBOX_PACKET, NOW + 5, Reason.PEER_BUSY)
        )
        assert not moved
        assert "Q" in here.tables()

    run(story())
