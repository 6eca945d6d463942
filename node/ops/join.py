"""Joining: a node trusts an authority for the first time, by the root in its public folder and the fingerprint that was told."""

from pathlib import Path

from node.directory.files import read_file
from node.directory.layout import root_path
from node.directory.root import root_fingerprint
from node.directory.trust.trust import TrustedFolder
from node.errors import Broken
from node.model.directory import Directory
from node.model.reason import Reason
from node.net.tls_trial import tls_trial
from node.ops.home import Home


def bootstrap(place: Home, public: Path, fingerprint: str, at_ms: int) -> tuple[str, Directory]:
    """Trust the root in a public folder and load the directory; return the fingerprint and the directory.

    Raises Broken(DIRECTORY_INVALID) if there is no root or its fingerprint is not the one that was told, and what
    TrustedFolder raises.
    """
    root = read_file(public / root_path(1))
    if root is None:
        raise Broken(Reason.DIRECTORY_INVALID, f"{public} holds no {root_path(1)}")
    found = root_fingerprint(root)
    if fingerprint and _digits(fingerprint) != _digits(found):
        raise Broken(Reason.DIRECTORY_INVALID, f"the root's fingerprint is {found}, not {fingerprint}")
    trusted = TrustedFolder(place.directory, tls_trial())
    trusted.bootstrap(root)
    return found, trusted.update_from(public, at_ms)


def _digits(fingerprint: str) -> str:
    return "".join(c for c in fingerprint.lower() if c.isalnum())
