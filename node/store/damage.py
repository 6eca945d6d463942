"""Damage: what could not be read since the process started, counted by where it lies.

A read that meets damage fails for that row or body alone, and everything else goes on; so somebody must be told, or it stays unseen
until a unit asks for its document. Health, doctor and the figures read this.
"""

from enum import Enum


class Place(Enum):
    """Where damage was met."""

    TABLE = "table"
    """A table of the database: rows of any kind."""
    BLOB = "blob"
    """A small body, in a blob file of the database."""
    BODY_FILE = "body_file"
    """A large body's file: it is missing, or the disk cannot read it."""


class Damage:
    """Counts. Written on the loop and by threads of the bodies; a reader that comes in between is wrong by one."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(Place, 0)
        """Reads that failed."""
        self.latest: dict[Place, str] = {}
        """The newest of them, in the words of whoever failed."""

    def met(self, place: Place, detail: str) -> None:
        """Note a read that failed."""
        self.counts[place] += 1
        self.latest[place] = detail
