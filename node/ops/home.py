"""A node's folder: where everything lies, what opens it, and how the command reaches the node that runs in it.

    node.toml   settings                    zone/        zone key and what this node publishes (node/directory/zone/zone.py)
    keys/       sign, seal, TLS             directory/   what it trusts (node/directory/trust/trust.py)
    systems/    connected systems           store/ WITNESS bodies/     the durable store
    admin.token the operator's credential   join-request.truc          for the authority, once

How it is made stands in making.py, and how its zone describes it in describing.py.
"""

import fcntl
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from node.config.home import Homestead
from node.errors import Broken, Rejected
from node.model.reason import Reason

if TYPE_CHECKING:
    from node.access.systems import Systems
    from node.config.settings import Settings
    from node.directory.zone.zone import ZoneEditor
    from node.net.admin_client import AdminClient
    from node.seal.keyring import Keyring

ANY_HOST = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104  a name for it, nothing listens here


@dataclass(frozen=True, slots=True)
class Home(Homestead):
    """One node's folder, and what the command does with it."""

    @property
    def join_request(self) -> Path:
        """The file by which the authority admits the node."""
        return self.path / "join-request.truc"

    def private_keys(self) -> list[Path]:
        """Return the files of all private keys of the node, in order of name."""
        return sorted([*self.keys.rglob("*.pem"), *self.keys.rglob("*.key")])

    def require_real(self) -> None:
        """Refuse a sandbox's node: it must never be taken for one of the real mesh. Raises Rejected(REQUEST_INVALID)."""
        if self.sandbox_mark.exists():
            raise Rejected(
                Reason.REQUEST_INVALID,
                f"{self.path} is a sandbox's node (hộp cát); run it with 'truc sandbox --home DIR'",
            )

    def is_held(self) -> bool:
        """Tell whether a process holds RocksDB's lock, as a running node does. Opening the database to find out might change it.

        Raises OSError if the lock cannot be looked at.
        """
        try:
            with (self.store / "LOCK").open("r+b") as file:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False  # it has never run
        except BlockingIOError:
            return True
        return False

    def require_stopped(self) -> None:
        """Refuse while a process holds the store. Raises Broken(HOME_IN_USE)."""
        with suppress(OSError):  # what is not for us to look at is not for us to write, either: that says so
            if self.is_held():
                raise Broken(Reason.HOME_IN_USE, str(self.store))

    def settings(self) -> "Settings":
        """Read the settings. Raises Broken(HOME_MISSING), Broken(SETTINGS_INVALID)."""
        from node.config.settings import load_settings

        return load_settings(self.path)

    def systems(self) -> "Systems":
        """Return the connected systems. Raises Broken(HOME_MISSING)."""
        from node.access.systems import Systems

        if not self.settings_file.is_file():
            raise Broken(Reason.HOME_MISSING, f"no {self.settings_file}")
        return Systems(self.systems_folder, self.admin_token)

    def zone_editor(self) -> "ZoneEditor":
        """Open the zone to look at it. Raises Broken(HOME_MISSING), Broken(DIRECTORY_INVALID)."""
        from node.directory.zone.zone import ZoneEditor

        return ZoneEditor.open(self.zone)

    def editing_zone(self) -> "AbstractContextManager[ZoneEditor]":
        """Open the zone to change it, alone. Raises Deferred(STORE_STALLED), Broken(HOME_MISSING), Broken(DIRECTORY_INVALID)."""
        from node.directory.zone.zone_lock import editing

        return editing(self.zone)

    def admin(self) -> "AdminClient":
        """Return a client to the node that runs here. Raises Broken: HOME_MISSING, SETTINGS_INVALID, KEY_FILE_MISSING and so on."""
        from node.net.admin_client import AdminClient
        from node.seal.files import read_private, read_public

        address = office_address(self.settings())
        certificate = read_public(self.keys / "tls.crt")
        return AdminClient.connect(address, certificate, read_private(self.admin_token).decode().strip())


def office_address(settings: "Settings") -> str:
    """Return where the office door is reached from this machine. Raises Broken(SETTINGS_INVALID) for port 0."""
    host, _, port = settings.office.listen.rpartition(":")
    if port == "0":
        raise Broken(
            Reason.SETTINGS_INVALID, "office.listen: cổng 0 đổi mỗi lần chạy nên không gọi tới được; hãy ghi cổng thật"
        )
    return f"{ANY_HOST.get(host, host)}:{port}"


def passphrase_of(settings: "Settings") -> bytes | None:
    """Return what opens the private keys, or None. Raises as seal.files.read_private."""
    from node.seal.files import read_private

    path = settings.keys.passphrase_file
    return None if path is None else read_private(path).strip()


def keys_of(place: Home) -> "Keyring":
    """Return the node's private keys. Raises what reading settings and keys raises."""
    from node.seal.keyring import load_keys

    settings = place.settings()
    return load_keys(place.keys, settings.node_id, passphrase_of(settings))
