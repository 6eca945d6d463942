"""Words of the model as JSON for programs: names of fields as in the protos, octets as hex, enums as their names in small letters.

A time in milliseconds since 1970 UTC (`accept_time_ms`) stands there as it is and once more without `_ms`, as ISO 8601 in
Vietnamese time; 0 means "none" and becomes null. Reasons keep their capitals, as in reason.proto; no reason is null.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

from node.model.calendar import VIETNAM, moment_of
from node.model.reason import Reason
from node.model.receipt import SignedReceipt

_DURATIONS = frozenset({"clock_skew_ms", "lease_ms", "age_ms"})


_UNSHOWN = re.compile(
    "[\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""What a terminal obeys, or nobody sees, or is no character; JSON itself escapes the rest of the controls."""


def json_text(document: Any, indent: int | None = 2) -> str:
    """Return a document as JSON for programs, in which a terminal finds nothing to obey: such characters are escaped."""
    return _UNSHOWN.sub(_escaped, json.dumps(document, ensure_ascii=False, indent=indent))


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def iso_time(time_ms: int) -> str | None:
    """Return a time as ISO 8601 with +07:00; None for 0."""
    if not time_ms:
        return None
    return moment_of(time_ms).isoformat(timespec="milliseconds")


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
