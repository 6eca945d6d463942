"""The sweep of what is due: deliveries that fail for good with our signature under it, and bodies that nobody needs any more."""

import dataclasses

import pytest

from node.flow.expiry import sweep
from node.flow.send import outbox, receipts
from node.flow.send.reroute import UNSENT, reroute
from node.flow.send.routing import Road
from node.model.code import parse_code
from node.model.delivery import State
from node.model.directory import Directory, Unit, Zone
from node.model.lane import Lane
from node.model.mesh import Answer, Parcel, PushPacket, PushReceipt, Want
from node.model.policy import DAY_MS
from node.model.reason import Reason
from node.model.receipt import Level, Outcome
from node.rows import keys
from node.rows.access import require
from node.rows.records import DeliveryRecord, OutboxRecord, PacketRecord
from node.wire import codec
from tests.clocks import NOW
from tests.flow.support import Place, place, push_of, receipt_for, run
from tests.papers import document

KEEP_MS = 30 * DAY_MS


async def sweep_once(here: Place, *, at_ms: int) -> int:
    here.clock.at_ms = at_ms
    return await here.sweeper().sweep_once()


async def waiting(*recipients: str, expire_at_ms: int = NOW + 1_000) -> Place:
    here = place("g14")
    await here.submit(document(*(recipients or ("H49.22",))), expire_at_ms=expire_at_ms)
    return here


# --- expiry -------------------------------------------------------------------------------------------------------------


def test_an_undelivered_packet_fails_with_our_own_signed_receipt_that_says_no_more_than_we_know() -> None:
    async def story() -> None:
        here = await waiting()
        assert await sweep_once(here, at_ms=NOW + 999) == 0
        assert await sweep_once(here, at_ms=NOW + 1_000) == 1
        [view] = (await here.track()).deliveries
        assert (view.state, view.reason, view.end_time_ms) == (State.FAILED, Reason.EXPIRED_UNCONFIRMED, NOW + 1_000)
        assert view.signed_receipt is not None
        believed = receipts.believe(view.signed_receipt, here.directory.current(), now_ms=here.clock.at_ms)
        assert (believed.receipt.signer_node, believed.receipt.level) == ("g14", Level.FAILED)
        assert believed.receipt.outcomes == (Outcome("H49.22", Reason.EXPIRED_UNCONFIRMED),)

    run(story())


@pytest.mark.parametrize("put_off", [False, True])
def test_a_packet_whose_time_is_over_is_sent_no_more_but_asked_about_for_a_week(put_off: bool) -> None:
    async def story() -> None:
        here = await waiting("H49.22", "H37")
        if put_off:
            here.peers.answers = lambda peer, items: [Answer(None, Reason.PEER_BUSY)]
            await here.carry("h49")
        await sweep_once(here, at_ms=NOW + 1_000)
        rows = [OutboxRecord.FromString(value) for key, value in here.rows().items() if key[:1] in (b"o", b"l")]
        assert [row.asks_only for row in rows] == [True, True]
        await sweep_once(here, at_ms=NOW + 1_000 + here.node.policy.ask_after_expiry_ms)
        assert here.tables() & {"o", "l", "q"} == set()

    run(story())


def test_only_what_still_waits_fails() -> None:
    async def story() -> None:
        here = await waiting("H49.22", "H37", "G14.01")
        here.peers.answers = deliver
        await here.carry("h49")
        await sweep_once(here, at_ms=NOW + 1_000)
        states = {view.unit: view.state for view in (await here.track()).deliveries}
        assert states == {"G14.01": State.DELIVERED, "H49.22": State.DELIVERED, "H37": State.FAILED}

    run(story())


async def asked(here: Place, peer_id: str = "h49", answer: Answer | None = None) -> list[Parcel]:
    """Ask a peer about what is over, as its courier does; it gives `answer`, or wants the packet. Returns what it was asked about."""
    parcels: list[Parcel] = []

    async def offer(peer: object, parcel: Parcel) -> Answer | Want:
        parcels.append(parcel)
        return answer or Want(b"t" * 16, 0)

    here.peers.offer = offer  # type: ignore[attr-defined]
    road = Road(here.directory.current().nodes[peer_id])
    now_ms = here.clock.at_ms
    transfer = here.transfer(peer_id)
    await here.do(lambda tx: outbox.promote(tx, peer_id, now_ms, limit=10))
    rows = await here.do(lambda tx: outbox.ready(tx, peer_id, Lane.NORMAL, b"", 10))
    loaded, _ = await transfer.load(rows)
    await transfer.settle(road, await transfer.offer(road, loaded))
    return parcels


@pytest.mark.parametrize("has_it", [True, False])
def test_the_recipients_own_receipt_supersedes_what_we_said_alone(has_it: bool) -> None:
    """Replies lost until the expiry: the author was told EXPIRED for good while the recipient had the document."""

    async def story() -> None:
        here = await waiting()
        await sweep_once(here, at_ms=NOW + 1_000)
        [before] = (await here.track()).deliveries
        packet_id = (await here.track()).packet_id
        octets = (await here.do(lambda tx: require(tx, keys.packet(packet_id), PacketRecord))).envelope
        outcome = Outcome("H49.22", Reason.NONE if has_it else Reason.EXPIRED)
        assert await asked(here, answer=Answer(receipt_for(octets, packet_id, outcomes=[outcome])))
        [view] = (await here.track()).deliveries
        assert before.reason is Reason.EXPIRED_UNCONFIRMED
        assert (view.state, view.reason) == (
            (State.DELIVERED, Reason.NONE) if has_it else (State.FAILED, Reason.EXPIRED)
        )
        assert here.tables() & {"o", "l", "q"} == set(), "nothing is asked any more"
        assert view.signed_receipt is not None
        assert codec.decode_receipt(view.signed_receipt.receipt).signer_node == "h49"

    run(story())


def test_a_peer_whose_clock_is_late_gets_no_body_and_is_asked_again_later() -> None:
    async def story() -> None:
        here = await waiting()
        await sweep_once(here, at_ms=NOW + 1_000)
        assert len(await asked(here)) == 1
        assert await asked(here) == [], "not at once"
        here.clock.at_ms += here.node.policy.ask_again_ms
        assert len(await asked(here)) == 1
        assert (await here.track()).deliveries[0].reason is Reason.EXPIRED_UNCONFIRMED

    run(story())


def test_a_recipient_signs_that_it_does_not_have_what_is_late_and_will_not_take_it() -> None:
    async def story() -> None:
        here, item = place("h49"), push_of(expire_at_ms=NOW + 1_000)
        here.clock.at_ms = NOW + 1_000
        answer = await here.node.receive_offer("g14", item.parcel)
        assert isinstance(answer, Answer)
        assert answer.receipt is not None
        said = codec.decode_receipt(answer.receipt.receipt)
        assert (said.level, said.outcomes) == (Level.DELIVERED, (Outcome("H49.22", Reason.EXPIRED),))
        here.clock.at_ms = NOW
        assert await here.push(item) == [answer], "its word stands, whatever its clock does"
        assert await here.inbox() == []

    run(story())


# --- clocks that err ----------------------------------------------------------------------------------------------------


def jump(here: Place, by_ms: int) -> None:
    """Let the clock of a place jump, while no time passes."""
    here.clock.at_ms += by_ms
    here.clock.jump_ms += by_ms


def test_a_clock_a_month_ahead_for_twenty_minutes_ends_nothing_and_refuses_nothing() -> None:
    async def story() -> None:
        here, there = await waiting(expire_at_ms=NOW + DAY_MS), place("h49")
        for one in (here, there):
            await sweep_once(one, at_ms=NOW)
            jump(one, 31 * DAY_MS)
            assert await one.sweeper().sweep_once() == 0
        assert (await here.track()).deliveries[0].state is State.WAITING
        [answer] = await there.push(push_of())
        assert (answer.receipt, answer.reason) == (None, Reason.CLOCK_UNSURE)
        for one in (here, there):
            one.clock.at_ms += 20 * 60_000
            assert await one.sweeper().sweep_once() == 0
            jump(one, -31 * DAY_MS)
        [answer] = await there.push(push_of())
        assert answer.receipt is not None
        assert len(await there.inbox()) == 1

    run(story())


def test_a_clock_that_others_contradict_ends_nothing_however_long_it_runs() -> None:
    async def story() -> None:
        here = await waiting(expire_at_ms=NOW + DAY_MS)
        jump(here, 400 * DAY_MS)
        for _ in range(10):
            for peer in ("h49", "h37", "centre"):
                here.node.agreed_time.hear(peer, here.clock.at_ms - 400 * DAY_MS)
            assert await here.sweeper().sweep_once() == 0
            here.clock.at_ms += 20 * 60_000
        assert here.node.agreed_time.doubt() is not None

    run(story())


def deliver(peer: object, items: object) -> list[Answer]:
    [item] = items  # type: ignore[misc]
    assert isinstance(item, PushPacket)
    octets = item.parcel.signed_envelope.envelope
    return [Answer(receipt_for(octets, codec.decode_envelope(octets).packet_id))]


def test_a_receipt_that_comes_between_the_statement_and_its_writing_wins() -> None:
    async def story() -> None:
        here = await waiting()
        packet_id = (await here.track()).packet_id
        [item] = await here.do(lambda tx: sweep.due(tx, NOW + 1_000, 10))
        said = await here.do(lambda tx: sweep.expired_receipt(tx, packet_id, "g14", NOW + 1_000))
        assert said is not None
        signed = receipts.sign_receipts(here.ports.keys, [said])[0]
        here.peers.answers = deliver
        await here.carry("h49")
        await here.do(lambda tx: sweep.expire(tx, item, receipts.Believed(said, signed), NOW + 1_000, here.node.policy))
        [view] = (await here.track()).deliveries
        assert view.state is State.DELIVERED

    run(story())


def test_a_late_receipt_after_the_expiry_tells_the_author_that_it_is_there() -> None:
    async def story() -> None:
        here = await waiting()
        here.peers.answers = lambda peer, items: [Answer(None, Reason.PEER_BUSY)]
        await here.carry("h49")
        await sweep_once(here, at_ms=NOW + 1_000)
        [(_, items)] = here.peers.pushed
        [answer] = deliver(None, items)
        assert answer.receipt is not None
        assert await here.push(PushReceipt(answer.receipt), by="centre") == [Answer()]
        [view] = (await here.track()).deliveries
        assert (view.state, view.reason) == (State.DELIVERED, Reason.NONE)

    run(story())


def test_a_sweep_interrupted_and_begun_again_does_its_work_once() -> None:
    async def story() -> None:
        here = await waiting()
        assert await sweep_once(here, at_ms=NOW + 1_000) == 1
        rows = here.rows()
        assert await sweep_once(here, at_ms=NOW + 1_001) == 0
        changed = {key for key, value in here.rows().items() if rows.get(key) != value}
        assert changed == {keys.meta("agreed time")}

    run(story())


def test_a_relay_that_could_not_carry_gives_up_at_the_same_time_and_lets_the_body_go_later() -> None:
    async def story() -> None:
        centre, item = place("centre"), push_of(expire_at_ms=NOW + 1_000)
        envelope = codec.decode_envelope(item.parcel.signed_envelope.envelope)
        await centre.push(item)
        await sweep_once(centre, at_ms=NOW + 1_000)
        assert [key for key in centre.rows() if key.startswith(b"o")] == [], (
            "it asks for the origin, and carries no more"
        )
        assert await centre.body_is_there(envelope)
        await sweep_once(centre, at_ms=NOW + 1_000 + KEEP_MS)
        assert not await centre.body_is_there(envelope)

    run(story())


# --- forgetting ---------------------------------------------------------------------------------------------------------


def test_a_body_waits_for_its_inbox_however_long_that_takes() -> None:
    async def story() -> None:
        here, item = place("h49"), push_of()
        envelope = codec.decode_envelope(item.parcel.signed_envelope.envelope)
        await here.push(item)
        for days in (30, 31, 400):
            await sweep_once(here, at_ms=NOW + days * DAY_MS)
            assert await here.body_is_there(envelope)
        await here.node.acknowledge(here.system, [envelope.packet_id], "")
        await sweep_once(here, at_ms=NOW + 402 * DAY_MS)
        assert not await here.body_is_there(envelope)
        record = await here.do(lambda tx: require(tx, keys.packet(envelope.packet_id), PacketRecord))
        assert record.body_forgotten
        assert [keys.parse_due(key)[1] for key in here.rows() if key.startswith(b"z")] == [keys.DUE_ERASE]

    run(story())


def test_what_was_forgotten_says_so_when_it_is_fetched_and_is_still_known() -> None:
    async def story() -> None:
        from node.errors import Rejected

        here, item = place("h49"), push_of()
        [first] = await here.push(item)
        packet_id = codec.decode_envelope(item.parcel.signed_envelope.envelope).packet_id
        await here.node.acknowledge(here.system, [packet_id], "")
        await sweep_once(here, at_ms=NOW + KEEP_MS)
        with pytest.raises(Rejected) as refused:
            await here.fetch(packet_id)
        assert refused.value.reason is Reason.NOT_FOUND
        assert await here.push(item) == [first], "the receipt outlives the body"

    run(story())


def test_a_file_body_is_removed_from_the_disk() -> None:
    async def story() -> None:
        packet = document("H49.22", attachments=[("a.pdf", bytes(200_000))])
        here, item = place("h49"), push_of(packet)
        envelope = codec.decode_envelope(item.parcel.signed_envelope.envelope)
        await here.push(item)
        assert await here.bodies.has(envelope.body.body_sha256)
        await here.node.acknowledge(here.system, [envelope.packet_id], "")
        await sweep_once(here, at_ms=NOW + KEEP_MS)
        assert not await here.bodies.has(envelope.body.body_sha256)

    run(story())


def test_the_origin_keeps_the_body_while_anything_of_it_waits_to_leave() -> None:
    async def story() -> None:
        # A local recipient is served at once, which plans the forgetting; the other one still waits.
        here = await waiting("G14.01", "H49.22", expire_at_ms=NOW + 100 * DAY_MS)
        packet_id = (await here.track()).packet_id
        await here.node.acknowledge(here.system, [packet_id], "")
        record = await here.do(lambda tx: require(tx, keys.packet(packet_id), PacketRecord))
        envelope = codec.decode_envelope(record.envelope)
        await sweep_once(here, at_ms=NOW + KEEP_MS)
        assert await here.body_is_there(envelope)
        here.peers.answers = deliver
        await here.carry("h49")
        await sweep_once(here, at_ms=NOW + KEEP_MS + DAY_MS)
        assert not await here.body_is_there(envelope)

    run(story())


def test_a_sweep_does_the_oldest_first_and_no_more_than_it_was_asked() -> None:
    async def story() -> None:
        here = place("g14")
        for number in range(5):
            await here.submit(document("H49.22", number=str(number)), str(number), expire_at_ms=NOW + 10 - number)
        due = await here.do(lambda tx: sweep.due(tx, NOW + 9, 3))
        assert [keys.parse_due(item.key)[0] for item in due] == [NOW + 6, NOW + 7, NOW + 8]

    run(story())


# --- rerouting ----------------------------------------------------------------------------------------------------------


def moved(here: Place, prefix: str) -> Directory:
    """The directory in which h37 serves a prefix."""
    now = here.node.ports.directory.current()
    code = parse_code(prefix)
    zone = now.zones.get(code, Zone(code, "", {prefix: Unit(prefix, prefix)}))
    return dataclasses.replace(now, zones={**now.zones, code: dataclasses.replace(zone, node_id="h37")})


def test_waiting_deliveries_move_to_the_node_that_serves_their_units_now() -> None:
    async def story() -> None:
        here = await waiting("H49", "H49.22", "H37")
        packet_id = (await here.track()).packet_id
        await here.do(lambda tx: reroute(tx, "h49", packet_id, moved(here, "H49.22"), NOW + 5, UNSENT))
        nodes = {view.unit: view.node_id for view in (await here.track()).deliveries}
        assert nodes == {"H49": "h49", "H49.22": "h37", "H37": "h37"}
        counts = {
            keys.parse_outbox_row(key)[0]: OutboxRecord.FromString(value).unit_count
            for key, value in here.rows().items()
            if key.startswith(b"o")
        }
        assert counts == {"h49": 1, "h37": 2}, "one row per node; h49 keeps its own for the unit that stayed"

    run(story())


def test_what_was_sent_to_a_unit_before_it_was_closed_follows_it_too() -> None:
    async def story() -> None:
        here = await waiting("H49.22")
        packet_id = (await here.track()).packet_id
        known = moved(here, "H49.22")
        zone = known.zones[parse_code("H49.22")]
        closed = {"H49.22": Unit("H49.22", "Sở cũ", valid_to_ms=NOW + 1)}
        known = dataclasses.replace(known, zones={**known.zones, zone.prefix: dataclasses.replace(zone, units=closed)})
        assert await here.do(lambda tx: reroute(tx, "h49", packet_id, known, NOW + 5, UNSENT)) == {"h37"}

    run(story())


def test_a_node_that_serves_nothing_of_the_packet_any_more_is_not_sent_it() -> None:
    async def story() -> None:
        here = await waiting("H49", "H49.22")
        packet_id = (await here.track()).packet_id
        await here.do(lambda tx: reroute(tx, "h49", packet_id, moved(here, "H49"), NOW + 5, UNSENT))
        rows = [keys.parse_outbox_row(key)[0] for key in here.rows() if key.startswith(b"o")]
        assert rows == ["h37"]

    run(story())


def test_rerouting_moves_nothing_that_is_final_and_nothing_without_a_new_home() -> None:
    async def story() -> None:
        here = await waiting("H49", "H49.22")
        here.peers.answers = deliver  # for H49.22 alone
        await here.carry("h49")
        packet_id = (await here.track()).packet_id
        await here.do(lambda tx: reroute(tx, "h49", packet_id, moved(here, "H49.22"), NOW + 5, UNSENT))
        records = {
            unit: await here.do(lambda tx, u=unit: require(tx, keys.delivery(packet_id, u), DeliveryRecord))  # type: ignore[misc]
            for unit in ("H49", "H49.22")
        }
        assert {unit: record.node_id for unit, record in records.items()} == {"H49": "h49", "H49.22": "h49"}

    run(story())
