"""Departed: receipts that wait in the outbox for a node which has left the directory.

Packets for such a node expire, but a receipt has no expiry of its own. It is owed to the packet's origin; once the origin has been out
of the directory for so long that every packet of its has expired, nobody will ever take it.
"""

from collections.abc import Collection

from node.flow.send import outbox
from node.model.policy import Policy
from node.model.thresholds import CLOCK_SKEW_MS_MAX
from node.ports import Tx
from node.rows import keys
from node.rows.access import save
from node.rows.records import OutboxRecord


def drop_receipts(tx: Tx, known: Collection[str], now_ms: int, policy: Policy, limit: int) -> int:
    """Drop old receipts for nodes that are not known; return how many. Looks at `limit` rows of each such node."""
    dropped = 0
    for node_id in sorted(outbox.nodes_waited_for(tx) - set(known)):
        rows = [*tx.scan(keys.outbox(node_id), limit=limit), *tx.scan(keys.later(node_id), limit=limit)]
        for key, value in rows:
            dropped += _drop(tx, node_id, key, OutboxRecord.FromString(value), now_ms, policy)
    return dropped


def _drop(tx: Tx, node_id: str, key: bytes, record: OutboxRecord, now_ms: int, policy: Policy) -> bool:
    if record.kind != keys.OUTBOX_RECEIPT:
        return False
    if record.since_ms > now_ms + CLOCK_SKEW_MS_MAX:
        # It was dated by a clock that was ahead, and would wait here as long as that was.
        record.since_ms = now_ms
        save(tx, key, record)
    if record.since_ms + policy.expire_after_ms + policy.keep_memory_ms > now_ms:
        return False
    ready = keys.ready_of_later(key) if key.startswith(keys.LATER) else key
    return outbox.settle(tx, node_id, keys.parse_outbox_row(ready)[2], record.kind)
