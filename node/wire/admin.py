"""Admin: what an operator asks of the running node, between model.office and admin_service.proto."""

from collections.abc import Sequence

from node.errors import HealthFinding
from node.model.completeness import Completeness, UnitReport
from node.model.hold import HoldView
from node.model.office import HealthView, OutboxView, PeerView, QuarantineView
from node.model.webhook import HookView
from node.wire.lane import lane_to_numbers
from node.wire.office import lane_from_proto
from node.wire.receipt import reason_of, reason_to_proto
from node.wire.truc.v1 import admin_service_pb2 as pb


def outbox_to_proto(entries: Sequence[OutboxView], more: bool) -> pb.ListOutboxResponse:
    """Translate what waits; `more`: there are others beyond the limit."""
    return pb.ListOutboxResponse(entries=[_outbox_entry_to_proto(entry) for entry in entries], more=more)


def outbox_from_proto(message: pb.ListOutboxResponse) -> tuple[list[OutboxView], bool]:
    """Translate what waits. Raises Rejected(REQUEST_INVALID) for a lane of a newer version."""
    return [_outbox_entry_from_proto(entry) for entry in message.entries], message.more


def quarantine_to_proto(entries: Sequence[QuarantineView], more: bool) -> pb.ListQuarantineResponse:
    """Translate what is laid aside; `more`: there are others beyond the limit."""
    return pb.ListQuarantineResponse(entries=[_quarantine_entry_to_proto(entry) for entry in entries], more=more)


def quarantine_from_proto(message: pb.ListQuarantineResponse) -> tuple[list[QuarantineView], bool]:
    """Translate what is laid aside."""
    return [_quarantine_entry_from_proto(entry) for entry in message.entries], message.more


def peers_to_proto(peers: Sequence[PeerView]) -> pb.ListPeersResponse:
    """Translate the roads to all peers."""
    return pb.ListPeersResponse(peers=[_peer_to_proto(peer) for peer in peers])


def peers_from_proto(message: pb.ListPeersResponse) -> list[PeerView]:
    """Translate the roads to all peers."""
    return [_peer_from_proto(peer) for peer in message.peers]


def health_to_proto(view: HealthView) -> pb.GetHealthResponse:
    """Translate how the node is."""
    return pb.GetHealthResponse(
        healthy=view.healthy,
        findings=[
            pb.HealthFinding(reason=reason_to_proto(f.reason), advice=f.advice, grave=f.grave) for f in view.findings
        ],
        node_id=view.node_id,
        software=view.software,
        start_time_ms=view.start_time_ms,
        directory_version=view.directory_version,
        directory_time_ms=view.directory_time_ms,
        units=view.units,
        resident_bytes=view.resident_bytes,
        disk_free_bytes=view.disk_free_bytes,
        commits=view.commits,
    )


def health_from_proto(message: pb.GetHealthResponse) -> HealthView:
    """Translate how the node is."""
    return HealthView(
        message.healthy,
        tuple(
            [HealthFinding(reason_of(finding.reason), finding.advice, finding.grave) for finding in message.findings]
        ),
        message.node_id,
        message.software,
        message.start_time_ms,
        message.directory_version,
        message.directory_time_ms,
        message.units,
        message.resident_bytes,
        message.disk_free_bytes,
        message.commits,
    )


def hooks_to_proto(hooks: Sequence[HookView]) -> pb.ListHooksResponse:
    """Translate how the telling of all systems goes."""
    return pb.ListHooksResponse(hooks=[_hook_to_proto(hook) for hook in hooks])


def hooks_from_proto(message: pb.ListHooksResponse) -> list[HookView]:
    """Translate how the telling of all systems goes."""
    return [_hook_from_proto(hook) for hook in message.hooks]


def _outbox_entry_to_proto(entry: OutboxView) -> pb.OutboxEntry:
    lane, urgency = lane_to_numbers(entry.lane)
    return pb.OutboxEntry(
        node_id=entry.node_id,
        packet_id=entry.packet_id,
        lane=lane,
        urgency=urgency,
        kind=entry.kind,
        since_ms=entry.since_ms,
        reason=reason_to_proto(entry.reason),
        next_attempt_ms=entry.next_attempt_ms,
        attempts=entry.attempts,
        custody_node=entry.custody_node,
        body_bytes=entry.body_bytes,
    )


def _outbox_entry_from_proto(message: pb.OutboxEntry) -> OutboxView:
    return OutboxView(
        message.node_id,
        message.packet_id,
        lane_from_proto(message.lane, message.urgency),
        message.kind,
        message.since_ms,
        reason_of(message.reason),
        message.next_attempt_ms,
        message.attempts,
        message.custody_node,
        message.body_bytes,
    )


def _quarantine_entry_to_proto(entry: QuarantineView) -> pb.QuarantineEntry:
    return pb.QuarantineEntry(
        name=entry.name,
        table=entry.table,
        node_id=entry.node_id,
        packet_id=entry.packet_id,
        reason=reason_to_proto(entry.reason),
        detail=entry.detail,
        time_ms=entry.time_ms,
        size_bytes=entry.size_bytes,
    )


def _quarantine_entry_from_proto(message: pb.QuarantineEntry) -> QuarantineView:
    return QuarantineView(
        message.name,
        message.table,
        message.node_id,
        message.packet_id,
        reason_of(message.reason),
        message.detail,
        message.time_ms,
        message.size_bytes,
    )


def _peer_to_proto(peer: PeerView) -> pb.PeerView:
    return pb.PeerView(
        node_id=peer.node_id,
        name=peer.name,
        mesh_address=peer.mesh_address,
        road=peer.road,
        reason=reason_to_proto(peer.reason),
        failures=peer.failures,
        next_attempt_ms=peer.next_attempt_ms,
        last_success_ms=peer.last_success_ms,
        relay_node=peer.relay_node,
        waiting=peer.waiting,
        prefixes=peer.prefixes,
        clock_skew_ms=peer.clock_skew_ms,
        directory_version=peer.directory_version,
        last_contact_ms=peer.last_contact_ms,
        software=peer.software,
    )


def _peer_from_proto(message: pb.PeerView) -> PeerView:
    return PeerView(
        message.node_id,
        message.name,
        message.mesh_address,
        message.road,
        reason_of(message.reason),
        message.failures,
        message.next_attempt_ms,
        message.last_success_ms,
        message.relay_node,
        message.waiting,
        tuple(message.prefixes),
        message.clock_skew_ms,
        message.directory_version,
        message.last_contact_ms,
        message.software,
    )


def _hook_to_proto(hook: HookView) -> pb.HookView:
    return pb.HookView(
        system=hook.system,
        waiting=hook.waiting,
        swallowed=hook.swallowed,
        told=hook.told,
        failures=hook.failures,
        reason=reason_to_proto(hook.reason),
        detail=hook.detail,
        first_failure_ms=hook.first_failure_ms,
        next_attempt_ms=hook.next_attempt_ms,
        last_success_ms=hook.last_success_ms,
        given_up_ms=hook.given_up_ms,
    )


def _hook_from_proto(message: pb.HookView) -> HookView:
    return HookView(
        message.system,
        message.waiting,
        message.swallowed,
        message.told,
        message.failures,
        reason_of(message.reason),
        message.detail,
        message.first_failure_ms,
        message.next_attempt_ms,
        message.last_success_ms,
        message.given_up_ms,
    )


def holds_to_proto(holds: Sequence[HoldView], next_page_token: str) -> pb.ListHoldsResponse:
    """Translate a page of legal holds."""
    return pb.ListHoldsResponse(
        holds=[pb.HoldView(packet_id=one.packet_id, reason=one.reason, time_ms=one.time_ms) for one in holds],
        next_page_token=next_page_token,
    )


def holds_from_proto(message: pb.ListHoldsResponse) -> tuple[list[HoldView], str]:
    """Translate a page of legal holds and the token of the next one."""
    return [HoldView(one.packet_id, one.reason, one.time_ms) for one in message.holds], message.next_page_token


def statuses_to_proto(reports: Sequence[UnitReport], next_page_token: str) -> pb.CountStatusesResponse:
    """Translate a page of counts."""
    return pb.CountStatusesResponse(
        units=[
            pb.UnitStatuses(
                unit=one.unit,
                unit_name=one.unit_name,
                full=one.counts.get(Completeness.FULL, 0),
                partial=one.counts.get(Completeness.PARTIAL, 0),
                arrival_only=one.counts.get(Completeness.ARRIVAL_ONLY, 0),
                none=one.counts.get(Completeness.NONE, 0),
            )
            for one in reports
        ],
        next_page_token=next_page_token,
    )


def statuses_from_proto(message: pb.CountStatusesResponse) -> tuple[list[UnitReport], str]:
    """Translate a page of counts and the token of the next one."""
    return [_unit_report(one) for one in message.units], message.next_page_token


def _unit_report(message: pb.UnitStatuses) -> UnitReport:
    counts = {
        Completeness.FULL: message.full,
        Completeness.PARTIAL: message.partial,
        Completeness.ARRIVAL_ONLY: message.arrival_only,
        Completeness.NONE: message.none,
    }
    return UnitReport(message.unit, message.unit_name, counts)
