"""Check-up of ports: which ones a node listens on, whether they answer, and who holds one that is not free.

The holder of a port is read from the kernel's tables; another account's program shows its name to root only.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from node.ops.doctor.check import Check, fine, wrong

if TYPE_CHECKING:
    from node.config.settings import Settings

DIAL_S = 3.0
_LISTENING = "0A"
_ANY_HOST = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104  names for it, nothing listens here


def doors_of(settings: "Settings") -> dict[str, str]:
    """Return where the node listens by its settings, "host:port" by section of node.toml."""
    doors = {"mesh": settings.mesh.listen, "office": settings.office.listen}
    doors |= {"vxp": settings.vxp.listen, "watch": settings.watch.listen}
    return {name: address for name, address in doors.items() if address}


async def answers(address: str) -> bool:
    """Tell whether anything accepts a connection there."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(DIAL_S):
            _, writer = await asyncio.open_connection(_ANY_HOST.get(host, host).strip("[]"), int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def check_listening(settings: "Settings") -> list[Check]:
    """Of a node that runs: do all the doors that its settings name answer?"""
    doors = {name: address for name, address in doors_of(settings).items() if not address.endswith(":0")}
    heard = dict(zip(doors, await asyncio.gather(*map(answers, doors.values())), strict=True))
    silent = [f"{name} {doors[name]}" for name, answered in heard.items() if not answered]
    if silent:
        said = f"nút đang chạy nhưng không nghe ở {', '.join(silent)}"
        return [wrong("port", said, "node.toml có thể đã sửa sau khi nút chạy: hãy khởi động lại nút.")]
    return [fine("port", "đang nghe: " + ", ".join(f"{name} {address}" for name, address in doors.items()))]


def holder(address: str) -> str:
    """Return who listens on a port: " (nginx, pid 512)", " (chương trình của tài khoản khác)" if it may not be seen, or ""."""
    port = int(address.rpartition(":")[2])
    sockets = set(_listening(port))
    if not sockets:
        return ""
    for process in Path("/proc").glob("[0-9]*"):
        if _holds(process, sockets):
            with contextlib.suppress(OSError):
                return f" ({(process / 'comm').read_text('utf-8', 'replace').strip()}, pid {process.name})"
    return " (chương trình của tài khoản khác; chạy bằng root thì thấy tên)"


def _listening(port: int) -> Iterator[str]:
    """Inodes of the sockets that listen on a port, whatever the address."""
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            rows = table.read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield f"socket:[{fields[9]}]"


def _holds(process: Path, sockets: set[str]) -> bool:
    try:
        return any(str(link.readlink()) in sockets for link in (process / "fd").iterdir())
    except OSError:
        return False  # another account's, or it has ended
