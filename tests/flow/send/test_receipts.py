"""At the origin: which receipts are believed, and what follows from each."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from node.errors import Fault
from node.flow.send import outbox
from node.model.delivery import State
from node.model.directory import NodeEntry
from node.model.mesh import Answer, PushItem, PushPacket, PushReceipt
from node.model.office import DeliveryView
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, SignedReceipt
from node.rows import keys
from node.wire.codec import decode_envelope
from tests.clocks import NOW
from tests.flow.support import KEYS, STRANGER, Place, directory, place, push_of, receipt_for, run
from tests.papers import document

ITEM_RETRY_MS = 30_000
OK = Reason.NONE


def answering(make: Callable[[PushPacket], Any]) -> Callable[[NodeEntry, Sequence[PushItem]], list[Answer]]:
    """Peers that answer each packet with the receipt, or the Answer, that `make` gives."""

    def answers(peer: NodeEntry, items: Sequence[PushItem]) -> list[Answer]:
        made = [make(item) for item in items if isinstance(item, PushPacket)]
        return [one if isinstance(one, Answer) else Answer(one) for one in made]

    return answers


def about(item: PushPacket, **changes: Any) -> SignedReceipt:
    octets = item.parcel.signed_envelope.envelope
    return receipt_for(octets, decode_envelope(octets).packet_id, **changes)


async def after(
    make: Callable[[PushPacket], Any], *recipients: str, through: str = ""
) -> tuple[Place, dict[str, DeliveryView]]:
    """Submit at g14, let h49 (or the relay) answer so, and return the deliveries by unit."""
    here = place("g14")
    await here.submit(document(*(recipients or ("H49.22",))))
    here.peers.answers = answering(make)
    await here.carry("h49", through=through)
    return here, {one.unit: one for one in (await here.track()).deliveries}


def waits(here: Place, view: DeliveryView, reason: Reason, retry_ms: int = ITEM_RETRY_MS) -> None:
    assert (view.state, view.reason) == (State.WAITING, reason)
    assert view.next_attempt_ms == NOW + retry_ms
    assert view.signed_receipt is None
    assert view.attempts == 1


def test_a_true_receipt_ends_the_delivery_and_empties_the_outbox() -> None:
    async def story() -> None:
        here, views = await after(about)
        view = views["H49.22"]
        assert (view.state, view.reason, view.end_time_ms) == (State.DELIVERED, OK, NOW)
        assert view.signed_receipt is not None
        assert (view.relay_node, view.next_attempt_ms) == ("", 0)
        assert here.tables() & {"o", "l", "q"} == set()

    run(story())


def test_a_refusal_in_a_true_receipt_fails_the_delivery_with_its_proof() -> None:
    async def story() -> None:
        here, views = await after(lambda item: about(item, outcomes=[Outcome("H49.22", Reason.PACKET_TRUNCATED)]))
        view = views["H49.22"]
        assert (view.state, view.reason) == (State.FAILED, Reason.PACKET_TRUNCATED)
        assert view.signed_receipt is not None
        assert here.tables() & {"o", "l", "q"} == set()

    run(story())


FORGERIES: dict[str, Callable[[PushPacket], SignedReceipt]] = {
    "signed by a stranger": lambda item: about(item, by=STRANGER),
    "signed by another node in the name of this one": lambda item: about(item, by=KEYS["h37"]),
    "a node that the directory does not know": lambda item: about(item, signer="stranger", by=STRANGER),
    "by a node that does not serve the unit": lambda item: about(item, signer="h37"),
    "by the origin itself": lambda item: about(item, signer="g14"),
    "about another envelope of the same packet": lambda item: receipt_for(b"other octets", packet_id_of(item)),
    "about another packet": lambda item: receipt_for(item.parcel.signed_envelope.envelope, b"p" * 16),
    "a failure that only the origin may state": lambda item: about(
        item, level=Level.FAILED, outcomes=[Outcome("H49.22", Reason.EXPIRED)]
    ),
    "custody of the recipient's own node": lambda item: about(item, level=Level.CUSTODY),
    "custody of a node that was not called": lambda item: about(item, level=Level.CUSTODY, signer="centre"),
    "altered after signing": lambda item: altered(about(item)),
    "octets that are no receipt": lambda item: SignedReceipt(b"\xff", about(item).signature),
}


def packet_id_of(item: PushPacket) -> bytes:
    return decode_envelope(item.parcel.signed_envelope.envelope).packet_id


def altered(signed: SignedReceipt) -> SignedReceipt:
    return SignedReceipt(signed.receipt.replace(b"H49.22", b"H49.77"), signed.signature)


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_receipt_changes_nothing_and_the_sender_sees_why_it_waits(name: str) -> None:
    async def story() -> None:
        here, views = await after(FORGERIES[name])
        waits(here, views["H49.22"], Reason.RECEIPT_INVALID)
        assert "r" not in here.tables(), "nothing of it is kept"

    run(story())


def test_a_receipt_replayed_from_another_packet_is_refused() -> None:
    async def story() -> None:
        here = place("g14")
        await here.submit(document("H49.22"), "1")
        here.peers.answers = answering(about)
        await here.carry()
        [(_, [first])] = here.peers.pushed
        assert isinstance(first, PushPacket)
        await here.submit(document("H49.22", number="124"), "2")
        here.peers.answers = answering(lambda item: about(first))
        await here.carry()
        [view] = (await here.track("2")).deliveries
        waits(here, view, Reason.RECEIPT_INVALID)

    run(story())


def test_after_a_forgery_a_true_receipt_is_still_taken() -> None:
    async def story() -> None:
        here, _ = await after(lambda item: about(item, by=STRANGER))
        here.clock.at_ms += ITEM_RETRY_MS
        assert len(await here.do(lambda tx: outbox.promote(tx, "h49", here.clock.at_ms, 10))) == 1
        here.peers.answers = answering(about)
        assert await here.carry()
        [view] = (await here.track()).deliveries
        assert view.state is State.DELIVERED

    run(story())


def test_custody_of_the_called_relay_keeps_the_delivery_waiting_and_says_who_has_it() -> None:
    async def story() -> None:
        here, views = await after(lambda item: about(item, level=Level.CUSTODY, signer="centre"), through="centre")
        view = views["H49.22"]
        waits(here, view, Reason.IN_CUSTODY, retry_ms=here.node.policy.custody_retry_ms)
        assert view.custody_node == "centre"

    run(story())


def test_the_recipients_receipt_brought_in_the_relays_answer_is_final_and_names_the_relay() -> None:
    async def story() -> None:
        _, views = await after(about, through="centre")
        assert (views["H49.22"].state, views["H49.22"].relay_node) == (State.DELIVERED, "centre")

    run(story())


def test_a_relay_cannot_answer_for_the_recipient() -> None:
    async def story() -> None:
        here, views = await after(lambda item: about(item, signer="centre"), through="centre")
        waits(here, views["H49.22"], Reason.RECEIPT_INVALID)

    run(story())


def test_a_receipt_that_is_silent_about_a_unit_leaves_that_one_waiting() -> None:
    async def story() -> None:
        here, views = await after(about, "H49", "H49.22")
        assert views["H49.22"].state is State.DELIVERED
        waits(here, views["H49"], Reason.WRONG_NODE)

    run(story())


def test_a_receipt_that_says_more_than_it_was_asked_says_nothing_of_others() -> None:
    async def story() -> None:
        many = [Outcome(unit, OK) for unit in ("H49", "H49.22", "H37", "G14.01")]
        _, views = await after(lambda item: about(item, outcomes=many), "H49.22", "H37")
        assert {unit: view.state for unit, view in views.items()} == {"H49.22": State.DELIVERED, "H37": State.WAITING}

    run(story())


@pytest.mark.parametrize("reason", [Reason.DISK_FULL, Reason.BODY_DIGEST_DIFFERS, Reason.ENVELOPE_CONFLICT])
def test_an_answer_without_a_receipt_puts_the_row_off_with_its_reason(reason: Reason) -> None:
    async def story() -> None:
        here, views = await after(lambda item: Answer(None, reason))
        waits(here, views["H49.22"], reason)
        here, views = await after(lambda item: Answer(None, reason, retry_after_ms=7_000))
        waits(here, views["H49.22"], reason, retry_ms=7_000)

    run(story())


def test_an_empty_answer_is_no_success() -> None:
    async def story() -> None:
        here, views = await after(lambda item: Answer())
        waits(here, views["H49.22"], Reason.PEER_BUSY)

    run(story())


def test_fewer_answers_than_items_are_a_fault_of_the_peer_and_change_nothing() -> None:
    async def story() -> None:
        here = place("g14")
        await here.submit(document("H49.22"))
        here.peers.answers = lambda peer, items: []
        with pytest.raises(Fault):
            await here.carry()
        [view] = (await here.track()).deliveries
        assert (view.state, view.attempts) == (State.WAITING, 0)

    run(story())


# --- receipts that a relay brings home --------------------------------------------------------------------------------


async def brought(
    make: Callable[[PushPacket], SignedReceipt], *, by: str = "centre"
) -> tuple[Place, Answer, DeliveryView]:
    """Submit at g14, push (nobody answers), then let a peer bring a receipt; return the answer and the delivery."""
    here = place("g14")
    await here.submit(document("H49.22"))
    here.peers.answers = answering(lambda item: Answer(None, Reason.PEER_BUSY))
    await here.carry()
    [(_, [item])] = here.peers.pushed
    assert isinstance(item, PushPacket)
    [answer] = await here.push(PushReceipt(make(item)), by=by)
    [view] = (await here.track()).deliveries
    return here, answer, view


def test_a_receipt_brought_home_ends_the_delivery_and_takes_the_put_off_row_out() -> None:
    async def story() -> None:
        here, answer, view = await brought(about)
        assert answer == Answer()
        assert (view.state, view.relay_node) == (State.DELIVERED, "centre")
        assert here.tables() & {"o", "l", "q"} == set()

    run(story())


@pytest.mark.parametrize(
    "name", sorted(set(FORGERIES) - {"by a node that does not serve the unit", "by the origin itself"})
)
def test_a_forged_receipt_brought_home_changes_nothing(name: str) -> None:
    async def story() -> None:
        _, answer, view = await brought(FORGERIES[name])
        assert answer.reason in (Reason.RECEIPT_INVALID, Reason.NOT_FOUND)
        assert (view.state, view.reason) == (State.WAITING, Reason.PEER_BUSY)

    run(story())


@pytest.mark.parametrize("name", ["by a node that does not serve the unit", "by the origin itself"])
def test_a_true_receipt_of_a_node_without_a_say_in_the_matter_changes_nothing(name: str) -> None:
    async def story() -> None:
        _, _, view = await brought(FORGERIES[name], by="h37")
        assert (view.state, view.reason) == (State.WAITING, Reason.PEER_BUSY)

    run(story())


def test_a_receipt_for_a_packet_that_was_never_submitted_here_is_not_taken() -> None:
    async def story() -> None:
        here = place("h37")
        [answer] = await here.push(PushReceipt(about(push_of())), by="centre")
        assert answer.reason is Reason.NOT_FOUND
        assert here.tables() == set()

    run(story())


def test_a_late_receipt_after_the_end_is_kept_and_changes_nothing() -> None:
    async def story() -> None:
        here, views = await after(about)
        first = views["H49.22"].signed_receipt
        [(_, [item])] = here.peers.pushed
        assert isinstance(item, PushPacket)
        other = about(item, outcomes=[Outcome("H49.22", Reason.PACKET_TRUNCATED)])
        [answer] = await here.push(PushReceipt(other), by="centre")
        assert answer == Answer()
        [view] = (await here.track()).deliveries
        assert (view.state, view.signed_receipt, view.relay_node) == (State.DELIVERED, first, "")
        assert len([key for key in here.rows() if key.startswith(keys.receipt(packet_id_of(item), 2))]) == 1

    run(story())


def test_a_key_that_has_left_the_directory_no_longer_makes_receipts() -> None:
    async def story() -> None:
        here = place("g14")
        await here.submit(document("H49.22"))
        here.directory.directory = directory(version=2, entries={"h49": {"signing_keys": ()}})
        here.peers.answers = answering(about)
        await here.carry()
        [view] = (await here.track()).deliveries
        waits(here, view, Reason.RECEIPT_INVALID)

    run(story())
