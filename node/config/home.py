"""Home: where everything of one node lies. The one place that knows the names.

node.toml   settings                             store/ WITNESS     the durable store and its witness
keys/       sign, seal, TLS                      bodies/ spool/     large bodies, and those under way
zone/       zone key and what we publish         systems/           connected systems: digests of tokens, VXP secrets encrypted
directory/  what we trust                        admin.token        the operator's credential
reserve     blocks given up on a full disk       store.….cut/       what truc store salvage has put aside
"""

import os
from dataclasses import dataclass
from pathlib import Path

from node.errors import Broken
from node.model.reason import Reason


@dataclass(frozen=True, slots=True)
class Homestead:
    """One node's folder."""

    path: Path

    @property
    def settings_file(self) -> Path:
        """Settings."""
        return self.path / "node.toml"

    @property
    def keys(self) -> Path:
        """Private keys and the TLS certificate."""
        return self.path / "keys"

    @property
    def zone(self) -> Path:
        """Zone key and the files that this node publishes."""
        return self.path / "zone"

    @property
    def directory(self) -> Path:
        """The directory as this node trusts it."""
        return self.path / "directory"

    @property
    def store(self) -> Path:
        """RocksDB."""
        return self.path / "store"

    @property
    def witness(self) -> Path:
        """The store's witness."""
        return self.path / "WITNESS"

    @property
    def systems_folder(self) -> Path:
        """Connected systems."""
        return self.path / "systems"

    @property
    def admin_token(self) -> Path:
        """The operator's credential."""
        return self.path / "admin.token"

    @property
    def sandbox_mark(self) -> Path:
        """Lies in the homes that `truc sandbox` makes: such a node must never be taken for one of the real mesh."""
        return self.path / "HOP-CAT"


class HomeOfAnother(Broken):
    """The home, or a folder above it, is closed to the user that we run as: a volume of somebody else."""

    @property
    def advice(self) -> str:
        """In place of the general advice, which would speak of what stands in node.toml."""
        return (
            f"Thư mục nêu ở dưới không cho truc vào. Nếu nó là của riêng nút (một volume), hãy chạy chown -R {_us()} cho nó; "
            "nếu không, hãy chạy truc bằng đúng người dùng của nút."
        )


def require_open(home: Path) -> None:
    """Raise HomeOfAnother(SETTINGS_INVALID) for a home that we may not enter, naming the folder and whose it is."""
    for folder in [*reversed(home.absolute().parents), home]:
        if not folder.is_dir():
            return
        if not os.access(folder, os.X_OK | (os.R_OK if folder == home else 0)):
            whose = folder.stat()
            detail = f"{folder} là của {whose.st_uid}:{whose.st_gid}, truc chạy với {_us()}"
            raise HomeOfAnother(Reason.SETTINGS_INVALID, detail)


def _us() -> str:
    return f"{os.geteuid()}:{os.getegid()}"
