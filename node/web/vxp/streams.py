"""Streams: answers that are made while they are sent, a packet as base64 in JSON, a list row by row. Memory does not grow with them.

Most faults show when the first piece is made, so that is done before the first octet of the answer leaves. If something breaks later
the connection is closed in the middle, and the caller sees that the answer is not whole.
"""

import base64
from collections.abc import AsyncIterator
from typing import Any

from node.web.vxp.answer import encoded

_DATA = b'"data":'


def frame(text: str = "Success") -> tuple[bytes, bytes]:
    """Return the octets before and after the data of a success."""
    whole = encoded({"status": "OK", "ErrorCode": "0", "ErrorDesc": text, "data": ""})
    before, after = whole.split(_DATA + b'""')
    return before + _DATA, after


def base64_bytes(size_bytes: int) -> int:
    """Return how long base64 of so many octets is."""
    return (size_bytes + 2) // 3 * 4


async def as_base64(octets: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield base64 of a stream."""
    rest = b""
    async for piece in octets:
        data = rest + piece
        whole = len(data) // 3 * 3
        rest = data[whole:]
        if whole:
            yield base64.b64encode(data[:whole])
    if rest:
        yield base64.b64encode(rest)


async def begun(pieces: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """Make the first piece now, so that its faults are raised now; return it and the whole stream."""
    first = await anext(pieces, b"")

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return first, whole()


async def framed(rows: AsyncIterator[bytes], text: str = "Success") -> AsyncIterator[bytes]:
    """Yield a success whose data is a list: `rows` are pieces of one or more rows, joined by commas, without one at either end."""
    before, after = frame(text)
    opening = before + b"["
    async for piece in rows:
        if piece:
            yield opening + piece
            opening = b","
    yield (b"" if opening == b"," else opening) + b"]" + after


def row(fields: dict[str, Any]) -> bytes:
    """Return one row; members that are not known are left out, for a null makes the whole list unreadable."""
    return encoded({name: value for name, value in fields.items() if value is not None})
