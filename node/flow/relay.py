"""Relay: carrying for two nodes that cannot reach each other.

A relay holds envelope, body and the wrapped key for the target, none of which it can open. It owes the origin one thing: the
target's own receipt. That travels home as an outbox row of its own; after that the relay forgets the body.

        origin --push--> relay --push--> target
        origin <--receipt-- relay <--receipt-- target
"""

from dataclasses import dataclass
from hashlib import sha256

from node.flow import backoff, outbox, receipt
from node.flow.rows import load, require, save
from node.model.directory import Directory, NodeEntry
from node.model.envelope import Envelope
from node.model.lane import Lane
from node.model.policy import Policy
from node.model.reason import Reason
from node.ports import Tx
from node.store import keys
from node.store.records import OutboxRecord, PacketRecord, PeerRecord
from node.wire import codec


@dataclass(frozen=True, slots=True)
class Road:
    """How to reach a peer now: whom to call (None: nobody), until when to wait otherwise, and why."""

    call: NodeEntry | None
    is_relay: bool = False
    wait_until_ms: int = 0
    reason: Reason = Reason.NONE


def choose_road(
    peer: NodeEntry, own_id: str, directory: Directory, records: dict[str, PeerRecord], now_ms: int, policy: Policy
) -> Road:
    """Decide how to reach a peer.

    1. An operator holds it: nobody.
    2. The directory says that only relays can dial it: one of them.
    3. The direct road is open, or its next attempt is due: directly.
    4. It has failed for `relay_after_ms`: a relay that is not failing itself.
    5. Else: nobody until the next attempt.
    """
    record = records.get(peer.node_id, PeerRecord())
    if record.held:
        return Road(None, reason=Reason.HELD)
    direct = dialable(peer, own_id)
    if direct and not record.failures:
        return Road(peer)
    failing_long = not direct or not 0 <= now_ms - record.first_failure_ms < policy.relay_after_ms
    if failing_long:
        relay = _open_relay(peer, own_id, directory, records, now_ms, policy)
        if relay is not None:
            return Road(relay, is_relay=True)
    if direct and not backoff.wait_ms(record, now_ms, policy):
        return Road(peer)
    return Road(None, wait_until_ms=record.next_attempt_ms, reason=Reason(record.reason or Reason.PEER_UNREACHABLE))


def dialable(peer: NodeEntry, own_id: str) -> bool:
    """Tell whether a node with this id may dial the peer itself."""
    return bool(peer.mesh_address) and (not peer.via_relays or own_id in peer.via_relays)


def _open_relay(
    peer: NodeEntry, own_id: str, directory: Directory, records: dict[str, PeerRecord], now_ms: int, policy: Policy
) -> NodeEntry | None:
    for relay in directory.relays():
        if relay.node_id in (peer.node_id, own_id) or (peer.via_relays and relay.node_id not in peer.via_relays):
            continue
        record = records.get(relay.node_id, PeerRecord())
        if not record.held and (not record.failures or not backoff.wait_ms(record, now_ms, policy)):
            return relay
    return None


def carried_home(tx: Tx, believed: receipt.Believed, envelope: Envelope, now_ms: int) -> bool:
    """At the relay: the target has answered. Send its receipt home and let go of the packet. Returns True if it was carried.

    The body may go once no other target waits for it and no unit of our own holds it; the caller removes a body file.
    """
    packet_id, target = believed.receipt.packet_id, believed.receipt.signer_node
    receipt.keep(tx, believed)
    if not outbox.settle(tx, target, packet_id, keys.OUTBOX_RELAY):
        return False
    send_home(tx, believed, envelope.origin_node, now_ms)
    release_body(tx, packet_id, envelope)
    return True


def send_home(tx: Tx, believed: receipt.Believed, origin_node: str, now_ms: int) -> None:
    """Put a receipt into the outbox of the packet's origin."""
    row = OutboxRecord(
        kind=keys.OUTBOX_RECEIPT,
        signed_receipt=codec.signed_receipt_to_bytes(believed.signed),
        since_ms=now_ms,
        reason=Reason.QUEUED,
    )
    name = receipt_row_id(believed.signed.receipt)
    outbox.enqueue(tx, origin_node, Lane.CONTROL, name, keys.OUTBOX_RECEIPT, row)


def receipt_row_id(receipt_bytes: bytes) -> bytes:
    """Return the 16 octets that stand for a receipt in outbox keys: one packet may have several receipts on their way."""
    return sha256(receipt_bytes).digest()[:16]


def release_body(tx: Tx, packet_id: bytes, envelope: Envelope) -> bool:
    """Forget a carried packet's body if nothing else needs it; returns True if it was forgotten."""
    packet = require(tx, keys.packet(packet_id), PacketRecord)
    if packet.own_wrap or tx.scan(keys.outbox_index_of(packet_id), limit=1):
        return False
    packet.body_forgotten = True
    save(tx, keys.packet(packet_id), packet)
    tx.delete(keys.body(envelope.body.body_sha256))
    return True


def is_carried(tx: Tx, packet_id: bytes, target_node: str) -> bool:
    """Tell whether we carry this packet for that node."""
    return outbox.row_of(tx, target_node, packet_id, keys.OUTBOX_RELAY) is not None


def peer_records(tx: Tx) -> dict[str, PeerRecord]:
    """Return what is known of the roads to all peers."""
    rows = tx.scan(keys.PEERS, limit=10_000)
    return {key[1:].decode(): PeerRecord.FromString(value) for key, value in rows}


def peer_record(tx: Tx, node_id: str) -> PeerRecord:
    """Return what is known of the road to one peer."""
    return load(tx, keys.peer(node_id), PeerRecord) or PeerRecord()


def nodes_waited_for(tx: Tx) -> set[str]:
    """Return every node for which something waits, by leaping from one to the next (never through the rows)."""
    found: set[str] = set()
    for table in (b"o", b"l"):
        start = table
        while rows := tx.scan(table, start=start, limit=1):
            node = rows[0][0][1:].split(b"\0", 1)[0]
            found.add(node.decode())
            start = table + node + b"\1"
    return found
