"""Damage: bodies that are known not to be what their digests say, one row each in `m` until the body is whole again or let go.

scrub, or somebody who has read it --note--> row --mended, whole after all, let go--> gone
                                              '--tried: when the next attempt is, and why the last one failed (flow/send/mending.py)
"""

import struct
from dataclasses import dataclass

from node.model.reason import Reason
from node.ports import Tx
from node.rows import keys

_STATE = struct.Struct(">QHHQ")
"""Since when it is known, why it could not be fetched again, attempts, when the next one is due. Older versions wrote only the first."""
_TIME_BYTES = 8
PACKETS_MAX = 10


@dataclass(frozen=True, slots=True)
class DamagedBody:
    """A body that is not what its digest says, and the packets that need it; why it could not be fetched again (NONE: not tried yet)."""

    body_sha256: bytes
    packet_ids: tuple[bytes, ...]
    reason: Reason = Reason.NONE
    attempts: int = 0
    next_attempt_ms: int = 0


def note(tx: Tx, body_sha256: bytes, now_ms: int, *, whole: bool) -> None:
    """Write down that a body is damaged, or that it is whole after all. A body that was let go meanwhile is no one's loss."""
    key = keys.damaged_body(body_sha256)
    if whole or not tx.scan(keys.body_ref(body_sha256), limit=1):
        if tx.get(key) is not None:
            tx.delete(key)
    elif tx.get(key) is None:
        tx.put(key, now_ms.to_bytes(_TIME_BYTES, "big"))


def tried(tx: Tx, body: DamagedBody, reason: Reason, next_attempt_ms: int) -> None:
    """Write down why a body could not be fetched again, if it is still damaged."""
    key = keys.damaged_body(body.body_sha256)
    value = tx.get(key)
    if value is not None:
        since_ms = int.from_bytes(value[:_TIME_BYTES], "big")
        tx.put(key, _STATE.pack(since_ms, reason, min(body.attempts + 1, 2**16 - 1), next_attempt_ms))


def damaged(tx: Tx, limit: int, start: bytes = b"") -> list[DamagedBody]:
    """Return bodies that are noted as damaged and still needed, from a digest on."""
    found = []
    for key, value in tx.scan(keys.DAMAGED_BODIES, start=keys.damaged_body(start), limit=limit):
        body_sha256 = keys.damaged_body_of(key)
        needed = [key[-16:] for key, _ in tx.scan(keys.body_ref(body_sha256), limit=PACKETS_MAX)]
        # The last packet that lets go of a body takes its row along.
        if needed:
            _, reason, attempts, next_ms = _STATE.unpack(value) if len(value) == _STATE.size else (0, 0, 0, 0)
            found.append(DamagedBody(body_sha256, tuple(needed), Reason(reason), attempts, next_ms))
    return found
