"""Messages to a service manager: the datagrams themselves, and by the real process between its start and its end."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.process.systemd import ServiceManager
from tests.real_mesh import PROVINCE, RealMesh

LIMIT_S = 20.0


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket on which systemd would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(tmp_path / "notify"))
        door.settimeout(LIMIT_S)
        yield door


def heard(manager: socket.socket) -> str:
    return manager.recv(4096).decode()


def environment_of(manager: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": manager.getsockname(), **more}


def test_nobody_asked_and_nothing_is_sent() -> None:
    async def story() -> None:
        silent = ServiceManager.from_environment({"WATCHDOG_USEC": "1000"}, os.getpid())
        silent.ready("Nút h49")
        silent.stopping()

    asyncio.run(story())


def test_ready_beats_and_stopping(manager: socket.socket) -> None:
    async def story() -> None:
        told = ServiceManager.from_environment(environment_of(manager, WATCHDOG_USEC="60000"), os.getpid())
        told.ready("Nút Lạng Sơn đang chạy")
        assert heard(manager) == "READY=1\nSTATUS=Nút Lạng Sơn đang chạy"
        for _ in range(3):
            assert await asyncio.to_thread(heard, manager) == "WATCHDOG=1"
        told.stopping()
        while (last := heard(manager)) == "WATCHDOG=1":
            pass
        assert last.startswith("STOPPING=1\nSTATUS=Đang dừng")
        manager.settimeout(0.2)
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(heard, manager)

    asyncio.run(story())


def test_a_loop_that_is_stuck_does_not_beat(manager: socket.socket) -> None:
    async def story() -> None:
        told = ServiceManager.from_environment(environment_of(manager, WATCHDOG_USEC="30000"), os.getpid())
        told.ready("")
        assert heard(manager) == "READY=1\nSTATUS="
        assert heard(manager) == "WATCHDOG=1"
        manager.settimeout(0.3)
        with pytest.raises(TimeoutError):
            heard(manager)  # on the loop: for so long it does not turn

    asyncio.run(story())


@pytest.mark.parametrize(
    "limit",
    [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "9000", "WATCHDOG_PID": "1"}],
    ids=["none", "odd", "another's"],
)
def test_without_a_limit_of_ours_there_are_no_beats(manager: socket.socket, limit: dict[str, str]) -> None:
    async def story() -> None:
        told = ServiceManager.from_environment(environment_of(manager, **limit), os.getpid())
        told.ready("")
        told.stopping()
        assert [heard(manager)[:8], heard(manager)[:8]] == ["READY=1\n", "STOPPING"]

    asyncio.run(story())


def test_an_abstract_socket_is_spoken_to() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        name = f"truc-test-{os.getpid()}"
        door.bind(f"\0{name}")
        ServiceManager(f"@{name}", 0.0).ready("x")
        assert door.recv(100) == b"READY=1\nSTATUS=x"


def test_a_manager_that_does_not_listen_harms_nobody(tmp_path: Path) -> None:
    ServiceManager(str(tmp_path / "nobody"), 0.0).ready("x")


def test_a_node_tells_when_its_doors_are_open_and_that_it_ends(tmp_path: Path, manager: socket.socket) -> None:
    with RealMesh(tmp_path / "mesh", [PROVINCE]) as mesh:
        node = mesh.nodes[PROVINCE.node_id]
        node.stop()
        node.environment = environment_of(manager)
        node.start(wait=False)

        told = heard(manager)
        assert told.startswith("READY=1\nSTATUS=Nút h49: nút khác gọi 127.0.0.1:")
        assert socket.create_connection(("127.0.0.1", node.office_port), LIMIT_S).close() is None
        assert node.process is not None
        node.process.send_signal(signal.SIGTERM)
        assert heard(manager).startswith("STOPPING=1")
