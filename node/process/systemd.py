"""Systemd: what a service manager that started this process is told, by systemd's notification protocol (sd_notify(3)).

    READY=1        every door is open; until then `systemctl start` waits, and a start that fails is seen as one that failed
    WATCHDOG=1     the event loop still turns; if it has not for WatchdogSec, the process is ended and started anew
    STOPPING=1     we were told to end and are doing so

The protocol is one datagram per message to the socket that $NOTIFY_SOCKET names. Without that variable nobody asked and nothing is
sent. It is written out here because the libraries that speak it are a binding to libsystemd that must be compiled, or old packages that
are no longer than this file.

The watchdog beats on the event loop, so it finds a loop that is stuck. It does not say that the disk answers or that peers do: `truc
doctor` asks whether the node can sign and store.
"""

import asyncio
import socket
from collections.abc import Mapping

from node.log import get_logger

log = get_logger()

BEATS_PER_LIMIT = 3
"""The watchdog is told so often within its limit, so that one message that comes late does no harm."""


class ServiceManager:
    """Speaks to the service manager, if there is one. A manager that does not listen never harms the node."""

    def __init__(self, address: str, limit_s: float) -> None:
        """Take the socket's address ("" for none, a leading @ for an abstract one) and the watchdog's limit (0 for none)."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._limit_s = limit_s
        self._beat: asyncio.TimerHandle | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], process_id: int) -> "ServiceManager":
        """Read what systemd leaves for its children; a limit that was meant for another process is none for us."""
        microseconds = environment.get("WATCHDOG_USEC", "")
        meant_for_us = environment.get("WATCHDOG_PID", str(process_id)) == str(process_id)
        limit_s = int(microseconds) / 1e6 if meant_for_us and microseconds.isdecimal() else 0.0
        return cls(environment.get("NOTIFY_SOCKET", ""), limit_s)

    def ready(self, said: str) -> None:
        """Tell that the doors are open; `said` is what `systemctl status` shows. Begins to beat on the running loop."""
        self._tell(f"READY=1\nSTATUS={said}")
        if self._address and self._limit_s:
            self._go_on()

    def stopping(self) -> None:
        """Tell that we are ending. The watchdog is told no more: the manager has a limit of its own for how long an end may take."""
        if self._beat is not None:
            self._beat.cancel()
        self._tell("STOPPING=1\nSTATUS=Đang dừng, trả lời nốt những gì đã nhận.")

    def _go_on(self) -> None:
        self._tell("WATCHDOG=1")
        self._beat = asyncio.get_running_loop().call_later(self._limit_s / BEATS_PER_LIMIT, self._go_on)

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
                door.setblocking(False)
                door.sendto(message.encode(), self._address)
        except OSError as error:
            log.warning("supervisor.unreachable", detail=str(error))
