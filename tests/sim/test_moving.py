"""Units move from node to node while their packets are on the road (decision 0019): odd courses, and peers that lie or are older."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from node.flow.receive import asked
from node.flow.send import outbox
from node.model.delivery import State
from node.model.envelope import PacketKind, SignedEnvelope
from node.model.lane import Lane
from node.model.mesh import Parcel, PushPacket, PushReceipt
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt, SignedReceipt
from node.rows import keys
from node.seal.signature import ENVELOPE_LABEL, RECEIPT_LABEL
from node.wire import codec, mesh
from node.wire.truc.v1 import mesh_service_pb2 as pb
from tests.sim.both_sides import sides_of
from tests.sim.loop import current_process
from tests.sim.papers import Paper, document
from tests.sim.test_stories import HOUR_S, Cast, tell
from tests.sim.test_under_change import hand_in_many, moved, packet_id_of, publish, short_lived
from tests.sim.world import World

UNIT = "H37.11"
SMALL = {"packet_bytes_max": 4_000_000, "push_body_bytes_max": 400_000, "push_bytes_max": 900_000}
"""Circulars are small enough to be pushed at once."""


async def holders(world: World, cast: Cast, paper: Paper, unit: str = UNIT) -> list[str]:
    """Return the nodes in whose inbox of a unit a paper lies."""
    return sides_of(world).holders((await packet_id_of(world, cast, paper), unit))


def deafen(world: World, name: str, *others: str) -> None:
    """Let a node hear everything, and let nothing that it says be heard by these."""
    for other in others:
        world.network.cut(name, other, "drop")


async def rest(world: World, name: str) -> None:
    """Wait until nothing waits in a node's outbox."""
    for _ in range(120):
        process, node = world.machines[name].process, world.machines[name].node
        assert process is not None
        if not (await process.call(node.list_outbox("", 100), 30.0))[0]:
            return
        await asyncio.sleep(60)
    raise AssertionError(f"something waits at {name} for ever")


def a_circular(name: str, recipients: tuple[str, ...]) -> Paper:
    packet = document("H49.22.05", recipients, f"H49.22.05,{name}", b"BIMAT01")
    return Paper(
        "h49-qlvb", name, PacketKind.DOCUMENT, "H49.22.05", recipients, recipients, f"H49.22.05,{name}", b"BIMAT01",
        packet,
    )  # fmt: skip


# --- one unit, two nodes -----------------------------------------------------------------------------------------------


def test_what_its_old_node_has_not_got_goes_to_the_new_one_when_the_old_one_has_said_so() -> None:
    async def story(world: World, cast: Cast) -> None:
        deafen(world, "h49", "h37")
        world.network.cut("h49", "centre", "drop")
        paper = await cast.send("H49.22.05", UNIT)
        await asyncio.sleep(60)
        publish(world, moved(world, UNIT, "h01"))
        await asyncio.sleep(600)
        view = (await cast.views(paper))[UNIT]
        assert (view.state, view.reason, view.node_id) == (State.WAITING, Reason.FORMER_NODE_ASKED, "h37")
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)
        assert await holders(world, cast, paper) == ["h01"]

    tell(story)


def test_what_has_never_left_goes_to_the_new_node_at_once() -> None:
    async def story(world: World, cast: Cast) -> None:
        world.network.cut("h49", "h37", "reject")
        world.network.cut("h49", "centre", "reject")
        paper = await cast.send("H49.22.05", UNIT)
        await asyncio.sleep(HOUR_S)
        publish(world, moved(world, UNIT, "h01"))
        assert await cast.delivered_within(world, paper, 5) <= 5
        assert await holders(world, cast, paper) == ["h01"]

    tell(story)


def test_what_was_written_by_an_earlier_process_may_have_been_sent() -> None:
    async def story(world: World, cast: Cast) -> None:
        deafen(world, "h37", "h49", "centre")
        paper = await cast.send("H49.22.05", UNIT)
        await asyncio.sleep(5)
        world.machines["h49"].crash()
        world.network.cut("h49", "h37", "reject")
        world.network.cut("h49", "centre", "reject")
        await world.machines["h49"].start()
        await asyncio.sleep(60)
        publish(world, moved(world, UNIT, "h01"))
        await asyncio.sleep(600)
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)
        assert await holders(world, cast, paper) == ["h37"]

    tell(story)


@pytest.mark.parametrize("has_it", [True, False])
def test_a_unit_that_leaves_and_comes_back_has_the_document_once(has_it: bool) -> None:
    async def story(world: World, cast: Cast) -> None:
        if has_it:
            deafen(world, "h37", "h49", "centre")
        else:
            deafen(world, "h49", "h37", "centre")
        paper = await cast.send("H49.22.05", UNIT)
        for node in ("h01", "h37"):
            await asyncio.sleep(300)
            publish(world, moved(world, UNIT, node))
        await asyncio.sleep(300)
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)
        assert await holders(world, cast, paper) == ["h37"]

    tell(story)


def test_a_node_that_has_said_no_takes_it_when_the_unit_comes_back_and_not_before() -> None:
    async def story(world: World, cast: Cast) -> None:
        # h37 hears the question and answers it; its answer is lost, the unit comes back.
        deafen(world, "h49", "h37", "centre")
        paper = await cast.send("H49.22.05", UNIT)
        await asyncio.sleep(60)
        publish(world, moved(world, UNIT, "h01"))
        world.network.heal()
        deafen(world, "h37", "h49", "centre")
        await asyncio.sleep(900)
        said = await statement_of(world, cast, paper, "h37")
        assert [(one.unit, one.reason) for one in said.outcomes] == [(UNIT, Reason.WRONG_NODE)]
        stale = replace(await parcel_of(world, cast, paper), addressed_version=said.outcomes[0].directory_version)
        publish(world, moved(world, UNIT, "h37"))
        answer = await pushed(world, stale, "h49", "h37")
        assert answer.reason is Reason.NONE, "its own word stands against what was on the road"
        assert await holders(world, cast, paper) == []
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)
        assert await holders(world, cast, paper) == ["h37"]

    tell(story)


async def statement_of(world: World, cast: Cast, paper: Paper, name: str) -> Receipt:
    key = keys.receipt(await packet_id_of(world, cast, paper), Level.DELIVERED, name)
    value = world.machines[name].disk.durable(key)
    assert value is not None
    return codec.decode_receipt(codec.signed_receipt_from_bytes(value).receipt)


async def parcel_of(world: World, cast: Cast, paper: Paper) -> Parcel:
    """Return the parcel in which h49 would send a paper to h37 now."""
    packet_id, machine = await packet_id_of(world, cast, paper), world.machines["h49"]
    assert machine.process is not None

    async def load() -> Parcel:
        courier = machine.loops.dispatcher._couriers["h37"]
        found = await machine.node.ports.store.transact(
            lambda tx: outbox.row_of(tx, "h37", packet_id, keys.OUTBOX_PACKET)
        )
        assert found is not None
        key, record = found
        ready = key if key.startswith(b"o") else keys.ready_of_later(key)
        lane = Lane(keys.parse_outbox_row(ready)[1])
        row = outbox.Row(ready, "h37", lane, packet_id, keys.OUTBOX_PACKET, record)
        (loaded,), _ = await courier._transfer.load([row])
        made: Parcel = courier._transfer._packer.parcel(loaded)
        return made

    return await machine.process.call(load(), 30.0)


async def pushed(world: World, parcel: Parcel, caller: str, target: str) -> Any:
    """Let a packet of a caller arrive at a target as if it had been on the road all the time."""
    envelope = codec.decode_envelope(parcel.signed_envelope.envelope)
    rows = world.machines[caller].disk.store.rows_after_crash(world.machines[caller].disk.store.unsynced)
    body = rows[keys.body(envelope.body.body_sha256)]
    machine = world.machines[target]
    assert machine.process is not None
    answers = await machine.process.call(machine.node.receive_push(caller, [PushPacket(parcel, body)]), 30.0)
    return answers[0]


def test_a_unit_that_moves_twice_while_receipts_are_lost_has_the_document_once() -> None:
    async def story(world: World, cast: Cast) -> None:
        for gone in (True, False):
            world.network.heal()
            name = f"paper-{gone}"
            deafen(world, *(("h37", "h49", "centre") if gone else ("h49", "h37", "centre")))
            paper = await cast.send("H49.22.05", "H37.11.02", name=name)
            for node in ("h01", "g22"):
                await asyncio.sleep(120)
                publish(world, moved(world, "H37.11.02", node))
            await asyncio.sleep(600)
            world.network.heal()
            await cast.delivered_within(world, paper, HOUR_S)
            assert await holders(world, cast, paper, "H37.11.02") == ["h37" if gone else "g22"]
            publish(world, moved(world, "H37.11.02", "h37"))
            await asyncio.sleep(60)

    tell(story)


@pytest.mark.parametrize("has_it", [True, False])
def test_an_origin_that_crashes_as_soon_as_it_is_answered_goes_on(has_it: bool) -> None:
    async def story(world: World, cast: Cast) -> None:
        deafen(world, *(("h37", "h49", "centre") if has_it else ("h49", "h37", "centre")))
        paper = await cast.send("H49.22.05", UNIT)
        await asyncio.sleep(60)
        publish(world, moved(world, UNIT, "h01"))
        await asyncio.sleep(300)
        real, crashed = world.network.on_reply, [0]

        def crash(name: str, verb: str, reply: bytes) -> None:
            real(name, verb, reply)
            if (name, verb) == ("h37", "offer") and crashed[0] < 2:
                crashed[0] += 1
                world.loop.call_later(0.0, world.machines["h49"].crash)

        world.network.on_reply = crash
        world.network.heal()
        for _ in range(8):
            await asyncio.sleep(300)
            if world.machines["h49"].process is None:
                await world.machines["h49"].start()
        assert crashed[0]
        await cast.delivered_within(world, paper, HOUR_S)
        assert await holders(world, cast, paper) == ["h37" if has_it else "h01"]

    tell(story)


def test_an_old_node_that_is_gone_for_ever_leaves_it_unconfirmed_in_the_end_and_its_words_are_true() -> None:
    async def story(world: World, cast: Cast) -> None:
        deafen(world, "h37", "h49", "centre", "h01", "g22")
        paper = await short_lived(cast, "H49.22.05", UNIT)
        await asyncio.sleep(60)
        world.machines["h37"].crash()
        publish(world, moved(world, UNIT, "h01"))
        await asyncio.sleep(600)
        assert (await cast.views(paper))[UNIT].reason is Reason.FORMER_NODE_ASKED
        await asyncio.sleep(HOUR_S)
        view = (await cast.views(paper))[UNIT]
        assert (view.state, view.reason) == (State.FAILED, Reason.EXPIRED_UNCONFIRMED)
        assert await holders(world, cast, paper) == ["h37"]

    tell(story)


def test_a_node_that_is_struck_off_the_directory_is_not_waited_for() -> None:
    async def story(world: World, cast: Cast) -> None:
        deafen(world, "h49", "h37", "centre")
        paper = await cast.send("H49.22.05", UNIT)
        await asyncio.sleep(60)
        world.machines["h37"].crash()
        publish(world, moved(world, UNIT, "h01"))
        await asyncio.sleep(60)
        publish(world, lambda draft: draft.nodes.pop("h37") and None)
        world.network.heal()
        # Another map of prefixes, since nothing is looked at anew without one.
        publish(world, moved(world, "H37.11.02", "h01"))
        await cast.delivered_within(world, paper, HOUR_S)
        assert await holders(world, cast, paper) == ["h01"]

    tell(story)


def test_what_an_author_whose_clock_ran_ahead_has_given_up_goes_on_when_its_recipient_still_wants_it() -> None:
    async def story(world: World, cast: Cast) -> None:
        for other in ("h37", "centre", "g22", "h01"):
            world.network.cut("h49", other, "reject")
            world.network.cut(other, "h49", "reject")
        paper = await short_lived(cast, "H49.22.05", UNIT, minutes=300)
        world.machines["h49"].skew.skew_ms += 6 * 3_600_000
        await asyncio.sleep(2 * HOUR_S)
        view = (await cast.views(paper))[UNIT]
        assert (view.state, view.reason) == (State.FAILED, Reason.EXPIRED_UNCONFIRMED)
        world.machines["h49"].skew.skew_ms -= 6 * 3_600_000
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)
        assert await holders(world, cast, paper) == ["h37"]

    tell(story)


# --- several units -------------------------------------------------------------------------------------------------------


def test_a_node_takes_a_packet_for_units_that_have_come_to_it_since_by_a_supplementary_receipt() -> None:
    async def story(world: World, cast: Cast) -> None:
        for name in ("h01", "g22"):
            world.network.cut("h49", name, "reject")
        world.network.cut("h49", "centre", "reject")
        paper = await cast.send("H49.22.05", "H37", UNIT, "H01", "H01.08", "G22.01")
        await asyncio.sleep(60)
        first = await statement_of(world, cast, paper, "h37")
        publish(world, moved(world, "H01", "h37"))
        publish(world, moved(world, "G22.01", "h37"))
        await cast.delivered_within(world, paper, 120)
        second = await statement_of(world, cast, paper, "h37")
        assert second.outcomes[: len(first.outcomes)] == first.outcomes
        assert {one.unit for one in second.outcomes} == {"H37", UNIT, "H01", "H01.08", "G22.01"}
        for unit in ("H37", UNIT, "H01", "H01.08", "G22.01"):
            assert await holders(world, cast, paper, unit) == ["h37"]

    tell(story)


@pytest.mark.parametrize("after_s", [0.01, 0.05, 0.1, 0.2, 0.5])
def test_a_supplement_that_is_cut_off_by_a_crash_is_finished(after_s: float) -> None:
    async def story(world: World, cast: Cast) -> None:
        for name in ("h01", "g22", "centre"):
            world.network.cut("h49", name, "reject")
        paper = await cast.send("H49.22.05", "H37", UNIT, "H01", "H01.08", "G22.01", "G22.01.07")
        await asyncio.sleep(60)
        world.machines["h37"].disk.sync_s = 0.05
        publish(world, moved(world, "H01", "h37"), to=("h37",))
        await asyncio.sleep(1)
        publish(world, moved(world, "G22.01", "h37"))
        await asyncio.sleep(after_s)
        world.machines["h37"].crash()
        await world.machines["h37"].start()
        await cast.delivered_within(world, paper, HOUR_S)
        for unit in ("H37", UNIT, "H01", "H01.08", "G22.01", "G22.01.07"):
            assert await holders(world, cast, paper, unit) == ["h37"]

    tell(story)


def test_one_unit_of_two_moves_while_the_receipt_for_both_is_lost() -> None:
    async def story(world: World, cast: Cast) -> None:
        deafen(world, "h37", "h49", "centre")
        paper = await cast.send("H49.22.05", "H37.11.02", UNIT, "H01.08")
        await asyncio.sleep(60)
        publish(world, moved(world, "H37.11.02", "h01"))
        await asyncio.sleep(300)
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)
        assert await holders(world, cast, paper, "H37.11.02") == ["h37"]
        assert await holders(world, cast, paper, UNIT) == ["h37"]

    tell(story)


def test_one_unit_of_two_moves_before_anything_has_arrived() -> None:
    async def story(world: World, cast: Cast) -> None:
        deafen(world, "h49", "h37", "centre")
        paper = await cast.send("H49.22.05", "H37.11.02", UNIT, "H01.08")
        await asyncio.sleep(60)
        publish(world, moved(world, "H37.11.02", "h01"))
        await asyncio.sleep(300)
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)
        assert await holders(world, cast, paper, "H37.11.02") == ["h01"]
        assert await holders(world, cast, paper, UNIT) == ["h37"]

    tell(story)


def test_a_node_with_an_older_directory_takes_nothing_that_is_on_its_way_to_another() -> None:
    async def story(world: World, cast: Cast) -> None:
        publish(world, moved(world, UNIT, "h01"), to=("h49", "h01", "centre"))
        paper = await cast.send("H49.22.05", "H37", UNIT)
        await cast.delivered_within(world, paper, 600)
        assert await holders(world, cast, paper) == ["h01"]
        assert await holders(world, cast, paper, "H37") == ["h37"]

    tell(story)


def test_half_of_a_circular_moves_while_its_receipt_is_lost() -> None:
    crowd = {name: tuple(f"{name.upper()}.5{number:04}" for number in range(150)) for name in ("h37", "h01")}

    async def story(world: World, cast: Cast) -> None:
        deafen(world, "h37", "h49", "centre")
        recipients = tuple(unit for units in crowd.values() for unit in units)
        circular = a_circular("circular", recipients)
        await hand_in_many(cast, [circular])
        await asyncio.sleep(600)
        going = crowd["h37"][::2]
        for unit in going[:-1]:
            move_to_h01 = moved(world, unit, "h01")
            publish(world, move_to_h01, to=("nobody",))
        publish(world, moved(world, going[-1], "h01"))
        await asyncio.sleep(300)
        world.network.heal()
        await cast.delivered_within(world, circular, 2 * HOUR_S)
        packet_id, sides = await packet_id_of(world, cast, circular), sides_of(world)
        assert {unit: sides.holders((packet_id, unit)) for unit in recipients} == {
            unit: [name] for name, units in crowd.items() for unit in units
        }

    with patch("tests.sim.world.CROWD", crowd):
        tell(story, faults=frozenset({"circulars"}), arrival=False, arrive_at_once=20, **SMALL)


def test_half_of_a_circular_moves_before_any_of_it_has_arrived() -> None:
    crowd = {name: tuple(f"{name.upper()}.5{number:04}" for number in range(100)) for name in ("h37", "h01")}

    async def story(world: World, cast: Cast) -> None:
        deafen(world, "h49", "h37", "centre")
        recipients = tuple(unit for units in crowd.values() for unit in units)
        circular = a_circular("circular", recipients)
        await hand_in_many(cast, [circular])
        await asyncio.sleep(600)
        going = crowd["h37"][::2]
        for unit in going[:-1]:
            publish(world, moved(world, unit, "h01"), to=("nobody",))
        publish(world, moved(world, going[-1], "h01"))
        await asyncio.sleep(300)
        world.network.heal()
        await cast.delivered_within(world, circular, 2 * HOUR_S)
        packet_id, sides = await packet_id_of(world, cast, circular), sides_of(world)
        at_h01 = {*going, *crowd["h01"]}
        assert {unit: sides.holders((packet_id, unit)) for unit in recipients} == {
            unit: ["h01" if unit in at_h01 else "h37"] for unit in recipients
        }

    with patch("tests.sim.world.CROWD", crowd):
        tell(story, faults=frozenset({"circulars"}), arrival=False, arrive_at_once=20, **SMALL)


# --- the origin's own node -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_it", [True, False])
def test_a_unit_comes_to_the_origins_own_node_and_leaves_it_again(has_it: bool) -> None:
    async def story(world: World, cast: Cast) -> None:
        deafen(world, *(("h37", "h49", "centre") if has_it else ("h49", "h37", "centre")))
        paper = await cast.send("H49.22.05", UNIT, "H49.22.06")
        await asyncio.sleep(60)
        publish(world, moved(world, UNIT, "h49"))
        await asyncio.sleep(300)
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)
        assert await holders(world, cast, paper) == ["h37" if has_it else "h49"]
        assert await holders(world, cast, paper, "H49.22.06") == ["h49"]
        publish(world, moved(world, UNIT, "h01"))
        publish(world, moved(world, "H49.22.06", "h01"))
        await asyncio.sleep(HOUR_S)
        assert await holders(world, cast, paper) == ["h37" if has_it else "h49"]

    tell(story)


# --- through a relay -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_it", [True, False])
def test_an_old_node_that_only_a_relay_reaches_is_asked_by_it(has_it: bool) -> None:
    async def story(world: World, cast: Cast) -> None:
        for pair in (("h49", "h37"), ("h37", "h49")):
            world.network.walls.add(pair)
        world.network.cut(*(("h37", "centre") if has_it else ("centre", "h37")), "drop")
        paper = await cast.send("H49.22.05", UNIT)
        await asyncio.sleep(900)
        publish(world, moved(world, UNIT, "h01"))
        await asyncio.sleep(300)
        assert (await cast.views(paper))[UNIT].state is State.WAITING
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)
        assert await holders(world, cast, paper) == ["h37" if has_it else "h01"]
        await rest(world, "centre")

    tell(story)


# --- peers that are older, or lie ----------------------------------------------------------------------------------------


def older(name: str) -> Any:
    """Let a node be one of a version that does not know of questions."""
    real: Callable[[pb.Parcel], Parcel] = mesh.parcel_from_proto

    def reads(message: pb.Parcel) -> Parcel:
        parcel, process = real(message), current_process()
        if process is not None and process.name == name:
            return replace(parcel, asked_units=(), for_units=(), addressed_version=0)
        return parcel

    return patch.object(mesh, "parcel_from_proto", reads)


@pytest.mark.parametrize("has_it", [True, False])
def test_an_old_node_of_an_older_version_is_understood(has_it: bool) -> None:
    async def story(world: World, cast: Cast) -> None:
        deafen(world, *(("h37", "h49", "centre") if has_it else ("h49", "h37", "centre")))
        paper = await cast.send("H49.22.05", UNIT)
        await asyncio.sleep(60)
        publish(world, moved(world, UNIT, "h01"))
        await asyncio.sleep(300)
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)
        assert await holders(world, cast, paper) == ["h37" if has_it else "h01"]

    with older("h37"):
        tell(story)


def test_a_peer_that_says_no_and_later_that_it_has_it_is_not_believed_twice() -> None:
    async def story(world: World, cast: Cast) -> None:
        deafen(world, "h49", "h37", "centre")
        paper = await cast.send("H49.22.05", UNIT)
        await asyncio.sleep(60)
        publish(world, moved(world, UNIT, "h01"))
        world.network.heal()
        await cast.delivered_within(world, paper, HOUR_S)
        assert (await cast.views(paper))[UNIT].node_id == "h01"
        said = await statement_of(world, cast, paper, "h37")
        assert said.outcomes[0].reason is Reason.WRONG_NODE
        lie = replace(said, outcomes=(Outcome(UNIT, Reason.NONE),))
        octets = codec.encode_receipt(lie)
        signed = SignedReceipt(octets, world.machines["h37"].keys.sign(RECEIPT_LABEL, [octets])[0])
        machine = world.machines["h49"]
        assert machine.process is not None
        await machine.process.call(machine.node.receive_push("h37", [PushReceipt(signed)]), 30.0)
        view = (await cast.views(paper))[UNIT]
        assert (view.state, view.node_id) == (State.DELIVERED, "h01")
        assert view.signed_receipt is not None
        assert codec.decode_receipt(view.signed_receipt.receipt).signer_node == "h01"

    tell(story)


def test_a_question_about_strangers_is_refused_and_nothing_is_written() -> None:
    async def story(world: World, cast: Cast) -> None:
        deafen(world, "h49", "h37", "centre")
        paper = await cast.send("H49.22.05", UNIT)
        await asyncio.sleep(60)
        parcel = await parcel_of(world, cast, paper)
        machine = world.machines["h37"]
        assert machine.process is not None
        for units in (("G22",), (UNIT, UNIT)):
            question = replace(parcel, asked_units=units)
            answer = await machine.process.call(machine.node.receive_offer("h49", question), 30.0)
            assert answer.reason is Reason.ENVELOPE_MALFORMED
        # Nobody else may ask.
        question = replace(parcel, asked_units=(UNIT,), directory_version=0)
        answer = await machine.process.call(machine.node.receive_offer("g22", question), 30.0)
        assert answer.reason is Reason.PEER_SPEAKS_FOR_OTHERS
        assert machine.disk.durable(keys.packet(await packet_id_of(world, cast, paper))) is None
        assert world.directory.version < asked.EVERY_VERSION

    tell(story)


def test_a_question_by_a_newer_directory_is_not_answered_before_that_is_here() -> None:
    async def story(world: World, cast: Cast) -> None:
        deafen(world, "h49", "h37", "centre")
        paper = await cast.send("H49.22.05", UNIT)
        await asyncio.sleep(60)
        parcel = replace(await parcel_of(world, cast, paper), directory_version=10_000, asked_units=(UNIT,))
        machine = world.machines["h37"]
        assert machine.process is not None
        answer = await machine.process.call(machine.node.receive_offer("h49", parcel), 30.0)
        assert answer.reason is Reason.DIRECTORY_OLDER

    tell(story)


def test_a_relay_hands_on_no_question_about_what_would_wait_for_ever() -> None:
    async def story(world: World, cast: Cast) -> None:
        deafen(world, "h49", "h37", "centre")
        paper = await cast.send("H49.22.05", UNIT)
        await asyncio.sleep(60)
        parcel = await parcel_of(world, cast, paper)
        envelope = codec.decode_envelope(parcel.signed_envelope.envelope)
        octets = codec.encode_envelope(replace(envelope, expire_at_ms=envelope.expire_at_ms + 500 * 86_400_000))
        signature = world.machines["h49"].keys.sign(ENVELOPE_LABEL, [octets])[0]
        question = replace(parcel, signed_envelope=SignedEnvelope(octets, signature), asked_units=(UNIT,))
        machine = world.machines["centre"]
        assert machine.process is not None
        answer = await machine.process.call(machine.node.receive_offer("h49", question), 30.0)
        assert answer.reason is Reason.RELAY_NOT_ALLOWED
        assert machine.disk.durable(keys.packet(envelope.packet_id)) is None

    tell(story)
