"""Words that people and programs read: times, sizes, states, receipts."""

from dataclasses import replace

import pytest

from node.model.delivery import State
from node.model.directory import Role
from node.model.envelope import PacketKind, Signature
from node.model.lane import Lane
from node.model.office import DeliveryView, InboxEntry, PeerView
from node.model.reason import Reason
from node.model.receipt import Level, Outcome, Receipt, SignedReceipt
from node.wire.receipt import encode_receipt
from node.wording import vietnamese
from node.wording.plain import iso_time, plain
from node.wording.vietnamese import clean

PACKET_ID = bytes(range(16))
AT_MS = 1_795_345_200_123
"""2026-11-22 18:00:00.123 in Vietnam."""

ENTRY = InboxEntry(
    packet_id=PACKET_ID,
    unit="H37.01",
    sender_unit="G09",
    kind=PacketKind.DOCUMENT,
    lane=Lane.HOA_TOC,
    accept_time_ms=AT_MS,
    packet_bytes=1_536,
    packet_sha256=bytes(32),
    document_id="d",
    document_code="12/BNV-VP",
    subject="",
    status_code="",
    lease_until_ms=0,
    fetch_count=0,
    sender_name="",
    business_type=0,
)

WAITING = DeliveryView(
    unit="H37.01",
    node_id="h37",
    state=State.WAITING,
    reason=Reason.PEER_UNREACHABLE,
    next_attempt_ms=AT_MS + 12_000,
    end_time_ms=0,
    custody_node="",
    status_code="",
    statuses=(),
    signed_receipt=None,
    attempts=3,
    unit_name="",
    relay_node="",
)


def signed(**changes: object) -> SignedReceipt:
    """A receipt that says: packet PACKET_ID is in the inbox of H37.01."""
    said = Receipt(PACKET_ID, bytes(32), "h37", Level.DELIVERED, (Outcome("H37.01", Reason.NONE),), AT_MS)
    changed = replace(said, **changes)  # type: ignore[arg-type]
    return SignedReceipt(encode_receipt(changed), Signature(bytes(32), bytes(64), 0, 1, ()))


def test_times_stand_there_twice_and_none_is_null() -> None:
    document = plain(ENTRY)

    assert iso_time(AT_MS) == "2026-11-22T18:00:00.123+07:00"
    assert document["accept_time_ms"] == AT_MS
    assert document["accept_time"] == "2026-11-22T18:00:00.123+07:00"
    assert document["lease_until_ms"] == 0
    assert document["lease_until"] is None


def test_octets_are_hex_enums_small_letters_and_reasons_their_names() -> None:
    document = plain(ENTRY)
    peer = plain(PeerView("h", "", "", "open", Reason.NONE, 0, 0, 0, "", 0, clock_skew_ms=7))

    assert document["packet_id"] == PACKET_ID.hex()
    assert (document["lane"], document["kind"]) == ("hoa_toc", "document")
    assert plain(Reason.HELD) == "HELD"
    assert peer["reason"] is None
    assert "clock_skew" not in peer, "a duration is no time"
    assert plain(frozenset(Role)) == ["relay", "directory"]


@pytest.mark.parametrize(
    ("octets", "said"), [(0, "0 byte"), (1_023, "1023 byte"), (1_536, "1,5 KB"), (5 * 1024**3, "5,0 GB")]
)
def test_sizes_are_written_as_in_vietnam(octets: int, said: str) -> None:
    assert vietnamese.size(octets) == said


def test_a_waiting_delivery_says_why_and_until_when() -> None:
    now = vietnamese.delivery(WAITING, AT_MS)
    due = vietnamese.delivery(WAITING, AT_MS + 13_000)
    held = vietnamese.delivery(replace(WAITING, custody_node="centre", reason=Reason.IN_CUSTODY), AT_MS)

    assert now == "đang gửi: Chưa kết nối được tới nút bạn; thử lại sau 12 giây"
    assert due.endswith("thử ngay khi tới lượt")
    assert "nút centre đang giữ hộ" in held


def test_every_reason_has_a_short_cause() -> None:
    causes = [vietnamese.cause(reason) for reason in Reason if reason]

    assert all(causes)
    assert not [cause for cause in causes if cause.endswith(".")]


def test_a_subject_cannot_move_the_cursor() -> None:
    assert clean("a\x1b[2Jb\u202ec\nd\u2028e") == "a [2Jb c d e"
    assert clean("Tiếng Việt đủ dấu") == "Tiếng Việt đủ dấu"
