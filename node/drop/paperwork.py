"""Paperwork of the drop folder: packets made of forms with the files that lie beside them, and the events that it tells."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from node.edxml.letter import File
from node.errors import Rejected
from node.model.finding import Finding
from node.model.reason import Reason
from node.office.letters import make, read_letter
from node.wording.plain import in_vietnam


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


def attachments_of(form: Path) -> list[str]:
    """Return the files that a form attaches: names of files beside it; anything else as it is written. Raises Rejected(REQUEST_INVALID)."""
    paths = [Path(one.path) for one in read_letter(form).attachments]
    return [path.name if path.parent == form.parent else str(path) for path in paths]


def compose(form: Path, attached: Sequence[Path], aim: Path) -> list[Finding]:
    """Write the packet of a form; its own paths are not followed, they only say which of these files is meant.

    With an error among the findings nothing is written. Raises Rejected(REQUEST_INVALID), Broken(IO_FAILED).
    """
    letter = read_letter(form)
    here = {composed(path.name): path for path in attached}
    files = letter.attachments or tuple(File(path.name) for path in attached)
    missing = [one.path for one in files if composed(Path(one.path).name) not in here]
    if missing:
        raise Rejected(Reason.REQUEST_INVALID, f"{missing[0]} is not beside the form")
    meant = [replace(one, path=str(here[composed(Path(one.path).name)])) for one in files]
    return make(replace(letter, attachments=tuple(meant)), aim, in_vietnam())


def composed(name: str) -> str:
    """Return a name in NFC: forms and file systems may write the same letters in different ways."""
    return unicodedata.normalize("NFC", name)
