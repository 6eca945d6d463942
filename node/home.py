"""Home: where everything of one node lies. The one place that knows the names.

node.toml   settings                             store/ WITNESS     the durable store and its witness
keys/       sign, seal, TLS                      bodies/ spool/     large bodies, and those under way
zone/       zone key and what we publish         systems/           connected systems: digests of tokens, VXP secrets encrypted
directory/  what we trust                        admin.token        the operator's credential
"""

from dataclasses import dataclass
from pathlib import Path


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
