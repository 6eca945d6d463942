"""Operate: what an operator sees of the outbox and the roads, and how a peer is held and released."""

from node.errors import Rejected
from node.flow import relay
from node.flow.rows import save
from node.flow.track import waiting_for
from node.model.directory import Directory, NodeEntry
from node.model.lane import Lane
from node.model.office import OutboxView, PeerView
from node.model.policy import Policy
from node.model.reason import Reason
from node.ports import Tx
from node.store import keys
from node.store.records import OutboxRecord, PeerRecord
from node.wire import codec

KINDS = {keys.OUTBOX_PACKET: "packet", keys.OUTBOX_RELAY: "relay", keys.OUTBOX_RECEIPT: "receipt"}
WAITING_COUNTED_MAX = 1_000


def list_outbox(tx: Tx, node_id: str, limit: int) -> list[OutboxView]:
    """Return what waits for one node, or for all if none is named: ready rows first, then those put off."""
    nodes = [node_id] if node_id else sorted(relay.nodes_waited_for(tx))
    views: list[OutboxView] = []
    for name in nodes:
        for prefix in (keys.outbox(name), keys.later(name)):
            rows = tx.scan(prefix, limit=limit - len(views)) if len(views) < limit else []
            views += [_outbox_view(tx, key, OutboxRecord.FromString(value)) for key, value in rows]
    return views


def _outbox_view(tx: Tx, key: bytes, record: OutboxRecord) -> OutboxView:
    ready = key if key.startswith(b"o") else keys.ready_of_later(key)
    node_id, lane, packet_id, kind = keys.parse_outbox_row(ready)
    if kind == keys.OUTBOX_RECEIPT:
        signed = codec.signed_receipt_from_bytes(record.signed_receipt)
        packet_id = codec.decode_receipt(signed.receipt).packet_id
    reason, next_attempt_ms = waiting_for(tx, node_id, (key, record))
    return OutboxView(
        node_id=node_id,
        packet_id=packet_id,
        lane=Lane(lane),
        kind=KINDS[kind],
        since_ms=record.since_ms,
        reason=reason,
        next_attempt_ms=next_attempt_ms,
        attempts=record.attempts,
        custody_node=record.custody_node,
        body_bytes=record.body_bytes,
    )


def list_peers(tx: Tx, own_id: str, directory: Directory, now_ms: int, policy: Policy) -> list[PeerView]:
    """Return the road to every other node of the directory."""
    records = relay.peer_records(tx)
    peers = sorted(node_id for node_id in directory.nodes if node_id != own_id)
    return [_peer_view(tx, directory.nodes[name], own_id, directory, records, now_ms, policy) for name in peers]


def _peer_view(
    tx: Tx,
    peer: NodeEntry,
    own_id: str,
    directory: Directory,
    records: dict[str, PeerRecord],
    now_ms: int,
    policy: Policy,
) -> PeerView:
    record = records.get(peer.node_id, PeerRecord())
    road = relay.choose_road(peer, own_id, directory, records, now_ms, policy)
    waiting = sum(
        len(tx.scan(prefix, limit=WAITING_COUNTED_MAX))
        for prefix in (keys.outbox(peer.node_id), keys.later(peer.node_id))
    )
    return PeerView(
        node_id=peer.node_id,
        name=peer.name,
        mesh_address=peer.mesh_address,
        road=_road_name(record, road),
        reason=Reason.HELD if record.held else Reason(record.reason),
        failures=record.failures,
        next_attempt_ms=record.next_attempt_ms,
        last_success_ms=record.last_success_ms,
        relay_node=road.call.node_id if road.is_relay and road.call else "",
        waiting=min(waiting, WAITING_COUNTED_MAX),
        prefixes=tuple(prefix.text for prefix in directory.prefixes_of(peer.node_id)),
    )


def _road_name(record: PeerRecord, road: relay.Road) -> str:
    if record.held:
        return "held"
    if road.is_relay:
        return "relayed"
    if record.failures:
        return "backoff"
    return "open" if record.last_success_ms else "unknown"


def set_held(tx: Tx, node_id: str, directory: Directory, *, held: bool) -> None:
    """Hold or release a peer. Raises Rejected(NOT_FOUND) for a node that is neither in the directory nor waited for."""
    if node_id not in directory.nodes and node_id not in relay.nodes_waited_for(tx):
        raise Rejected(Reason.NOT_FOUND, f"no node {node_id!r} in the directory")
    record = relay.peer_record(tx, node_id)
    record.held = held
    save(tx, keys.peer(node_id), record)
