"""What the drop folder has done by `truc packet`: packets made of forms, and files taken out of packets."""

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from node.cli.packet import extract_all
from node.cli.packet_new import make, read_letter
from node.drop.paperwork import Extracted
from node.edxml.letter import File
from node.errors import Rejected
from node.model.finding import Finding
from node.model.reason import Reason


class Papers:
    """The Paperwork of node/drop/paperwork.py."""

    def attachments_of(self, form: Path) -> list[str]:
        """Return the files that a form attaches: names of files beside it; anything else as it is written."""
        paths = [Path(one.path) for one in read_letter(form).attachments]
        return [path.name if path.parent == form.parent else str(path) for path in paths]

    def compose(self, form: Path, attached: Sequence[Path], aim: Path) -> list[Finding]:
        """Write the packet of a form; its own paths are not followed, they only say which of these files is meant."""
        letter = read_letter(form)
        here = {_nfc(path.name): path for path in attached}
        files = letter.attachments or tuple(File(path.name) for path in attached)
        missing = [one.path for one in files if _nfc(Path(one.path).name) not in here]
        if missing:
            raise Rejected(Reason.REQUEST_INVALID, f"{missing[0]} is not beside the form")
        meant = [replace(one, path=str(here[_nfc(Path(one.path).name)])) for one in files]
        return make(replace(letter, attachments=tuple(meant)), aim)

    def extract(self, packet: Path, folder: Path) -> list[Extracted]:
        """Take all attachments out."""
        return [
            Extracted(path.name if path else name, fault["advice"] if fault else "")
            for name, path, _, fault in extract_all(packet, folder, force=False)
        ]


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)
