"""Questions: a packet's rows after its time. Its recipients' nodes are asked whether they have it, and then not even that.

Rows of units that have moved ask, too, while there is time: reroute.py.
"""

from node.flow.send import outbox
from node.ports import Tx
from node.rows import keys
from node.rows.access import ROWS_OF_PACKET_MAX
from node.rows.records import OutboxRecord


def only_ask(tx: Tx, packet_id: bytes, now_ms: int) -> None:
    """Turn a packet's rows into questions, due at once: does its node have it? A relay asks for the origin, whose road it is."""
    for node_id, kind in _rows_of(tx, packet_id):
        if kind != keys.OUTBOX_RECEIPT:
            outbox.change(tx, node_id, packet_id, kind, now_ms, _ask_only)


def _ask_only(record: OutboxRecord) -> None:
    record.asks_only = True


def drop_questions(tx: Tx, packet_id: bytes) -> None:
    """Take the questions about a packet out, readable or not: after its time all its rows are questions, but for those of receipts."""
    for node_id, kind in _rows_of(tx, packet_id):
        if kind != keys.OUTBOX_RECEIPT:
            outbox.settle(tx, node_id, packet_id, kind)


def needs_body(tx: Tx, packet_id: bytes) -> bool:
    """Tell whether a row of a packet is still to carry its body."""
    rows = (outbox.row_of(tx, node_id, packet_id, kind) for node_id, kind in _rows_of(tx, packet_id))
    return any(found is not None and not found[1].asks_only for found in rows)


def _rows_of(tx: Tx, packet_id: bytes) -> list[tuple[str, int]]:
    """Return peer and kind of every row of a packet."""
    return [
        keys.parse_outbox_index(key) for key, _ in tx.scan(keys.outbox_index_of(packet_id), limit=ROWS_OF_PACKET_MAX)
    ]
