"""Grants of units to systems: one by one, or all below a code (`H99.01.*`), as the directory in force lists them for this node.

A grant by prefix is kept as it was given: a commune that is published tomorrow is in it tomorrow, and one that moves to another node
is not. H99.01 itself is not below H99.01.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from node.errors import Rejected
from node.model.code import Code, parse_code
from node.model.directory import Directory
from node.model.reason import Reason

BELOW = ".*"


class Granted(NamedTuple):
    """Canonical codes of units, and of those below which all are granted."""

    units: frozenset[str]
    prefixes: frozenset[str] = frozenset()

    @property
    def written(self) -> list[str]:
        """Return the grants as they are written, in order."""
        return sorted([*self.units, *(prefix + BELOW for prefix in self.prefixes)])


def read_grants(texts: Iterable[str]) -> Granted:
    """Read grants as people write them. Raises Rejected(CODE_MALFORMED), Rejected(REQUEST_INVALID) below an opaque code."""
    units, prefixes = set(), set()
    for text in map(str.strip, texts):
        if not text.endswith(BELOW):
            units.add(parse_code(text).text)
            continue
        code = parse_code(text.removesuffix(BELOW))
        if code.is_leaf:
            raise Rejected(Reason.REQUEST_INVALID, f"mã riêng {code} không có đơn vị nào ở dưới")
        prefixes.add(code.text)
    return Granted(frozenset(units), frozenset(prefixes))


class OwnUnits:
    """Tells which units of this node lie below a code; answers are kept until there is another directory."""

    def __init__(self, current: Callable[[], Directory], node_id: str) -> None:
        self._current = current
        self._node_id = node_id

    @property
    def version(self) -> int:
        """A number that changes with the directory."""
        return id(self._current())

    def below(self, prefixes: Iterable[str]) -> frozenset[str]:
        """Return the codes of this node's units that lie below one of these."""
        wanted = [parse_code(prefix) for prefix in prefixes]
        zones = [zone for zone in self._current().zones.values() if zone.node_id == self._node_id and not zone.is_leaf]
        return frozenset(
            code
            for zone in zones
            if any(_may_hold(zone.prefix, prefix) for prefix in wanted)
            for code in zone.units
            if any(code.startswith(f"{prefix}.") for prefix in wanted)
        )


def _may_hold(zone: Code, prefix: Code) -> bool:
    return zone.is_under(prefix) or prefix.is_under(zone)
