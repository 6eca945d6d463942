"""Root, the beginning of trust: which keys count, and how they are exchanged.

Root is signed by a threshold of root keys and needed only here: when the authority is made and when a key is exchanged. After that
the files `keys/root-*.pem` can be carried away and locked up (each by another person, if the threshold is above one).
Its fingerprint is over the root keys and their threshold, not over the file, so it stays the same while only other keys change.
"""

import hashlib
import json
from collections.abc import Sequence

from node.directory.layout import NAME_FIELD, ROOT_DAYS
from node.directory.rules import refuse
from node.directory.signing import expires
from node.directory.tufapi import Key, Metadata, RepositoryError, Root

_ONLINE = ("snapshot", "timestamp")


def first_root(name: str, roots: Sequence[Key], threshold: int, targets: Key, online: Key, now_ms: int) -> Root:
    """Return root version 1, unsigned: these root keys, one targets key, one online key for snapshot and timestamp."""
    assert 1 <= threshold <= len(roots)
    root = Root(version=1, expires=expires(now_ms, ROOT_DAYS), consistent_snapshot=False)
    root.unrecognized_fields[NAME_FIELD] = name
    for key in roots:
        root.add_key(key, "root")
    root.roles["root"].threshold = threshold
    root.add_key(targets, "targets")
    for role in _ONLINE:
        root.add_key(online, role)
    return root


def with_online_key(root: Root, online: Key, now_ms: int) -> Root:
    """Return the next version of root, unsigned, in which another key is the online one."""
    following = Root.from_dict(root.to_dict())
    following.version += 1
    following.expires = expires(now_ms, ROOT_DAYS)
    for role in _ONLINE:
        for keyid in list(following.roles[role].keyids):
            following.revoke_key(keyid, role)
        following.add_key(online, role)
    return following


def read_root(root_json: bytes) -> Root:
    """Read a root file and check that it is signed by its own threshold of keys. Raises Broken(DIRECTORY_INVALID)."""
    try:
        metadata = Metadata[Root].from_bytes(root_json)
        if not isinstance(metadata.signed, Root):
            refuse("root.json", "is not a TUF root")
        metadata.signed.verify_delegate("root", metadata.signed_bytes, metadata.signatures)
    except RepositoryError as error:
        refuse("root.json", str(error))
    return metadata.signed


def root_fingerprint(root_json: bytes) -> str:
    """Return what people compare by telephone before they trust a root: 128 bits, eight groups of four hex digits.

    Raises Broken(DIRECTORY_INVALID) if the file is not a root that its own keys have signed.
    """
    root = read_root(root_json)
    role = root.roles["root"]
    keys = sorted(json.dumps(root.get_key(keyid).to_dict(), sort_keys=True) for keyid in role.keyids)
    digest = hashlib.sha256(json.dumps([role.threshold, keys]).encode()).hexdigest()
    return "-".join(digest[start : start + 4] for start in range(0, 32, 4))


def root_name(root_json: bytes) -> str:
    """Return the authority's name as its root gives it. Raises Broken(DIRECTORY_INVALID)."""
    return str(read_root(root_json).unrecognized_fields.get(NAME_FIELD, ""))
