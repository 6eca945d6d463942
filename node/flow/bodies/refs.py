"""Refs: which packets still need a body.

A body is named by its SHA-256, and more than one packet may name it: an origin may send the same octets twice, and a hostile
recipient may put a body that it received into an envelope of its own. So every packet record that needs a body has a row that
says so, written and deleted in the transactions that write and forget the packet. A body goes when its last row has gone:

        hold (packet A)   hold (packet B)   let_go (A): stays   let_go (B): nobody names it, the small one goes with the row

A small body lies in the store and goes in that very transaction. A file outlives it: node/flow/bodies/files.py removes it.
"""

from node.errors import Broken
from node.ports import Tx
from node.rows import keys


def hold(tx: Tx, body_sha256: bytes, packet_id: bytes) -> None:
    """Note that a packet needs a body from now on; noting it twice is harmless."""
    tx.put(keys.body_ref(body_sha256, packet_id), b"")


def let_go(tx: Tx, body_sha256: bytes, packet_id: bytes) -> bool:
    """Note that a packet needs a body no longer. Returns True if no packet names it any more and it is a file: the caller removes that."""
    tx.delete(keys.body_ref(body_sha256, packet_id))
    if is_held(tx, body_sha256):
        return False
    is_damaged = tx.get(keys.damaged_body(body_sha256)) is not None
    if is_damaged:
        tx.delete(keys.damaged_body(body_sha256))
    is_file = is_damaged or _is_file(tx, body_sha256)
    tx.delete(keys.body(body_sha256))
    return is_file


def _is_file(tx: Tx, body_sha256: bytes) -> bool:
    try:
        return tx.get(keys.body(body_sha256)) is None
    except Broken:
        # It lies in the store and cannot be read; it can be forgotten all the same.
        return False


def is_held(tx: Tx, body_sha256: bytes) -> bool:
    """Tell whether any packet needs a body."""
    return bool(tx.scan(keys.body_ref(body_sha256), limit=1))
