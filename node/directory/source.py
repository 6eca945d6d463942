"""The live directory: what the rest of the house asks (ports.DirectorySource), and who wants to know when it changes."""

from collections.abc import Callable

from node.model.directory import EMPTY, Directory

Listener = Callable[[Directory], None]


class LiveDirectory:
    """Holds the newest verified snapshot. Belongs to the event loop: `replace` is called there, not from a worker."""

    def __init__(self, directory: Directory = EMPTY) -> None:
        self._directory = directory
        self._listeners: list[Listener] = []

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
