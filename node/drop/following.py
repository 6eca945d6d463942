"""Following: the receipts in da-gui/ tell what becomes of each packet, the young ones often, the old ones seldom, until all is done.

The receipts themselves say whether they are open; they are read once at the start. A clerk may move or remove a folder at any time:
then its receipt is not followed any more.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.client import AsyncOffice
from node.directory.files import disk_faults
from node.drop import texts
from node.drop.consignment import RECEIPT, RECEIPT_TEXT, read_document
from node.drop.paperwork import Event, Tell
from node.drop.places import Places
from node.drop.sending import write_outcome
from node.errors import Rejected
from node.model.reason import Reason

PAUSE_MS_MIN, PAUSE_MS_MAX = 2_000, 3_600_000
AGE_PER_PAUSE = 10
"""A packet that was sent so many minutes ago is looked at once a minute."""


@dataclass
class Follower:
    """Keeps receipts up to date."""

    places: Places
    office: AsyncOffice
    tell: Tell
    _due_ms: dict[Path, int] = field(default_factory=dict)
    """Open receipts' folders, and when they are due by the clock that never goes back."""

    def begin(self) -> None:
        """Find the receipts that are open. Raises Broken(IO_FAILED)."""
        with disk_faults(self.places.sent):
            for folder in self.places.sent.iterdir():
                document = read_document(folder / RECEIPT)
                if document is not None and document.get("open") is True:
                    self._due_ms[folder] = 0

    def add(self, folder: Path) -> None:
        """Follow one more."""
        self._due_ms[folder] = 0

    async def round(self, now_ms: int, wall_ms: int) -> None:
        """Look at all receipts that are due. Raises Deferred, Denied, Broken."""
        for folder in [folder for folder, due_ms in self._due_ms.items() if due_ms <= now_ms]:
            pause_ms = await self._look(folder, wall_ms)
            if pause_ms is None:
                del self._due_ms[folder]
            else:
                self._due_ms[folder] = now_ms + pause_ms

    async def _look(self, folder: Path, wall_ms: int) -> int | None:
        """Bring one receipt up to date; return in how many milliseconds to look again, None for never."""
        with disk_faults(folder):
            document = read_document(folder / RECEIPT)
        if document is None:
            return None
        try:
            packet_id = bytes.fromhex(document["packet_id"])
            view = await self.office.track(packet_id=packet_id)
        except (KeyError, TypeError, ValueError):
            self.tell(Event("left", folder.name, f"{RECEIPT} đã bị sửa, không theo dõi được nữa."))
            return None
        except Rejected as rejected:
            if rejected.reason is not Reason.NOT_FOUND:
                raise
            self._write(folder, document, {**document, "open": False}, _last_text(folder))
            return None  # the node has forgotten it: what is written is the last that was known
        now_known, text = texts.followed(document, view, wall_ms)
        self._write(folder, document, now_known, text)
        age_ms = max(0, wall_ms - view.create_time_ms)
        return min(max(age_ms // AGE_PER_PAUSE, PAUSE_MS_MIN), PAUSE_MS_MAX) if now_known["open"] else None

    def _write(self, folder: Path, before: dict[str, Any], after: dict[str, Any], text: str) -> None:
        """Write a receipt that has changed, unless its folder has gone."""
        if after == before or not (folder / RECEIPT).exists():
            return
        write_outcome(folder, RECEIPT, after, RECEIPT_TEXT, text)
        self.tell(Event("followed", after["name"], "biên nhận có tin mới"))


def _last_text(folder: Path) -> str:
    """Return the text as it is. Raises Broken(IO_FAILED)."""
    with disk_faults(folder):
        path = folder / RECEIPT_TEXT
        return path.read_text("utf-8", "replace") if path.exists() else ""
