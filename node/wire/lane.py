"""Lane between words and numbers: one number for all that is large, and beside it how urgent it is.

Nodes and clients of older versions refuse a lane that they do not know, but pass over a field; so no lane was added to the enum, and
they take a large urgent packet for a large one, as they always did.
"""

from node.model.lane import Lane, bulk_lane
from node.wire.truc.v1 import envelope_pb2 as pb

_LANES = {int(lane): lane for lane in Lane if lane.urgency is None}
_URGENCIES = {int(lane.urgency): lane.urgency for lane in Lane if lane.urgency is not None}


def lane_to_numbers(lane: Lane) -> tuple[pb.Lane.ValueType, pb.Lane.ValueType]:
    """Translate a lane to its number and, for what is large and urgent, that of its urgency (0: none)."""
    if lane.urgency is None:
        return pb.Lane.ValueType(lane), pb.LANE_UNSPECIFIED
    return pb.LANE_BULK, pb.Lane.ValueType(lane.urgency)


def lane_of_numbers(number: int, urgency: int = pb.LANE_UNSPECIFIED) -> Lane | None:
    """Translate a lane; None for one that is unknown here. An urgency that is none counts for nothing."""
    lane = _LANES.get(number)
    return bulk_lane(_URGENCIES.get(urgency)) if lane is Lane.BULK else lane
