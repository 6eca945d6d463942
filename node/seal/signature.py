"""Signatures over many statements at once: one private-key operation for a whole group commit.

The statements are the leaves of an RFC 6962 Merkle tree (2.1); the key signs the tree's root, and each statement carries its
path (2.1.1), so that it stands alone afterwards:

    leaf  = SHA-256(0x00 | label | 0x00 | statement)      the label says what kind of statement it is
    node  = SHA-256(0x01 | left | right)                  0x00 and 0x01 keep leaves and nodes apart
    root  = leaf, if there is only one
    signed octets = "truc signature" | 0x00 | tree_size (4 octets, big-endian) | root

The label is in the leaf: an envelope can never be taken for a receipt, even in one tree. The size is signed, so that every
leaf has exactly one path length, and one position has exactly one path. Ed25519 is deterministic (RFC 8032): the same group
gives the same signatures.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from node.model.directory import NodeEntry
from node.model.envelope import Signature
from node.seal.public import PUBLIC_KEY_BYTES, key_id_of, signing_key_of

ENVELOPE_LABEL = b"truc envelope"
RECEIPT_LABEL = b"truc receipt"
STATEMENTS_MAX = 4_096
ROOTS_REMEMBERED = 4_096
"""Verified roots kept, some 300 octets each: a push of 64 receipts signed together costs one verification."""

_HASH_BYTES = 32
_ROOT_SIGNATURE_BYTES = 64
_ROOT_LABEL = b"truc signature\0"
_TREE_SIZE = struct.Struct(">I")


def sign_statements(key: Ed25519PrivateKey, label: bytes, statements: Sequence[bytes]) -> list[Signature]:
    """Sign 1 to 4,096 statements under one label with one operation of the key; signatures in order."""
    assert 0 < len(statements) <= STATEMENTS_MAX
    levels = _levels([_leaf(label, statement) for statement in statements])
    size = len(statements)
    root_signature = key.sign(_root_octets(size, levels[-1][0]))
    key_id = key_id_of(key.public_key().public_bytes_raw())
    return [Signature(key_id, root_signature, index, size, _path(levels, index)) for index in range(size)]


def verify(label: bytes, statement: bytes, signature: Signature, public_key: bytes) -> bool:
    """Tell whether the holder of a raw Ed25519 public key signed this statement under this label.

    A signature with anything out of its range (sizes, position, a path too short or too long) is none: False.
    """
    if not _is_well_formed(signature) or len(public_key) != PUBLIC_KEY_BYTES:
        return False
    if signature.key_id != key_id_of(public_key):
        return False
    root = _root_by_path(_leaf(label, statement), signature.leaf_index, signature.tree_size, signature.path)
    if root is None:
        return False
    try:
        return _root_is_signed(public_key, signature.tree_size, root, signature.root_signature)
    except InvalidSignature:
        return False


def verify_by(entry: NodeEntry, label: bytes, statement: bytes, signature: Signature, times_ms: Iterable[int]) -> bool:
    """Tell whether a node of the directory signed this statement with a key that is valid at one of these times.

    They are those of model/statement.py, in milliseconds since 1970 UTC: a time that only the signer vouches for must be within its
    bounds, or it could name one at which the key was good.
    """
    public_key = signing_key_of(entry, signature.key_id, times_ms)
    return public_key is not None and verify(label, statement, signature, public_key)


def _is_well_formed(signature: Signature) -> bool:
    return (
        0 < signature.tree_size <= STATEMENTS_MAX
        and 0 <= signature.leaf_index < signature.tree_size
        and len(signature.root_signature) == _ROOT_SIGNATURE_BYTES
        and all(len(sibling) == _HASH_BYTES for sibling in signature.path)
    )


@lru_cache(maxsize=ROOTS_REMEMBERED)
def _root_is_signed(public_key: bytes, tree_size: int, root: bytes, root_signature: bytes) -> bool:
    """Return True or raise InvalidSignature, so that forged roots do not push the good ones out of the cache."""
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
    except ValueError as error:
        raise InvalidSignature from error
    key.verify(root_signature, _root_octets(tree_size, root))
    return True


def _leaf(label: bytes, statement: bytes) -> bytes:
    assert b"\0" not in label
    return hashlib.sha256(b"\0" + label + b"\0" + statement).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _root_octets(tree_size: int, root: bytes) -> bytes:
    return _ROOT_LABEL + _TREE_SIZE.pack(tree_size) + root


def _levels(leaves: list[bytes]) -> list[list[bytes]]:
    """Return the tree from its leaves up to its root. A last node without a sibling goes up as it is (RFC 6962's shape)."""
    levels = [leaves]
    while len(level := levels[-1]) > 1:
        above = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            above.append(level[-1])
        levels.append(above)
    return levels


def _path(levels: list[list[bytes]], index: int) -> tuple[bytes, ...]:
    siblings = []
    for level in levels[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            siblings.append(level[sibling])
        index >>= 1
    return tuple(siblings)


def _root_by_path(node: bytes, index: int, tree_size: int, path: tuple[bytes, ...]) -> bytes | None:
    """Climb from a leaf to the root; None unless the path has exactly the length that the tree's shape demands."""
    last, used = tree_size - 1, 0
    while last > 0:
        if index & 1 or index < last:
            if used == len(path):
                return None
            node = _node(path[used], node) if index & 1 else _node(node, path[used])
            used += 1
        index, last = index >> 1, last >> 1
    return node if used == len(path) else None
