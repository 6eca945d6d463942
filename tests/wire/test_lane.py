"""Lanes on the wire: what is large is one number with its urgency beside it, also in what an operator is shown."""

import pytest

from node.model.lane import Lane
from node.model.office import OutboxView
from node.model.reason import Reason
from node.wire import admin
from node.wire.lane import lane_of_numbers, lane_to_numbers
from node.wire.truc.v1 import envelope_pb2 as pb


@pytest.mark.parametrize("lane", Lane)
def test_a_lane_comes_back_from_its_numbers(lane: Lane) -> None:
    assert lane_of_numbers(*lane_to_numbers(lane)) is lane


def test_no_number_is_one_that_an_older_version_does_not_know() -> None:
    assert {number for lane in Lane for number in lane_to_numbers(lane)} <= set(range(7))


def test_urgency_counts_only_beside_bulk() -> None:
    assert lane_of_numbers(pb.LANE_NORMAL, pb.LANE_HOA_TOC) is Lane.NORMAL
    assert lane_of_numbers(pb.LANE_BULK, pb.LANE_CONTROL) is Lane.BULK
    assert lane_of_numbers(7) is None


@pytest.mark.parametrize("lane", [Lane.KHAN, Lane.BULK, Lane.BULK_HOA_TOC])
def test_an_operator_sees_in_which_lane_something_waits(lane: Lane) -> None:
    view = OutboxView("h49", b"p" * 16, lane, "packet", 1, Reason.QUEUED, 2, 3, "centre", 4)
    assert admin.outbox_from_proto(admin.outbox_to_proto([view], more=False)) == ([view], False)
