"""Door to the web: one server for the ASGI application, inside the node's own process and loop.

uvicorn would take the process's signals; they are the node's, so its server is started without that. Header fields that proxies add are
not believed: the connection, and what is signed, tell who calls.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from node.access.tls_files import TlsFiles
from node.log import get_logger
from node.net.sockets import listening_socket
from node.web.protocol import IDLE_S, GuardedProtocol, Malformed

BACKLOG = 1_024
ACCEPTS_PER_TURN = 16
"""libuv, under uvloop, accepts one connection of a listening socket in a turn of the loop (seen: eight with eight). The client library
makes a connection for each call, so a busy loop left 160 callers in the kernel's queue; the same socket is listened to so often."""
STOP_GRACE_S = 5

log = get_logger()


class _Server(uvicorn.Server):
    """uvicorn's server without hands on the process's signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


class WebDoor:
    """The server."""

    def __init__(self, address: str, application: ASGIApp, tls: TlsFiles | None, malformed: Malformed) -> None:
        self.address = address
        self.port = 0
        self._tls = tls
        self._application = application
        self._protocol = type("Protocol", (GuardedProtocol,), {"malformed": malformed, "by_host": Counter()})
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The URL at which it is reached from this machine, with the port that was really taken."""
        host = self.address.rpartition(":")[0]
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    async def start(self) -> int:
        """Listen; return the port. Raises Broken: PORT_IN_USE, SETTINGS_INVALID, and as TlsFiles.context."""
        context = self._tls.context() if self._tls else None
        listening = await asyncio.to_thread(listening_socket, self.address, BACKLOG)
        self.port = listening.getsockname()[1]
        self._server = _Server(self._config(context))
        self._serving = asyncio.ensure_future(self._serve(self._server, listening))
        while not self._server.started:
            if self._serving.done():
                await self._serving
                raise AssertionError("the web server ended while it started")
            await asyncio.sleep(0)
        return self.port

    async def stop(self) -> None:
        """Accept nothing new, finish what is being answered for a moment, end. Harmless if not started."""
        if self._server is None or self._serving is None:
            return
        self._server.should_exit = True
        await self._serving
        self._server = self._serving = None

    async def _serve(self, server: _Server, listening: socket.socket) -> None:
        with contextlib.ExitStack() as held:
            doubles = [held.enter_context(listening.dup()) for _ in range(ACCEPTS_PER_TURN - 1)]
            await server.serve(sockets=[held.enter_context(listening), *doubles])

    def _config(self, context: ssl.SSLContext | None) -> uvicorn.Config:
        # uvicorn would log a line for each malformed request, which we count.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        return uvicorn.Config(
            self._application,
            http=self._protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=STOP_GRACE_S,
            ssl_context_factory=(lambda _config, _default: context) if context else None,
        )
