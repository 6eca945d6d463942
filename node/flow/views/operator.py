"""Operator: what an operator sees of the outbox and the roads, and how a peer is held and released."""

from node.errors import Rejected
from node.flow import quarantine
from node.flow.send import outbox
from node.flow.send.routing import Outlook, Road, choose_road, peer_record, waiting_for
from node.model.directory import Directory, NodeEntry
from node.model.lane import Lane
from node.model.office import OutboxView, PeerView, QuarantineView
from node.model.reason import Reason
from node.ports import Tx
from node.rows import keys
from node.rows.access import save
from node.rows.records import OutboxRecord, PeerRecord, QuarantineRecord
from node.wire import codec

KINDS = {keys.OUTBOX_PACKET: "packet", keys.OUTBOX_RELAY: "relay", keys.OUTBOX_RECEIPT: "receipt"}
WAITING_COUNTED_MAX = 1_000


def list_outbox(tx: Tx, node_id: str, limit: int, outlook: Outlook) -> list[OutboxView]:
    """Return what waits for one node, or for all if none is named: ready rows first, then those put off.

    Raises Rejected(NOT_FOUND) for a node that is neither in the directory nor waited for.
    """
    if node_id:
        _require_known(tx, node_id, outlook.directory)
    nodes = [node_id] if node_id else sorted(outbox.nodes_waited_for(tx))
    views: list[OutboxView] = []
    for name in nodes:
        for prefix in (keys.outbox(name), keys.later(name)):
            rows = tx.scan(prefix, limit=limit - len(views)) if len(views) < limit else []
            views += [_outbox_view(tx, key, outbox.shown(value), outlook) for key, value in rows]
    return views


def _outbox_view(tx: Tx, key: bytes, record: OutboxRecord, outlook: Outlook) -> OutboxView:
    ready = key if key.startswith(b"o") else keys.ready_of_later(key)
    node_id, lane, packet_id, kind = keys.parse_outbox_row(ready)
    if kind == keys.OUTBOX_RECEIPT and record.signed_receipt:
        signed = codec.signed_receipt_from_bytes(record.signed_receipt)
        packet_id = codec.decode_receipt(signed.receipt).packet_id
    reason, next_attempt_ms = waiting_for(tx, node_id, (key, record), outlook)
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


def list_quarantine(tx: Tx, limit: int) -> list[QuarantineView]:
    """Return what is laid aside."""
    return [_quarantine_view(name, record) for name, record in quarantine.held(tx, limit)]


def _quarantine_view(name: bytes, record: QuarantineRecord) -> QuarantineView:
    node_id, packet_id, table = "", b"", record.key[:1].decode("ascii", "replace")
    if record.key.startswith(keys.LATER):
        node_id, _, packet_id, _ = keys.parse_outbox_row(keys.ready_of_later(record.key))
    return QuarantineView(
        name=name.hex(),
        table=table,
        node_id=node_id,
        packet_id=packet_id,
        reason=Reason(record.reason),
        detail=record.detail,
        time_ms=record.time_ms,
        size_bytes=len(record.value),
    )


def list_peers(tx: Tx, outlook: Outlook, *, counting: bool = True) -> list[PeerView]:
    """Return the road to every other node of the directory. If not `counting`, `waiting` is 0 and each node costs only a few reads."""
    peers = sorted(node_id for node_id in outlook.directory.nodes if node_id != outlook.own_id)
    return [
        _peer_view(tx, outlook.directory.nodes[name], outlook, _count_waiting(tx, name) if counting else 0)
        for name in peers
    ]


def _count_waiting(tx: Tx, node_id: str) -> int:
    prefixes = (keys.outbox(node_id), keys.later(node_id))
    return min(sum(len(tx.scan(prefix, limit=WAITING_COUNTED_MAX)) for prefix in prefixes), WAITING_COUNTED_MAX)


def _peer_view(tx: Tx, peer: NodeEntry, outlook: Outlook, waiting: int) -> PeerView:
    record = peer_record(tx, peer.node_id)
    road = choose_road(peer, outlook, lambda name: peer_record(tx, name))
    relay = peer_record(tx, road.call.node_id) if road.is_relay and road.call else None
    # If the road leads through a relay that fails itself, the relay's record says why.
    ailing = relay if relay is not None and relay.failures else record
    return PeerView(
        node_id=peer.node_id,
        name=peer.name,
        mesh_address=peer.mesh_address,
        road=_road_name(record, relay, road),
        reason=Reason.HELD if record.held else Reason(ailing.reason or road.reason),
        failures=ailing.failures,
        next_attempt_ms=ailing.next_attempt_ms or road.wait_until_ms,
        last_success_ms=record.last_success_ms,
        relay_node=road.call.node_id if road.is_relay and road.call else "",
        waiting=waiting,
        prefixes=tuple(prefix.text for prefix in outlook.directory.prefixes_of(peer.node_id)),
    )


def _road_name(record: PeerRecord, relay: PeerRecord | None, road: Road) -> str:
    if record.held:
        return "held"
    if relay is not None:
        return "backoff" if relay.failures else "relayed"
    if record.failures or road.call is None:
        return "backoff"
    return "open" if record.last_success_ms else "unknown"


def set_held(tx: Tx, node_id: str, outlook: Outlook, *, held: bool) -> None:
    """Hold or release a peer.

    Raises Rejected(NOT_FOUND) for a node that is neither in the directory nor waited for, Rejected(REQUEST_INVALID) for our own.
    """
    if node_id == outlook.own_id:
        raise Rejected(Reason.REQUEST_INVALID, f"{node_id} is this node itself; it sends itself nothing")
    _require_known(tx, node_id, outlook.directory)
    record = peer_record(tx, node_id)
    record.held = held
    save(tx, keys.peer(node_id), record)


def _require_known(tx: Tx, node_id: str, directory: Directory) -> None:
    if node_id not in directory.nodes and node_id not in outbox.nodes_waited_for(tx):
        raise Rejected(Reason.NOT_FOUND, f"no node {node_id!r} in the directory")
