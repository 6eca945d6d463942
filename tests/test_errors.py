"""Every reason has one number, one kind and one sentence of advice, the same in code and on the wire."""

import re

import pytest

from node.errors import ADVICE, EXIT_BUG, EXIT_OK, Broken, Deferred, Denied, Fault, Rejected, fault, kind_of
from node.model.reason import Reason
from node.wire.truc.v1 import reason_pb2

KINDS = [Rejected, Denied, Deferred, Broken]
CAUSES = [reason for reason in Reason if reason is not Reason.NONE]


def test_reasons_are_those_of_the_protocol_by_name_and_number() -> None:
    ours = {("UNSPECIFIED" if reason is Reason.NONE else reason.name): reason.value for reason in Reason}
    wire = {name.removeprefix("REASON_"): number for name, number in reason_pb2.Reason.items()}

    assert ours == wire


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_advises_in_full_sentences(reason: Reason) -> None:
    advice = ADVICE[reason]

    assert advice.endswith("."), "advice ends with a full stop"
    assert advice[0].isupper()
    assert advice == advice.strip()
    assert re.search(r"[à-ỹđ]", advice, re.IGNORECASE), "advice is for people, in Vietnamese"


@pytest.mark.parametrize(
    ("first", "last", "kind"), [(1, 39, Rejected), (40, 69, Denied), (70, 99, Deferred), (100, 129, Broken)]
)
def test_the_range_of_a_reason_tells_who_must_act(first: int, last: int, kind: type[Fault]) -> None:
    in_range = [reason for reason in CAUSES if first <= reason <= last]

    assert in_range
    assert all(kind_of(reason) is kind for reason in in_range)


def test_no_reason_lies_outside_the_ranges() -> None:
    assert all(1 <= reason <= 129 for reason in CAUSES)


def test_programs_can_tell_the_kinds_apart() -> None:
    exit_codes = [EXIT_OK, EXIT_BUG, *(kind.exit_code for kind in KINDS)]

    assert len(set(exit_codes)) == len(exit_codes)
    assert all(0 <= code < 126 for code in exit_codes), "the shell keeps 126 and above for itself"
    assert len({kind.grpc_code for kind in KINDS}) == len(KINDS)
    assert len({kind.http_status for kind in KINDS}) == len(KINDS)
    assert all(400 <= kind.http_status < 600 for kind in KINDS)


def test_grpc_codes_are_real_ones() -> None:
    import grpc

    assert {kind.grpc_code for kind in KINDS} <= {code.name for code in grpc.StatusCode}


def test_a_fault_carries_reason_detail_advice_and_when_to_come_back() -> None:
    made = fault(Reason.PEER_BUSY, "64 pushes in flight", retry_after_ms=2_000)

    assert type(made) is Deferred
    assert str(made) == "PEER_BUSY: 64 pushes in flight"
    assert made.retry_after_ms == 2_000
    assert made.advice == ADVICE[Reason.PEER_BUSY]


def test_no_fault_is_made_of_no_reason() -> None:
    with pytest.raises(AssertionError):
        fault(Reason.NONE)
