"""The secrets by which systems sign what they ask of the VXP bridge: <home>/systems/NAME.vxp, mode 0600, encrypted (seal/secret.py).

The client library signs with HMAC, so the node must know the secret itself, where a digest does for the token of the office door.
The two are apart: neither is derived from the other, and whoever has one has not the other. It is shown once, when it is made.
The file is looked at at most once a second, and at once when a signature does not fit: a new secret counts at once, an old one
for a second at most.
"""

import base64
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from node.access.systems import check_name
from node.errors import Fault, Rejected
from node.log import get_logger
from node.model.reason import Reason
from node.ports import Keys
from node.seal.files import read_private, replace_file
from node.seal.secret import open_secret, seal_secret

SECRET_BYTES = 32

log = get_logger()

LOOK_EVERY_S = 1.0


@dataclass(slots=True)
class _Known:
    """A file's secret when it was last read, how it looked, and when it was last looked at."""

    secret: bytes
    mark: tuple[int, int, int]
    looked_s: float


class VxpSecrets:
    """The VXP secrets of a node's systems."""

    def __init__(self, folder: Path, keys: Keys, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._keys = keys
        self._monotonic_s = monotonic_s
        self._known: dict[str, _Known] = {}

    def create(self, name: str, public_key: bytes) -> str:
        """Make a new secret for a system, in place of any older one; return it, which is shown only now.

        `public_key` is the node's newest sealing key. Raises Rejected(NOT_FOUND or REQUEST_INVALID) if there is no such system, and as
        seal.files.replace_file.
        """
        check_name(name)
        if not (self._folder / f"{name}.json").is_file():
            raise Rejected(Reason.NOT_FOUND, f"no system {name}")
        secret = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        replace_file(self._path(name), seal_secret(self._keys, public_key, name, secret.encode()))
        return secret

    def secret_of(self, name: str, *, now: bool = False) -> bytes | None:
        """Return the secret of a system that is known to exist; None if it has none, or one that cannot be opened (logged).

        `now` looks at the file whenever that was done last.
        """
        known, now_s = self._known.get(name), self._monotonic_s()
        if known is None or now or now_s - known.looked_s >= LOOK_EVERY_S:
            known = self._look(name, known, now_s)
        return known.secret or None if known else None

    def _look(self, name: str, known: _Known | None, now_s: float) -> _Known | None:
        try:
            facts = os.stat(f"{self._folder}/{name}.vxp")
        except FileNotFoundError:
            self._known.pop(name, None)
            return None
        mark = (facts.st_mtime_ns, facts.st_ino, facts.st_size)
        secret = known.secret if known is not None and known.mark == mark else self._read(name)
        self._known[name] = _Known(secret, mark, now_s)
        return self._known[name]

    def _read(self, name: str) -> bytes:
        try:
            return open_secret(self._keys, name, read_private(self._path(name)))
        except Fault as fault:
            log.error("system.unreadable", system=name, reason=fault.reason.name, detail=fault.detail)
            return b""

    def _path(self, name: str) -> Path:
        assert "/" not in name, "names of systems are checked where they enter"
        return self._folder / f"{name}.vxp"
