"""Who listens on a port of this machine."""

import os
import socket

from node.ops.doctor.ports import holder
from tests.ports import free_ports


def test_who_holds_a_port_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        told = holder(f"127.0.0.1:{other.getsockname()[1]}")
        assert f"pid {os.getpid()}" in told
    assert holder(f"127.0.0.1:{free_ports(1)[0]}") == ""
