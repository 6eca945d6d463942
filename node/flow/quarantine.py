"""Quarantine: rows that cannot be handled, laid aside exactly as they were, so that whatever is wrong with one stops no other.

A row comes here if it cannot be decoded, or if it has met an exception that is no fault three times in a row: a mistake of ours, or damage
that no retry mends. It stays visible and countable until an operator releases it (`truc outbox --release`), which puts it back under its
key, for example after an upgrade. Any room may lay rows aside. If an index names the row, the index names it here meanwhile, so that
what ends the row elsewhere (a receipt by another road, expiry) finds it and ends it here, too.
"""

from hashlib import sha256

from node.errors import Rejected
from node.model.reason import Reason
from node.ports import Tx
from node.rows import keys
from node.rows.access import load, save
from node.rows.records import QuarantineRecord

EXCEPTIONS_MAX = 3
"""So many exceptions in a row, and a row is laid aside."""
DETAIL_CHARACTERS_MAX = 500
COUNTED_MAX = 1_000


def lay_aside(
    tx: Tx, key: bytes, value: bytes, reason: Reason, detail: str, now_ms: int, *, index_key: bytes = b""
) -> bytes:
    """Lay a row aside that the caller takes out of its table; return its key here. `index_key` is a row that names it, if there is one."""
    record = QuarantineRecord(
        key=key,
        value=value,
        reason=reason,
        detail=detail[:DETAIL_CHARACTERS_MAX],
        time_ms=now_ms,
        index_key=index_key,
    )
    here = keys.quarantine(sha256(key).digest()[:8])
    save(tx, here, record)
    if index_key:
        tx.put(index_key, here)
    return here


def holds(key: bytes) -> bool:
    """Tell whether a key is one of the quarantine."""
    return key.startswith(keys.QUARANTINE)


def held(tx: Tx, limit: int) -> list[tuple[bytes, QuarantineRecord]]:
    """Return what is laid aside, with the names by which it is released."""
    rows = tx.scan(keys.QUARANTINE, limit=limit)
    return [(key[1:], QuarantineRecord.FromString(value)) for key, value in rows]


def count(tx: Tx) -> int:
    """Return how much is laid aside, at most COUNTED_MAX."""
    return len(tx.scan(keys.QUARANTINE, limit=COUNTED_MAX))


def release(tx: Tx, name: bytes) -> bytes:
    """Put a row back where it lay; return its key. Raises Rejected(NOT_FOUND)."""
    here = keys.quarantine(name)
    record = load(tx, here, QuarantineRecord)
    if record is None:
        raise Rejected(Reason.NOT_FOUND, f"nothing is laid aside as {name.hex()}")
    tx.delete(here)
    tx.put(record.key, record.value)
    if record.index_key:
        tx.put(record.index_key, record.key)
    return record.key
