"""Consignment (lượt nộp): the files of one packet on their way from gui/ to da-gui/ or loi/, in a folder of its own below dang-gui/.

    claimed     .phieu.json says which files; it is written when all of them have been moved here. A folder without it was being filled
                when we were stopped: its files go back to gui/
    composed    goi-tin-da-lap.edxml is there (for a form only)
    accepted    bien-nhan.json is there: the folder moves to da-gui/
    refused     loi.json is there: the folder moves to loi/

Each step ends with one durable write or one rename, so the state is always one of these, and each may be repeated.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.directory.files import sync_folder, write_file
from node.drop.places import Places, is_plain, make_file_durable, move, open_to_all
from node.errors import Rejected
from node.model.finding import Finding, require_no_errors
from node.model.naming import safe_file_name, submission_id_of_words
from node.model.reason import Reason

TICKET, COMPOSED = ".phieu.json", "goi-tin-da-lap.edxml"
RECEIPT, RECEIPT_TEXT = "bien-nhan.json", "bien-nhan.txt"
REFUSAL, REFUSAL_TEXT = "loi.json", "loi.txt"
OURS = frozenset({COMPOSED, RECEIPT, RECEIPT_TEXT, REFUSAL, REFUSAL_TEXT})
"""Names that files to be sent must not have."""


@dataclass(frozen=True, slots=True)
class Consignment:
    """A claimed folder: the packet or form, by name, and the files that the form attaches."""

    folder: Path
    main: str
    attached: tuple[str, ...]

    @property
    def is_form(self) -> bool:
        """True if the packet has to be made first."""
        return self.main.lower().endswith(".toml")

    @property
    def packet(self) -> Path:
        """The packet file that is handed in."""
        return self.folder / (COMPOSED if self.is_form else self.main)

    def submission_id(self) -> str:
        """Return the id that follows from the files' content and the names of those attached, not from the packet's or form's own name.

        Raises Rejected(REQUEST_INVALID) if a file cannot be read.
        """
        digests = [_digest(self.folder / name) for name in (self.main, *self.attached)]
        return submission_id_of_words("thu-muc", *digests, *self.attached)

    def compose(self, write: Callable[[Path], Sequence[Finding]]) -> None:
        """Have the packet written, once: handed in again, it must be the same octets. Raises RulesBroken, OSError."""
        if self.packet.exists():
            return
        part = self.folder / f".{COMPOSED}"
        require_no_errors(write(part))
        make_file_durable(part)
        os.rename(part, self.packet)
        sync_folder(self.folder)

    def end(self, places: Places) -> Path | None:
        """Move the folder to where its outcome belongs, and return where it is now; None: there is no outcome yet. Raises OSError."""
        for outcome, aim in ((RECEIPT, places.sent), (REFUSAL, places.refused)):
            if (self.folder / outcome).exists():
                open_to_all(self.folder, aim)  # before it is there: a clerk who sees it may look into it
                return move(self.folder, aim)
        return None


def claim(places: Places, main: Path, attached: Sequence[Path]) -> Consignment:
    """Take files up. Raises Rejected(REQUEST_INVALID) if one is no plain file, OSError; then they are all where they were."""
    folder = Path(tempfile.mkdtemp(prefix=f"{safe_file_name(main.stem)}-", dir=places.sending))
    try:
        for path in (*attached, main):
            aim = folder / path.name
            # Looked at only now, where nobody else can exchange it for a link any more.
            os.rename(path, aim)
            if not is_plain(aim):
                raise Rejected(Reason.REQUEST_INVALID, f"{path.name} is no plain file")
        sync_folder(folder)
        ticket = {"main": main.name, "attached": [path.name for path in attached]}
        write_file(folder / TICKET, json.dumps(ticket, ensure_ascii=False).encode())
    except (OSError, Rejected):
        _give_back(places, folder)
        raise
    return Consignment(folder, main.name, tuple(path.name for path in attached))


def under_way(places: Places) -> list[Consignment]:
    """Return all that is claimed; files that were being claimed when we were stopped go back. Raises OSError."""
    found = []
    for folder in sorted(path for path in places.sending.iterdir() if path.is_dir()):
        ticket = read_document(folder / TICKET)
        if ticket is None:
            _give_back(places, folder)
        else:
            found.append(Consignment(folder, ticket["main"], tuple(ticket["attached"])))
    return found


def _give_back(places: Places, folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            path.unlink()  # the ticket, or what was to become it: nothing of the user's is hidden
        else:
            move(path, places.to_send)
    folder.rmdir()


def read_document(path: Path) -> dict[str, Any] | None:
    """Return a JSON document that we have written; None if there is none, or if it is none of ours. Raises OSError."""
    try:
        document = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"{path.name}: {error.strerror}") from error
