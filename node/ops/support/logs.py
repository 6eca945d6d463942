"""Log lines for a bundle: what a node has logged, cut down to the fields that a log may have at all (node/log.py) and a few less.

Details and submission ids are words of others: a fault's detail may quote what it is about, and software is free to put a subject into
its ids. Details are left out, ids stand as digests, so that lines about the same submission still find each other. A line that is
none of a node's log (a console's, another program's) is left out and counted.
"""

import hashlib
import json
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from node.log import FIELDS, is_event

BYTES_MAX = 32 * 1024 * 1024
LINES_MAX = 50_000
STRING_CHARACTERS_MAX = 200
LEFT_OUT = frozenset({"detail"})
DIGESTED = frozenset({"submission_id"})


def read_log(path: Path) -> tuple[list[str], Counter[str]]:
    """Return the last lines of a log as JSON, and how many lines were left out by why. Raises OSError."""
    kept: deque[str] = deque(maxlen=LINES_MAX)
    left_out: Counter[str] = Counter()
    for line in _last_lines(path):
        fields = _fields_of(line)
        if fields is None:
            left_out["not a line of a node's log"] += 1
            continue
        if len(kept) == LINES_MAX:
            left_out["too many lines"] += 1
        kept.append(json.dumps(_cleaned(fields), ensure_ascii=False))
    return list(kept), left_out


def _last_lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        size_bytes = file.seek(0, 2)
        file.seek(max(0, size_bytes - BYTES_MAX))
        if size_bytes > BYTES_MAX:
            file.readline()  # the rest of a line
        while line := file.readline(BYTES_MAX):
            yield line.decode("utf-8", "replace")


def _fields_of(line: str) -> dict[str, Any] | None:
    """Read a line; what stands before the JSON (journald's time and host) is passed over."""
    begin = line.find("{")
    if begin < 0:
        return None
    try:
        fields = json.loads(line[begin:])
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not is_event(str(fields.get("event", ""))):
        return None
    return fields


def _cleaned(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in fields.items() if name in FIELDS - LEFT_OUT}


def _value(name: str, value: Any) -> Any:
    if name in DIGESTED:
        return "sha256:" + hashlib.sha256(str(value).encode("utf-8", "replace")).hexdigest()[:12]
    if isinstance(value, str):
        return value[:STRING_CHARACTERS_MAX]
    if isinstance(value, list):
        return [str(one)[:STRING_CHARACTERS_MAX] for one in value[:20]]
    return value if isinstance(value, int | float | bool) or value is None else str(type(value).__name__)
