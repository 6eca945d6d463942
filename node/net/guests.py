"""Guests: who may hold connections to a door before, and after, anybody has proven who they are.

    gRPC itself    accepts no more than `connections_max` at once, ends a handshake after 10 s and a connection without calls
                   after 10 minutes
    here           of connections on which nobody has proven anything an address has 64 at most, and all addresses together a
                   quarter of all; of those that are proven a peer, or a system, has 128 at most. What is over that is ended,
                   the oldest first

gRPC accepts by itself, in threads of its own, and lets nobody look at a connection before its first call. So the connections are looked
at from outside: the descriptors of this process that are connections to our port. Each is taken hold of (`dup`) before it is looked at, so
that the number of a descriptor that is closed and used again meanwhile cannot mislead us; `shutdown` ends it for gRPC as if the
caller had gone. That happens after the fact: between two looks a flood may take all that gRPC accepts, and who comes newly is turned away
for that moment, as short as LOOK_SOON_S.

Descriptors are kept back for work: files of the store, of bodies, connections of our own.
"""

import asyncio
import ipaddress
import os
import resource
import socket
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from time import monotonic
from urllib.parse import unquote

from node.log import get_logger

LOOK_S, LOOK_SOON_S = 0.25, 0.02
"""Between two looks; and after one that found too many, unless it took long itself (10 µs for each descriptor)."""
LOOK_ANYWAY_S = 5.0
MORE = 16
"""If there are no more descriptors than so many above those of the last look, which ended nothing, the next one has time."""
REST = 10
"""A look is followed by at least so many times its own length of rest."""
FEW = 90
"""A quiet node has 35 descriptors open; with fewer than this nobody can have too many connections."""
UNPROVEN_OF_ADDRESS, PROVEN_OF_ONE = 64, 128
UNPROVEN_SHARE = 4
DESCRIPTORS_WANTED = 65_536
KEPT_BACK = 512
"""Descriptors for all else but connections of callers."""
CONNECTIONS_MAX = 1_280
"""To one door. A silent one takes 40 KiB, and a peer makes two."""
TELL_EVERY_S = 60.0

Address = tuple[str, int]

log = get_logger()


def raise_limit() -> int:
    """Let this process open as many descriptors as it may, within reason; return how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # A service manager that has set the limit may have forbidden to change it.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return DESCRIPTORS_WANTED if soft == resource.RLIM_INFINITY else soft


def connections_max() -> int:
    """Return how many connections a door may have, of which there are two beside the HTTP ones."""
    return max(16, min(CONNECTIONS_MAX, (raise_limit() - KEPT_BACK) // 3))


class Guests:
    """The connections to one door."""

    def __init__(self, all_max: int) -> None:
        self.all_max = all_max
        self.ended = 0
        """How many were ended because somebody had too many."""
        self._proven: dict[Address, str] = {}
        self._since_s: dict[Address, float] = {}
        self._port = 0
        self._task: asyncio.Task[None] | None = None
        self._told = (0, float("-inf"))
        self._looked = (0, float("-inf"))

    def prove(self, peer: str, who: str) -> None:
        """Take note of who calls on a connection, which gRPC names like "ipv4:10.1.2.3:50412"."""
        address = address_of(peer)
        if address is not None:
            self._proven[address] = who

    def start(self, port: int) -> None:
        """Begin to look."""
        self._port = port
        self._task = asyncio.ensure_future(self._go_on())

    async def stop(self) -> None:
        """End looking."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _go_on(self) -> None:
        while True:
            rest_s = LOOK_S
            try:
                if self._is_time():
                    begin_s = monotonic()
                    has_ended = await asyncio.to_thread(self.look)
                    rest_s = max(LOOK_SOON_S if has_ended else LOOK_S, REST * (monotonic() - begin_s))
                    # What it has ended takes gRPC a moment to close, so the next look counts from nothing.
                    self._looked = (0 if has_ended else descriptors(), monotonic())
            except Exception:  # no descriptor is left for looking, or a mistake of ours; the next look may do better
                log.exception("guests.unseen")
            self._tell()
            await asyncio.sleep(rest_s)

    def _is_time(self) -> bool:
        (count, at_s), now_count = self._looked, descriptors()
        self._looked = (min(count, now_count), at_s)
        return now_count >= FEW and (now_count >= count + MORE or monotonic() - at_s >= LOOK_ANYWAY_S)

    def look(self) -> bool:
        """Look at all connections, end those that are too many; return whether there were any. Blocks for milliseconds."""
        found = connections_to(self._port)
        now_s = monotonic()
        self._since_s = {address: self._since_s.get(address, now_s) for address in found}
        # In place, for the loop may add to it meanwhile.
        for address in [one for one in list(self._proven) if one not in found]:
            self._proven.pop(address, None)
        gone = too_many(self._since_s, dict(self._proven), self.all_max // UNPROVEN_SHARE)
        for address in gone:
            end(found[address], self._port, address)
        self.ended += len(gone)
        return bool(gone)

    def _tell(self) -> None:
        ended, at_s = self._told
        if self.ended > ended and monotonic() - at_s >= TELL_EVERY_S:
            log.warning("connections.ended", port=self._port, count=self.ended - ended)
            self._told = (self.ended, monotonic())


def too_many(since_s: Mapping[Address, float], proven: Mapping[Address, str], unproven_max: int) -> list[Address]:
    """Return the connections to end: of each who has too many the oldest, and then of those who have most."""
    unproven: dict[str, list[Address]] = defaultdict(list)
    of_one: dict[str, list[Address]] = defaultdict(list)
    for address in sorted(since_s, key=since_s.__getitem__):
        if address in proven:
            of_one[proven[address]].append(address)
        else:
            unproven[_network(address[0])].append(address)
    gone = [address for held in of_one.values() for address in held[: max(0, len(held) - PROVEN_OF_ONE)]]
    kept_each = _fair(map(len, unproven.values()), unproven_max)
    return gone + [address for held in unproven.values() for address in held[: max(0, len(held) - kept_each)]]


def _fair(held: Iterable[int], in_all: int) -> int:
    """Return how many each may keep, so that together they keep no more than `in_all`; one at least."""
    counts = list(held)
    kept = UNPROVEN_OF_ADDRESS
    while kept > 1 and sum(min(kept, count) for count in counts) > in_all:
        kept = kept * 3 // 4
    return kept


def _network(host: str) -> str:
    """Return what one caller can have many of: an IPv4 address, a network of 64 bits of IPv6."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else address.packed[:8].hex()
    return str(address)


def address_of(peer: str) -> Address | None:
    """Read gRPC's name of a peer; None for what is no address of the network."""
    kind, _, rest = unquote(peer).partition(":")
    host, _, port = rest.rpartition(":")
    if kind not in ("ipv4", "ipv6") or not (port.isascii() and port.isdigit()):
        return None
    return _plain(host.strip("[]")), int(port)


def _plain(host: str) -> str:
    return host.removeprefix("::ffff:") if host.startswith("::ffff:") and "." in host else host


def descriptors() -> int:
    """Count the open descriptors of this process."""
    return os.stat("/proc/self/fd").st_size or len(os.listdir("/proc/self/fd"))  # kernels before 6.2 say 0


def connections_to(port: int) -> dict[Address, int]:
    """Return the descriptors of this process that seem to be connections to a port of ours, by the caller's address."""
    found: dict[Address, int] = {}
    for name in os.listdir("/proc/self/fd"):
        address = _caller(int(name), port)
        if address is not None:
            found[address] = int(name)
    return found


def _caller(descriptor: int, port: int) -> Address | None:
    """Return who is at the other end of a descriptor, if it is a connection to the port. It stays open, whoever owns it."""
    try:
        # Family and type are not asked for: the names of both ends tell, and cost less. An IPv6 name is the longest.
        borrowed = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 0, fileno=descriptor)
    except OSError:
        return None
    try:
        name = borrowed.getsockname()
        if not isinstance(name, tuple) or name[1] != port:
            return None
        host, from_port = borrowed.getpeername()[:2]
    except OSError:  # no socket; or it listens, or is closed
        return None
    finally:
        borrowed.detach()
    return _plain(host), from_port


def end(descriptor: int, port: int, address: Address) -> None:
    """End a connection, if the descriptor still is that one."""
    try:
        held = os.dup(descriptor)
    except OSError:
        return
    try:
        # What is held is the same from here on, whatever gRPC closes.
        if _caller(held, port) == address:
            with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=os.dup(held))) as connection:
                connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
    finally:
        os.close(held)
