"""Sockets: listening on an address of the settings, or saying why not; and which names are this very machine's."""

import errno
import ipaddress
import socket

from node.errors import Broken
from node.model.reason import Reason


def listening_socket(address: str, backlog: int = 1) -> socket.socket:
    """Return a TCP socket that listens on "host:port" ("[::1]:7403"; port 0 lets the system choose). Blocks while names resolve.

    Raises Broken(PORT_IN_USE), or Broken(SETTINGS_INVALID) for an address that is not this machine's.
    """
    host, _, port = address.rpartition(":")
    try:
        place = host.strip("[]") or None
        found = socket.getaddrinfo(place, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, target = found[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(target)
            listening.listen(backlog)
        except BaseException:
            listening.close()
            raise
    except (OSError, ValueError, OverflowError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise Broken(Reason.PORT_IN_USE, f"{address}: {error}") from error
        raise Broken(Reason.SETTINGS_INVALID, f"cannot listen on {address}: {error}") from error
    return listening


def is_loopback_host(host: str) -> bool:
    """Tell whether a host (a name or an address, without brackets and port) is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
