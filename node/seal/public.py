"""Public keys as the directory lists them: how one is named, and when it may be used.

A key's name (`key_id`) is the SHA-256 of its 32 raw octets. Signatures and key wraps carry names only; the key itself always
comes out of the directory, so nobody can bring a key along.
"""

import hashlib
from collections.abc import Collection, Iterable
from functools import lru_cache

from node.model.directory import NodeEntry, PublicKey
from node.model.envelope import SUITE

PUBLIC_KEY_BYTES = 32


@lru_cache(maxsize=4096)
def key_id_of(public_key: bytes) -> bytes:
    """Return a public key's name: SHA-256 of its raw octets (envelope.proto, Signature.key_id and KeyWrap.key_id)."""
    return hashlib.sha256(public_key).digest()


def is_usable(key: PublicKey, at_ms: int) -> bool:
    """Tell whether a key is of our suite and valid at that time (milliseconds since 1970 UTC); both ends belong to it."""
    if key.suite != SUITE or len(key.raw) != PUBLIC_KEY_BYTES:
        return False
    return key.valid_from_ms <= at_ms and (key.valid_to_ms == 0 or at_ms <= key.valid_to_ms)


def signing_key_of(entry: NodeEntry, key_id: bytes, times_ms: Iterable[int]) -> bytes | None:
    """Return the node's signing key of that name, raw, if it may be used at one of these times."""
    found = next((key for key in entry.signing_keys if key_id_of(key.raw) == key_id), None)
    return found.raw if found is not None and any(is_usable(found, at_ms) for at_ms in times_ms) else None


def key_to_sign_with(entry: NodeEntry, held: Collection[bytes], at_ms: int) -> bytes | None:
    """Return the name of the key that a node signs with at that time: of those it holds, the newest that others take from it then.

    Without one, any that the directory names; None if it names none of them.
    """
    named = [key for key in entry.signing_keys if key_id_of(key.raw) in held]
    usable = list(_usable(named, at_ms))
    newest = max(usable or named, key=lambda key: key.valid_from_ms, default=None)
    return key_id_of(newest.raw) if newest is not None else None


def sealing_key_of(entry: NodeEntry, at_ms: int) -> bytes | None:
    """Return the key that bodies for this node are sealed with, raw: the first usable one. None if it has none."""
    return next((key.raw for key in _usable(entry.sealing_keys, at_ms)), None)


def _usable(keys: Iterable[PublicKey], at_ms: int) -> Iterable[PublicKey]:
    return (key for key in keys if is_usable(key, at_ms))
