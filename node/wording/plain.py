"""Words of the model as JSON for programs: names of fields as in the protos, octets as hex, enums as their names in small letters.

A time in milliseconds since 1970 UTC (`accept_time_ms`) stands there as it is and once more without `_ms`, as ISO 8601 in
Vietnamese time; 0 means "none" and becomes null. Reasons keep their capitals, as in reason.proto; no reason is null.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

from node.model.calendar import VIETNAM
from node.model.reason import Reason
from node.model.receipt import SignedReceipt

_DURATIONS = frozenset({"clock_skew_ms", "lease_ms", "age_ms"})


def iso_time(time_ms: int) -> str | None:
    """Return a time as ISO 8601 with +07:00; None for 0."""
    if not time_ms:
        return None
    return datetime.fromtimestamp(time_ms / 1000, VIETNAM).isoformat(timespec="milliseconds")


def in_vietnam() -> datetime:
    """Return the time that clocks in Vietnam show now."""
    return datetime.now(VIETNAM)


def plain(value: Any) -> Any:
    """Return a word of the model as JSON can say it."""
    if isinstance(value, Reason):
        return value.name if value else None
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, SignedReceipt):
        return receipt(value)
    if is_dataclass(value):
        return _of_fields({field.name: getattr(value, field.name) for field in fields(value)})
    return _of_collection(value)


def _of_collection(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _of_fields(value)
    if isinstance(value, set | frozenset):
        return [plain(one) for one in sorted(value)]
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _of_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, value in values.items():
        said[name] = plain(value)
        if name.endswith("_ms") and name not in _DURATIONS:
            said[name.removesuffix("_ms")] = iso_time(value)
    return said


def receipt(signed: SignedReceipt) -> dict[str, Any]:
    """Return what a signed receipt says, and its exact octets for whoever wants to verify it again."""
    from node.wire.receipt import decode_receipt, signed_receipt_to_bytes

    said = _of_fields(
        {f.name: getattr(word, f.name) for word in [decode_receipt(signed.receipt)] for f in fields(word)}
    )
    return {**said, "signed_receipt": signed_receipt_to_bytes(signed).hex()}
