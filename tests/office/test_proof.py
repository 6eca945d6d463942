"""Which receipts prove that a delivery ended as it is said to have ended."""

from dataclasses import replace

from node.model.delivery import State
from node.model.reason import Reason
from node.model.receipt import Level, Outcome
from node.office.proof import BY_NODE, verified_by
from tests.wording.test_words import AT_MS, PACKET_ID, WAITING, signed


def test_a_receipt_counts_only_for_its_own_packet_unit_and_outcome() -> None:
    delivered = replace(WAITING, state=State.DELIVERED, reason=Reason.NONE, end_time_ms=AT_MS)
    other_unit = signed(outcomes=(Outcome("H37.02", Reason.NONE),))
    refused = signed(outcomes=(Outcome("H37.01", Reason.RECIPIENT_UNKNOWN),))
    failed = replace(delivered, state=State.FAILED, reason=Reason.RECIPIENT_UNKNOWN)

    assert verified_by(WAITING, PACKET_ID, None) is None
    assert verified_by(replace(delivered, signed_receipt=signed()), PACKET_ID, None) == BY_NODE
    assert verified_by(replace(delivered, signed_receipt=signed()), bytes(16), None) is None
    assert verified_by(replace(delivered, signed_receipt=other_unit), PACKET_ID, None) is None
    assert verified_by(replace(delivered, signed_receipt=refused), PACKET_ID, None) is None
    assert verified_by(replace(delivered, signed_receipt=signed(level=Level.CUSTODY)), PACKET_ID, None) is None
    assert verified_by(replace(failed, signed_receipt=refused), PACKET_ID, None) == BY_NODE
    assert verified_by(replace(failed, signed_receipt=signed()), PACKET_ID, None) is None
