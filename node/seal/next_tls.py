"""Next TLS certificate: it waits in keys/next/ until the directory lists it, and takes the old one's place when the node starts.

Peers believe what the directory lists, octet for octet. So the zone names both certificates for a while, and others never refuse the
node. Only a start changes the files, so keys/ always holds the certificate that the running node shows.
"""

import shutil
from collections.abc import Collection
from pathlib import Path

from node.seal.tls import CERTIFICATE_FILE, TlsIdentity, load_tls, replace_tls


def next_folder(keys: Path) -> Path:
    """Return the folder where the next certificate waits."""
    return keys / "next"


def folders(keys: Path) -> list[Path]:
    """Return the folders of TLS keys and certificates: those in use, then those that are to take their place, if there are any."""
    waiting = next_folder(keys)
    return [keys, *([waiting] if (waiting / CERTIFICATE_FILE).exists() else [])]


def chosen(keys: Path, listed: Collection[bytes], passphrase: bytes | None) -> TlsIdentity:
    """Return the certificate that a node shows if it starts while the directory lists these for it. Raises as `load_tls`."""
    for waiting in folders(keys)[1:]:
        identity = load_tls(waiting, passphrase)
        if identity.certificate_der in listed:
            return identity
    return load_tls(keys, passphrase)


def adopt(keys: Path, listed: Collection[bytes], passphrase: bytes | None) -> TlsIdentity:
    """Return the certificate that the node shows from this start on, and put it in its place, if it was waiting.

    If it is cut short, the next start does it again. Raises as `load_tls` and `replace_tls`.
    """
    identity = chosen(keys, listed, passphrase)
    waiting = next_folder(keys)
    if waiting in folders(keys) and identity == load_tls(waiting, passphrase):
        replace_tls(keys, identity, passphrase)
        shutil.rmtree(waiting)
    return identity
