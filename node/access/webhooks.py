"""Webhooks as the operator sets them: <home>/systems/NAME.webhook, mode 0600, JSON.

    {url, ca_file ("": the machine's own authorities), set_ms, secret: encrypted (seal/secret.py)}

A system has one address at most. The secret is shown once, when it is made; setting the address again keeps it, unless a new one is asked
for. The running node looks at the folder every two seconds; the files go with their system (systems.py).

Only the address that stands here is ever called: nothing that a document, a peer or an answer says leads anywhere else.
"""

import base64
import json
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from node.access.marks import Marks
from node.access.systems import check_name
from node.config.listen import is_loopback_host
from node.errors import Broken, Rejected
from node.model.reason import Reason
from node.ports import Keys
from node.seal.files import read_private, replace_file
from node.seal.secret import open_secret, seal_secret

SECRET_BYTES = 32
SECRET_PREFIX = "whsec_"  # noqa: S105  what every secret of a webhook begins with, as Standard Webhooks has it
URL_CHARACTERS_MAX = 2_000

_URL = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class HookFile:
    """A system's file, read. `secret` is what the HMAC is computed with: the octets, not their text."""

    url: str
    ca_file: str
    set_ms: int
    secret: bytes = field(repr=False)


class HookFiles:
    """The webhooks of a node's systems."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self._folder = folder
        self._keys = keys
        self._marks = Marks(folder, ".webhook")

    def set(
        self, name: str, url: str, ca_file: Path | None, now_ms: int, public_key: bytes, *, new_secret: bool = False
    ) -> str:
        """Let a system be told at an address; return the new secret, or "" if the one it has stays.

        `public_key` is the node's newest sealing key. Raises Rejected: NOT_FOUND if there is no such system, REQUEST_INVALID for an address
        that may not be called; Broken(KEY_FILE_MISSING) if there is no `ca_file`; and as seal.files.replace_file.
        """
        check_name(name)
        if not (self._folder / f"{name}.json").is_file():
            raise Rejected(Reason.NOT_FOUND, f"no system {name}")
        check_url(url)
        if ca_file is not None and not ca_file.is_file():
            raise Broken(Reason.KEY_FILE_MISSING, str(ca_file))
        before = self.read(name)
        secret = before.secret if before is not None and not new_secret else b""
        fresh = secret or secrets.token_bytes(SECRET_BYTES)
        fields = {
            "url": url,
            "ca_file": str(ca_file.absolute()) if ca_file is not None else "",
            # Never the same as before, whatever the clock says: that is how the node sees that it was set anew.
            "set_ms": max(now_ms, before.set_ms + 1 if before is not None else 0),
            "secret": json.loads(seal_secret(self._keys, public_key, _owner(name), fresh)),
        }
        replace_file(self._path(name), json.dumps(fields, indent=2).encode() + b"\n")
        return "" if secret else SECRET_PREFIX + base64.b64encode(fresh).decode()

    def remove(self, name: str) -> None:
        """Tell a system nothing more. Raises Rejected(NOT_FOUND) if it has no address."""
        check_name(name)
        try:
            self._path(name).unlink()
        except FileNotFoundError as error:
            raise Rejected(Reason.NOT_FOUND, f"system {name} has no webhook") from error

    def read(self, name: str) -> HookFile | None:
        """Return a system's address and secret, None if it has none. Raises Broken: KEY_FILE_EXPOSED, KEY_UNUSABLE."""
        path = self._path(name)
        if not path.exists():
            return None
        try:
            fields = json.loads(read_private(path))
            secret = open_secret(self._keys, _owner(name), json.dumps(fields["secret"]).encode())
            return HookFile(str(fields["url"]), str(fields["ca_file"]), int(fields["set_ms"]), secret)
        except (ValueError, KeyError, TypeError) as error:
            raise Broken(Reason.KEY_UNUSABLE, f"{path} is no webhook's file") from error

    def names(self) -> list[str]:
        """Return the systems that have an address, in order."""
        return sorted(path.stem for path in self._folder.glob("*.webhook"))

    def marks(self) -> frozenset[tuple[str, int, int, int]]:
        """Return what tells changed files from unchanged ones."""
        return self._marks.now()

    def _path(self, name: str) -> Path:
        assert "/" not in name, "names of systems are checked where they enter"
        return self._folder / f"{name}.webhook"


def check_url(url: str) -> None:
    """Raise Rejected(REQUEST_INVALID) for what is no address that may be called: https anywhere, or http on this very machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise Rejected(Reason.REQUEST_INVALID, f"not a URL: {error}") from error
    if not _URL.fullmatch(url) or len(url) > URL_CHARACTERS_MAX or "\\" in url:
        raise Rejected(Reason.REQUEST_INVALID, f"a URL is up to {URL_CHARACTERS_MAX} ASCII characters without spaces")
    if parts.scheme not in ("https", "http") or not host or port == 0:
        raise Rejected(Reason.REQUEST_INVALID, "a URL begins with https:// and the name of a machine")
    if parts.scheme == "http" and not is_loopback_host(host):
        raise Rejected(Reason.REQUEST_INVALID, "http is for this machine only (127.0.0.1); everywhere else https")
    if "@" in parts.netloc or parts.fragment:
        raise Rejected(Reason.REQUEST_INVALID, "a URL has no name and password before the machine, and no # in it")


def _owner(name: str) -> str:
    # No system can be called so, and so its other secret cannot be put in this one's place.
    return f"{name} webhook"
