"""The node's next TLS certificate: it waits in keys/next/ until the directory lists it, and takes its place when the node starts.

Peers believe what the directory lists, octet for octet. So the zone names both certificates for a while, and at no moment is the node
one that others refuse. Only a start changes the files: whoever reads keys/ meanwhile finds what the running node shows.
"""

import shutil
from collections.abc import Collection
from pathlib import Path

from node.seal.tls import CERTIFICATE_FILE, TlsIdentity, load_tls, replace_tls


def next_folder(keys: Path) -> Path:
    """Return where the next certificate waits."""
    return keys / "next"


def folders(keys: Path) -> list[Path]:
    """Return where TLS keys and certificates lie: those in use, then those that are to take their place, if there are any."""
    waiting = next_folder(keys)
    return [keys, *([waiting] if (waiting / CERTIFICATE_FILE).exists() else [])]


def chosen(keys: Path, listed: Collection[bytes], passphrase: bytes | None) -> TlsIdentity:
    """Return what a node shows that starts now, while the directory lists these certificates for it. Raises as `load_tls`."""
    for waiting in folders(keys)[1:]:
        identity = load_tls(waiting, passphrase)
        if identity.certificate_der in listed:
            return identity
    return load_tls(keys, passphrase)


def adopt(keys: Path, listed: Collection[bytes], passphrase: bytes | None) -> TlsIdentity:
    """Return what the node that starts now shows, and put it in its place, if it was waiting.

    Cut short, it is done again by the next start. Raises as `load_tls` and `replace_tls`.
    """
    identity = chosen(keys, listed, passphrase)
    waiting = next_folder(keys)
    if waiting in folders(keys) and identity == load_tls(waiting, passphrase):
        replace_tls(keys, identity, passphrase)
        shutil.rmtree(waiting)
    return identity
