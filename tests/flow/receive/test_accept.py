"""From a verdict to a durable packet: the same thing twice is once, and what was said stays said (laws 1 and 3)."""

import asyncio
from dataclasses import replace

from node.model.mesh import Answer, PushPacket
from node.model.policy import Policy
from node.model.reason import Reason
from node.model.receipt import Level
from node.node import Node
from node.rows import keys
from node.rows.records import PacketRecord
from node.store.memory.store import MemoryStore
from node.wire import codec
from tests.clocks import NOW
from tests.flow.support import envelope_for, parcel_for, place, push_of, run
from tests.papers import document, status_about


def test_a_repeat_gets_the_first_receipt_octet_for_octet_and_writes_nothing() -> None:
    async def story() -> None:
        here = place("h49")
        [first] = await here.push(push_of())
        before = here.rows()
        here.clock.at_ms += 5_000
        for peer in ("g14", "centre", "g14"):
            assert await here.push(push_of(), by=peer) == [first]
        assert here.rows() == before
        assert len(await here.inbox("H49.22")) == 1

    run(story())


def test_a_packet_twice_in_one_push_is_once() -> None:
    async def story() -> None:
        here = place("h49")
        first, second = await here.push(push_of(), push_of())
        assert first == second
        assert first.receipt is not None
        assert len(await here.inbox("H49.22")) == 1

    run(story())


def test_direct_and_relayed_copies_at_the_same_moment_are_one() -> None:
    async def story() -> None:
        here = place("h49")
        (direct,), (relayed,) = await asyncio.gather(here.push(push_of()), here.push(push_of(), by="centre"))
        assert direct == relayed
        assert len(await here.inbox("H49.22")) == 1

    run(story())


def test_another_envelope_under_the_same_packet_id_is_a_conflict_and_overwrites_nothing() -> None:
    async def story() -> None:
        here = place("h49")
        [first] = await here.push(push_of())
        before = here.rows()
        other = push_of(document("H49.22", number="124"))
        assert other.parcel.signed_envelope.envelope != push_of().parcel.signed_envelope.envelope
        [answer] = await here.push(other)
        assert answer.receipt is None
        assert answer.reason is Reason.ENVELOPE_CONFLICT
        assert here.rows() == before
        assert await here.push(push_of()) == [first]

    run(story())


def test_a_conflict_inside_one_push_is_found_too() -> None:
    async def story() -> None:
        here = place("h49")
        first, second = await here.push(push_of(), push_of(document("H49.22", number="124")))
        assert first.receipt is not None
        assert second.reason is Reason.ENVELOPE_CONFLICT
        [entry] = await here.inbox("H49.22")
        assert await here.fetch(entry.packet_id) == document("H49.22")

    run(story())


def test_a_refusal_for_good_is_repeated_as_it_was_even_when_things_have_changed() -> None:
    async def story() -> None:
        here = place("h49")
        late = push_of(create_time_ms=NOW - 10, expire_at_ms=NOW)
        [first] = await here.push(late)
        here.clock.at_ms = NOW - 5
        assert await here.push(late) == [first]
        assert await here.inbox("H49.22") == []

    run(story())


def test_nothing_is_answered_before_it_is_durable() -> None:
    class SlowDisk:
        def __init__(self) -> None:
            self.allowed = asyncio.Event()

        def write(self, size_bytes: int) -> None:
            pass

        async def sync(self) -> None:
            await self.allowed.wait()

    async def story() -> None:
        here, disk = place("h49"), SlowDisk()
        store = MemoryStore(disk)
        node = Node(replace(here.ports, store=store), here.node.policy)
        asked = asyncio.ensure_future(node.receive_push("g14", [push_of()]))
        for _ in range(20):
            await asyncio.sleep(0)
        assert store.unsynced == 1
        assert not asked.done()
        assert store.rows_after_crash() == {}
        # A repeat meanwhile reads what is not durable: it waits as well.
        again = asyncio.ensure_future(node.receive_push("g14", [push_of()]))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not again.done()
        disk.allowed.set()
        assert await asked == await again

    run(story())


def test_the_inboxes_get_exactly_the_octets_that_the_sender_made() -> None:
    async def story() -> None:
        here = place("h49")
        packet = document("H49", "H49.22", attachments=[("phụ lục.pdf", bytes(range(256)) * 700)])
        await here.push(push_of(packet, recipient_units=("H49", "H49.22")))
        for unit in ("H49", "H49.22"):
            [entry] = await here.inbox(unit)
            assert entry.packet_bytes == len(packet)
            assert await here.fetch(entry.packet_id, unit) == packet
            assert await here.fetch(entry.packet_id, unit, offset_bytes=100_000) == packet[100_000:]

    run(story())


def test_small_bodies_lie_in_the_store_and_larger_ones_in_files() -> None:
    async def story() -> None:
        here = place("h49", Policy(inline_body_bytes_max=4_096))
        for size, inline in ((1_000, True), (20_000, False)):
            packet = document("H49.22", attachments=[("a.pdf", bytes(size))])
            envelope, body = envelope_for(packet, packet_nonce=size.to_bytes(16, "big"))
            await here.push(PushPacket(parcel_for(envelope), body))
            assert (keys.body(envelope.body.body_sha256) in here.rows()) is inline
            assert await here.bodies.has(envelope.body.body_sha256) is not inline
            assert await here.fetch(envelope.packet_id) == packet

    run(story())


def test_of_a_file_body_that_is_refused_for_good_nothing_stays_on_the_disk() -> None:
    async def story() -> None:
        here = place("h49", Policy(inline_body_bytes_max=4_096))
        envelope, body = envelope_for(b"no XML " * 10_000)
        [answer] = await here.push(PushPacket(parcel_for(envelope), body))
        assert answer.receipt is not None
        assert not await here.body_is_there(envelope)

    run(story())


def test_a_late_copy_of_a_packet_whose_body_was_forgotten_does_not_bring_the_body_back() -> None:
    async def story() -> None:
        here = place("h49", Policy(inline_body_bytes_max=4_096))
        envelope, body = envelope_for(document("H49.22", attachments=[("a.pdf", bytes(20_000))]))
        item = PushPacket(parcel_for(envelope), body)
        [first] = await here.push(item)

        def forget(tx: object) -> None:
            record = PacketRecord.FromString(tx.get(keys.packet(envelope.packet_id)))  # type: ignore[attr-defined]
            record.body_forgotten = True
            tx.put(keys.packet(envelope.packet_id), record.SerializeToString())  # type: ignore[attr-defined]

        await here.do(forget)
        await here.bodies.remove(envelope.body.body_sha256)
        assert await here.push(item) == [first]
        assert not await here.body_is_there(envelope)

    run(story())


def test_a_status_packet_reaches_the_inbox_with_what_lists_show_of_it() -> None:
    async def story() -> None:
        here = place("g14")
        packet = status_about("123", "03", description="Đã tiếp nhận")
        sent = place("h49")
        await sent.submit(packet)
        sent.peers.answers = lambda peer, items: [Answer(reason=Reason.PEER_BUSY)] * len(items)
        await sent.carry("g14")
        [(_, items)] = sent.peers.pushed
        [answer] = await here.push(*items, by="h49")
        assert answer.receipt is not None
        [entry] = await here.inbox("G14")
        assert (entry.status_code, entry.document_code, entry.sender_unit) == ("03", "123/BM-VP", "H49.22")

    run(story())


def test_the_receipt_is_kept_beside_the_packet() -> None:
    async def story() -> None:
        here = place("h49")
        [answer] = await here.push(push_of())
        assert answer.receipt is not None
        said = codec.decode_receipt(answer.receipt.receipt)
        stored = here.rows()[keys.receipt(said.packet_id, Level.DELIVERED, "h49")]
        assert codec.signed_receipt_from_bytes(stored) == answer.receipt

    run(story())


def test_no_subject_lies_open_on_the_disk() -> None:
    async def story() -> None:
        here = place("h49")
        await here.push(push_of(document("H49.22", subject="Việc rất mật")))
        assert (await here.inbox("H49.22"))[0].subject == "Việc rất mật"
        assert not any("Việc rất mật".encode() in key + value for key, value in here.rows().items())

    run(story())
