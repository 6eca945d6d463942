"""Bodies go when nobody names them any more, and not before: not even when a co-recipient wraps ours in an envelope of its own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256

import pytest

from node.errors import Deferred, Rejected
from node.flow.bodies import refs
from node.model.envelope import Envelope
from node.model.lane import Lane
from node.model.mesh import Answer, Parcel, PushPacket
from node.model.policy import DAY_MS, KIB, MINUTE_MS, Policy
from node.model.reason import Reason
from node.model.receipt import Level, Outcome
from node.rows import keys
from node.rows.access import save
from node.rows.records import UploadRecord
from node.store.memory.bodies import MemoryBodies
from node.store.memory.store import MemoryStore
from node.wire import codec
from tests.clocks import NOW
from tests.flow.large_support import PACKET, POLICY, large, pieces, upload, want, whole
from tests.flow.support import Book, Place, envelope_for, parcel_for, place, receipt_for, run
from tests.papers import document

KEEP_MS = 30 * DAY_MS
INLINE = document("H49.22")
AS_FILE = document("H49.22", attachments=[("a.pdf", bytes(range(256)) * 400)])
"""Some 140 KiB: pushed, and a file where it is kept."""
BOTH = pytest.mark.parametrize("packet", [INLINE, AS_FILE], ids=["inline", "file"])
PUSHED = Policy(inline_body_bytes_max=4 * KIB)


def twice(packet: bytes, *, target: str = "h49") -> list[tuple[Envelope, PushPacket]]:
    """Two packets of one origin with the very same body."""
    pushed = []
    for nonce in (b"n" * 16, b"m" * 16):
        envelope, body = envelope_for(packet, packet_nonce=nonce)
        pushed.append((envelope, PushPacket(parcel_for(envelope, target=target), body)))
    return pushed


def stolen(packet: bytes, *, target: str = "h49", lane: Lane = Lane.NORMAL) -> tuple[Envelope, bytes, Parcel]:
    """The body of a packet of g14's in an envelope of h37's, who has received it, too, and so knows the key."""
    envelope, body = envelope_for(packet, origin="h37", sender_unit="H37", packet_nonce=b"x" * 16, lane=lane)
    return envelope, body, parcel_for(envelope, target=target)


async def sweep_once(here: Place, *, at_ms: int) -> int:
    here.clock.at_ms = at_ms
    return await here.sweeper().sweep_once()


def nobody_holds(here: Place) -> bool:
    return len(here.node.body_files.locks) == 0


# --- references ---------------------------------------------------------------------------------------------------------


def test_a_body_is_held_until_the_last_packet_lets_it_go_and_a_small_one_goes_in_that_transaction() -> None:
    book, body = Book(), b"d" * 32
    book.do(lambda tx: tx.put(keys.body(body), b"octets"))
    for packet_id in (b"1" * 16, b"2" * 16, b"2" * 16):
        book.do(lambda tx, packet_id=packet_id: refs.hold(tx, body, packet_id))  # type: ignore[misc]
    assert book.do(lambda tx: refs.let_go(tx, body, b"1" * 16)) is False
    assert book.do(lambda tx: tx.get(keys.body(body))) == b"octets"
    assert book.do(lambda tx: refs.let_go(tx, body, b"2" * 16)) is False, "it went with its row: there is no file"
    assert book.rows(b"b") == book.rows(b"f") == {}


# --- one body, several packets ------------------------------------------------------------------------------------------


@BOTH
def test_forgetting_one_packet_leaves_the_body_to_the_other_one_that_names_it(packet: bytes) -> None:
    async def story() -> None:
        here = place("h49", PUSHED)
        (first, item), (second, other) = twice(packet)
        await here.push(item)
        await here.push(other)
        await here.node.acknowledge(here.system, [first.packet_id], "")
        await sweep_once(here, at_ms=NOW + KEEP_MS)
        assert await here.fetch(second.packet_id) == packet
        with pytest.raises(Rejected):
            await here.fetch(first.packet_id)
        await here.node.acknowledge(here.system, [second.packet_id], "")
        await sweep_once(here, at_ms=NOW + KEEP_MS + DAY_MS)
        assert not await here.body_is_there(second)
        assert here.tables() & {"b", "f"} == set()

    run(story())


@BOTH
def test_a_relay_that_has_carried_a_stolen_body_home_still_has_it_for_the_true_packet(packet: bytes) -> None:
    async def story() -> None:
        centre = place("centre", PUSHED)
        envelope, body = envelope_for(packet)
        await centre.push(PushPacket(parcel_for(envelope), body))
        thief = replace(stolen(packet)[0], recipient_units=("G14",))
        parcel = parcel_for(thief, target="g14")
        [taken] = await centre.push(PushPacket(parcel, body), by="h37")
        assert taken.receipt is not None
        assert codec.decode_receipt(taken.receipt.receipt).level is Level.CUSTODY
        final = receipt_for(
            parcel.signed_envelope.envelope, thief.packet_id, signer="g14", outcomes=[Outcome("G14", Reason.NONE)]
        )
        centre.peers.answers = lambda peer, items: [Answer(final)]
        assert await centre.carry("g14")
        assert await centre.body_is_there(envelope)
        true = receipt_for(codec.encode_envelope(envelope), envelope.packet_id)
        centre.peers.answers = lambda peer, items: [Answer(true)]
        assert await centre.carry("h49")
        assert not await centre.body_is_there(envelope)
        assert centre.tables() & {"b", "f"} == set()

    run(story())


@BOTH
def test_a_stolen_body_that_is_pushed_is_refused_and_the_true_packet_can_still_be_fetched(packet: bytes) -> None:
    async def story() -> None:
        here = place("h49", PUSHED)
        envelope, body = envelope_for(packet)
        await here.push(PushPacket(parcel_for(envelope), body))
        _, _, parcel = stolen(packet)
        [answer] = await here.push(PushPacket(parcel, body), by="h37")
        assert answer.receipt is not None
        [outcome] = codec.decode_receipt(answer.receipt.receipt).outcomes
        assert outcome.reason is Reason.PEER_SPEAKS_FOR_OTHERS
        await sweep_once(here, at_ms=NOW + KEEP_MS)
        assert await here.fetch(envelope.packet_id) == packet

    run(story())


def test_a_stolen_body_that_is_committed_is_refused_and_the_true_packet_can_still_be_fetched() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        envelope, body, parcel = large()
        await whole(here, parcel, body)
        _, _, theirs = stolen(PACKET, lane=Lane.BULK)
        answer = await whole(here, theirs, body, by="h37")
        assert answer.receipt is not None
        [outcome] = codec.decode_receipt(answer.receipt.receipt).outcomes
        assert outcome.reason is Reason.PEER_SPEAKS_FOR_OTHERS
        assert await here.fetch(envelope.packet_id) == PACKET

    run(story())


def test_a_stolen_body_committed_at_the_same_moment_as_the_true_one_takes_nothing_away_from_it() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        envelope, body, parcel = large()
        _, _, theirs = stolen(PACKET, lane=Lane.BULK)
        for one, by in ((theirs, "h37"), (parcel, "g14")):
            wanted = await want(here, one, by)
            await upload(here, wanted.token, body, by=by)
        _, answer = await asyncio.gather(
            here.node.receive_commit("h37", theirs), here.node.receive_commit("g14", parcel)
        )
        assert answer.receipt is not None
        assert await here.fetch(envelope.packet_id) == PACKET
        assert "u" not in here.tables()
        assert here.bodies._spool == {}
        assert nobody_holds(here)

    run(story())


class SlowRemoval(MemoryBodies):
    """A disk on which something else always happens before a file is gone."""

    async def remove(self, body_sha256: bytes) -> None:
        for _ in range(50):
            await asyncio.sleep(0)
        await super().remove(body_sha256)


def test_a_body_that_is_pushed_while_it_is_being_removed_is_there_afterwards() -> None:
    async def story() -> None:
        here = place("h49", PUSHED)
        slow = SlowRemoval()
        here = replace(here, bodies=slow, ports=replace(here.ports, bodies=slow))
        here.node = type(here.node)(here.ports, here.node.policy)
        (first, item), (second, other) = twice(AS_FILE)
        await here.push(item)
        await here.node.acknowledge(here.system, [first.packet_id], "")
        await asyncio.gather(sweep_once(here, at_ms=NOW + KEEP_MS), _after_a_moment(here, other))
        assert await here.fetch(second.packet_id) == AS_FILE
        assert nobody_holds(here)

    async def _after_a_moment(here: Place, item: PushPacket) -> None:
        # The first packet has let go, and the removal of its file, which takes fifty turns, has begun.
        while "f" in here.tables():
            await asyncio.sleep(0)
        here.clock.at_ms = NOW
        await here.push(item)

    run(story())


# --- what is refused leaves nothing behind ------------------------------------------------------------------------------


def nothing_is_left(here: Place) -> bool:
    return not here.bodies._sealed and not here.bodies._spool and not here.tables() & {"b", "f", "u"}


@pytest.mark.parametrize("packet", [b"no XML at all" * 100_000, PACKET[:-50]])
def test_a_refused_commit_leaves_neither_file_nor_part_nor_upload(packet: bytes) -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        _, body, parcel = large(packet)
        answer = await whole(here, parcel, body)
        assert answer.receipt is not None
        assert nothing_is_left(here)
        assert await here.node.receive_commit("g14", parcel) == answer, "and is answered as before"

    run(story())


def test_an_unreadable_commit_leaves_nothing_behind_and_the_right_key_may_still_come() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        envelope, body, parcel = large()
        wrong = parcel_for(envelope, key=b"w" * 32)
        answer = await whole(here, wrong, body)
        assert (answer.receipt, answer.reason) == (None, Reason.BODY_UNREADABLE)
        assert nothing_is_left(here)
        assert (await whole(here, parcel, body)).receipt is not None
        assert await here.fetch(envelope.packet_id) == PACKET

    run(story())


def test_a_commit_that_is_put_off_keeps_what_was_uploaded() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        envelope, body, parcel = large()
        wanted = await want(here, parcel)
        await upload(here, wanted.token, body[:-1])
        assert (await here.node.receive_commit("g14", parcel)).reason is Reason.PEER_BUSY
        assert (await want(here, parcel)).offset_bytes == len(body) - 1
        assert not await here.bodies.has(envelope.body.body_sha256)

    run(story())


def test_of_two_packets_in_one_push_that_contradict_each_other_only_the_stored_one_keeps_a_file() -> None:
    async def story() -> None:
        here = place("h49", PUSHED)
        pushes = []
        for packet in (AS_FILE, AS_FILE.replace(b"BM-VP", b"BM-VQ")):
            envelope, body = envelope_for(packet)
            pushes.append(PushPacket(parcel_for(envelope), body))
        first, second = await here.push(*pushes)
        assert first.receipt is not None
        assert second.reason is Reason.ENVELOPE_CONFLICT
        assert len(here.bodies._sealed) == 1

    run(story())


# --- submissions --------------------------------------------------------------------------------------------------------


class Gate:
    """A disk that syncs when it is allowed to, or is full then."""

    def __init__(self) -> None:
        self.allowed = asyncio.Event()
        self.allowed.set()
        self.full = False
        self.refuses = False
        self.waiting = 0

    def write(self, size_bytes: int) -> None:
        if self.refuses:
            raise Deferred(Reason.DISK_FULL, "no space")

    async def sync(self) -> None:
        self.waiting += 1
        await self.allowed.wait()
        if self.full:
            raise Deferred(Reason.DISK_FULL, "no space at the sync")


def gated(policy: Policy, *, files_too: bool = False) -> tuple[Place, Gate]:
    gate, here = Gate(), place("g14", policy)
    store, files = MemoryStore(gate), MemoryBodies(gate if files_too else None)
    ports = replace(here.ports, store=store, bodies=files)
    return replace(here, store=store, bodies=files, ports=ports, node=type(here.node)(ports, here.node.policy)), gate


async def until(condition: object) -> None:
    assert callable(condition)
    for _ in range(2_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("waited in vain")


def streamed() -> AsyncIterator[bytes]:
    return pieces(PACKET)


@pytest.mark.parametrize("octets", [lambda: AS_FILE, streamed], ids=["whole", "streamed"])
def test_a_submission_that_is_cancelled_while_it_becomes_durable_keeps_its_body(octets: object) -> None:
    async def story() -> None:
        here, gate = gated(POLICY)
        gate.allowed.clear()
        asking = asyncio.ensure_future(here.submit(octets()))  # type: ignore[operator]
        await until(lambda: gate.waiting)
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        gate.allowed.set()
        await until(lambda: not here.node.body_files._tasks)
        assert (await here.track()).submission_id == "1"
        assert len(here.bodies._sealed) == 1

    run(story())


def test_a_submission_that_is_cancelled_while_its_file_is_made_and_is_refused_then_leaves_no_body() -> None:
    async def story() -> None:
        here, gate = gated(POLICY, files_too=True)
        await here.submit(AS_FILE)
        gate.allowed.clear()
        gate.waiting = 0
        asking = asyncio.ensure_future(here.submit(AS_FILE.replace(b"BM-VP", b"BM-VQ")))
        await until(lambda: gate.waiting)
        asking.cancel()
        await asyncio.wait([asking])
        gate.allowed.set()
        await until(lambda: not here.node.body_files._tasks)
        assert len(here.bodies._sealed) == 1

    run(story())


@pytest.mark.parametrize("octets", [lambda: AS_FILE, streamed], ids=["whole", "streamed"])
def test_a_submission_for_which_the_store_has_no_space_leaves_no_body(octets: object) -> None:
    async def story() -> None:
        here, gate = gated(POLICY)
        gate.refuses = True
        with pytest.raises(Deferred):
            await here.submit(octets())  # type: ignore[operator]
        assert here.bodies._sealed == {}

    run(story())


def test_a_submission_that_was_put_off_and_may_yet_become_durable_keeps_its_body() -> None:
    async def story() -> None:
        here, gate = gated(POLICY)
        gate.full = True
        with pytest.raises(Deferred):
            await here.submit(AS_FILE)
        assert len(here.bodies._sealed) == 1
        gate.full = False
        await sweep_once(here, at_ms=NOW)
        assert len(here.bodies._sealed) == 1, "it has become durable: the body is named"
        assert (await here.submit(AS_FILE)).packet_id
        assert len(here.bodies._sealed) == 1, "and the repeat is known"

    run(story())


def test_what_could_not_be_removed_is_removed_by_the_next_sweep() -> None:
    async def story() -> None:
        here, gate = gated(POLICY)
        orphan = sha256(b"orphan").digest()
        await here.bodies.put(orphan, b"orphan")
        gate.full = True
        with pytest.raises(Deferred):
            await here.do(lambda tx: refs.let_go(tx, orphan, bytes(16)))
        await here.node.body_files.drop([orphan])
        assert await here.bodies.has(orphan), "the store cannot say: who needs it is on its way to the disk"
        gate.full = False
        sweeper = here.sweeper()
        await sweeper.sweep_once()
        assert not await here.bodies.has(orphan)

    run(story())


def test_a_file_that_a_crash_left_without_a_row_is_found_by_the_walk_through_the_shelves() -> None:
    """Between a body's file and the commit that names it the power failed."""

    async def story() -> None:
        here = place("g14", POLICY)
        await here.submit(document("H49.22", attachments=[("a.pdf", bytes(100_000))]))
        [named] = here.bodies._sealed
        orphan = sha256(b"orphan").digest()
        await here.bodies.put(orphan, b"orphan")
        for _ in range(256):
            await here.node.body_files.sweep_shelf()
        assert await here.bodies.has(orphan), "it may be about to be named"
        here.bodies._sealed_at_s = dict.fromkeys((named, orphan), -8 * DAY_MS / 1000)
        for _ in range(256):
            await here.node.body_files.sweep_shelf()
        assert (await here.bodies.has(named), await here.bodies.has(orphan)) == (True, False)

    run(story())


# --- uploads that nobody goes on with -----------------------------------------------------------------------------------


def test_an_upload_is_given_up_after_a_week_and_may_begin_again() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        _, body, parcel = large()
        wanted = await want(here, parcel)
        await upload(here, wanted.token, body[:1_000])
        await sweep_once(here, at_ms=NOW + 7 * DAY_MS)
        assert "u" in here.tables()
        await sweep_once(here, at_ms=NOW + 7 * DAY_MS + 1)
        assert "u" not in here.tables()
        with pytest.raises(Rejected):
            await upload(here, wanted.token, body, 1_000)
        here.clock.at_ms = NOW
        again = await want(here, parcel)
        await upload(here, again.token, body, again.offset_bytes)
        assert (await here.node.receive_commit("g14", parcel)).receipt is not None

    run(story())


@pytest.mark.parametrize("named", [False, True])
def test_a_file_that_was_uploaded_and_never_decided_goes_with_its_upload_unless_somebody_names_it(named: bool) -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        envelope, body, parcel = large()
        await want(here, parcel)
        await here.bodies.put(envelope.body.body_sha256, body)
        if named:
            await here.do(lambda tx: refs.hold(tx, envelope.body.body_sha256, b"o" * 16))
        await sweep_once(here, at_ms=NOW + 8 * DAY_MS)
        assert await here.bodies.has(envelope.body.body_sha256) is named

    run(story())


def test_a_sweep_looks_at_a_hundred_uploads_and_the_next_one_goes_on_there() -> None:
    async def story() -> None:
        here = place("h49", POLICY)

        def write(tx: object) -> None:
            for number in range(250):
                begun_ms = NOW if number % 2 else NOW - 8 * DAY_MS
                record = UploadRecord(from_node="g14", body_sha256=b"d" * 32, begin_time_ms=begun_ms)
                save(tx, keys.upload(number.to_bytes(16, "big")), record)  # type: ignore[arg-type]

        await here.do(write)
        sweeper = here.sweeper()
        left = []
        for _ in range(3):
            await sweeper.sweep_once()
            left.append(len([key for key in here.rows() if key.startswith(b"u")]))
        assert left == [200, 150, 125]

    run(story())


def test_parts_that_nobody_has_touched_for_a_week_are_removed_about_hourly() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        sweeper = here.sweeper()

        async def left_behind(token: bytes, days: int) -> None:
            record = UploadRecord(from_node="g14", body_sha256=b"d" * 32, begin_time_ms=NOW)
            await here.do(lambda tx: save(tx, keys.upload(token), record))
            part = await here.bodies.open_part(token)
            await part.close()
            here.bodies._spool[token].touched_at_s -= days * 86_400 + 1

        await left_behind(b"old" * 5 + b"-", 7)
        await left_behind(b"new" * 5 + b"-", 6)
        await sweeper.sweep_once()
        assert list(here.bodies._spool) == [b"new" * 5 + b"-"]
        await left_behind(b"old" * 5 + b"-", 7)
        here.clock.at_ms = NOW + 59 * MINUTE_MS
        await sweeper.sweep_once()
        assert len(here.bodies._spool) == 2
        here.clock.at_ms = NOW + 60 * MINUTE_MS
        await sweeper.sweep_once()
        assert len(here.bodies._spool) == 1

    run(story())


def test_what_a_killed_submission_left_goes_with_the_first_sweep_and_an_upload_that_can_resume_stays() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        _, body, parcel = large()
        wanted = await want(here, parcel)
        await upload(here, wanted.token, body[:1_000])
        submission = b"s" * 16
        part = await here.bodies.open_part(submission)
        await part.write(b"half a packet")
        await sweep_once(here, at_ms=NOW)
        assert set(here.bodies._spool) == {wanted.token, submission}, "it is being written"
        await part.close()  # as the end of its process does
        await here.sweeper().sweep_once()
        assert set(here.bodies._spool) == {wanted.token, submission}, "looked at once an hour"
        here.node.body_files._parts_swept_ms = None  # as at a start
        await here.sweeper().sweep_once()
        assert set(here.bodies._spool) == {wanted.token}

    run(story())


def test_an_upload_that_goes_on_for_more_than_a_week_is_not_given_up() -> None:
    async def story() -> None:
        here = place("h49", POLICY)
        _, body, parcel = large(expire_at_ms=NOW + 30 * DAY_MS)
        for day in range(10):
            here.clock.at_ms = NOW + day * DAY_MS
            wanted = await want(here, parcel)
            await upload(here, wanted.token, body[day * 100 : day * 100 + 100], day * 100)
            await here.sweeper().sweep_once()
            assert "u" in here.tables(), day

    run(story())
