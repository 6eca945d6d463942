"""Access to stored records: the one place where a key meets the message that lies under it."""

from collections.abc import Sequence
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from node.ports import Tx

M = TypeVar("M", bound=Message)

ROWS_OF_PACKET_MAX = 20_000
"""Bound of a scan over the rows of one packet, one for each recipient: twice what a packet may have (Policy.recipients_max)."""


class MissingRow(AssertionError):
    """A row is not there that our own rules say must be."""


DAMAGE = (DecodeError, MissingRow)
"""Exceptions by which a stored row shows that it is damaged or gone."""


def load(tx: Tx, key: bytes, kind: type[M]) -> M | None:
    """Return the record under a key, or None."""
    value = tx.get(key)
    return None if value is None else kind.FromString(value)


def load_many(tx: Tx, keys: Sequence[bytes], kind: type[M]) -> list[M | None]:
    """Return the record under each key, in order, or None."""
    return [None if value is None else kind.FromString(value) for value in tx.get_many(keys)]


def require(tx: Tx, key: bytes, kind: type[M]) -> M:
    """Return the record under a key that our own rules say must exist."""
    record = load(tx, key, kind)
    if record is None:
        raise MissingRow(f"no {kind.__name__} under {key!r}")
    return record


def save(tx: Tx, key: bytes, record: Message) -> None:
    """Write a record."""
    tx.put(key, record.SerializeToString())
