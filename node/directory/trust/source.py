"""Source: the live directory that the rest of the house asks (ports.DirectorySource), and that tells listeners when it changes."""

import asyncio
from collections.abc import Callable

from node.directory.lookup.search import SearchIndex
from node.model.directory import EMPTY, Directory
from node.model.office import FoundUnit
from node.ports import Workers

Listener = Callable[[Directory], None]
SEARCH_WEIGHT_BYTES = 1 << 30
"""Building the index takes a second and a search up to 50 ms: always for a worker."""


class LiveDirectory:
    """Holds the newest verified snapshot. Belongs to the event loop: `replace` is called there, not from a worker."""

    def __init__(self, workers: Workers, directory: Directory = EMPTY) -> None:
        """Begin with a snapshot, usually TrustedFolder.load()."""
        self._workers = workers
        self._directory = directory
        self._listeners: list[Listener] = []
        self._index: tuple[Directory, SearchIndex] | None = None
        self._building = asyncio.Lock()

    def current(self) -> Directory:
        """Return the newest verified snapshot (EMPTY if there is none)."""
        return self._directory

    def replace(self, directory: Directory) -> None:
        """Put a newer snapshot in force and tell everybody. The same snapshot again changes nothing and tells nobody."""
        if directory is self._directory:
            return
        self._directory = directory
        for listener in tuple(self._listeners):
            listener(directory)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` after every change (it must be quick and must not raise); return what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def search(self, query: str, limit: int) -> list[FoundUnit]:
        """Find units by code or name, the best first. The first search after a change builds the index anew."""
        index = await self._index_now()
        return await self._workers.run(SEARCH_WEIGHT_BYTES, lambda: index.find(query, limit))

    async def _index_now(self) -> SearchIndex:
        async with self._building:
            directory = self._directory
            if self._index is None or self._index[0] is not directory:
                self._index = None  # first, so that the old index and the new one never lie in memory together
                index = await self._workers.run(SEARCH_WEIGHT_BYTES, lambda: SearchIndex(directory))
                self._index = (directory, index)
            return self._index[1]
