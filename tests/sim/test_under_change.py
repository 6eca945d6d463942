"""The world changes under the mesh: each fault of issue 12 that seeds have found, told as a story of its own.

A story marked `xfail` says what must hold and does not yet; it is strict, so that whoever mends it takes the mark away.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from node.errors import Fault
from node.flow.expiry import sweep
from node.flow.receive import accept
from node.flow.send import packing
from node.model.code import parse_code
from node.model.delivery import State
from node.model.directory import PublicKey, Unit
from node.model.envelope import PacketKind
from node.model.office import Submission
from node.model.reason import Reason
from node.rows import keys
from node.wire import codec
from node.wire.truc.v1 import mesh_service_pb2 as pb
from tests.sim.both_sides import sides_of
from tests.sim.decay import Wounds
from tests.sim.editions import Draft
from tests.sim.loop import NoAnswer, current_process
from tests.sim.machine import EPOCH_MS, stream
from tests.sim.papers import Paper, business, document, status
from tests.sim.poison import Poison
from tests.sim.test_stories import HOUR_S, Cast, Story, tell
from tests.sim.urgent_law import UrgentWatch
from tests.sim.world import World

DAY_S = 24 * HOUR_S
UNMENDED = "issue 12: "


def publish(world: World, change: Callable[[Draft], None], *, to: tuple[str, ...] = ()) -> None:
    """Publish an edition, and let these nodes take it; all of them if none are named."""
    draft = Draft.of(world.directory)
    change(draft)
    world.directory = draft.publish(world.directory.version + 10, world.loop.time())
    for name, machine in world.machines.items():
        if not to or name in to:
            machine.take(world.directory)


def everywhere(world: World) -> None:
    """Let all nodes take the newest edition."""
    for machine in world.machines.values():
        machine.take(world.directory)


def now_ms(world: World) -> int:
    """Return the right time."""
    return EPOCH_MS + round(world.loop.time() * 1000)


def other_signing_key(world: World, name: str) -> Callable[[Draft], None]:
    """Let a node's signing key be followed by another at once; the old one ends in a minute."""
    new, at_ms = world.machines[name].keys.add_signing_key(), now_ms(world)

    def change(draft: Draft) -> None:
        old = tuple(replace(key, valid_to_ms=at_ms + 60_000) for key in draft.nodes[name].signing_keys)
        draft.nodes[name] = replace(draft.nodes[name], signing_keys=(PublicKey(new, 1, at_ms), *old))

    return change


def moved(world: World, unit: str, target: str) -> Callable[[Draft], None]:
    """Let a unit go over to another node."""

    def change(draft: Draft) -> None:
        draft.give(parse_code(unit), target, now_ms(world))

    return change


def switch_off(world: World, *names: str) -> None:
    """Let nodes be down; without the centre nothing goes by a relay."""
    for name in names:
        world.machines[name].crash()


async def short_lived(cast: Cast, sender: str, recipient: str, name: str = "short", minutes: int = 20) -> Paper:
    """Hand in something that expires soon."""
    office = next(one for one in cast.offices.values() if sender in one.system.units)
    packet = document(sender, (recipient,), f"{sender},{name}", b"BIMAT01")
    paper = Paper(
        office.system.name, name, PacketKind.DOCUMENT, sender, (recipient,), (recipient,), f"{sender},{name}", b"BIMAT01",
        packet, expire_after_ms=minutes * 60_000,
    )  # fmt: skip
    assert await office.hand_in(paper) is not None
    return paper


def hurting(room: Any, name: str, node_id: str, is_it: Callable[..., bool]) -> Any:
    """Let a function of one node raise what is no Fault, for those arguments."""
    real = getattr(room, name)

    def poisoned(*args: Any, **more: Any) -> Any:
        process = current_process()
        if process is not None and process.name == node_id and is_it(*args):
            raise Poison(name)
        return real(*args, **more)

    return patch.object(room, name, poisoned)


def tell_of_poison(story: Story) -> None:
    """As `tell`, in a world where somebody's own mistake is staged."""

    async def poisoned(world: World, cast: Cast) -> None:
        await story(world, cast)
        world.loop.bugs[:] = [bug for bug in world.loop.bugs if "Poison(" not in bug]

    tell(poisoned)


async def packet_id_of(world: World, cast: Cast, paper: Paper) -> bytes:
    """Return the id of an accepted paper."""
    return cast.ledger.sent[paper.system, paper.submission_id].result.packet_id


# --- the directory ---------------------------------------------------------------------------------------------------


def test_a_node_that_hears_of_an_edition_by_hello_only_fetches_it_from_the_caller() -> None:
    async def story(world: World, cast: Cast) -> None:
        def add(draft: Draft) -> None:
            draft.units["H37.77"] = Unit("H37.77", "Đơn vị mới")

        with patch("tests.sim.world.BASE_VERSION", 1):
            publish(world, add, to=("g22",))
            edition = type("Edition", (), {"directory": world.directory})()
            world.book.editions.append(edition)
            await asyncio.sleep(HOUR_S)
        assert {one.directories.snapshot.version for one in world.machines.values()} == {world.directory.version}

    tell(story)


def test_the_answer_to_a_withdrawal_reaches_its_author_whose_unit_is_closed_meanwhile() -> None:
    async def story(world: World, cast: Cast) -> None:
        document_of = paper_of("H49.22.05", "H37.11", "van-ban")
        await hand_in_many(cast, [document_of])
        await cast.delivered_within(world, document_of, HOUR_S)
        world.machines["h37"].crash()
        call_back = replace(
            document_of, submission_id="thu-hoi", kind_of_act="withdraw",
            packet=document("H49.22.05", ("H37.11",), document_of.document_id, b"BIMAT02", business=business(1, "")),
        )  # fmt: skip
        await hand_in_many(cast, [call_back])

        def close(draft: Draft) -> None:
            draft.units["H49.22.05"] = replace(draft.units["H49.22.05"], valid_to_ms=now_ms(world), successor="H49.22")

        publish(world, close)
        await asyncio.sleep(60)
        await world.machines["h37"].start()
        await cast.delivered_within(world, call_back, HOUR_S)
        await asyncio.sleep(600)
        codes = [event.code for event in (await cast.views(document_of))["H37.11"].statuses]
        assert codes == ["01", "15"]

    tell(story)


def test_a_packet_that_was_signed_before_the_key_changed_arrives() -> None:
    async def story(world: World, cast: Cast) -> None:
        world.machines["h37"].crash()
        paper = await cast.send("H49.22.05", "H37.11")
        publish(world, other_signing_key(world, "h49"))
        await asyncio.sleep(HOUR_S)
        await world.machines["h37"].start()
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


def test_a_receipt_that_was_signed_before_the_key_changed_is_believed() -> None:
    async def story(world: World, cast: Cast) -> None:
        for other in ("h49", "centre"):
            world.network.cut("h37", other, "drop")
        paper = await cast.send("H49.22.05", "H37.11")
        await asyncio.sleep(60)
        publish(world, other_signing_key(world, "h37"))
        await asyncio.sleep(HOUR_S)
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


def test_a_packet_that_was_sealed_for_an_older_key_opens() -> None:
    async def story(world: World, cast: Cast) -> None:
        new, at_ms = world.machines["h37"].keys.add_sealing_key(), now_ms(world)

        def change(draft: Draft) -> None:
            old = tuple(replace(key, valid_to_ms=at_ms + 60_000) for key in draft.nodes["h37"].sealing_keys)
            draft.nodes["h37"] = replace(draft.nodes["h37"], sealing_keys=(PublicKey(new, 1, at_ms), *old))

        publish(world, change, to=("h37", "centre"))
        paper = await cast.send("H49.22.05", "H37.11")
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


def test_a_certificate_that_others_do_not_know_yet_only_costs_time() -> None:
    async def story(world: World, cast: Cast) -> None:
        def change(draft: Draft) -> None:
            draft.nodes["h37"] = replace(draft.nodes["h37"], tls_certificates=(b"h37/2",))

        publish(world, change, to=("h37",))
        paper = await cast.send("H49.22.05", "H37.11")
        await asyncio.sleep(600)
        assert (await cast.views(paper))["H37.11"].reason in (Reason.PEER_TLS_FAILED, Reason.IN_CUSTODY)
        everywhere(world)
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


def test_what_a_unit_has_sent_before_it_moved_arrives() -> None:
    async def story(world: World, cast: Cast) -> None:
        world.machines["h37"].crash()
        paper = await cast.send("H49.22.05", "H37.11")
        await asyncio.sleep(600)
        publish(world, moved(world, "H49.22.05", "g22"))
        await world.machines["h37"].start()
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


def test_a_recipient_that_its_own_node_does_not_know_yet_is_not_refused_for_good() -> None:
    async def story(world: World, cast: Cast) -> None:
        def add(draft: Draft) -> None:
            draft.units["H37.77"] = Unit("H37.77", "Đơn vị mới")

        publish(world, add, to=("h49",))
        paper = await cast.send("H49.22.05", "H37.77")
        world.loop.call_later(60, everywhere, world)
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


def test_a_recipient_that_moves_while_the_receipt_of_its_old_node_is_lost_has_the_document_once() -> None:
    async def story(world: World, cast: Cast) -> None:
        for other in ("h49", "centre"):
            world.network.cut("h37", other, "drop")
        paper = await cast.send("H49.22.05", "H37.11")
        await asyncio.sleep(60)
        publish(world, moved(world, "H37.11", "h01"))
        await asyncio.sleep(600)
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)
        assert len(sides_of(world).holders((await packet_id_of(world, cast, paper), "H37.11"))) == 1

    tell(story)


def test_an_origin_that_lost_its_disk_takes_the_same_submission_and_hears_that_it_was_delivered() -> None:
    async def story(world: World, cast: Cast) -> None:
        paper = await cast.send("H49.22.05", "H37.11")
        await cast.delivered_within(world, paper, 60)
        world.machines["h49"].burn()
        await world.machines["h49"].start()
        cast.ledger.sent.clear()
        assert await cast.offices["h49"].hand_in(paper) is not None
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


# --- time ------------------------------------------------------------------------------------------------------------


def test_a_clock_that_is_a_month_ahead_for_twenty_minutes_ends_nothing() -> None:
    async def story(world: World, cast: Cast) -> None:
        world.machines["h37"].crash()
        paper = await cast.send("H49.22.05", "H37.11")
        world.machines["h49"].skew.skew_ms += 31 * 86_400_000
        await asyncio.sleep(1200)
        world.machines["h49"].skew.skew_ms -= 31 * 86_400_000
        await world.machines["h37"].start()
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


def test_a_recipient_whose_clock_is_a_month_ahead_does_not_refuse_for_good_what_has_just_been_sent() -> None:
    async def story(world: World, cast: Cast) -> None:
        world.machines["h37"].skew.skew_ms += 31 * 86_400_000
        paper = await cast.send("H49.22.05", "H37.11")
        await asyncio.sleep(60)
        world.machines["h37"].skew.skew_ms -= 31 * 86_400_000
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


def test_a_lease_that_was_taken_by_a_clock_a_year_ahead_ends() -> None:
    async def story(world: World, cast: Cast) -> None:
        paper = await cast.send("H49.22.05", "H37.11")
        await cast.delivered_within(world, paper, 60)
        packet_id, machine = await packet_id_of(world, cast, paper), world.machines["h37"]
        system = world.systems["h37"]
        assert machine.process is not None
        machine.skew.skew_ms += 365 * 86_400_000
        await machine.process.call(machine.node.fetch(system, packet_id, "H37.11", 0, 60_000, "one"), 30.0)
        machine.skew.skew_ms -= 365 * 86_400_000
        await asyncio.sleep(DAY_S)
        await machine.process.call(machine.node.fetch(system, packet_id, "H37.11", 0, 60_000, "other"), 30.0)

    tell(story)


def test_an_expiry_is_not_final_while_the_recipient_may_have_the_document() -> None:
    async def story(world: World, cast: Cast) -> None:
        for other in ("h49", "centre"):
            world.network.cut("h37", other, "drop")
        paper = await short_lived(cast, "H49.22.05", "H37.11")
        await asyncio.sleep(2 * HOUR_S)
        world.network.heal()
        await asyncio.sleep(HOUR_S)
        view = (await cast.views(paper))["H37.11"]
        has_it = sides_of(world).holders((await packet_id_of(world, cast, paper), "H37.11"))
        assert has_it
        assert view.state is State.DELIVERED

    tell(story)


def test_a_clock_that_jumps_while_a_packet_is_handed_in_is_no_mistake_of_ours() -> None:
    async def story(world: World, cast: Cast) -> None:
        machine, system = world.machines["h49"], world.systems["h49"]
        packet = document("H49.22.05", ("H37.11",), "H49.22.05,jump", b"BIMAT01")

        async def pieces() -> Any:
            yield packet[:100]
            machine.skew.skew_ms += 3_600_000
            yield packet[100:]

        expires_ms = machine.skew.now_ms(world.loop.time()) + 1_200_000
        assert machine.process is not None
        with suppress(Fault):
            submission = Submission("jump", expire_at_ms=expires_ms)
            await machine.process.call(machine.node.submit(system, submission, pieces()), 30.0)

    tell(story)


def test_a_process_that_stands_still_for_a_quarter_of_an_hour_goes_on() -> None:
    async def story(world: World, cast: Cast) -> None:
        process = world.machines["h37"].process
        assert process is not None
        world.loop.pause(process)
        paper = await cast.send("H49.22.05", "H37.11")
        await asyncio.sleep(900)
        assert (await cast.views(paper))["H37.11"].reason in (Reason.PEER_UNREACHABLE, Reason.IN_CUSTODY)
        with suppress(NoAnswer):
            await process.call(world.machines["h37"].node.list_outbox("", 1), 1.0)
        world.loop.resume(process)
        await cast.delivered_within(world, paper, HOUR_S)

    tell(story)


# --- loops -----------------------------------------------------------------------------------------------------------


def test_what_expires_together_is_expired_by_the_next_sweep() -> None:
    async def story(world: World, cast: Cast) -> None:
        world.machines["h37"].crash()
        papers = [await short_lived(cast, "H49.22.05", "H37.11", f"short-{number}") for number in range(250)]
        await asyncio.sleep(20 * 60 + 2 * world.policy.sweep_every_ms / 1000)
        states = [(await cast.views(paper))["H37.11"].state for paper in papers]
        assert states.count(State.WAITING) == 0

    tell(story)


def test_a_row_that_cannot_be_loaded_does_not_end_the_courier_of_its_peer() -> None:
    async def story(world: World, cast: Cast) -> None:
        switch_off(world, "h37", "centre")
        bad = await cast.send("H49.22.05", "H37.11", name="bad")
        packet_id = await packet_id_of(world, cast, bad)
        await asyncio.sleep(300)
        with hurting(packing, "_load", "h49", lambda tx, row: row.packet_id == packet_id):
            good = await cast.send("H49.22.05", "H37.11.02", name="good")
            await asyncio.sleep(60)
            await world.machines["h37"].start()
            await cast.delivered_within(world, good, HOUR_S)

    tell_of_poison(story)


def test_a_packet_that_its_recipient_cannot_stand_holds_up_no_other() -> None:
    async def story(world: World, cast: Cast) -> None:
        switch_off(world, "h37", "centre")
        bad = await cast.send("H49.22.05", "H37.11", name="bad")
        goods = [await cast.send("H49.22.05", "H37.11.02", name=f"good-{number}") for number in range(5)]
        await asyncio.sleep(300)
        packet_id = await packet_id_of(world, cast, bad)
        with hurting(accept, "_store_one", "h37", lambda tx, verdict, *_: verdict.envelope.packet_id == packet_id):
            await world.machines["h37"].start()
            for good in goods:
                await cast.delivered_within(world, good, HOUR_S)

    tell_of_poison(story)


def test_a_packet_that_cannot_be_expired_does_not_stop_the_sweeper() -> None:
    async def story(world: World, cast: Cast) -> None:
        world.machines["h37"].crash()
        bad = await short_lived(cast, "H49.22.05", "H37.11", "bad")
        packet_id = await packet_id_of(world, cast, bad)
        with hurting(sweep, "expire", "h49", lambda tx, item, *_: item.packet_id == packet_id):
            good = await short_lived(cast, "H49.22.05", "H37.11.02", "good", minutes=30)
            await asyncio.sleep(3 * HOUR_S)
            assert (await cast.views(good))["H37.11.02"].state is State.FAILED

    tell_of_poison(story)


def test_a_hello_that_cannot_be_read_does_not_end_the_greeting() -> None:
    async def story(world: World, cast: Cast) -> None:
        real, left = codec.hello_response_from_proto, [1]

        def garbled(proto: pb.HelloResponse) -> Any:
            process = current_process()
            if left and process is not None and process.name == "h49" and proto.node_id == "h37":
                left.pop()
                raise Poison("hello")
            return real(proto)

        with patch.object(codec, "hello_response_from_proto", garbled):
            await asyncio.sleep(HOUR_S)
        assert not left
        await asyncio.sleep(HOUR_S)
        assert world.loop.time() - world.network.greeted_s["h49", "h37"] < HOUR_S

    tell_of_poison(story)


def test_an_item_that_a_healthy_peer_puts_off_all_day_is_tried_less_and_less_often() -> None:
    async def story(world: World, cast: Cast) -> None:
        paper = await cast.send("H49.22.05", "H37.11", name="first")
        await cast.delivered_within(world, paper, 60)
        publish(world, moved(world, "H37.11", "h01"), to=("h37",))
        calls = [0]

        def seen(origin: str, target: str, verb: str, request: bytes) -> None:
            calls[0] += (origin, target, verb) == ("h49", "h37", "push")

        world.network.on_request = seen
        await cast.send("H49.22.05", "H37.11", name="second")
        await asyncio.sleep(DAY_S)
        assert calls[0] < 300

    tell(story)


# --- disks -----------------------------------------------------------------------------------------------------------


def test_a_body_that_cannot_be_read_stops_nothing_but_its_own_document() -> None:
    async def story(world: World, cast: Cast) -> None:
        switch_off(world, "h37", "centre")
        await cast.send("H49.22.05", "H37.11", name="bad")
        await asyncio.sleep(300)
        disk = world.machines["h49"].disk
        bodies = [key for key in disk.store.rows_after_crash(disk.store.unsynced) if key[:1] == keys.BODY]
        good = await cast.send("H49.22.05", "H37.11.02", name="good")
        Wounds(disk, stream(1, "wounds")).flipped.update(bodies)
        await asyncio.sleep(60)
        await world.machines["h37"].start()
        await cast.delivered_within(world, good, HOUR_S)

    tell(story)


def test_documents_beside_a_damaged_one_can_be_fetched() -> None:
    async def story(world: World, cast: Cast) -> None:
        papers = [await cast.send("H49.22.05", "H37.11", name=f"paper-{number}") for number in range(3)]
        for paper in papers:
            await cast.delivered_within(world, paper, 60)
        machine = world.machines["h37"]
        rows = machine.disk.store.rows_after_crash(machine.disk.store.unsynced)
        bad = next(key for key in sorted(rows) if key[:1] == keys.BODY)
        Wounds(machine.disk, stream(1, "wounds")).flipped.add(bad)
        read = 0
        for paper in papers:
            with suppress(Fault):
                _, pieces = await machine.node.fetch(
                    world.systems["h37"], await packet_id_of(world, cast, paper), "H37.11"
                )
                read += len([piece async for piece in pieces]) > 0
        assert read == 2

    tell(story)


# --- urgency ---------------------------------------------------------------------------------------------------------


def calls_before(world: World, verb: str, origin: str, target: str) -> dict[bytes, int]:
    """Note how many calls of a kind had gone over a line when a packet first went."""
    found: dict[bytes, int] = {}
    count = [0]

    def seen(caller: str, called: str, kind: str, request: bytes) -> None:
        if (caller, called, kind) != (origin, target, verb):
            return
        if kind == "push":
            items = pb.PushRequest.FromString(request).items
            parcels = [item.packet.parcel for item in items if item.HasField("packet")]
        else:
            parcels = [pb.OfferRequest.FromString(request).parcel]
        for parcel in parcels:
            found.setdefault(codec.decode_envelope(parcel.signed_envelope.envelope).packet_id, count[0])
        count[0] += 1

    world.network.on_request = seen
    return found


async def hand_in_many(cast: Cast, papers: list[Paper]) -> None:
    for paper in papers:
        office = next(one for one in cast.offices.values() if one.system.name == paper.system)
        assert await office.hand_in(paper) is not None


def paper_of(sender: str, unit: str, name: str, priority: int = 0, filler: str = "") -> Paper:
    packet = document(sender, (unit,), f"{sender},{name}", b"BIMAT01", priority=priority, filler=filler)
    return Paper(
        f"{sender[:3].lower()}-qlvb", name, PacketKind.DOCUMENT, sender, (unit,), (unit,), f"{sender},{name}", b"BIMAT01",
        packet, priority=priority,
    )  # fmt: skip


def test_hoa_toc_does_not_wait_for_all_statuses() -> None:
    async def story(world: World, cast: Cast) -> None:
        switch_off(world, "h37", "centre")
        packet = status("H49.22.05", "H37.11", "H37.11,khong-co", "03", b"LOIPHE01")
        statuses = [
            Paper(
                "h49-qlvb", f"status-{number}", PacketKind.STATUS, "H49.22.05", ("H37.11",), ("H37.11",), "", b"LOIPHE01",
                packet.replace(b"LOIPHE01", f"LOIPHE{number:03}".encode()), status_code="03", kind_of_act="status",
            )
            for number in range(400)
        ]  # fmt: skip
        await hand_in_many(cast, statuses)
        await hand_in_many(cast, [paper_of("H49.22.05", "H37.11", f"thuong-{number}") for number in range(60)])
        UrgentWatch(world, cast.ledger)
        await world.machines["h37"].start()
        await asyncio.sleep(0.3)
        urgent = paper_of("H49.22.05", "H37.11", "hoa-toc", priority=3)
        await hand_in_many(cast, [urgent])
        await cast.delivered_within(world, urgent, HOUR_S)

    tell(story)


def test_a_large_hoa_toc_goes_before_large_ones_that_are_not_urgent() -> None:
    async def story(world: World, cast: Cast) -> None:
        switch_off(world, "h37", "centre")
        filler = stream(1, "filler").randbytes(6_000).hex()
        await hand_in_many(
            cast, [paper_of("H49.22.05", "H37.11", f"lon-{number}", filler=filler + str(number)) for number in range(4)]
        )
        urgent = paper_of("H49.22.05", "H37.11", "hoa-toc", priority=3, filler=filler + "u")
        await hand_in_many(cast, [urgent])
        before = calls_before(world, "offer", "h49", "h37")
        await world.machines["h37"].start()
        await cast.delivered_within(world, urgent, HOUR_S)
        assert before[await packet_id_of(world, cast, urgent)] <= 1

    tell(story)


@pytest.mark.skipif("TRUC_SIM_LONG" not in os.environ, reason="half a minute of processor time: TRUC_SIM_LONG=1")
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_circular_to_5000_communes_arrives_and_delays_nothing_urgent_by_more_than_seconds() -> None:
    crowd = {
        name: tuple(f"{prefix}.5{number:04}" for number in range(2_500))
        for name, prefix in (("h37", "H37"), ("h01", "H01"))
    }

    async def story(world: World, cast: Cast) -> None:
        recipients = tuple(unit for units in crowd.values() for unit in units)
        packet = document("H49.22.05", recipients, "H49.22.05,circular", b"BIMAT01")
        circular = Paper(
            "h49-qlvb", "circular", PacketKind.DOCUMENT, "H49.22.05", recipients, recipients, "H49.22.05,circular",
            b"BIMAT01", packet,
        )  # fmt: skip
        await hand_in_many(cast, [circular])
        urgent = paper_of("H49.22.05", "H37.11", "hoa-toc", priority=3)
        await hand_in_many(cast, [urgent])
        assert await cast.delivered_within(world, urgent, 10) <= 10
        await asyncio.sleep(600)
        assert {one.state for one in (await cast.views(circular)).values()} == {State.DELIVERED}

    with patch("tests.sim.world.CROWD", crowd):
        tell(story, faults=frozenset({"circulars"}), packet_bytes_max=4_000_000, arrival=False)
