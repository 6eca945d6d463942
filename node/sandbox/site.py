"""Site: what a sandbox has on disk, and the one file that says how it is reached.

    <folder>/hop-cat.json     this file, for its owner's eyes only: doors, the door's token, the vendor's secrets
             clock.json       how far the clock is ahead
             danh-ba/         the authority          tinh-thu/ bo-thu/ tinh-ban/ tinh-xa/     homes of nodes
             qlvb.json        credential of the vendor's software; theo-doi.json, kiem-tra.json: of conformance runs

Each home holds a mark (Homestead.sandbox_mark), by which `truc serve` and `truc node join` know that it is no node of the real mesh.
"""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from node.errors import Broken, Rejected
from node.model.reason import Reason
from node.sandbox.cast import Member
from node.seal.files import read_private, replace_file

FILE = "hop-cat.json"
CLOCK_FILE = "clock.json"
VENDOR_CREDENTIAL, WATCHER_CREDENTIAL, CONFORMANCE_CREDENTIAL = "qlvb.json", "theo-doi.json", "kiem-tra.json"


@dataclass(frozen=True, slots=True)
class Bridge:
    """Entries for the settings of software that calls by the VXP library."""

    endpoint: str
    systemid: str
    secret: str


@dataclass(frozen=True, slots=True)
class Site:
    """A sandbox on disk. `door` is "host:port" of its own door; `bridges` are the vendor's systems, the first for all his units."""

    folder: Path
    door: str
    token: str
    units: tuple[Member, ...]
    bridges: tuple[Bridge, ...]

    @property
    def endpoint(self) -> str:
        """The door's URL with its token: what `truc sandbox advance` and `truc conformance` are given."""
        return f"http://{self.door}/{self.token}"

    @property
    def clock_file(self) -> Path:
        """The file in which the clock remembers its lead."""
        return self.folder / CLOCK_FILE

    def save(self) -> None:
        """Write the file, for its owner's eyes only. Raises Broken(IO_FAILED), Deferred(DISK_FULL)."""
        fields = {key: value for key, value in asdict(self).items() if key != "folder"}
        replace_file(self.folder / FILE, json.dumps(fields, ensure_ascii=False, indent=2).encode() + b"\n")

    @classmethod
    def load(cls, folder: Path) -> "Site":
        """Read the file. Raises Rejected(NOT_FOUND) if there is no sandbox, Broken(SETTINGS_INVALID) if the file says something else."""
        try:
            fields = json.loads(read_private(folder / FILE))
            units = tuple(Member(**one) for one in fields["units"])
            bridges = tuple(Bridge(**one) for one in fields["bridges"])
            return cls(folder, fields["door"], fields["token"], units, bridges)
        except Broken as broken:
            if broken.reason is Reason.KEY_FILE_MISSING:
                raise Rejected(Reason.NOT_FOUND, f"{folder} holds no sandbox ({FILE})") from broken
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise Broken(Reason.SETTINGS_INVALID, f"{folder / FILE}: {error}") from error


def new_token() -> str:
    """Return a token for a door."""
    return secrets.token_hex(16)
