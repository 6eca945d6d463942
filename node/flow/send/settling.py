"""Settling: what the verified answers of a peer change. One transaction function: rows out and deliveries final, or rows put off.

        DELIVERED            units end as it says; a row for which nobody waits any more goes
        WRONG_NODE in it     the node has not taken the packet for that unit and will not: the delivery goes to the unit's node of now
        CUSTODY              the row is tried again later, by another road if nothing has come of it
        no receipt           the row stays, put off for a time, with the reason for everyone to see

The receipts were verified before (transfer.py).
"""

from dataclasses import dataclass, field

from node.flow.backoff import item_pause_ms
from node.flow.send import adoption, outbox, receipts, relay
from node.flow.send.receipts import Believed
from node.flow.send.reroute import UNKNOWN, UNSENT, Word, reroute
from node.flow.send.routing import Outlook
from node.model.envelope import SignedEnvelope
from node.model.reason import Reason
from node.model.receipt import Level
from node.ports import Tx
from node.rows import keys
from node.rows.access import require
from node.rows.records import PacketRecord
from node.wire import codec

ASK_SOON_MAX = 5
"""So many attempts come as soon as the peer says, while it fetches a newer directory."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer to a row, verified: a believed receipt, or why the row stays."""

    row: outbox.Row
    believed: Believed | None
    reason: Reason
    retry_after_ms: int
    adopted: SignedEnvelope | None = None
    """The envelope that the receipt is about, if it is one that we signed before we lost our disk."""


@dataclass(slots=True)
class Written:
    """An account of what was written: whether every row is gone, which outboxes got something, why deliveries ended."""

    gone: bool = True
    nodes: set[str] = field(default_factory=set)
    ended: list[Reason] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Peer:
    """Whose answers they are: the node for which the rows wait; the relay that was called, if it was not the node itself ("")."""

    node_id: str
    relay_node: str
    at: Outlook


def write(tx: Tx, peer: Peer, told: list[Told]) -> Written:
    """Write what was told about several rows."""
    written = Written()
    for one in told:
        written.gone &= _write_one(tx, peer, one, written)
    return written


def _write_one(tx: Tx, peer: Peer, told: Told, written: Written) -> bool:
    row, believed, now_ms = told.row, told.believed, peer.at.now_ms
    if row.kind == keys.OUTBOX_RECEIPT and told.reason in (Reason.NONE, Reason.NOT_FOUND, Reason.RECEIPT_INVALID):
        # The origin has it, or will never want it. Nothing is lost with the row: the origin holds the packet and would ask again.
        return outbox.settle(tx, peer.node_id, row.packet_id, row.kind)
    if believed is None:
        return _stays(tx, peer, told, written)
    if believed.receipt.level is Level.CUSTODY:
        pause_ms = min(peer.at.policy.custody_retry_ms, outbox.PUT_OFF_MS_MAX)
        receipts.apply_custody(tx, believed, peer.node_id, now_ms + pause_ms)
        return False
    if row.kind == keys.OUTBOX_RELAY:
        envelope = codec.decode_envelope(require(tx, keys.packet(row.packet_id), PacketRecord).envelope)
        if relay.carried_home(tx, believed, envelope, now_ms):
            written.nodes.add(envelope.origin_node)
        return True
    if told.adopted is not None:
        adoption.keep(tx, row.packet_id, peer.node_id, told.adopted)
    written.ended += receipts.apply_final(tx, believed, now_ms, relay_node=peer.relay_node)
    if outbox.row_of(tx, peer.node_id, row.packet_id, row.kind) is None:
        return True
    # The receipt is silent about a unit that we took to be served there, or says that the node has not taken the packet for it.
    return _goes_on(tx, peer, Told(row, None, Reason.WRONG_NODE, 0), Word(receipt=believed.receipt), written)


def _stays(tx: Tx, peer: Peer, told: Told, written: Written) -> bool:
    row = told.row
    if told.reason is not Reason.WRONG_NODE or row.kind != keys.OUTBOX_PACKET:
        return _put_off(tx, peer, told)
    # A node of an older version answers no question, but says by this that it has no receipt and takes nothing.
    word = UNSENT if row.record.asks_by_version and not peer.relay_node else UNKNOWN
    return _goes_on(tx, peer, told, word, written)


def _goes_on(tx: Tx, peer: Peer, told: Told, word: Word, written: Written) -> bool:
    """Let units that another node serves go there, or be asked about; what stays as it was is put off."""
    node_id, row, at = peer.node_id, told.row, peer.at
    before = outbox.row_of(tx, node_id, row.packet_id, row.kind)
    was_asked = before[1].asks_by_version if before is not None else 0
    written.nodes |= reroute(tx, node_id, row.packet_id, at.directory, at.now_ms, word)
    found = outbox.row_of(tx, node_id, row.packet_id, row.kind)
    if found is None:
        return True
    # What it is asked, or for whom it goes, has changed since it went: the answer was to something else.
    if bool(found[1].asks_by_version) == bool(was_asked) and set(found[1].units) <= set(row.record.units):
        _put_off(tx, peer, told)
    return False


def _put_off(tx: Tx, peer: Peer, told: Told) -> bool:
    row, reason, policy = told.row, told.reason or Reason.PEER_BUSY, peer.at.policy
    again_ms = policy.ask_again_ms if row.record.asks_only else item_pause_ms(row.record.attempts, policy)
    pause_ms = told.retry_after_ms or again_ms
    if reason is Reason.IN_CUSTODY:
        pause_ms = policy.custody_retry_ms
    if reason is Reason.DIRECTORY_OLDER and row.record.attempts >= ASK_SOON_MAX:
        # The peer's directory does not come soon: pauses grow from here on, and its Hello hastens the row when it has come.
        pause_ms = max(pause_ms, item_pause_ms(row.record.attempts - ASK_SOON_MAX, policy))
    until_ms = peer.at.now_ms + min(pause_ms, outbox.PUT_OFF_MS_MAX)
    outbox.put_off(tx, peer.node_id, row.packet_id, row.kind, until_ms, reason, relay=peer.relay_node)
    return False
