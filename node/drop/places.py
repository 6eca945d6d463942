"""Places of everything, and the few ways in which the drop folder changes a disk: all durable, all atomic."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from node.directory.files import disk_faults, sync_folder
from node.errors import Broken, Rejected
from node.model.reason import Reason

PRIVATE_MODE = 0o700
SAME_NAME_MAX = 1_000
STOP_ALL = frozenset(
    {Reason.PEER_UNREACHABLE, Reason.PEER_TLS_FAILED, Reason.CREDENTIAL_MISSING, Reason.CREDENTIAL_WRONG}
)
"""Faults of the road or of ours, not of one packet: the next one would meet them as well."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders below one folder."""

    root: Path

    @property
    def to_send(self) -> Path:
        """Files that people have put there to be sent."""
        return self.root / "gui"

    @property
    def sending(self) -> Path:
        """Consignments that are under way; for us alone."""
        return self.root / "dang-gui"

    @property
    def sent(self) -> Path:
        """Consignments that the node has accepted."""
        return self.root / "da-gui"

    @property
    def refused(self) -> Path:
        """Consignments that it has refused."""
        return self.root / "loi"

    @property
    def arrived(self) -> Path:
        """Documents that came."""
        return self.root / "den"

    @property
    def statuses(self) -> Path:
        """Statuses that came."""
        return self.arrived / "trang-thai"

    @property
    def fetching(self) -> Path:
        """Packets that are being fetched; for us alone."""
        return self.root / ".dang-nhan"

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Make the folders, and keep other processes out while the block runs.

        Raises Broken(HOME_IN_USE) if one is there, Rejected(REQUEST_INVALID) if the folders are not on one file system, Broken(IO_FAILED).
        """
        shared = (self.to_send, self.sent, self.refused, self.arrived, self.statuses)
        with disk_faults(self.root):
            for folder in shared:
                folder.mkdir(parents=True, exist_ok=True)
            for folder in (self.sending, self.fetching):
                folder.mkdir(mode=PRIVATE_MODE, exist_ok=True)
            if len({folder.stat().st_dev for folder in (*shared, self.sending, self.fetching)}) > 1:
                raise Rejected(Reason.REQUEST_INVALID, f"{self.root}: its folders must be on one file system")
            sync_folder(self.root)
        with disk_faults(self.root), (self.root / ".khoa").open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Broken(Reason.HOME_IN_USE, str(self.root)) from error
            yield


def is_plain(path: Path) -> bool:
    """Tell whether there is a file, no link to one. Raises OSError if it cannot be told."""
    return stat.S_ISREG(path.lstat().st_mode)


def move(path: Path, folder: Path) -> Path:
    """Move a file or folder into a folder of the same file system, durably, and return where it is now.

    Nothing is overwritten: where the name is taken, a number is put behind it. Raises OSError, Broken(ALREADY_EXISTS).
    """
    aim = free(folder, path.name, "" if path.is_dir() else path.suffix)
    os.rename(path, aim)
    sync_folder(folder)  # the new place first: after a power cut it may lie in both, never in none
    sync_folder(path.parent)
    return aim


def free(folder: Path, name: str, ending: str = "") -> Path:
    """Return a path that nothing has: name, name-2, name-3 …, the number before the ending. Raises Broken(ALREADY_EXISTS)."""
    for number in range(1, SAME_NAME_MAX):
        path = folder / (name if number == 1 else f"{name.removesuffix(ending)}-{number}{ending}")
        if not os.path.lexists(path):
            return path
    raise Broken(Reason.ALREADY_EXISTS, f"{folder / name}, {SAME_NAME_MAX} times; tidy the folder up")


def open_to_all(folder: Path, like: Path) -> None:
    """Let those who may look into `like` look into a folder that was ours alone. Raises OSError."""
    folder.chmod(stat.S_IMODE(like.stat().st_mode))


def make_file_durable(path: Path) -> None:
    """Make a file's octets durable. Raises OSError."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def make_durable(folder: Path) -> None:
    """Make all that is in a folder durable, and its names. Raises OSError."""
    for here, _, names in os.walk(folder):
        for name in names:
            make_file_durable(Path(here) / name)
        sync_folder(Path(here))
