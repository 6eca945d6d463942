"""Two real nodes, and drop folders at both that are worked a round at a time, by a clock of the test's own."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from node.client import AsyncOffice, Patience
from node.drop.folder import DropFolder, Times
from node.drop.paperwork import Event
from node.drop.places import Places
from tests.mesh.support import QUICK
from tests.real_mesh import MINISTRY, NO_ARRIVALS, PROVINCE, RealMesh


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealMesh]:
    with RealMesh(tmp_path_factory.mktemp("drop"), [MINISTRY, PROVINCE], toml=QUICK + NO_ARRIVALS) as made:
        yield made


class Hands(Times):
    """A clock that the test moves; waiting moves it, too."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000

    def steady_ms(self) -> int:  # type: ignore[override]
        return self.now_ms

    async def sleep(self, seconds: float) -> None:  # type: ignore[override]
        self.now_ms += int(seconds * 1000)


class Worked:
    """A drop folder at work."""

    def __init__(self, root: Path, office: AsyncOffice) -> None:
        self.root, self.office, self.hands = root, office, Hands()
        self.events: list[Event] = []
        self.folder = DropFolder(root, office, self.events.append, self.hands)

    async def look(self, later_ms: int = 10_000) -> bool:
        """Let some time pass, then work one round."""
        self.hands.now_ms += later_ms
        return await self.folder.round()

    async def until(self, pattern: str, limit_s: float = 20) -> Path:
        """Work until there is such a path."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            await self.look()
            if found := sorted(self.root.glob(pattern)):
                return found[0]
            await asyncio.sleep(0.02)
        raise AssertionError(f"no {pattern} in {[str(path) for path in self.root.rglob('*')]}; {self.events}")

    async def until_said(self, folder: Path, words: str, limit_s: float = 20) -> str:
        """Work until a receipt says something."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            await self.look(4_000_000)
            if words in (text := (folder / "bien-nhan.txt").read_text("utf-8")):
                return text
            await asyncio.sleep(0.02)
        raise AssertionError(f"it does not say {words!r}:\n{text}")

    def put(self, name: str, octets: bytes) -> Path:
        path = self.root / "gui" / name
        path.write_bytes(octets)
        return path

    def said(self, kind: str) -> list[str]:
        return [event.name for event in self.events if event.kind == kind]


@asynccontextmanager
async def worked(mesh: RealMesh, node_id: str, root: Path) -> AsyncIterator[Worked]:
    """Begin to work a folder, as `truc drop` does."""
    async with AsyncOffice(mesh[node_id].credential, patience=Patience(limit_s=0)) as office:
        with Places(root).prepared():
            made = Worked(root, office)
            made.folder.begin()
            yield made


def document_in(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text("utf-8"))
