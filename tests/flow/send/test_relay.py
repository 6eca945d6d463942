"""Carrying for two nodes that cannot reach each other: what a relay takes, what it gives back, and what it never learns."""

from dataclasses import replace

import pytest

from node.flow.send import outbox, relay
from node.model.mesh import Answer, PushPacket, PushReceipt
from node.model.policy import DAY_MS, Policy
from node.model.reason import Reason
from node.model.receipt import Level, Outcome
from node.node import Node
from node.rows import keys
from node.rows.access import load
from node.rows.records import OutboxRecord, PacketRecord
from node.wire import codec
from tests.clocks import NOW
from tests.flow.support import KEYS, Place, directory, envelope_for, parcel_for, place, push_of, receipt_for, run
from tests.papers import document


def packet_id_of(item: PushPacket) -> bytes:
    return codec.decode_envelope(item.parcel.signed_envelope.envelope).packet_id


# --- what a relay takes -------------------------------------------------------------------------------------------------


def test_a_relay_takes_custody_says_so_and_says_for_whom() -> None:
    async def story() -> None:
        centre, item = place("centre"), push_of()
        [answer] = await centre.push(item)
        assert answer.receipt is not None
        said = codec.decode_receipt(answer.receipt.receipt)
        assert (said.signer_node, said.level) == ("centre", Level.CUSTODY)
        assert said.outcomes == (Outcome("H49.22", Reason.NONE),)
        assert await centre.do(lambda tx: relay.is_carried(tx, said.packet_id, "h49"))

    run(story())


def test_a_repeat_at_the_relay_gets_the_same_custody_and_waits_once() -> None:
    async def story() -> None:
        centre = place("centre")
        [first] = await centre.push(push_of())
        before = centre.rows()
        assert await centre.push(push_of()) == [first]
        assert centre.rows() == before

    run(story())


def test_one_packet_for_two_targets_is_carried_to_both_over_one_body() -> None:
    async def story() -> None:
        centre = place("centre")
        envelope, body = envelope_for(document("H49", "H37"), recipient_units=("H49", "H37"))
        for target in ("h49", "h37"):
            [answer] = await centre.push(PushPacket(parcel_for(envelope, target=target), body))
            assert answer.receipt is not None
        rows = [key for key in centre.rows() if key.startswith(b"o")]
        assert sorted(keys.parse_outbox_row(key)[0] for key in rows) == ["h37", "h49"]
        assert len([key for key in centre.rows() if key.startswith(b"b")]) == 1

    run(story())


def test_who_is_no_relay_carries_nothing_whether_the_settings_or_the_directory_say_so() -> None:
    async def story() -> None:
        envelope, body = envelope_for(document("H37"), recipient_units=("H37",))
        item = PushPacket(parcel_for(envelope, target="h37"), body)
        settings_say_no = place("centre")
        settings_say_no.node = Node(settings_say_no.ports, Policy(relay_for_others=False))
        directory_says_no = place("centre", known=directory(entries={"centre": {"roles": frozenset()}}))
        ordinary = place("h49")
        ordinary.node = Node(ordinary.ports, Policy(relay_for_others=True))
        for here in (settings_say_no, directory_says_no, ordinary):
            [answer] = await here.push(item)
            assert (answer.receipt, answer.reason) == (None, Reason.RELAY_NOT_ALLOWED)
            assert here.tables() == set()

    run(story())


def test_a_relay_takes_nothing_that_has_expired_or_goes_nowhere() -> None:
    async def story() -> None:
        centre = place("centre")
        [expired] = await centre.push(push_of(create_time_ms=NOW - 2, expire_at_ms=NOW))
        assert (expired.receipt, expired.reason) == (None, Reason.EXPIRED)
        envelope, body = envelope_for(document("H37"), recipient_units=("H37",))
        [not_theirs] = await centre.push(PushPacket(parcel_for(envelope, target="h49"), body))
        assert (not_theirs.receipt, not_theirs.reason) == (None, Reason.WRONG_NODE)
        parcel = replace(parcel_for(envelope, target="h37"), target_node="nowhere")
        [unknown] = await centre.push(PushPacket(parcel, body))
        assert (unknown.receipt, unknown.reason) == (None, Reason.WRONG_NODE)
        assert centre.tables() == set()

    run(story())


def test_a_relay_holds_nothing_readable() -> None:
    async def story() -> None:
        centre = place("centre")
        await centre.push(push_of(document("H49.22", subject="Việc rất mật", attachments=[("a.pdf", b"%PDF-rat-mat")])))
        held = b"".join(key + value for key, value in centre.rows().items())
        for secret in ("Việc rất mật", "rat-mat", "Bộ mẫu", "BM-VP"):
            assert secret.encode() not in held
        packet = next(PacketRecord.FromString(v) for k, v in centre.rows().items() if k.startswith(b"k"))
        assert (packet.own_wrap, packet.sealed_header) == (b"", b"")

    run(story())


# --- what it gives back -------------------------------------------------------------------------------------------------


async def carried() -> tuple[Place, PushPacket]:
    """A centre that has custody of a packet from g14 for h49."""
    centre, item = place("centre"), push_of()
    await centre.push(item)
    return centre, item


async def pushed_on(centre: Place, item: PushPacket) -> None:
    """The target answers with its receipt."""
    final = receipt_for(item.parcel.signed_envelope.envelope, packet_id_of(item))
    centre.peers.answers = lambda peer, items: [Answer(final)]
    assert await centre.carry("h49")


def test_the_relay_carries_the_very_same_envelope_wrap_and_body_on() -> None:
    async def story() -> None:
        centre, item = await carried()
        await pushed_on(centre, item)
        by = centre.directory.current().version
        assert centre.peers.pushed == [("h49", [replace(item, parcel=replace(item.parcel, directory_version=by))])]

    run(story())


def test_the_targets_receipt_is_carried_home_and_the_body_is_let_go() -> None:
    async def story() -> None:
        centre, item = await carried()
        await pushed_on(centre, item)
        envelope = codec.decode_envelope(item.parcel.signed_envelope.envelope)
        assert not await centre.body_is_there(envelope)
        assert not await centre.do(lambda tx: relay.is_carried(tx, envelope.packet_id, "h49"))
        centre.peers.answers = lambda peer, items: [Answer()]
        assert await centre.carry("g14")
        node_id, [home] = centre.peers.pushed[-1]
        assert node_id == "g14"
        assert isinstance(home, PushReceipt)
        assert codec.decode_receipt(home.signed_receipt.receipt).signer_node == "h49"
        assert centre.tables() & {"o", "l", "q"} == set()

    run(story())


def test_a_file_body_is_let_go_as_well_but_not_while_another_target_waits_for_it() -> None:
    async def story() -> None:
        centre = place("centre", Policy(inline_body_bytes_max=1_000))
        packet = document("H49", "H37", attachments=[("a.pdf", bytes(5_000))])
        envelope, body = envelope_for(packet, recipient_units=("H49", "H37"))
        for target in ("h49", "h37"):
            item = PushPacket(parcel_for(envelope, target=target), body)
            await centre.push(item)
        for target, unit, stays in (("h49", "H49", True), ("h37", "H37", False)):
            final = receipt_for(
                item.parcel.signed_envelope.envelope,
                envelope.packet_id,
                signer=target,
                outcomes=[Outcome(unit, Reason.NONE)],
            )
            centre.peers.answers = lambda peer, items, final=final: [Answer(final)]  # type: ignore[misc]
            assert await centre.carry(target)
            assert await centre.body_is_there(envelope) is stays

    run(story())


def test_a_relay_that_is_a_recipient_itself_keeps_the_body_for_its_own_unit() -> None:
    # The centre of this directory serves a unit of its own.
    known = directory(moved={"A01": "centre"})

    async def story() -> None:
        centre = place("centre", known=known)
        packet = document("H49", "A01")
        envelope, body = envelope_for(packet, recipient_units=("H49", "A01"))
        for target in ("h49", "centre"):
            [answer] = await centre.push(PushPacket(parcel_for(envelope, target=target), body))
            assert answer.receipt is not None
        final = receipt_for(codec.encode_envelope(envelope), envelope.packet_id, outcomes=[Outcome("H49", Reason.NONE)])
        centre.peers.answers = lambda peer, items: [Answer(final)]
        assert await centre.carry("h49")
        assert await centre.body_is_there(envelope)

    run(story())


def test_a_copy_that_comes_after_the_targets_receipt_is_answered_with_it_and_not_carried_again() -> None:
    async def story() -> None:
        centre, item = await carried()
        await pushed_on(centre, item)
        before = centre.rows()
        [again] = await centre.push(item)
        assert again.receipt is not None
        assert codec.decode_receipt(again.receipt.receipt).signer_node == "h49"
        assert centre.rows() == before

    run(story())


@pytest.mark.parametrize("reason", [Reason.NOT_FOUND, Reason.RECEIPT_INVALID])
def test_a_receipt_that_its_origin_will_not_have_is_not_brought_for_ever(reason: Reason) -> None:
    async def story() -> None:
        centre, item = await carried()
        await pushed_on(centre, item)
        centre.peers.answers = lambda peer, items: [Answer(None, reason)]
        assert await centre.carry("g14")
        assert centre.tables() & {"o", "l", "q"} == set()

    run(story())


def test_a_receipt_that_its_origin_puts_off_waits_and_is_brought_again() -> None:
    async def story() -> None:
        centre, item = await carried()
        await pushed_on(centre, item)
        centre.peers.answers = lambda peer, items: [Answer(None, Reason.DISK_FULL, retry_after_ms=900)]
        assert not await centre.carry("g14")
        [(key, value)] = [(k, v) for k, v in centre.rows().items() if k.startswith(b"l")]
        assert keys.due_of_later(key) == NOW + 900
        assert OutboxRecord.FromString(value).reason == Reason.DISK_FULL

    run(story())


def test_a_forged_answer_of_the_target_moves_nothing_at_the_relay() -> None:
    async def story() -> None:
        centre, item = await carried()
        octets, packet_id = item.parcel.signed_envelope.envelope, packet_id_of(item)
        for forged in (
            receipt_for(octets, packet_id, by=KEYS["h37"]),
            receipt_for(octets, packet_id, level=Level.CUSTODY),
            receipt_for(b"another", packet_id),
        ):
            centre.peers.answers = lambda peer, items, forged=forged: [Answer(forged)]  # type: ignore[misc]
            await centre.carry("h49")
            await centre.do(lambda tx: relay.outbox.promote(tx, "h49", NOW + DAY_MS, 10))
        assert await centre.do(lambda tx: relay.is_carried(tx, packet_id, "h49"))
        assert await centre.body_is_there(codec.decode_envelope(octets))
        assert not await centre.do(lambda tx: outbox.nodes_waited_for(tx) - {"h49"})

    run(story())


def test_the_record_of_a_carried_packet_names_no_submission() -> None:
    async def story() -> None:
        centre, item = await carried()
        record = await centre.do(lambda tx: load(tx, keys.packet(packet_id_of(item)), PacketRecord))
        assert record is not None
        assert (record.system, record.submission_id) == ("", "")

    run(story())
