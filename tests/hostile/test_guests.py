"""Guests: whose connections are ended when somebody has too many, and whose never are."""

import asyncio
import socket
from contextlib import ExitStack

import pytest

from node.net import guests
from node.net.guests import PROVEN_OF_ONE, UNPROVEN_OF_ADDRESS, Guests, address_of, too_many
from tests.hostile.others import until

Address = tuple[str, int]


def seen(host: str, count: int, first_s: float = 0.0) -> dict[Address, float]:
    return {(host, port): first_s + port / 1e6 for port in range(1, count + 1)}


def test_an_address_keeps_its_newest() -> None:
    gone = too_many(seen("10.0.0.9", 200) | seen("10.0.0.1", 10), {}, 1_000)
    assert sorted(gone) == [("10.0.0.9", port) for port in range(1, 200 - UNPROVEN_OF_ADDRESS + 1)]


def test_who_has_proven_itself_is_not_ended_with_strangers_from_the_same_address() -> None:
    connections = seen("10.0.0.9", 200)
    proven = {("10.0.0.9", port): "h49" for port in range(1, 50)}
    gone = too_many(connections, proven, 1_000)
    assert not set(gone) & proven.keys()
    assert len(gone) == 151 - UNPROVEN_OF_ADDRESS


def test_a_peer_with_hundreds_keeps_its_newest() -> None:
    connections = seen("10.0.0.9", 300)
    gone = too_many(connections, dict.fromkeys(connections, "evil"), 1_000)
    assert len(gone) == 300 - PROVEN_OF_ONE
    assert max(connections[one] for one in gone) < min(connections[one] for one in connections if one not in gone)


def test_many_addresses_together_have_their_bound_and_each_keeps_one() -> None:
    crowd: dict[Address, float] = {}
    for number in range(100):
        crowd |= seen(f"10.0.1.{number}", 60)
    gone = too_many(crowd | seen("10.0.0.1", 2), {}, 320)
    assert len(crowd) + 2 - len(gone) <= 320
    assert not [one for one in gone if one[0] == "10.0.0.1"]


def test_addresses_of_one_ipv6_network_are_one() -> None:
    crowd = {(f"2001:db8::{number:x}", 1): float(number) for number in range(1, 101)}
    assert len(too_many(crowd, {}, 1_000)) == 100 - UNPROVEN_OF_ADDRESS


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.1.2.3:50412", ("10.1.2.3", 50412)),
        ("ipv6:%5B::1%5D:50412", ("::1", 50412)),
        ("ipv6:[::ffff:10.1.2.3]:9", ("10.1.2.3", 9)),
        ("unix:/x", None),
        ("", None),
        ("ipv4:10.1.2.3:port", None),
        ("ipv4:10.1.2.3:²", None),  # found by test_every_message.py
    ],
)
def test_names_of_peers(peer: str, address: Address | None) -> None:
    assert address_of(peer) == address


def test_connections_to_other_ports_and_files_are_left_alone() -> None:
    async def story() -> None:
        with ExitStack() as stack:
            mine, other = (stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2))
            callers, taken = [], []
            for listening in (mine, other):
                for _ in range(guests.FEW):
                    caller = stack.enter_context(socket.create_connection(listening.getsockname()))
                    callers.append(caller)
                    taken.append(stack.enter_context(listening.accept()[0]))
            looking = Guests(1_000)
            looking.start(mine.getsockname()[1])
            await until(lambda: looking.ended >= guests.FEW - UNPROVEN_OF_ADDRESS)
            await looking.stop()
            for caller in callers:
                caller.setblocking(False)
            ended = [number for number, caller in enumerate(callers) if _has_ended(caller)]
            assert len(ended) == guests.FEW - UNPROVEN_OF_ADDRESS
            assert max(ended) < guests.FEW, "none of the other port's"

    asyncio.run(story())


def _has_ended(caller: socket.socket) -> bool:
    try:
        return caller.recv(1) == b""
    except BlockingIOError:
        return False
