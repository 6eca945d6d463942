"""The secrets by which systems sign what they ask of the VXP bridge: <home>/systems/NAME.vxp, mode 0600, encrypted (seal/secret.py).

The client library signs with HMAC, so the node must know the secret itself, where a digest does for the token of the office door.
The two are apart: neither is derived from the other, and whoever has one has not the other. It is shown once, when it is made.
The file is looked at on every call, so a new secret counts at once and a revoked system is refused at once.
"""

import base64
import secrets
from pathlib import Path

from node.errors import Fault, Rejected
from node.log import get_logger
from node.model.reason import Reason
from node.net.systems import check_name
from node.ports import Keys
from node.seal.files import read_private, replace_private
from node.seal.secret import open_secret, seal_secret

SECRET_BYTES = 32

log = get_logger()

_Mark = tuple[int, int, int]


class VxpSecrets:
    """The VXP secrets of a node's systems."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self._folder = folder
        self._keys = keys
        self._known: dict[str, tuple[_Mark, bytes]] = {}

    def create(self, name: str, public_key: bytes) -> str:
        """Make a new secret for a system, in place of any older one; return it, which is shown only now.

        `public_key` is the node's newest sealing key. Raises Rejected(NOT_FOUND or REQUEST_INVALID) if there is no such system, and as
        seal.files.replace_private.
        """
        check_name(name)
        if not (self._folder / f"{name}.json").is_file():
            raise Rejected(Reason.NOT_FOUND, f"no system {name}")
        secret = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        replace_private(self._path(name), seal_secret(self._keys, public_key, name, secret.encode()))
        return secret

    def secret_of(self, name: str) -> bytes | None:
        """Return the secret of a system that is known to exist; None if it has none, or one that cannot be opened (logged)."""
        try:
            facts = self._path(name).stat()
        except FileNotFoundError:
            self._known.pop(name, None)
            return None
        mark = (facts.st_mtime_ns, facts.st_ino, facts.st_size)
        known = self._known.get(name)
        if known is None or known[0] != mark:
            known = self._known[name] = (mark, self._read(name))
        return known[1] or None

    def _read(self, name: str) -> bytes:
        try:
            return open_secret(self._keys, name, read_private(self._path(name)))
        except Fault as fault:
            log.error("system.unreadable", system=name, reason=fault.reason.name, detail=fault.detail)
            return b""

    def _path(self, name: str) -> Path:
        assert "/" not in name, "names of systems are checked where they enter"
        return self._folder / f"{name}.vxp"
