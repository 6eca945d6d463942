"""Verifying a pushed packet: each refusal, and whether it comes with a signature or without one.

Without: it may be a mistake on the road, nothing is stored, the origin tries again. With: it is refused for good.
"""

from dataclasses import replace
from typing import Any

import pytest

from node.edxml.reader import read_header
from node.flow.receive.verify import Opened, outcome_for
from node.flow.send.receipts import believe
from node.model.code import parse_code
from node.model.directory import Holding, PublicKey, Role, Unit
from node.model.envelope import PacketKind
from node.model.mesh import Answer, Parcel, PushPacket
from node.model.policy import DAY_MS
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt
from node.model.statement import HEARD_WITHIN_MS
from tests.clocks import NOW
from tests.flow.support import KEYS, STRANGER, Place, directory, envelope_for, parcel_for, place, push_of, run
from tests.papers import document, status_about


def answer_to(item: PushPacket, *, by: str = "g14", known: Any = None, at: str = "h49") -> tuple[Answer, Place]:
    async def story() -> tuple[Answer, Place]:
        here = place(at, known=known)
        [answer] = await here.push(item, by=by)
        return answer, here

    return run(story())


def refused_without_receipt(item: PushPacket, reason: Reason, **options: Any) -> Answer:
    answer, here = answer_to(item, **options)
    assert answer.receipt is None
    assert answer.reason is reason
    assert here.tables() == set(), "nothing is stored of what is refused without a receipt"
    return answer


def statement(answer: Answer, known: Any = None) -> Receipt:
    assert answer.receipt is not None
    return believe(answer.receipt, known or directory(), now_ms=NOW).receipt


def refused_for_good(item: PushPacket, reason: Reason, *, units: tuple[str, ...] = ("H49.22",), **options: Any) -> None:
    answer, here = answer_to(item, **options)
    said = statement(answer)
    assert (said.signer_node, said.level) == ("h49", Level.DELIVERED)
    assert said.outcomes == tuple(Outcome(unit, reason) for unit in units)
    assert "i" not in here.tables(), "no unit's inbox gets it"
    assert "b" not in here.tables(), "and the body is not kept"
    assert "r" in here.tables(), "but the decision is"


def with_parcel(item: PushPacket, **changes: Any) -> PushPacket:
    return replace(item, parcel=replace(item.parcel, **changes))


def test_a_packet_in_order_is_delivered_with_our_signature() -> None:
    item = push_of()
    answer, here = answer_to(item)
    said = statement(answer)
    assert said.outcomes == (Outcome("H49.22", Reason.NONE),)
    assert said.envelope_sha256 == item.parcel.signed_envelope.sha256
    assert here.tables() == {"k", "b", "f", "i", "n", "r", "w", "y", "z"}


# --- points 1 and 2: the envelope and who brings it -------------------------------------------------------------------


def test_an_envelope_signed_by_somebody_else_is_refused() -> None:
    envelope, body = envelope_for(document("H49.22"))
    for signer in (KEYS["h37"], STRANGER):
        forged = PushPacket(parcel_for(envelope, signer=signer), body)
        refused_without_receipt(forged, Reason.ENVELOPE_SIGNATURE_INVALID)


def test_an_envelope_altered_after_signing_is_refused() -> None:
    item = push_of()
    signed = item.parcel.signed_envelope
    other, _ = envelope_for(document("H49.22"), recipient_units=("H49.22", "H49"))
    swapped = replace(parcel_for(other).signed_envelope, signature=signed.signature)
    refused_without_receipt(with_parcel(item, signed_envelope=swapped), Reason.ENVELOPE_SIGNATURE_INVALID)


def test_octets_that_are_no_envelope_are_refused() -> None:
    item = push_of()
    broken = replace(item.parcel.signed_envelope, envelope=b"\xff\xff")
    refused_without_receipt(with_parcel(item, signed_envelope=broken), Reason.ENVELOPE_MALFORMED)


def test_a_signing_key_past_its_time_no_longer_signs() -> None:
    [raw] = KEYS["g14"].public_keys().signing
    known = directory(entries={"g14": {"signing_keys": (PublicKey(raw, 1, valid_to_ms=NOW - 1),)}})
    refused_without_receipt(push_of(), Reason.ENVELOPE_SIGNATURE_INVALID, known=known)


def test_an_origin_that_is_not_in_the_directory_is_refused() -> None:
    refused_without_receipt(push_of(), Reason.PEER_UNKNOWN, known=directory(without=("g14",)))


@pytest.mark.parametrize("unit", ["H37", "H49", "Z00"])
def test_an_origin_that_does_not_serve_the_sending_unit_speaks_for_others(unit: str) -> None:
    item = push_of(document("H49.22", sender=unit), sender_unit=unit)
    refused_without_receipt(item, Reason.PEER_SPEAKS_FOR_OTHERS)


def test_a_peer_that_is_neither_the_origin_nor_a_relay_speaks_for_others() -> None:
    refused_without_receipt(push_of(), Reason.PEER_SPEAKS_FOR_OTHERS, by="h37")
    refused_without_receipt(push_of(), Reason.PEER_SPEAKS_FOR_OTHERS, by="stranger")


def test_a_relay_may_bring_it() -> None:
    answer, _ = answer_to(push_of(), by="centre")
    assert statement(answer).outcomes == (Outcome("H49.22", Reason.NONE),)


def test_the_role_of_a_relay_comes_from_the_directory_alone() -> None:
    known = directory(entries={"centre": {"roles": frozenset({Role.DIRECTORY})}})
    refused_without_receipt(push_of(), Reason.PEER_SPEAKS_FOR_OTHERS, by="centre", known=known)


# --- point 3 and the key: what cannot be opened ------------------------------------------------------------------------


def test_a_body_that_differs_from_the_envelope_is_refused() -> None:
    item = push_of()
    flipped = bytes([item.body[0] ^ 1]) + item.body[1:]
    for body in (flipped, item.body[:-1], item.body + b"\0", b""):
        answer, here = answer_to(replace(item, body=body))
        assert answer.receipt is None
        assert answer.reason in (Reason.BODY_DIGEST_DIFFERS, Reason.BODY_UNREADABLE)
        assert here.tables() == set()


def test_a_relay_compares_the_body_it_cannot_open_with_its_digest() -> None:
    item = push_of()
    flipped = bytes([item.body[0] ^ 1]) + item.body[1:]
    for body in (flipped, item.body[:-1], b""):
        refused_without_receipt(replace(item, body=body), Reason.BODY_DIGEST_DIFFERS, at="centre")


def test_a_key_wrapped_for_another_node_does_not_open_it() -> None:
    envelope, body = envelope_for(document("H49.22"))
    for_other = parcel_for(envelope, wrapped_for="h37")
    refused_without_receipt(PushPacket(for_other, body), Reason.BODY_UNREADABLE)
    renamed = replace(for_other.key_wrap, node_id="h49")
    refused_without_receipt(PushPacket(replace(for_other, key_wrap=renamed), body), Reason.BODY_UNREADABLE)


def test_a_key_wrap_taken_from_another_envelope_does_not_open_it() -> None:
    other = push_of(packet_nonce=b"o" * 16)
    refused_without_receipt(with_parcel(push_of(), key_wrap=other.parcel.key_wrap), Reason.BODY_UNREADABLE)


def test_a_wrong_content_key_does_not_open_it() -> None:
    envelope, body = envelope_for(document("H49.22"))
    refused_without_receipt(PushPacket(parcel_for(envelope, key=b"x" * 32), body), Reason.BODY_UNREADABLE)


# --- point 4: what opens and is not what the envelope says --------------------------------------------------------------


def test_a_body_that_is_no_packet_is_refused_for_good() -> None:
    refused_for_good(push_of(b"%PDF-1.7 this is no XML"), Reason.PACKET_NOT_XML)
    refused_for_good(push_of(document("H49.22")[:-40]), Reason.PACKET_TRUNCATED)


def test_a_packet_whose_sender_differs_from_the_envelope_is_refused_for_good() -> None:
    refused_for_good(push_of(document("H49.22", sender="G14.01")), Reason.PEER_SPEAKS_FOR_OTHERS)
    refused_for_good(push_of(document("H49.22", sender="H37")), Reason.PEER_SPEAKS_FOR_OTHERS)
    refused_for_good(push_of(document("H49.22", sender="Bộ")), Reason.CODE_MALFORMED)


def test_the_older_form_of_the_senders_code_is_no_difference() -> None:
    answer, _ = answer_to(push_of(document("H49.22", sender="000.00.01.G14"), sender_unit="G14.01"))
    assert statement(answer).outcomes == (Outcome("H49.22", Reason.NONE),)


def test_a_status_in_the_envelope_of_a_document_is_refused_for_good() -> None:
    status = status_about("1", "06", sender="G14", author="H49.22")
    refused_for_good(push_of(status), Reason.PEER_SPEAKS_FOR_OTHERS)
    answer, _ = answer_to(push_of(status, kind=PacketKind.STATUS))
    assert statement(answer).outcomes == (Outcome("H49.22", Reason.NONE),)


def test_an_expired_packet_is_refused_for_good() -> None:
    refused_for_good(push_of(create_time_ms=NOW - 10, expire_at_ms=NOW), Reason.EXPIRED)
    answer, _ = answer_to(push_of(create_time_ms=NOW - 10, expire_at_ms=NOW + 1))
    assert statement(answer).outcomes == (Outcome("H49.22", Reason.NONE),)


def test_each_unit_gets_its_own_outcome_and_the_packet_is_kept_for_those_who_are_there() -> None:
    known = directory(units={"H49.22": Unit("H49.22", "Sở mẫu", valid_to_ms=NOW)})
    item = push_of(document("H49", "H49.22", "H49.77"), recipient_units=("H49", "H49.22", "H49.77", "H37"))
    answer, here = answer_to(item, known=known)
    assert statement(answer).outcomes == (
        Outcome("H49", Reason.NONE),
        Outcome("H49.22", Reason.RECIPIENT_UNKNOWN),
        Outcome("H49.77", Reason.RECIPIENT_UNKNOWN),
    ), "nothing is said of H37, which another node serves"
    assert [key for key in here.rows() if key.startswith(b"n")] == [b"n" + statement(answer, known).packet_id + b"H49"]


def test_a_closed_unit_alone_is_refused_for_good_and_no_body_is_kept() -> None:
    known = directory(units={"H49.22": Unit("H49.22", "Sở mẫu", valid_to_ms=NOW)})
    refused_for_good(push_of(), Reason.RECIPIENT_UNKNOWN, known=known)


def test_a_packet_for_none_of_our_units_is_put_off_since_the_directories_differ() -> None:
    item = push_of(document("H37"), recipient_units=("H37",))
    refused_without_receipt(item, Reason.WRONG_NODE)


@pytest.mark.parametrize(
    ("unit", "refusal", "expire_at_ms", "reason"),
    [
        ("H49.22", Reason.NONE, NOW + 1, Reason.NONE),
        ("H49.22", Reason.PACKET_NOT_XML, NOW + 1, Reason.PACKET_NOT_XML),
        ("H49.22", Reason.PACKET_NOT_XML, NOW, Reason.PACKET_NOT_XML),
        ("H49.22", Reason.NONE, NOW, Reason.EXPIRED),
        ("H49.77", Reason.NONE, NOW, Reason.EXPIRED),
        ("H49.77", Reason.NONE, NOW + 1, Reason.RECIPIENT_UNKNOWN),
        ("Z00", Reason.NONE, NOW + 1, Reason.RECIPIENT_UNKNOWN),
    ],
)
def test_the_outcome_for_a_unit(unit: str, refusal: Reason, expire_at_ms: int, reason: Reason) -> None:
    envelope, _ = envelope_for(document("H49.22"), create_time_ms=1, expire_at_ms=expire_at_ms)
    opened = Opened(read_header(document("H49.22")), b"", refusal)
    assert outcome_for(unit, directory(), envelope, opened, NOW) == Outcome(unit, reason)


@pytest.mark.parametrize(
    ("packet", "unit", "reason"),
    [
        (status_about("7", "01"), Unit("H49.22", "closed long ago", valid_to_ms=10), Reason.NONE),
        (status_about("7", "15"), Unit("H49.22", "closed long ago", valid_from_ms=5, valid_to_ms=10), Reason.NONE),
        (status_about("7", "13"), Unit("H49.22", "closed long ago", valid_to_ms=10), Reason.RECIPIENT_UNKNOWN),
        (
            status_about("7", "01"),
            Unit("H49.22", "not before tomorrow", valid_from_ms=NOW + 9),
            Reason.RECIPIENT_UNKNOWN,
        ),
        (document("H49.22"), Unit("H49.22", "closed long ago", valid_to_ms=10), Reason.RECIPIENT_UNKNOWN),
    ],
)
def test_a_closed_unit_still_hears_of_its_own_documents_and_of_nothing_new(
    packet: bytes, unit: Unit, reason: Reason
) -> None:
    envelope, _ = envelope_for(packet, recipient_units=("H49.22",), create_time_ms=NOW - 1, expire_at_ms=NOW + 5)
    known, opened = directory(units={"H49.22": unit}), Opened(read_header(packet), b"")
    assert outcome_for("H49.22", known, envelope, opened, NOW) == Outcome("H49.22", reason)


def test_a_fault_of_one_item_leaves_the_others_alone() -> None:
    async def story() -> None:
        here = place("h49")
        good, other = push_of(), push_of(packet_nonce=b"o" * 16)
        answers = await here.push(replace(good, body=b""), good, with_parcel(other, target_node="h37"), other)
        assert [answer.receipt is not None for answer in answers] == [False, True, False, True]
        assert answers[2].reason is Reason.WRONG_NODE
        assert len(await here.inbox("H49.22")) == 2

    run(story())


def test_the_parcel_a_test_makes_is_what_a_real_node_makes() -> None:
    # Guards the other tests: their refusals come from the one change each of them makes.
    assert isinstance(push_of().parcel, Parcel)
    answer, _ = answer_to(push_of(document("H49", "H49.22.05"), recipient_units=("H49", "H49.22.05")))
    assert statement(answer).outcomes == (Outcome("H49", Reason.NONE), Outcome("H49.22.05", Reason.NONE))


@pytest.mark.parametrize(
    ("closed_ms", "begins_ms", "reason"),
    [
        (NOW - 1, 0, Reason.NONE),
        (NOW - 60_001, 0, Reason.RECIPIENT_UNKNOWN),
        (0, NOW + 1, Reason.UNIT_NOT_YET),
        (0, NOW + 2 * DAY_MS, Reason.RECIPIENT_UNKNOWN),
    ],
)
def test_a_unit_counts_if_it_was_open_when_the_packet_was_made_and_one_that_is_yet_to_begin_is_waited_for(
    closed_ms: int, begins_ms: int, reason: Reason
) -> None:
    known = directory(units={"H49.22": Unit("H49.22", "Sở mẫu", valid_from_ms=begins_ms, valid_to_ms=closed_ms)})
    item = push_of(create_time_ms=NOW - 60_000, expire_at_ms=NOW + DAY_MS)
    if reason is Reason.UNIT_NOT_YET:
        assert refused_without_receipt(item, reason, known=known).retry_after_ms == 1
    elif reason is Reason.NONE:
        assert statement(answer_to(item, known=known)[0]).outcomes == (Outcome("H49.22", Reason.NONE),)
    else:
        refused_for_good(item, reason, known=known)


def test_a_packet_that_its_origin_signed_while_it_held_the_senders_prefix_is_delivered() -> None:
    known = directory(moved={"G14": "h37"})
    # It may not have heard for a month that the prefix is another's now.
    for until_ms, spoke in (
        (NOW + 1, True),
        (NOW, True),
        (NOW - HEARD_WITHIN_MS + 1, True),
        (NOW - HEARD_WITHIN_MS, False),
    ):
        held = Holding(parse_code("G14"), "g14", 0, until_ms)
        later = replace(known, former={held.prefix: (held,)}, zones={**known.zones})
        for zone in list(later.zones.values()):
            later.zones[zone.prefix] = replace(zone, held_from_ms=until_ms) if zone.node_id == "h37" else zone
        if spoke:
            assert statement(answer_to(push_of(), known=later)[0]).outcomes == (Outcome("H49.22", Reason.NONE),)
        else:
            refused_without_receipt(push_of(), Reason.PEER_SPEAKS_FOR_OTHERS, known=later)
