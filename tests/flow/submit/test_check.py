"""May this system send this packet, and to whom can it go? Before anything is stored."""

from dataclasses import replace

import pytest

from node.edxml.reader import read_header
from node.errors import Deferred, Denied, Fault, Rejected
from node.flow.document.aliases import aliases_in
from node.flow.submit.check import Addressed, address, check_submission, require_in_time, require_served
from node.model.calendar import moment_of
from node.model.directory import EMPTY, Unit
from node.model.office import Submission, System
from node.model.policy import DAY_MS, MIB, Policy
from node.model.reason import Reason
from tests.clocks import NOW
from tests.flow.large_support import PACKET, pieces
from tests.flow.support import directory, place, run
from tests.papers import document, status_about

SYSTEM = System("qlvb", frozenset({"G14", "G14.01"}))


def addressed(*recipients: str, sender: str = "G14", **changes: object) -> Addressed:
    header, known = read_header(document(*recipients, sender=sender)), directory(**changes)  # type: ignore[arg-type]
    return address(header, SYSTEM, known, NOW, aliases=aliases_in(header, known, NOW))


@pytest.mark.parametrize(
    ("submission", "reason"),
    [
        (Submission(""), Reason.REQUEST_INVALID),
        (Submission("x" * 129), Reason.REQUEST_INVALID),
        (Submission("line\nbreak"), Reason.REQUEST_INVALID),
        (Submission("nul\0"), Reason.REQUEST_INVALID),
        (Submission("1", packet_bytes=2 * MIB), Reason.PACKET_TOO_LARGE),
    ],
)
def test_a_request_that_cannot_be_meant_is_refused_before_the_packet_is_read(
    submission: Submission, reason: Reason
) -> None:
    with pytest.raises(Rejected) as refused:
        check_submission(submission, Policy(packet_bytes_max=MIB))
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    "submission",
    [Submission("x" * 128), Submission("mã số 7/Đ"), Submission("1", MIB), Submission("1", 0, False, NOW + 1)],
)
def test_a_request_at_the_edge_of_what_is_allowed_passes(submission: Submission) -> None:
    check_submission(submission, Policy(packet_bytes_max=MIB))


@pytest.mark.parametrize("expire_at_ms", [NOW, 1])
def test_what_has_no_time_left_is_refused(expire_at_ms: int) -> None:
    with pytest.raises(Rejected) as refused:
        require_in_time(Submission("1", expire_at_ms=expire_at_ms), NOW)
    assert refused.value.reason is Reason.EXPIRED
    require_in_time(Submission("1", expire_at_ms=NOW + 1), NOW)
    require_in_time(Submission("1"), NOW)


@pytest.mark.parametrize("large", [False, True])
def test_a_repeat_gets_the_first_answer_also_when_its_time_is_over(large: bool) -> None:
    packet = PACKET if large else document("H49.22")

    async def story() -> None:
        here = place("g14")
        first = await here.submit(pieces(packet) if large else packet, "1", expire_at_ms=NOW + 10)
        here.clock.at_ms = NOW + 60_000
        assert await here.submit(pieces(packet) if large else packet, "1", expire_at_ms=NOW + 10) == first
        with pytest.raises(Rejected) as refused:
            await here.submit(pieces(packet) if large else packet, "2", expire_at_ms=NOW + 10)
        assert refused.value.reason is Reason.EXPIRED

    run(story())


def test_every_recipient_is_routed_by_the_longest_prefix_in_canonical_form() -> None:
    found = addressed("000.05.22.H49", "H37.10", "G14.01", moved={"H49.22": "h37"}, units={})
    assert found.sender.text == "G14"
    assert found.routes == {"H37.10": "h37", "G14.01": "g14"}
    # H49.22.05 lies under H49.22 now, and the node that took that prefix over does not list it.
    assert [(one.code, one.reason) for one in found.refused] == [("000.05.22.H49", Reason.RECIPIENT_UNKNOWN)]


def test_both_written_forms_of_a_code_are_one_recipient() -> None:
    assert addressed("H49.22", "000.00.22.H49", "h49.22").routes == {"H49.22": "h49"}


def test_a_sender_that_is_not_the_systems_own_is_denied() -> None:
    with pytest.raises(Denied) as refused:
        addressed("H49.22", sender="H37")
    assert refused.value.reason is Reason.UNIT_NOT_OWNED
    assert "H37" in refused.value.detail


def test_a_sender_whose_code_is_none_is_rejected() -> None:
    with pytest.raises(Rejected) as refused:
        addressed("H49.22", sender="Bộ mẫu")
    assert refused.value.reason is Reason.CODE_MALFORMED


def test_a_sender_may_write_its_code_in_the_older_form() -> None:
    assert addressed("H49.22", sender="000.00.01.G14").sender.text == "G14.01"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("H49.99", Reason.RECIPIENT_UNKNOWN),
        ("Z00", Reason.RECIPIENT_UNKNOWN),
        ("H49.2", Reason.RECIPIENT_UNKNOWN),
        ("sở mẫu", Reason.CODE_MALFORMED),
        ("H4", Reason.CODE_MALFORMED),
        ("H49..22", Reason.CODE_MALFORMED),
    ],
)
def test_a_recipient_that_cannot_be_served_is_named_as_written_and_the_others_are_served(
    code: str, reason: Reason
) -> None:
    found = addressed(code, "H49.22")
    assert found.routes == {"H49.22": "h49"}
    [refused] = found.refused
    assert (refused.code, refused.reason) == (code, reason)
    assert code in refused.detail


@pytest.mark.parametrize(("closed_at_ms", "is_open"), [(0, True), (NOW + 1, True), (NOW, False), (1, False)])
def test_a_closed_unit_is_refused_from_the_moment_of_its_closing(closed_at_ms: int, is_open: bool) -> None:
    closed = Unit("H49.22", "Sở mẫu", valid_to_ms=closed_at_ms, successor="H49.23")
    found = addressed("H49.22", units={"H49.22": closed})
    assert found.routes == ({"H49.22": "h49"} if is_open else {})
    assert [one.reason for one in found.refused] == ([] if is_open else [Reason.RECIPIENT_UNKNOWN])


def test_a_unit_that_is_yet_to_begin_is_refused_with_its_day() -> None:
    coming = Unit("H49.22", "Sở mẫu", valid_from_ms=NOW + DAY_MS)
    [refused] = addressed("H49.22", units={"H49.22": coming}).refused
    assert refused.reason is Reason.RECIPIENT_UNKNOWN
    assert moment_of(NOW + DAY_MS).strftime("%d/%m/%Y") in refused.detail
    begun = replace(coming, valid_from_ms=NOW)
    assert addressed("H49.22", units={"H49.22": begun}).routes == {"H49.22": "h49"}


def test_the_sender_learns_who_took_over_from_a_closed_unit() -> None:
    closed = Unit("H49.22", "Sở mẫu", valid_to_ms=1, successor="H49.23")
    [refused] = addressed("H49.22", units={"H49.22": closed}).refused
    assert "H49.23" in refused.detail


def test_nobody_to_serve_refuses_the_packet_with_the_first_reason_and_the_names() -> None:
    with pytest.raises(Rejected) as refused:
        require_served(addressed("H49.99", "sở mẫu"), Submission("1"), Policy())
    assert refused.value.reason is Reason.RECIPIENT_UNKNOWN
    assert "H49.99" in refused.value.detail
    assert "sở mẫu" in refused.value.detail


def test_all_or_nothing_refuses_the_packet_for_one_recipient() -> None:
    found = addressed("H49.22", "H49.99")
    require_served(found, Submission("1"), Policy())
    with pytest.raises(Rejected) as refused:
        require_served(found, Submission("1", all_or_nothing=True), Policy())
    assert refused.value.reason is Reason.NOT_ALL_SERVED
    assert "H49.99" in refused.value.detail


def test_all_or_nothing_passes_if_everybody_is_served() -> None:
    require_served(addressed("H49.22", "H37"), Submission("1", all_or_nothing=True), Policy())


def test_more_recipients_than_allowed_are_refused() -> None:
    found = addressed("H49.22", "H37")
    require_served(found, Submission("1"), Policy(recipients_max=2))
    with pytest.raises(Rejected) as refused:
        require_served(found, Submission("1"), Policy(recipients_max=1))
    assert refused.value.reason is Reason.PACKET_TOO_COMPLEX


def refusal_of(packet: bytes, **options: object) -> tuple[Fault, set[str]]:
    """Submit at a real node; return the refusal and the tables that have rows afterwards."""

    async def story() -> tuple[Fault, set[str]]:
        here = place("g14", Policy(packet_bytes_max=64 * 1024))
        with pytest.raises(Fault) as refused:
            await here.submit(packet, **options)
        return refused.value, here.tables()

    return run(story())


@pytest.mark.parametrize(
    ("packet", "options", "reason"),
    [
        (b"%PDF-1.7", {}, Reason.PACKET_NOT_XML),
        (document("H49.22")[:-40], {}, Reason.PACKET_TRUNCATED),
        (document(), {}, Reason.PACKET_NO_RECIPIENT),
        (document("H49.22", sender=""), {}, Reason.PACKET_NO_SENDER),
        (document("H49.22", sender="H49"), {}, Reason.UNIT_NOT_OWNED),
        (document("H49.99"), {}, Reason.RECIPIENT_UNKNOWN),
        (document("H49.99", "H49.22"), {"all_or_nothing": True}, Reason.NOT_ALL_SERVED),
        (document("H49.22", attachments=[("a.pdf", bytes(100_000))]), {}, Reason.PACKET_TOO_LARGE),
        (status_about("1", "6x", sender="G14", author="H49"), {}, Reason.STATUS_MALFORMED),
        (document("H49.22"), {"packet_bytes": 100_000}, Reason.PACKET_TOO_LARGE),
        (document("H49.22"), {"expire_at_ms": 1}, Reason.EXPIRED),
    ],
)
def test_of_a_refused_packet_nothing_is_stored(packet: bytes, options: dict[str, object], reason: Reason) -> None:
    fault, tables = refusal_of(packet, **options)
    assert fault.reason is reason
    assert tables == set()


def test_a_node_without_a_directory_puts_the_sender_off_and_does_not_call_the_recipient_unknown() -> None:
    async def story() -> None:
        here = place("g14", known=EMPTY)
        with pytest.raises(Deferred) as refused:
            await here.submit(document("H49.22"))
        assert refused.value.reason is Reason.DIRECTORY_EMPTY

    run(story())
