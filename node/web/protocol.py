"""Protocol of one HTTP connection: uvicorn's, with bounds (decision 0007).

uvicorn leaves four things open. A caller that connects and stays silent, or sends its header one octet a minute, holds a connection
for ever. The number of connections is not bounded. A header block that is too large or malformed is answered with plain text,
which one version of the client library takes for an empty inbox. And a message whose length is told in two ways (Content-Length
and Transfer-Encoding) is read one way, while a proxy in front may read it the other: request smuggling.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

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
    """The refusal (JSON) for a caller that cannot be understood, and the function that hears of its address."""

    refusal: bytes
    heard: Callable[[str], object]


class TooLarge(Exception):
    """A header block is over its bound; told to the parser, which gives up."""


class GuardedProtocol(HttpToolsProtocol):
    """A connection. door.py makes a class of its own, with its `malformed`."""

    malformed: ClassVar[Malformed]
    by_host: ClassVar[Counter[str]]
    """Connections by the caller's address: each may have one for each that is free, which is half of all if it is alone."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; close at once if there are too many."""
        super().connection_made(transport)
        # Octets behind a request after which we or the caller said that the connection closes are not taken for another request.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)
        self._deadline: asyncio.TimerHandle | None = None
        self._host = self.client[0] if self.client else ""
        self.by_host[self._host] += 1
        if self.by_host[self._host] > CONNECTIONS_MAX - len(self.connections) + 1:
            transport.abort()
            return
        self._expect_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._header_is_here()
        self.by_host[self._host] -= 1
        if not self.by_host[self._host]:
            del self.by_host[self._host]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take octets; the header block of a request must be whole in time, and not too large while it is not."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._deadline is not None:
            self._header_bytes += len(data)
            if self._header_bytes > HEADER_BYTES_MAX:
                self.send_400_response("")

    def on_message_begin(self) -> None:
        """Begin a request, at its first octet."""
        super().on_message_begin()
        if self._deadline is None:
            self._expect_header()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header line. Raises TooLarge: this bounds a header block that came in one piece with its end."""
        super().on_header(name, value)
        self._block_bytes += len(name) + len(value)
        if self._block_bytes > HEADER_BYTES_MAX:
            raise TooLarge

    def on_headers_complete(self) -> None:
        """Stop the clock: the header block is whole."""
        self._header_is_here()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or too large a header block, with JSON and the end of the connection."""
        if self.transport.is_closing():
            return
        refusal = self.malformed.refusal
        self.malformed.heard(self.client[0] if self.client else "")
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(refusal)
            self.transport.write(STATUS_LINE[400] + head + refusal)
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _expect_header(self) -> None:
        self._header_bytes = self._block_bytes = 0
        self._deadline = self.loop.call_later(HEADER_TIME_S, self.transport.abort)

    def _header_is_here(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def length_is_ambiguous(headers: list[tuple[bytes, bytes]]) -> bool:
    """Tell whether a request says in more than one way where it ends (RFC 9112 6.3): nobody who means well does that."""
    names = [name for name, _ in headers]
    return names.count(b"content-length") + names.count(b"transfer-encoding") > 1
