"""Canary: an edition is loaded as a node loads it before anybody sees it; what nodes would not believe or could not use is refused.

What was so in the edition before is no reason to refuse: otherwise one old fault of one member would keep the news from everybody.
"""

import contextlib
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

from node.directory.certificates import UNJUDGED, Certificates
from node.directory.trust.trust import TrustedFolder
from node.errors import Broken, Fault
from node.model.reason import Reason

TOLD_MAX = 5
_HARMLESS = (": hides ", " has run out; ")
"""What a node finds, and what is still no fault of an edition."""


def check_edition(edition: Path, before: Path, root_json: bytes, certificates: Certificates, now_ms: int) -> None:
    """Load an edition as a new node does. Raises Broken(DIRECTORY_INVALID) naming the members that are worse than before."""
    doubts = _doubts(edition, root_json, certificates, now_ms)
    if not doubts:
        return
    with contextlib.suppress(Fault):  # if there is none before that a node could load, everything is news
        doubts -= _doubts(before, root_json, certificates, now_ms)
    if doubts:
        told = "; ".join(sorted(doubts)[:TOLD_MAX])
        more = f" and {len(doubts) - TOLD_MAX} more" if len(doubts) > TOLD_MAX else ""
        raise Broken(
            Reason.DIRECTORY_INVALID, f"nothing was published: {told}{more}; take a better file or revoke the node"
        )


def check_signatures(edition: Path, root_json: bytes, now_ms: int) -> None:
    """Verify that an edition is whole and signed. Raises Broken(DIRECTORY_INVALID)."""
    _doubts(edition, root_json, UNJUDGED, now_ms)


def _doubts(edition: Path, root_json: bytes, certificates: Certificates, now_ms: int) -> set[str]:
    """Return what a new node would find in an edition."""
    with TemporaryDirectory(prefix="truc-canary-") as scratch:
        trusted = TrustedFolder(Path(scratch), certificates)
        trusted.bootstrap(root_json)
        directory = trusted.update_from(edition, now_ms)
        doubts = {one for one in trusted.doubts if not _is_harmless(one)}
        # As the server builds its roots: all together, which may find what each alone does not show.
        unusable = certificates.faults(directory.certificates)
    return doubts | {f"nodes/{directory.certificates[der]}: {fault}" for der, fault in unusable.items()}


def _is_harmless(doubt: str, words: Collection[str] = _HARMLESS) -> bool:
    return any(word in doubt for word in words)
