"""One HTTP connection: uvicorn's, with bounds (decision 0007).

uvicorn leaves four things open. A caller that connects and stays silent, or sends its header one octet a minute, holds a connection
for ever. The number of connections is not bounded. A header block that is too large or malformed is answered with plain text,
which one version of the client library takes for an empty inbox. And a message whose length is told in two ways (Content-Length
and Transfer-Encoding) is read one way, while a proxy in front may read it the other: request smuggling.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from node.model.policy import KIB

HEADER_BYTES_MAX = 192 * KIB
"""A header block with a long list of recipients, twice over, takes 128 KiB (vxp.md section 5)."""
HEADER_TIME_S = 30.0
"""From the connection, or the first octet of the next request, to the end of the header block."""
CONNECTIONS_MAX = 2_048
IDLE_S = 5
"""A connection is closed when nothing has been asked on it for so long: the client library leaves many open."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """What is said to a caller that cannot be understood (JSON), and who hears of its address."""

    refusal: bytes
    heard: Callable[[str], object]


class GuardedProtocol(H11Protocol):
    """A connection. door.py makes a class of its own, with its `malformed`."""

    malformed: ClassVar[Malformed]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; close at once if there are too many."""
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        if len(self.connections) > CONNECTIONS_MAX:
            transport.abort()
            return
        self._expect_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._header_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take octets; the header block of a request must be whole in time."""
        super().data_received(data)
        if self.transport.is_closing() or self.conn.their_state is not h11.IDLE:
            self._header_is_here()
        elif self._deadline is None:
            self._expect_header()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or too large a header block, with JSON and the end of the connection."""
        refusal = self.malformed.refusal
        self.malformed.heard(self.client[0] if self.client else "")
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=[*headers, (b"content-length", b"%d" % len(refusal))]),
            h11.Data(data=refusal),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _expect_header(self) -> None:
        self._deadline = asyncio.get_running_loop().call_later(HEADER_TIME_S, self.transport.abort)

    def _header_is_here(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def length_is_ambiguous(headers: list[tuple[bytes, bytes]]) -> bool:
    """Tell whether a request says in more than one way where it ends (RFC 9112 6.3): nobody who means well does that."""
    names = [name for name, _ in headers]
    return names.count(b"content-length") + names.count(b"transfer-encoding") > 1
