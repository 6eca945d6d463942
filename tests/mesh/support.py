"""Common ground of the tests of the real mesh: quick settings, papers, and small ways to ask and wait."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from node.config.home import Homestead
from node.directory.trust.trust import TrustedFolder
from node.errors import Fault
from node.model.delivery import State
from node.model.directory import Directory
from node.model.office import DeliveryView, InboxEntry, SubmitResult
from node.net.client import OfficeClient
from node.seal.keyring import Keyring, load_keys
from tests.real_mesh import RealNode

__all__ = ["QUICK", "delivered", "directory_of", "eventually", "keys_of", "run"]

T = TypeVar("T")

QUICK = """[times]
back_off_first_ms = 100
back_off_max_ms = 1000
relay_after_ms = 500
custody_retry_ms = 1000
item_retry_ms = 300
hello_every_ms = 1000
"""


def run(story: Coroutine[Any, Any, T], limit_s: float = 60) -> T:
    return asyncio.run(asyncio.wait_for(story, limit_s))


async def eventually(condition: Callable[[], Awaitable[T]], limit_s: float = 20) -> T:
    """Wait until `condition` gives something true; what a node that is not up yet says counts as not yet."""
    end, last = time.monotonic() + limit_s, "never true"
    while time.monotonic() < end:
        try:
            if value := await condition():
                return value
        except Fault as fault:
            last = str(fault)
        await asyncio.sleep(0.05)
    raise AssertionError(f"not so after {limit_s} s: {last}")


async def views(client: OfficeClient, submission_id: str) -> dict[str, DeliveryView]:
    return {view.unit: view for view in (await client.track(submission_id=submission_id)).deliveries}


async def delivered(client: OfficeClient, submission_id: str) -> bool:
    return all(view.state is State.DELIVERED for view in (await views(client, submission_id)).values())


async def whole_inbox(client: OfficeClient, unit: str = "") -> list[InboxEntry]:
    """All pages of an inbox."""
    entries, token = await client.list_inbox(unit, page_size=1000)
    while token:
        more, token = await client.list_inbox(unit, page_size=1000, page_token=token)
        entries += more
    return entries


async def entry_of(client: OfficeClient, packet_id: bytes, unit: str) -> InboxEntry | None:
    return next((one for one in await whole_inbox(client, unit) if one.packet_id == packet_id), None)


def directory_of(node: RealNode) -> Directory:
    """The directory as a node trusts it."""
    return TrustedFolder(Homestead(node.home).directory).load()


def keys_of(node: RealNode) -> Keyring:
    return load_keys(Homestead(node.home).keys, node.spec.node_id, None)


class Ledger:
    """A client's own book of what the node has acknowledged: a line is on disk before the client believes it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, result: SubmitResult) -> None:
        line = f"{result.submission_id} {result.packet_id.hex()} {result.packet_sha256.hex()}\n"
        with self._path.open("a", encoding="ascii") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def lines(self) -> dict[str, tuple[bytes, bytes]]:
        """Packet id and digest by submission id."""
        found: dict[str, tuple[bytes, bytes]] = {}
        for line in self._path.read_text("ascii").splitlines():
            name, packet_id, digest = line.split()
            assert name not in found, "noted twice"
            found[name] = bytes.fromhex(packet_id), bytes.fromhex(digest)
        return found


async def each(items: Sequence[T], work: Callable[[T], Awaitable[Any]], *, at_once: int = 16) -> None:
    """Do something with every item, a few at a time."""
    for begin in range(0, len(items), at_once):
        await asyncio.gather(*(work(item) for item in items[begin : begin + at_once]))
