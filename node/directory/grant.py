"""Grants: the authority's decisions in words, which node may speak for which prefixes and in which roles.

A prefix has one holder. A longer prefix below it may be granted to somebody else; from then on the longer one decides, and units
that the shorter zone still lists there are hidden.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from node.directory.layout import node_target, zone_target
from node.model.code import Code
from node.model.directory import Role


@dataclass(frozen=True, slots=True)
class Grant:
    """One node's grant: the prefixes it may sign zones for, and its roles (relay, directory)."""

    node_id: str
    prefixes: tuple[Code, ...]
    roles: frozenset[Role]

    def targets(self) -> list[str]:
        """Return the TUF target paths that this node may sign, and no others."""
        return [node_target(self.node_id), *(zone_target(prefix) for prefix in self.prefixes)]


def holder_of(grants: Iterable[Grant], prefix: Code) -> str | None:
    """Return the id of the node that holds exactly this prefix, or None."""
    return next((grant.node_id for grant in grants if prefix in grant.prefixes), None)


def all_prefixes(grants: Iterable[Grant]) -> list[Code]:
    """Return every granted prefix, in order."""
    return sorted(prefix for grant in grants for prefix in grant.prefixes)


def longer_prefixes(prefixes: Sequence[Code], prefix: Code) -> frozenset[str]:
    """Return those of `prefixes` that lie strictly below `prefix`, in canonical form."""
    return frozenset(other.text for other in prefixes if other != prefix and other.is_under(prefix))


def cut_off_by(code: str, longer: frozenset[str]) -> str | None:
    """Return the prefix in `longer` that a canonical code is under, or None. Works on label boundaries."""
    if not longer:
        return None
    end = len(code)
    while end > 0:
        if code[:end] in longer:
            return code[:end]
        end = code.rfind(".", 0, end)
    return None
