"""Paperwork that others do for the drop folder, because they know packets and letters (`truc packet` does it for people), and the
events that the folder tells.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from node.model.finding import Finding


@dataclass(frozen=True, slots=True)
class Extracted:
    """One attachment of a packet: its name, and why it could not be taken out (Vietnamese; "": it was)."""

    name: str
    fault: str = ""


class Paperwork(Protocol):
    """Makes packets of forms, and takes the files out of packets."""

    def attachments_of(self, form: Path) -> list[str]:
        """Return the files that a form attaches, as they are written there. Raises Rejected(REQUEST_INVALID)."""
        ...

    def compose(self, form: Path, attached: Sequence[Path], aim: Path) -> Sequence[Finding]:
        """Write the packet of a form with these files in place of those it names; with an error among the findings nothing is written.

        Raises Rejected(REQUEST_INVALID), Broken(IO_FAILED).
        """
        ...

    def extract(self, packet: Path, folder: Path) -> list[Extracted]:
        """Take all attachments out into a folder; one that cannot be is told, the others are taken. Raises Rejected, Broken(IO_FAILED)."""
        ...


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a file. `exit_code` is that of a fault's kind; 0 for what is good."""

    kind: str
    """sent, refused, arrived, followed, left (in its place, for now), failed (all has to wait), resumed (after that), slower (the machine
    tells of no changes: they are found by looking)."""
    name: str
    sentence: str
    """Vietnamese."""
    exit_code: int = 0


Tell = Callable[[Event], None]
