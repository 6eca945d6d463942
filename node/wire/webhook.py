"""Webhook: notices as they are posted, JSON in ASCII, with the ids by which a receiver drops repeats (deploy/webhook.md)."""

import hashlib
import json
from collections.abc import Mapping

from node.model.webhook import Batch, HookMessage, Notice, NoticeKind


def message_of(batch: Batch, node_id: str, now_ms: int) -> HookMessage:
    """Write a batch down as JSON in ASCII. Only the time of sending differs from one attempt to the next."""
    ids = [_id_of(batch, notice) for notice in batch.notices]
    notices = [_fields(notice, name) for notice, name in zip(batch.notices, ids, strict=True)]
    document = {"type": "truc.notices", "node": node_id, "system": batch.system, "notices": notices}
    return HookMessage(_digest("truc message", *ids), _octets(document), now_ms)


def trial_message(system: str, node_id: str, token: str, now_ms: int) -> HookMessage:
    """Return a message without notices, by which an operator tries an address out; `token` is fresh."""
    document = {"type": "truc.test", "node": node_id, "system": system, "notices": []}
    return HookMessage(_digest("truc test", token), _octets(document), now_ms)


def _id_of(batch: Batch, notice: Notice) -> str:
    # The id covers the whole notice, not its number alone: after an older store was put back the numbers come again for other events.
    words = (batch.system, batch.set_ms, notice.number, notice.kind.value, notice.unit, notice.time_ms)
    return _digest("truc notice", *map(str, words), notice.packet_id.hex())


def _fields(notice: Notice, name: str) -> dict[str, str | int]:
    fields: dict[str, str | int] = {"id": name, "kind": notice.kind.word, "time_ms": notice.time_ms}
    if notice.kind is NoticeKind.LOOK:
        return {**fields, "count": notice.count}
    return {**fields, "unit": notice.unit, "packet_id": notice.packet_id.hex()}


def _octets(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]
