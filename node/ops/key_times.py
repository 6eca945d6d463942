"""Key times: from when and until when each key of a node is listed, when the next one is made, published and in use. Pure.

    made        its file is there; nobody knows of it
    described   the zone names it, with a beginning after the overlap, so that everybody has heard of it by then
    published   the directory names it: its times are fixed. From its beginning on the node signs with it, and others seal for it
    ended       a grace after the next one has begun. A signing key is listed on for as long as what it has signed may be asked for

A key that others may have got hold of is revoked instead: the zone lists only the new one, which begins at once, and what the old one has
signed is good no more as soon as that is published (and signed anew: flow/send/resigning.py).

The private half of a signing key goes when it is listed no more. That of a sealing key stays: headers and bodies in the store are locked
with it. If the directory names no key whose private half is there (a damaged file), the newest one begins at once.
"""

from collections.abc import Mapping, Sequence

from node.model.directory import PublicKey
from node.model.envelope import SUITE
from node.model.policy import DAY_MS, Policy

OVERLAP_MS = DAY_MS
"""Between being described and its beginning; editions reach nodes within minutes, and the authority has a working day."""
GRACE_MS = DAY_MS
"""The old key may be used so long beside the new one: clocks differ, and a node may be late to learn of its own key."""
TURN_AFTER_MS = 365 * DAY_MS
"""A key in use for so long is followed by a new one without being asked twice."""


def keep_signing_ms(policy: Policy) -> int:
    """Return how long a signing key is listed after its end: the life of a packet, the time its receipts are kept, and a grace."""
    return policy.expire_after_ms + policy.keep_body_after_ms + GRACE_MS


def listed(
    said: Sequence[PublicKey],
    published: Sequence[PublicKey],
    held: Sequence[bytes],
    now_ms: int,
    *,
    overlap_ms: int = OVERLAP_MS,
    keep_ms: int = GRACE_MS,
    revoke: bool = False,
) -> tuple[PublicKey, ...]:
    """Return how a node's keys of one kind are to be listed, the newest first.

    `said`: as the zone lists them; `published`: as the directory does; `held`: raw public keys of the files, the newest first.
    `revoke`: list nothing but the newest, if others have not been told of it yet.
    """
    # The zone's own word comes first: what it lists no more (revoked, ended long ago) must not come back from the directory.
    known = {key.raw: key for key in said or published}
    newest = _newest(known, held, published, now_ms, overlap_ms, revoke=revoke)
    told = {key.raw: key.valid_to_ms for key in published}
    is_pending = newest.raw not in told
    if revoke and is_pending:
        return (newest,)
    older = [key for key in known.values() if key.raw != newest.raw and (key in published or key.raw in held)]
    older.sort(key=lambda key: key.valid_from_ms, reverse=True)
    ends_ms = max(newest.valid_from_ms, now_ms) + GRACE_MS
    result = [newest]
    for place, key in enumerate(older):
        # As long as the new key waits, so does the end of the one before it, as far as others have been told of none.
        if not key.valid_to_ms or (place == 0 and is_pending and not told.get(key.raw)):
            result.append(PublicKey(key.raw, key.suite, key.valid_from_ms, ends_ms))
        elif key.valid_to_ms + keep_ms > now_ms:
            result.append(key)
    return tuple(result)


def _newest(
    known: Mapping[bytes, PublicKey],
    held: Sequence[bytes],
    published: Sequence[PublicKey],
    now_ms: int,
    overlap_ms: int,
    *,
    revoke: bool,
) -> PublicKey:
    """Return the newest key with its beginning: as it stands, if others have been told or nobody knows the node yet."""
    raws, before = {key.raw for key in published}, known.get(held[0])
    if not raws or held[0] in raws:
        return before or PublicKey(held[0], SUITE)
    goes_on = raws.intersection(held) & set(known)
    if revoke or not goes_on:
        # Nothing else is there to sign with meanwhile.
        return before if before is not None and before.valid_from_ms <= now_ms else PublicKey(held[0], SUITE, now_ms)
    if before is not None and before.valid_from_ms > now_ms:
        return before
    return PublicKey(held[0], SUITE, now_ms + overlap_ms)
