"""Signing: the header fields of a call to the bridge, as the client library makes them; for calls by hand (`truc vxp sign`)."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime

PREFIX = "XroadVnpt-"

FILE_TYPE, JSON_TYPE = "application/octet-stream", "application/json"


def signed_fields(
    system: str, secret: str, arguments: Mapping[str, str], at: datetime, *, has_file: bool = False
) -> dict[str, str]:
    """Return the header fields of one call; `at` is now in Vietnam."""
    kind = FILE_TYPE if has_file else JSON_TYPE
    # The library's own form: day, month, year, T, time, and the milliseconds padded to four digits behind a plus sign.
    timestamp = at.strftime("%d%m%YT%H%M%S") + f"+{at.microsecond // 1000:04}"
    named = {"systemid": system, **arguments, "timestamp": timestamp, "Content-Type": kind}
    fields = {PREFIX + name: value for name, value in named.items()}
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return {
        "Content-Type": kind,
        **fields,
        f"{PREFIX}sign-header-key": ";".join(named),
        f"{PREFIX}sign-header": text,
        f"{PREFIX}hash-header": hmac.digest(secret.encode(), text.encode(), "sha256").hex(),
    }


def file_digest(octets: bytes) -> str:
    """Return the hash-file of a packet: SHA-256 in hex."""
    return hashlib.sha256(octets).hexdigest()
