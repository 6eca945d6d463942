"""Canary: an edition is loaded as a node loads it before anybody sees it; what nodes would not believe or could not use is refused.

A fault that the edition before had, too, is no reason to refuse: otherwise one old fault of one member would keep the news from everybody.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from node.directory.certificates import UNJUDGED, Certificates
from node.directory.trust.trust import TrustedFolder
from node.errors import Broken, Fault
from node.model.reason import Reason

TOLD_MAX = 5
_HARMLESS = (": hides ", " has run out; ")
"""Findings of a node that are no fault of an edition."""


def check_edition(edition: Path, before: Path, root_json: bytes, certificates: Certificates, now_ms: int) -> None:
    """Load an edition as nodes do. Raises Broken(DIRECTORY_INVALID) naming the members that are worse than before.

    As a node that knows the edition before: it tells a thief of names and certificates from whom they were stolen. If there is none that
    can be loaded, as a newcomer.
    """
    with _reader(root_json, certificates) as trusted:
        known: set[str] = set()
        with contextlib.suppress(Fault):
            known = _doubts(trusted, before, certificates, now_ms)
        doubts = _doubts(trusted, edition, certificates, now_ms) - known
    if doubts:
        told = "; ".join(sorted(doubts)[:TOLD_MAX])
        more = f" and {len(doubts) - TOLD_MAX} more" if len(doubts) > TOLD_MAX else ""
        raise Broken(
            Reason.DIRECTORY_INVALID, f"nothing was published: {told}{more}; take a better file or revoke the node"
        )


def check_signatures(edition: Path, root_json: bytes, now_ms: int) -> None:
    """Verify that an edition is whole and signed. Raises Broken(DIRECTORY_INVALID)."""
    with _reader(root_json, UNJUDGED) as trusted:
        trusted.update_from(edition, now_ms)


@contextlib.contextmanager
def _reader(root_json: bytes, certificates: Certificates) -> Iterator[TrustedFolder]:
    """Give a node's directory that trusts this authority and knows nothing yet."""
    with TemporaryDirectory(prefix="truc-canary-") as scratch:
        trusted = TrustedFolder(Path(scratch), certificates)
        trusted.bootstrap(root_json)
        yield trusted


def _doubts(trusted: TrustedFolder, edition: Path, certificates: Certificates, now_ms: int) -> set[str]:
    """Return what a reader finds in an edition, and what it could not build its roots with."""
    directory = trusted.update_from(edition, now_ms)
    unusable = certificates.faults(directory.certificates)
    doubts = {one for one in trusted.doubts if not any(word in one for word in _HARMLESS)}
    return doubts | {f"nodes/{directory.certificates[der]}: {fault}" for der, fault in unusable.items()}
