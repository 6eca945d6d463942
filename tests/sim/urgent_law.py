"""L-urgent: an urgent item waits for at most N pushes of other lanes to the same peer.

It is seen on the line: from the moment the office has its answer until the item first leaves for the peer that serves it, those pushes are
counted that begin meanwhile on that line and carry nothing of the item's own lane. (For recipients that the answer refuses nothing ever
leaves.) A large item travels beside the pushes: for it other large ones are counted that are offered meanwhile and are less urgent, by what
their authors wrote, each once. Nothing is asked about second attempts: what was put off has a time of its own, also if the first attempt
ended before anything left, which the node's own outbox tells.
"""

from dataclasses import dataclass, field

from node.model.code import parse_code
from node.model.envelope import PacketKind
from node.model.lane import Lane, lane_of_priority
from node.rows import keys
from node.rows.records import OutboxRecord
from node.wire import codec
from node.wire.truc.v1 import mesh_service_pb2 as pb
from tests.sim.ledger import Ledger, Sent
from tests.sim.world import World

LAW = "L-urgent"
PUSHES_MAX = 8
"""N is the policy's own word, which follows from its limits; but never more than this."""
LARGE = 1
"""So many large ones that are less urgent may go before a large one: that which is under way."""
MARGIN_BYTES = 300
"""A packet so much below the limit of a push is surely no large one."""
URGENT = (Lane.HOA_TOC, Lane.THUONG_KHAN, Lane.KHAN)


@dataclass
class Waiting:
    """An urgent item that has not left yet."""

    lane: Lane
    is_large: bool
    pushes: int = 0
    large: set[bytes] = field(default_factory=set)
    """Less urgent large packets that went before it."""


class UrgentWatch:
    """Looks at every line."""

    def __init__(self, world: World, ledger: Ledger) -> None:
        self.most = 0
        """Most calls that an item has waited for."""
        self._world = world
        self._ledger = ledger
        self._bound = min(PUSHES_MAX, world.policy.urgent_waits_pushes)
        self._lanes: dict[bytes, Lane] = {}
        """What their authors called packets, which is not what the envelope of a large one says."""
        self._left: set[bytes] = set()
        """Packets that have left before: an office may hear late that its node had accepted one."""
        self._lines: dict[tuple[str, str], dict[bytes, Waiting]] = {}
        ledger.on_sent = self._accepted
        world.network.on_request = self._called

    def _accepted(self, sent: Sent) -> None:
        lane = lane_of_priority(sent.paper.priority)
        self._lanes[sent.result.packet_id] = lane
        is_large = len(sent.paper.packet) > self._world.policy.push_body_bytes_max - MARGIN_BYTES
        if sent.paper.kind is not PacketKind.DOCUMENT or lane not in URGENT or sent.result.packet_id in self._left:
            return
        directory = self._world.machines[sent.node_id].directories.snapshot
        for unit in sorted(sent.served()):
            zone = directory.zone_of(parse_code(unit))
            if zone is not None and zone.node_id != sent.node_id:
                self._lines.setdefault((sent.node_id, zone.node_id), {})[sent.result.packet_id] = Waiting(
                    lane, is_large
                )

    def _called(self, origin: str, target: str, verb: str, request: bytes) -> None:
        if verb not in ("push", "offer"):
            return
        carried = _carried(verb, request)
        self._left |= carried.keys()
        for line, waiting in self._lines.items():
            if line[0] == origin:
                for packet_id in waiting.keys() & carried.keys():
                    self.most = max(self.most, waiting.pop(packet_id).pushes)
        for packet_id, one in self._lines.get((origin, target), {}).items():
            why = self._passed(one, verb, carried)
            if why and self._waits_for_its_first_attempt(origin, target, packet_id):
                self._ledger.breaks(LAW, f"{origin} to {target}: {packet_id.hex()} ({one.lane.name}) {why}")

    def _waits_for_its_first_attempt(self, origin: str, target: str, packet_id: bytes) -> bool:
        """Tell by the origin's outbox whether an item is ready and was never tried: an attempt may end before anything leaves.

        So it ends at a node that cannot stand the packet, or cannot read its body: the row is put off, or laid aside.
        """
        store = self._world.machines[origin].disk.store
        rows = store.rows_after_crash(store.unsynced)
        key = rows.get(keys.outbox_index(packet_id, target, keys.OUTBOX_PACKET), b"")
        return key.startswith(keys.OUTBOX) and not OutboxRecord.FromString(rows[key]).attempts

    def _passed(self, one: Waiting, verb: str, carried: dict[bytes, Lane]) -> str:
        """Count a call for an item that still waits; return what is too much of it, once."""
        lanes = {packet_id: self._lanes.get(packet_id, lane) for packet_id, lane in carried.items()}
        if verb == "push" and not one.is_large and one.lane not in lanes.values():
            one.pushes += 1
            return f"has waited for {one.pushes} pushes of other lanes" if one.pushes == self._bound + 1 else ""
        less = {packet_id for packet_id, lane in lanes.items() if lane > one.lane}
        if verb == "offer" and one.is_large and not less <= one.large:
            one.large |= less
            return f"is large and has waited for {len(one.large)}" if len(one.large) == LARGE + 1 else ""
        return ""


def _carried(verb: str, request: bytes) -> dict[bytes, Lane]:
    """Return packet ids and lanes of what a call carries; a large body counts as what its author called it, if that is seen."""
    if verb == "offer":
        parcels = [pb.OfferRequest.FromString(request).parcel]
    else:
        items = pb.PushRequest.FromString(request).items
        parcels = [item.packet.parcel for item in items if item.HasField("packet")]
    envelopes = [codec.decode_envelope(parcel.signed_envelope.envelope) for parcel in parcels]
    return {envelope.packet_id: envelope.lane for envelope in envelopes}
