"""Grants: the authority's decisions in words, which node may speak for which prefixes and in which roles.

A grant remembers since when the node holds each prefix, and which it held before: what it has signed in its time stays good
(`following`). An opaque code (a leaf) is granted alone; it is nobody's prefix.

A prefix has one holder. A longer prefix below it may be granted to somebody else; from then on the longer one decides, and units
that the shorter zone still lists there are hidden.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from node.directory.layout import FORMER_DAYS, node_target, zone_target
from node.model.code import Code
from node.model.directory import Holding, Role
from node.model.policy import DAY_MS


@dataclass(frozen=True, slots=True)
class Grant:
    """One node's grant: the prefixes it may sign zones for, its roles (relay, directory), and its units with opaque codes.

    `since`: when it got a prefix or leaf, milliseconds since 1970 UTC; one that is missing it has always had.
    """

    node_id: str
    prefixes: tuple[Code, ...]
    roles: frozenset[Role]
    leaves: tuple[Code, ...] = ()
    since: Mapping[Code, int] = field(default_factory=dict)
    former: tuple[Holding, ...] = ()

    def targets(self) -> list[str]:
        """Return the TUF target paths that this node may sign, and no others."""
        return [node_target(self.node_id), *(zone_target(prefix) for prefix in self.prefixes)]


def following(grant: Grant, before: Grant | None, now_ms: int) -> Grant:
    """Return a new grant with what has to be remembered of the one before: since when, and what was held until now."""
    was = {*before.prefixes, *before.leaves} if before else set()
    held = {*grant.prefixes, *grant.leaves}
    known = before.since if before else {}
    since = {code: known.get(code, 0) if code in was else now_ms for code in sorted(held)}
    oldest_ms = now_ms - FORMER_DAYS * DAY_MS
    kept = tuple(one for one in (before.former if before else ()) if one.until_ms > oldest_ms)
    lost = tuple(Holding(code, grant.node_id, known.get(code, 0), now_ms) for code in sorted(was - held))
    return replace(grant, since={code: at_ms for code, at_ms in since.items() if at_ms}, former=(*kept, *lost))


def holder_of(grants: Iterable[Grant], prefix: Code) -> str | None:
    """Return the id of the node that holds exactly this prefix or leaf, or None."""
    return next((grant.node_id for grant in grants if prefix in grant.prefixes or prefix in grant.leaves), None)


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
