"""Patient: the node under examination, and what the looks so far have found out about it, for those that come after."""

from typing import TYPE_CHECKING

from node.model.directory import EMPTY, Directory
from node.ops.home import Home

if TYPE_CHECKING:
    from node.config.settings import Settings
    from node.directory.zone.zone import ZoneEditor


class Patient:
    """A node under examination, and what has been found out about it; None: could not be read."""

    def __init__(self, place: Home, now_ms: int) -> None:
        self.place = place
        self.now_ms = now_ms
        self.settings: Settings | None = None
        self.zone: ZoneEditor | None = None
        self.directory: Directory = EMPTY
