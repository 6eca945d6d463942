"""Listener: a gRPC server on one port; bind it or say why not, tell its health, stop it gently."""

import asyncio
from collections.abc import Callable, Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_health.v1.health import aio as health_aio  # type: ignore[import-untyped]

from node.errors import Broken, Fault
from node.model.policy import KIB, MIB
from node.model.reason import Reason
from node.net.guests import Guests, connections_max
from node.net.sockets import listening_socket

MESSAGE_BYTES_MAX = 4 * MIB + 256 * KIB
"""mesh_service.proto allows 4 MiB; the slack is for the frame around it."""

Option = tuple[str, int | str]

BASE_OPTIONS: tuple[Option, ...] = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 15_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 10 * 60_000),
)
"""The figures are those of mesh.md 1.19 and 2.5. Without so_reuseport=0 two processes would share a port and nobody would notice."""


class Listener:
    """One server. `register` adds the services; `credentials` are made when it starts."""

    def __init__(
        self,
        address: str,
        credentials: Callable[[], grpc.ServerCredentials],
        register: Callable[[grpc.aio.Server], None],
        *,
        options: Sequence[Option] = (),
        calls_max: int,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        guests: Guests | None = None,
    ) -> None:
        self.address = address
        self.port = 0
        self._credentials = credentials
        self._register = register
        self._options = [*BASE_OPTIONS, *options]
        self._calls_max = calls_max
        self._interceptors = interceptors
        self.guests = guests or Guests(connections_max())
        self._server: grpc.aio.Server | None = None
        self._health = health_aio.HealthServicer()

    async def start(self) -> int:
        """Listen; return the port (useful if the address ended with :0). Health is NOT_SERVING until `set_serving`.

        Raises Broken(PORT_IN_USE), Broken(SETTINGS_INVALID) for an address that is not ours, Broken(KEY_UNUSABLE).
        """
        server = grpc.aio.server(
            interceptors=self._interceptors,
            options=[*self._options, ("grpc.max_allowed_incoming_connections", self.guests.all_max)],
            maximum_concurrent_rpcs=self._calls_max,
        )
        self._register(server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        await self.set_serving(False)
        try:
            # gRPC itself would take port 99999 for 34463.
            _check_port(self.address)
            self.port = server.add_secure_port(self.address, self._credentials())
        except RuntimeError as error:
            raise await asyncio.to_thread(_why_not, self.address) from error
        await server.start()
        self._server = server
        self.guests.start(self.port)
        return self.port

    async def set_serving(self, serving: bool) -> None:
        """Tell the gRPC health service whether the node is well."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        await self._health.set("", status)

    async def stop(self, grace_s: float) -> None:
        """Accept nothing new; let calls finish for that long, then end them. Harmless if not started, or twice."""
        if self._server is None:
            return
        await self.guests.stop()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)
        self._server = None


def _check_port(address: str) -> None:
    """Raise Broken(SETTINGS_INVALID) unless the address ends with a port from 0 to 65535."""
    port = address.rpartition(":")[2]
    if not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise Broken(Reason.SETTINGS_INVALID, f"no port from 0 to 65535 in {address!r}")


def _why_not(address: str) -> Fault:
    """Find out what the system has against the address, which gRPC does not tell."""
    try:
        listening_socket(address).close()
    except Broken as broken:
        return broken
    return Broken(Reason.KEY_UNUSABLE, f"gRPC refuses the certificate or key for {address}")
