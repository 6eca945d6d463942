"""Trust as an operator should see it: what of the directory is not believed, who is left out, what was refused and is tried again."""

from collections.abc import Collection, Mapping
from typing import Protocol

from node.directory.trust.unusable import unusable_findings
from node.errors import HealthFinding
from node.model.directory import Directory


class HasFindings(Protocol):
    """Somebody who has seen something that an operator should know."""

    @property
    def findings(self) -> list[HealthFinding]:
        """Return it in words."""
        ...


class KnownFaults(Protocol):
    """Knows which certificates cannot be used."""

    def faults_known(self, certificates: Collection[bytes]) -> Mapping[bytes, str]:
        """Return what is wrong with each, without trying any."""
        ...


class TrustView:
    """Gathers findings about the directory in force."""

    def __init__(self, trusted: HasFindings, feed: HasFindings, trial: KnownFaults, node_id: str) -> None:
        self._trusted = trusted
        self._feed = feed
        self._trial = trial
        self._node_id = node_id
        self._seen: tuple[Directory, Mapping[bytes, str]] | None = None

    def findings(self, directory: Directory) -> list[HealthFinding]:
        """Return them."""
        unusable = unusable_findings(directory, self._faults(directory), self._node_id)
        return [*unusable, *self._trusted.findings, *self._feed.findings]

    def unusable(self, directory: Directory) -> int:
        """Return how many certificates cannot be used."""
        return len(self._faults(directory))

    def _faults(self, directory: Directory) -> Mapping[bytes, str]:
        """Return what is wrong with certificates; found once for each directory."""
        if self._seen is None or self._seen[0] is not directory:
            self._seen = (directory, self._trial.faults_known(directory.certificates))
        return self._seen[1]
