"""Body of one request, bounded in size and time.

Every answer, a refusal too, comes after the body was read to its end: a server that closes while the caller still sends makes the
caller's system throw the answer away, and the caller sees a broken connection instead of a reason. So a refusal drains what is
still coming, up to a bound. A caller that stops sending, or sends too slowly for too long, is given up.
"""

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Message, Receive

from node.errors import Rejected
from node.model.policy import KIB, MIB
from node.model.reason import Reason

PIECE_TIME_S = 30.0
"""Longest silence within a body."""
RATE_BYTES_S_MIN = 2 * KIB
"""Over its whole length a body must come at least this fast, after the first minute."""
GRACE_S = 60.0
DRAIN_BYTES_MAX = 128 * MIB
"""So much is read and thrown away so that a refusal arrives; a caller that sends more gets a closed connection."""


class Body:
    """A body that is being read. Belongs to one handler."""

    def __init__(self, receive: Receive, *, piece_time_s: float = PIECE_TIME_S, grace_s: float = GRACE_S) -> None:
        self._receive = receive
        self._piece_time_s = piece_time_s
        self._grace_s = grace_s
        self._begun_s = 0.0
        self._read_bytes = 0
        self.ended = False
        """The body has been read to its end."""
        self.gone = False
        """The caller has gone, or was too slow: nobody reads an answer."""

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body. Raises Rejected(SUBMISSION_INCOMPLETE) if the caller goes away or is too slow."""
        while not self.ended:
            data = await self._next()
            if data:
                yield data

    async def whole(self, size_max: int) -> bytes:
        """Return a small body. Raises Rejected(PACKET_TOO_LARGE) if it is larger, and as `pieces`."""
        read = bytearray()
        async for piece in self.pieces():
            read += piece
            if len(read) > size_max:
                raise Rejected(Reason.PACKET_TOO_LARGE, f"a body of more than {size_max} bytes")
        return bytes(read)

    async def drain(self) -> bool:
        """Read what is still coming and throw it away; return whether the end was reached and the connection can take another request."""
        limit = self._read_bytes + DRAIN_BYTES_MAX
        try:
            while not self.ended and self._read_bytes < limit:
                await self._next()
        except Rejected:
            return False
        return self.ended

    async def _next(self) -> bytes:
        now_s = asyncio.get_running_loop().time()
        self._begun_s = self._begun_s or now_s
        if self.gone or now_s - self._begun_s > self._grace_s + self._read_bytes / RATE_BYTES_S_MIN:
            raise self._given_up("too slow")
        try:
            async with asyncio.timeout(self._piece_time_s):
                message: Message = await self._receive()
        except TimeoutError:
            raise self._given_up(f"nothing came for {self._piece_time_s:g} s") from None
        if message["type"] == "http.disconnect":
            raise self._given_up("the caller went away")
        data: bytes = message.get("body", b"")
        self._read_bytes += len(data)
        self.ended = not message.get("more_body", False)
        return data

    def _given_up(self, why: str) -> Rejected:
        self.gone = True
        return Rejected(Reason.SUBMISSION_INCOMPLETE, f"the body broke off after {self._read_bytes} bytes: {why}")
